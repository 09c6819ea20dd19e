import type { ThinglineError } from "@thingline/protocol";
import type { AttemptEvent, EndEvent } from "./events.js";
import type { HistoryPort } from "./history.js";

/** What the connector needs of its device. */
export interface ConnectorPort extends HistoryPort {
  connecting(event: AttemptEvent): void;
  disconnected(event: EndEvent): void;
  /** What has no caller to go to. */
  report(error: ThinglineError): void;
  /**
   * The device is idle: nobody will send what waits. `waiting` is for requests; `failure` is set when the device gave up by
   * itself.
   */
  stopped(waiting: ThinglineError, failure: ThinglineError | undefined): void;
  /** A connection is open and CONNECT is sent. */
  opened(): void;
  /** A connection has ended, before it is decided whether another follows. `isByServer`: by what the server did. */
  ended(isByServer: boolean, cause: ThinglineError | undefined): void;
  /** Input was handled or output has left: the session may take more. */
  progressed(): void;
  /** Idle for ever. */
  closed(): void;
}
