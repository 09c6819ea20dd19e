import { isRecord } from "@thingline/protocol";
import type { Files } from "@thingline/transport";
import { readRecord, writeRecord } from "./record-file.js";

/** Of a PIN, and of a PUK. */
export const pinPattern = /^[0-9]{4,8}$/u;
/** Wrong PINs in a row before a SIM card wants its PUK. */
export const pinAttemptsMax = 3;
/** Wrong PUKs in a row before a SIM card is of no use any more. */
export const pukAttemptsMax = 10;

/** What a SIM card remembers by itself, whatever becomes of the modem. */
interface CardRecord {
  /** Undefined: the one that the card came with. */
  pin?: string;
  pinAttempts: number;
  pukAttempts: number;
  /** Whether it asks for its PIN when it is switched on. Undefined: as the world around the modem says. */
  isPinWanted?: boolean;
}

export interface SimCardOptions {
  pin: string;
  puk: string;
  /** Both or none: without them the card forgets with the process. */
  files?: Files;
  folder?: string;
}

/** `wrong`: there are attempts left; `blocked`: that was the last one. */
export type CardAnswer = "right" | "wrong" | "blocked";

const fresh: CardRecord = { pinAttempts: pinAttemptsMax, pukAttempts: pukAttemptsMax };

/** The PIN and PUK of a SIM card. 3GPP TS 31.101, ETSI TS 102 221 section 9. */
export class SimCard {
  readonly #options: SimCardOptions;
  #record: CardRecord;

  private constructor(options: SimCardOptions, record: CardRecord) {
    this.#options = options;
    this.#record = record;
  }

  /** @throws {ThinglineError} STORE_CORRUPT when the record is damaged; the message names the file. */
  static async open(options: SimCardOptions): Promise<SimCard> {
    const { files, folder } = options;
    if (files === undefined || folder === undefined) return new SimCard(options, fresh);
    const file = { path: pathOf(folder), check, remedy: "Remove the file for a fresh SIM card." };
    return new SimCard(options, (await readRecord(files, file)) ?? fresh);
  }

  get pinAttempts(): number {
    return this.#record.pinAttempts;
  }

  get pukAttempts(): number {
    return this.#record.pukAttempts;
  }

  async enterPin(pin: string): Promise<CardAnswer> {
    const { pinAttempts } = this.#record;
    if (pinAttempts === 0) return "blocked";
    if (pin === this.#pin) {
      if (pinAttempts < pinAttemptsMax) await this.#save({ ...this.#record, pinAttempts: pinAttemptsMax });
      return "right";
    }
    await this.#save({ ...this.#record, pinAttempts: pinAttempts - 1 });
    return pinAttempts === 1 ? "blocked" : "wrong";
  }

  async enterPuk(puk: string, newPin: string): Promise<CardAnswer> {
    const { pukAttempts } = this.#record;
    if (pukAttempts === 0) return "blocked";
    if (puk === this.#options.puk) {
      await this.#save({ ...this.#record, ...fresh, pin: newPin });
      return "right";
    }
    await this.#save({ ...this.#record, pukAttempts: pukAttempts - 1 });
    return pukAttempts === 1 ? "blocked" : "wrong";
  }

  async changePin(pin: string, newPin: string): Promise<CardAnswer> {
    const answer = await this.enterPin(pin);
    if (answer === "right") await this.#save({ ...this.#record, pin: newPin });
    return answer;
  }

  get isPinWanted(): boolean | undefined {
    return this.#record.isPinWanted;
  }

  /** The PIN was right: the card shall ask for it, or not, from the next time on. */
  async setPinWanted(isPinWanted: boolean): Promise<void> {
    await this.#save({ ...this.#record, isPinWanted });
  }

  get #pin(): string {
    return this.#record.pin ?? this.#options.pin;
  }

  async #save(record: CardRecord): Promise<void> {
    const { files, folder } = this.#options;
    if (files !== undefined && folder !== undefined) await writeRecord(files, pathOf(folder), record);
    this.#record = record;
  }
}

const pathOf = (folder: string): string => `${folder}/sim-card.json`;

function check(value: unknown): CardRecord | undefined {
  if (!isRecord(value)) return undefined;
  const { pin, pinAttempts, pukAttempts, isPinWanted } = value;
  const isCount = (count: unknown, max: number) =>
    Number.isInteger(count) && Number(count) >= 0 && Number(count) <= max;
  if (!isCount(pinAttempts, pinAttemptsMax) || !isCount(pukAttempts, pukAttemptsMax)) return undefined;
  if (isPinWanted !== undefined && typeof isPinWanted !== "boolean") return undefined;
  if (pin !== undefined && (typeof pin !== "string" || !pinPattern.test(pin))) return undefined;
  return value as unknown as CardRecord;
}
