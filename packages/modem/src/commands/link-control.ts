import { checkOptionTypes, isThinglineError, type OptionTypes, ThinglineError } from "@thingline/protocol";
import type { RegistrationStatus, SystemMode } from "@thingline/protocol/at";
import { formatSystemMode, parseFunctionalMode, parseRegistrationRead, parseSystemMode } from "@thingline/protocol/at";
import { type Clock, clockOption, type LinkControl, type Timer } from "@thingline/transport";
import type { LinkEvent, LinkEvents, LinkState } from "../link-state.js";
import { initialLinkState, stepLinkNotification, stepRegistration } from "../link-state.js";
import { unlessRejected } from "../failures.js";
import { type ModemSession, type RunCommand, sessionOption, withSignal } from "../session.js";

export interface LinkControlOptions {
  clock: Clock;
  /** From `connect()` to the registration. Default {@link defaultNetworkTimeoutMs}. */
  networkTimeoutMs?: number;
  /** Set before the radio is switched on, when the modem has another. Default: as it is. */
  systemMode?: SystemMode;
}

/** LTE_NETWORK_TIMEOUT of lte_lc. */
export const defaultNetworkTimeoutMs = 600_000;
/** `AT+CFUN` waits for the network to answer a detach. */
const functionalModeTimeoutMs = 60_000;

/** LTE link control with the link's events. */
export interface LteLinkControl extends LinkControl {
  /** What the modem said last. */
  readonly status: RegistrationStatus;
  /** @returns what ends the subscription. */
  on<Name extends keyof LinkEvents>(name: Name, listener: (event: LinkEvents[Name]) => void): () => void;
  /** Stops listening; a `connect` that waits fails with CLOSED. The modem stays as it is, the session open. */
  close(): void;
}

const optionTypes = {
  clock: clockOption,
  networkTimeoutMs: "number",
  systemMode: "object",
} as const satisfies OptionTypes<LinkControlOptions>;

/**
 * LTE link control over an AT session.
 *
 * Unlike lte_lc, nothing is in progress after an error: the next `connect` starts afresh. A denied registration
 * (`+CEREG: 3`) and a failed SIM card (90) end `connect` at once; the radio stays on, and the modem may still register.
 *
 * @see nRF Connect SDK, lib/lte_link_control
 */
export function createLinkControl(session: ModemSession, options: LinkControlOptions): LteLinkControl {
  const of = "createLinkControl()";
  checkOptionTypes({ session }, { session: sessionOption }, { of, required: ["session"] });
  checkOptionTypes(options, optionTypes, { of, required: ["clock"] });
  return new SessionLinkControl(session, options);
}

interface Waiter {
  onStatus(status: RegistrationStatus): void;
  fail(error: ThinglineError): void;
}

class SessionLinkControl implements LteLinkControl {
  readonly #session: ModemSession;
  readonly #options: LinkControlOptions;
  readonly #listeners = new Map<keyof LinkEvents, Set<(event: never) => void>>();
  readonly #waiters = new Set<Waiter>();
  readonly #unsubscribe: () => void;
  #state: LinkState = initialLinkState;
  #isClosed = false;

