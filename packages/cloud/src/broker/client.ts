import type { MqttVersion } from "@thingline/protocol/mqtt";
import type { Connection } from "@thingline/transport";
import type { Authorizer } from "../policy/authorizer.js";
import type { ClientFacts } from "../services/client-directory.js";
import type { ConnectionFlow } from "./connection-flow.js";
import type { DisconnectReason } from "./disconnect-reasons.js";

/** What is said with the end of a connection besides its reason. */
export interface EndDetails {
  /** Default: that of the reason. */
  reasonCode?: number | undefined;
  reasonString?: string | undefined;
  /** Its last will is not published, whatever the reason says. */
  preventsWill?: boolean;
}

/** What a client may receive. */
export interface ReceiveRights {
  /** Only to tell whether a cached decision still holds. */
  readonly authorizer: Authorizer;
  /** Whether the policy lets the client receive the topic. */
  mayReceive(topic: string): boolean;
}

/** A connected client as those see it that send to it. */
export interface Client {
  readonly clientId: string;
  readonly version: MqttVersion;
  readonly certificateId: string | undefined;
  readonly connection: Connection;
  /** The client's Maximum Packet Size. */
  readonly packetBytesMax: number;
  readonly flow: ConnectionFlow;
  readonly rights: ReceiveRights;
  describe(): ClientFacts;
  /** Says good-bye as far as the version can, and closes. Safe to call twice. */
  end(reason: DisconnectReason, details?: EndDetails): void;
}
