import { ClientTurns } from "../client-turns.js";

/** Requests of one client that wait for the one that is being answered. */
export const waitingStreamRequestsMax = 32;
/** Requests that are answered at one time: each holds as much as one answer may have. */
export const answeredStreamRequestsMax = 32;
/** Of all clients, those included that are being answered. */
export const streamRequestsMax = 4_096;

export const streamTurns = (): ClientTurns =>
  new ClientTurns({
    waitingMax: waitingStreamRequestsMax,
    answeredMax: answeredStreamRequestsMax,
    requestsMax: streamRequestsMax,
  });
