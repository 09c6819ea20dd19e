import type { MessageSource } from "../services/operation.js";

/** How a message enters, and what follows from that. */
interface SourceRule {
  /** One bit for each source: whether anybody hears it is asked for every message. */
  readonly bit: number;
  /** Over the rate or the room for retained messages nothing of it is delivered; a message of others is only not retained. */
  readonly isRefusedOverRetainLimits: boolean;
  /** The payload is a view of the input, and has to be copied for whoever works on it after the turn. */
  readonly isPayloadBorrowed: boolean;
  /** Somebody waits for its acknowledgement, so that a listener can hold it. A message of others is offered to every listener. */
  readonly isAcknowledged: boolean;
}

/** The sources of messages. Which service hears which of them, its `sources` say. */
export const sourceRules: Readonly<Record<MessageSource, SourceRule>> = {
  client: { bit: 1, isRefusedOverRetainLimits: true, isPayloadBorrowed: true, isAcknowledged: true },
  http: { bit: 2, isRefusedOverRetainLimits: false, isPayloadBorrowed: false, isAcknowledged: true },
  service: { bit: 4, isRefusedOverRetainLimits: false, isPayloadBorrowed: false, isAcknowledged: false },
  will: { bit: 8, isRefusedOverRetainLimits: false, isPayloadBorrowed: false, isAcknowledged: false },
  lifecycle: { bit: 16, isRefusedOverRetainLimits: false, isPayloadBorrowed: false, isAcknowledged: false },
};

/** Who publishes. */
export interface Origin {
  readonly source: MessageSource;
  readonly clientId: string;
  readonly certificateId: string | undefined;
  readonly sourceIp?: string | undefined;
  readonly ruleDepth?: number | undefined;
}
