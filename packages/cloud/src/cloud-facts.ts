import type { RestApiStats } from "./rest/rest-api.js";
import type { Endpoint, HttpRequest, HttpResponse } from "@thingline/transport";
import type { BrokerStats } from "./broker/types.js";
import type { GatewayStats } from "./gateway/gateway.js";
import type { RequestHead, RestPeer, ServedResponse, Verdict } from "./rest/admission.js";
import type { NamedOperations } from "./services/all.js";
import type { Operation, Scope } from "./services/operation.js";
import type { StoreSnapshot } from "./store/snapshot.js";

export interface CloudStats {
  gateway: GatewayStats;
  broker: BrokerStats;
  rest: RestApiStats;
  pendingEffects: number;
  /** Reads of damaged records: each failed what needed it, and was logged with its key. */
  corruptReads: number;
}

export interface CloudAddresses {
  mqtts: Endpoint;
  https: Endpoint;
  mqtt: Endpoint | undefined;
}

/** A running local AWS IoT Core. Operations for {@link Cloud.run} are its members, by service. */
export interface Cloud extends NamedOperations {
  readonly scope: Scope;
  readonly addresses: CloudAddresses;
  /** What devices have to trust. */
  readonly caPem: string;
  readonly caFile: string;
  /** The REST APIs and objects, without a server in between: an AWS request in, its answer out, which is whole however large it is. */
  handleRest(request: HttpRequest): Promise<HttpResponse>;
  /** Judges a request by its head, for a server that has not read its body: refused, or what it takes to handle it. */
  judgeRest(head: RequestHead): Verdict | Promise<Verdict>;
  /** The same for a port where every request is one of S3, whoever signed it for what. */
  judgeObjects(head: RequestHead): Verdict | Promise<Verdict>;
  /** Serves what was judged to be a request of S3, piece by piece in and out. Never throws. */
  serveObjects(head: RequestHead, body: AsyncIterable<Uint8Array>): Promise<ServedResponse>;
  /**
   * The credentials provider, without a server in between: `GET /role-aliases/<alias>/credentials` of a device that has shown its
   * certificate. Never throws.
   */
  handleCredentials(request: HttpRequest, peer: RestPeer): Promise<HttpResponse>;
  /** Runs a service's operation as MQTT and REST do. `scope` defaults to that of the cloud. */
  run<Input, Result>(operation: Operation<Input, Result>, input: Input, scope?: Scope): Promise<Result>;
  stats(): CloudStats;
  /** Disconnects everybody and forgets all but root CA and server certificate. */
  reset(): Promise<void>;
  /** Everything stored, private keys included; blobs as far as they fit, and the names of those that do not. */
  snapshot(): Promise<StoreSnapshot>;
  /** Disconnects everybody and goes back to a snapshot. @throws {ThinglineError} REQUEST_INVALID, STORE_VERSION_UNKNOWN. */
  restore(snapshot: unknown): Promise<void>;
  /** Takes no more, tells the clients, stores what is under way. Leaves nothing behind. Safe to call twice. */
  close(): Promise<void>;
  readonly closed: Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}
