import type { Clock } from "@thingline/transport";

/** The modem's clock: of the network once it is registered, or set by `AT+CCLK`. */
export class NetworkTime {
  readonly #clock: Clock;
  /** What the network's time is ahead of the machine's clock. */
  #networkOffsetMs = 0;
  #setting: { aheadMs: number; timeZone: number; daylightSaving?: number } | undefined;
  #isFromNetwork = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether the modem knows the time. */
  get isKnown(): boolean {
    return this.#isFromNetwork || this.#setting !== undefined;
  }

  get isFromNetwork(): boolean {
    return this.#isFromNetwork;
  }

  /** Of the network. */
  networkMs(): number {
    return this.#clock.unixMs() + this.#networkOffsetMs;
  }

  /** UTC, as the modem has it, with what `AT+CCLK?` adds. The simulated network has no time zone. */
  read(): { unixMs: number; timeZone: number; daylightSaving: number | undefined } {
    if (this.#setting === undefined) return { unixMs: this.networkMs(), timeZone: 0, daylightSaving: undefined };
    const { aheadMs, timeZone, daylightSaving } = this.#setting;
    return { unixMs: this.#clock.unixMs() + aheadMs, timeZone, daylightSaving };
  }

  set(unixMs: number, timeZone: number, daylightSaving?: number): void {
    const setting = { aheadMs: unixMs - this.#clock.unixMs(), timeZone };
    this.#setting = daylightSaving === undefined ? setting : { ...setting, daylightSaving };
  }

  /** The network told its time: it goes before what was set. */
  received(): void {
    this.#isFromNetwork = true;
    this.#setting = undefined;
  }

  /** @returns whether it is another time now. */
  moveNetwork(offsetMs: number): boolean {
    const isMoved = offsetMs !== this.#networkOffsetMs;
    this.#networkOffsetMs = offsetMs;
    return isMoved;
  }

  forget(): void {
    this.#isFromNetwork = false;
    this.#setting = undefined;
  }
}

const pattern = /^([0-9]{2})\/([0-9]{2})\/([0-9]{2}),([0-9]{2}):([0-9]{2}):([0-9]{2})([+-][0-9]{2})$/u;

/** `yy/MM/dd,hh:mm:ss±zz`, local time, zone in quarters of an hour. @returns undefined when there is no such moment. */
export function parseClock(text: string): { unixMs: number; timeZone: number } | undefined {
  const match = pattern.exec(text);
  if (match === null) return undefined;
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0, timeZone = 0] = match.slice(1).map(Number);
  const localMs = Date.UTC(2000 + year, month - 1, day, hour, minute, second);
  // What does not exist is carried over into the next month or hour.
  if (formatClock(localMs, 0).slice(0, -3) !== text.slice(0, -3) || Math.abs(timeZone) > 48) return undefined;
  return { unixMs: localMs - timeZone * 900_000, timeZone };
}

export function formatClock(unixMs: number, timeZone: number): string {
  const [date = "", time = ""] = new Date(unixMs + timeZone * 900_000).toISOString().split("T");
  const zone = `${timeZone < 0 ? "-" : "+"}${String(Math.abs(timeZone)).padStart(2, "0")}`;
  return `${date.slice(2).replaceAll("-", "/")},${time.slice(0, 8)}${zone}`;
}
