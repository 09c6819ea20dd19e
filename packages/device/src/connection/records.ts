import { ThinglineError } from "@thingline/protocol";

/** Cuts in a row by the same record, on a session that the server had kept, after which the session is discarded. */
export const sameRecordCutsMax = 3;
/** The same, by whatever records. */
export const recordCutsMax = 6;
/** A filter whose messages did that so often stays unsubscribed. */
export const filterCutsMax = 2;

/**
 * What was given up because a TLS record that this device cannot take ended one connection after the other. AWS IoT sends a message in
 * one record, and an nRF91's modem takes 2,048 bytes in one.
 */
export type RecordTooLargeEvent = {
  /** Connections that were cut so before. */
  cutCount: number;
  /** Of the last record. */
  lengthBytes: number;
  recordBytesMax: number;
  error: ThinglineError;
} & (
  | /** The session at the server, with its queued messages and its subscriptions, which are made anew. */ {
      type: "sessionDiscarded";
    }
  /** It is not subscribed any more; its subscriptions ended with the error. `unsubscribe()` forgets that. */
  | { type: "filterDropped"; filter: string }
);

export function isRecordTooLarge(
  error: ThinglineError | undefined,
): error is ThinglineError & { readonly code: "TLS_RECORD_TOO_LARGE" } {
  return error?.code === "TLS_RECORD_TOO_LARGE";
}

export interface RecordCut {
  error: ThinglineError;
  /** The server had kept the session. */
  isResumed: boolean;
  /** What the record came for, as far as one can tell. */
  filter: string | undefined;
}

/**
 * Finds out why records that are too large keep coming, and what to give up. A message in the session's queue is sent again with each
 * connection: the session goes. A retained message or the answer of a shadow comes back with its filter: the filter goes. Pure.
 */
export class OversizeRecords {
  readonly #isPersistent: boolean;
  #cutCount = 0;
  #resumedCount = 0;
  #sameCount = 0;
  #lastLengthBytes = 0;
  #filterCuts: Map<string, number> | undefined;
  /** Asked first with the next connection, to see whether it was to blame. */
  #suspectFilter: string | undefined;
  #wantsCleanSession = false;
  #isCautious = false;
  #lastError = new ThinglineError("TLS_RECORD_TOO_LARGE", "a TLS record was too large");

  constructor({ isPersistent }: { isPersistent: boolean }) {
    this.#isPersistent = isPersistent;
  }

  /** One thing after the other with the next connection, so that the one to blame shows. */
  get isCautious(): boolean {
    return this.#isCautious;
  }

  get suspectFilter(): string | undefined {
    return this.#suspectFilter;
  }

  get wantsCleanSession(): boolean {
    return this.#wantsCleanSession;
  }

  /** A record ended a connection after its CONNACK. @returns what to drop */
  cut({ error, isResumed, filter }: RecordCut): (RecordTooLargeEvent & { type: "filterDropped" }) | undefined {
    this.#lastError = error;
    const lengthBytes = Number(error.details["lengthBytes"] ?? 0);
    this.#cutCount += 1;
    this.#resumedCount = isResumed ? this.#resumedCount + 1 : 0;
    this.#sameCount = isResumed && lengthBytes === this.#lastLengthBytes ? this.#sameCount + 1 : 1;
    this.#lastLengthBytes = lengthBytes;
    const isNewSession = this.#isCautious && !isResumed;
    this.#isCautious = true;
    const isFull = isResumed && (this.#sameCount >= sameRecordCutsMax || this.#resumedCount >= recordCutsMax);
    // A session that began with this connection holds nothing but what cut it.
    this.#wantsCleanSession = this.#isPersistent && (isFull || isNewSession || this.#wantsCleanSession);
    if (filter === undefined) return undefined;
    return this.#blame(filter, error);
  }

  #blame(filter: string, cause: ThinglineError) {
    this.#filterCuts ??= new Map();
    const cuts = (this.#filterCuts.get(filter) ?? 0) + 1;
    this.#filterCuts.set(filter, cuts);
    this.#suspectFilter = filter;
    if (cuts < filterCutsMax) return undefined;
    this.#filterCuts.delete(filter);
    this.#suspectFilter = undefined;
    const message = `the topic filter "${filter}" stays unsubscribed: ${cuts} times a message for it ended the connection. ${cause.message}`;
    const error = new ThinglineError("TLS_RECORD_TOO_LARGE", message, { details: { ...cause.details, filter }, cause });
    return { type: "filterDropped" as const, filter, error, ...this.#facts(cause) };
  }

  /** The filter was subscribed alone, and nothing came of it. */
  exonerate(filter: string): void {
    this.#filterCuts?.delete(filter);
    if (this.#suspectFilter === filter) this.#suspectFilter = undefined;
  }

  /** A clean session has begun: nothing of the old one is left. */
  discarded(): RecordTooLargeEvent & { type: "sessionDiscarded" } {
    const cause = this.#lastError;
    const facts = this.#facts(cause);
    this.#wantsCleanSession = false;
    this.#sameCount = this.#resumedCount = 0;
    const message = `the session at the cloud was discarded, with the messages that waited in it: ${cause.message}`;
    const error = new ThinglineError("TLS_RECORD_TOO_LARGE", message, { details: cause.details, cause });
    return { type: "sessionDiscarded", error, ...facts };
  }

  /** A connection lasted. */
  stable(): void {
    this.#isCautious = this.#wantsCleanSession = false;
    this.#suspectFilter = undefined;
    this.#cutCount = this.#sameCount = this.#resumedCount = 0;
  }

  #facts({ details }: ThinglineError) {
    const { lengthBytes, recordBytesMax } = details;
    return {
      cutCount: this.#cutCount,
      lengthBytes: Number(lengthBytes ?? 0),
      recordBytesMax: Number(recordBytesMax ?? 0),
    };
  }
}