  constructor(session: ModemSession, options: LinkControlOptions) {
    this.#session = session;
    this.#options = options;
    this.#unsubscribe = session.onNotification((line) => this.#apply(stepLinkNotification(this.#state, line)));
    void session.closed.then(() => this.#failWaiters(new ThinglineError("CONNECTION_LOST", "the AT channel ended")));
  }

  get status(): RegistrationStatus {
    return this.#state.status;
  }

  on<Name extends keyof LinkEvents>(name: Name, listener: (event: LinkEvents[Name]) => void): () => void {
    const listeners = this.#listeners.get(name) ?? new Set();
    this.#listeners.set(name, listeners);
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  async connect({ signal }: { signal?: AbortSignal } = {}): Promise<void> {
    this.#checkOpen();
    const timeoutMs = this.#options.networkTimeoutMs ?? defaultNetworkTimeoutMs;
    const deadlineMs = this.#options.clock.monotonicMs() + timeoutMs;
    await this.#change((run) => this.#activate(run), signal);
    await this.#waitForRegistration(deadlineMs, timeoutMs, signal);
  }

  async normal(): Promise<void> {
    this.#checkOpen();
    await this.#change((run) => this.#activate(run), undefined);
  }

  async offline(): Promise<void> {
    await this.#leave(4);
  }

  async powerOff(): Promise<void> {
    await this.#leave(0);
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#unsubscribe();
    this.#failWaiters(new ThinglineError("CLOSED", "link control was closed"));
    this.#listeners.clear();
  }

  async #leave(mode: 0 | 4): Promise<void> {
    this.#checkOpen();
    await this.#change(async (run) => {
      await run(`AT+CFUN=${mode}`, { timeoutMs: functionalModeTimeoutMs });
    }, undefined);
    // The URC may still come, or never when power off took the subscription with it.
    this.#apply(stepRegistration(this.#state, { status: "notRegistered" }));
  }

  /** Subscribes, and switches LTE on unless it is. Subscriptions are lost with AT+CFUN=0, so they come each time. */
  async #activate(run: RunCommand): Promise<void> {
    await run("AT+CEREG=5");
    await run("AT+CSCON=1");
    // Not every firmware has it.
    await unlessRejected(run("AT%MDMEV=1"));
    await this.#readRegistration(run);
    const [line = ""] = await run("AT+CFUN?");
    const mode = parseFunctionalMode(line);
    if (mode === 1 || mode === 21) return;
    if (mode === 0 || mode === 4) await this.#setSystemMode(run);
    await run("AT+CFUN=1", { timeoutMs: functionalModeTimeoutMs });
  }

  async #setSystemMode(run: RunCommand): Promise<void> {
    const { systemMode } = this.#options;
    if (systemMode === undefined) return;
    const wanted = formatSystemMode(systemMode);
    const current = parseSystemMode((await run("AT%XSYSTEMMODE?"))[0] ?? "");
    if (current === undefined || formatSystemMode(current) !== wanted) await run(`AT%XSYSTEMMODE=${wanted}`);
  }

  async #readRegistration(run: RunCommand): Promise<void> {
    const [line = ""] = await run("AT+CEREG?");
    const read = parseRegistrationRead(line);
    if (read === undefined) {
      throw new ThinglineError("MODEM_RESPONSE_INVALID", `AT+CEREG?: expected a registration status, got ${line}`);
    }
    this.#apply(stepRegistration(this.#state, read.registration));
  }

  async #change(steps: (run: RunCommand) => Promise<void>, signal: AbortSignal | undefined): Promise<void> {
    try {
      await this.#session.sequence((run) => steps(withSignal(run, signal)), signal === undefined ? {} : { signal });
    } catch (error) {
      if (!isThinglineError(error, "MODEM_COMMAND_REJECTED")) throw error;
      const message = `the modem refused a change of the LTE link: ${error.message}`;
      throw new ThinglineError("LINK_FAILED", message, { details: error.details, cause: error });
    }
  }

  #waitForRegistration(deadlineMs: number, timeoutMs: number, signal: AbortSignal | undefined): Promise<void> {
    return new Promise((resolve, reject) => {
      let timer: Timer | undefined = undefined;
      const finish = (settle: () => void) => {
        timer?.cancel();
        signal?.removeEventListener("abort", onAbort);
        this.#waiters.delete(waiter);
        settle();
      };
      const onAbort = () =>
        waiter.fail(
          new ThinglineError("ABORTED", "connecting to LTE was aborted by the caller", { cause: signal?.reason }),
        );
      const waiter: Waiter = {
        onStatus: (status) => {
          if (status === "home" || status === "roaming") finish(resolve);
          else if (status === "denied" || status === "uiccFailure") waiter.fail(linkFailed(status));
        },
        fail: (error) => finish(() => reject(error)),
      };
      this.#waiters.add(waiter);
      const { clock } = this.#options;
      timer = clock.setTimer(Math.max(0, deadlineMs - clock.monotonicMs()), () => {
        const message = `the modem did not register within ${timeoutMs} ms (last status: ${this.status})`;
        waiter.fail(new ThinglineError("TIMEOUT", message, { details: { timeoutMs, status: this.status } }));
      });
      signal?.addEventListener("abort", onAbort, { once: true });
      if (signal?.aborted === true) onAbort();
      else if (this.#isClosed) waiter.fail(new ThinglineError("CLOSED", "link control was closed"));
      else waiter.onStatus(this.status);
    });
  }

  #apply([state, events]: [LinkState, LinkEvent[]]): void {
    if (this.#isClosed) return;
    this.#state = state;
    for (const { name, event } of events) {
      for (const listener of [...(this.#listeners.get(name) ?? [])]) listener(event as never);
    }
    if (events.some(({ name }) => name === "nwRegStatus")) {
      for (const waiter of [...this.#waiters]) waiter.onStatus(state.status);
    }
  }

  #failWaiters(error: ThinglineError): void {
    for (const waiter of [...this.#waiters]) waiter.fail(error);
  }

  #checkOpen(): void {
    if (this.#isClosed) throw new ThinglineError("CLOSED", "link control was closed");
  }
}

const linkReasons: Partial<Record<RegistrationStatus, string>> = {
  denied: "the network denied the registration (+CEREG: 3); check the subscription of the SIM card",
  uiccFailure: "the SIM card failed (+CEREG: 90); check that it is there and activated",
  searching: "the modem is searching for a network (+CEREG: 2)",
  notRegistered: "the modem is registered nowhere and does not search (+CEREG: 0)",
};

/** Why there is no link, in words. */
export function linkFailed(status: RegistrationStatus): ThinglineError {
  const reason = linkReasons[status] ?? `the modem is not registered (+CEREG says ${status})`;
  return new ThinglineError("LINK_FAILED", reason, { details: { status } });
}
