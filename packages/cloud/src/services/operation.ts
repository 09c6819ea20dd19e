import type { PublishProperties } from "@thingline/protocol/mqtt";
import type { Clock, Keys, Random } from "@thingline/transport";
import type { StoreOperation, StoreReader } from "../store/store.js";
import type { BlobRoom } from "./blob-room.js";
import type { TopicFilters } from "./topic-filters.js";

/** The account and region that a request speaks for. Every store key begins with both. */
export interface Scope {
  account: string;
  region: string;
}

/** What a service asks the rest of the cloud to do. Performed by the runner after the commit, never by the service. */
export type Effect =
  | {
      type: "publish";
      topic: string;
      /** A function is called when somebody wants the message, at most once, and says the same whenever that is. */
      payload: Uint8Array | (() => Uint8Array);
      qos: 0 | 1;
      isRetained?: boolean;
      /** For receivers that speak MQTT 5; the expiry holds for all. */
      properties?: Pick<PublishProperties, keyof PublishProperties>;
      /**
       * `http`: somebody outside asked for it, so that services hear it as they hear what clients publish, and the effect is settled
       * when those that hold acknowledgements have answered it. Default `service`.
       */
      source?: "service" | "http";
      /** Of a message that a rule republishes: how many of them followed from each other. */
      ruleDepth?: number;
      /** Deliver to this client only, subscribed or not (job responses). */
      onlyToClientId?: string;
      /**
       * With `onlyToClientId`: and only while the client is who asked, with this certificate. Whoever came under its client id since
       * does not get it.
       */
      onlyToCertificateId?: string;
    }
  | { type: "disconnect"; clientId: string; reason: string }
  /** What a service keeps ready of its records has changed: every node reads it anew, see `CloudService.onRefresh`. */
  | { type: "refresh"; service: string }
  /** Policies, status or attachments of a certificate changed: look again at its live connections. */
  | { type: "recheckPrincipal"; certificateId: string }
  /** The blob is wanted no more: {@link releaseBlob} makes it together with what the commit writes. */
  | { type: "deleteBlob"; service: string; name: string }
  /** Call `wake(name, payload)` of the service not before this time; stored, so that a restart finds it. */
  | { type: "wakeAt"; service: string; name: string; atUnixMs: number };

export interface OperationContext {
  scope: Scope;
  /** With what the operation has called for so far. */
  store: StoreReader;
  /** Unix time in milliseconds, one value for the whole operation. */
  nowMs: number;
  random: Random;
  keys: Keys;
  /**
   * Runs another operation within the commit of this one, which is the commit of both: as if the other had run just before, so what it
   * decided is there to read from now on, lists included, and its effects come before this one's. When it throws, nothing of it remains,
   * and whoever catches that goes on without it. Calls of one operation are done one after another; wait for each before you return.
   * The other's lane does not count, as the store still finds whoever interferes.
   *
   * @throws {ThinglineError} the other's own; LIMIT_EXCEEDED when calls go deeper than {@link callDepthMax}.
   */
  call<Input, Result>(operation: Operation<Input, Result>, input: Input): Promise<Result>;
}

/** What a saga has besides its input. It may wait for whatever it wants: no commit waits for it. */
export interface SagaContext {
  scope: Scope;
  clock: Clock;
  random: Random;
  keys: Keys;
  /** The service's own blobs in this account and region. */
  blobs: BlobRoom;
  /** Each in a commit of its own. Works to the end, also while the runner closes. */
  run: <Input, Result>(operation: Operation<Input, Result>, input: Input) => Promise<Result>;
}

/** What an operation decided. Nothing has happened yet: the runner commits `operations` and the effects together. */
export interface Outcome<T> {
  result: T;
  operations: readonly StoreOperation[];
  effects: readonly Effect[];
}

/** An outcome of an operation that changes nothing. */
export function answer<Result>(result: Result): Outcome<Result> {
  return { result, operations: [], effects: [] };
}

/** Pure but for reads. Run again from the start when its commit meets a STORE_CONFLICT. */
export interface Operation<Input, Result> {
  /** Throwing and rejecting are the same. */
  (context: OperationContext, input: Input): Outcome<Result> | Promise<Outcome<Result>>;
  /**
   * Operations of one scope and lane run one after another in this process, in the order in which they were asked for,
   * so that many writers of one record do not use up each other's attempts. Those that wait for the same lane share one commit:
   * each sees what those before it decided, and hears of it when all of that is stored. So they wait for nothing but the
   * store. Must take unchecked input. Without a lane operations run as they come.
   */
  readonly lane?: (input: Input) => string;
  /**
   * An operation that has to wait, for a key, for an answer over HTTP, for a blob, is a saga: it waits first and runs operations that
   * decide afterwards, so that a conflict costs no second key. The runner runs this instead of the operation itself, which cannot be
   * called within a commit. See `saga.ts`.
   */
  readonly saga?: Saga<Input, Result>;
}

/** `service` names the room of its blobs. */
export interface Saga<Input, Result> {
  readonly service: string;
  readonly run: (context: SagaContext, input: Input) => Promise<Result>;
}

/** Runs operations: decide, commit state and effects at once, perform the effects, then forget them. */
export interface OperationRunner {
  /**
   * @throws {ThinglineError} the operation's own; STORE_CONFLICT when it kept conflicting
   * ({@link operationAttemptsMax} times).
   */
  run<Input, Result>(scope: Scope, operation: Operation<Input, Result>, input: Input): Promise<Result>;
  /** The same for callers that have very many: without a promise. Calls back once, never from inside the call. */
  submit<Input, Result>(
    scope: Scope,
    operation: Operation<Input, Result>,
    input: Input,
    settled: (error: Error | undefined, result: Result | undefined) => void,
  ): void;
}

export const operationAttemptsMax = 20;

/**
 * How a message came to the broker: published by a client or over HTTP, an effect of a service, a client's last will, or an event of a
 * client's life.
 */
export type MessageSource = "client" | "http" | "service" | "will" | "lifecycle";

/** Stands for the client id of a message that no client has sent, as AWS's rules see it. */
export const noClientId = "n/a";

/** A message as a service hears it. */
export interface ServiceMessage {
  scope: Scope;
  topic: string;
  payload: Uint8Array;
  /** {@link noClientId} for a message that no client has sent. */
  clientId: string;
  /** Certificate id; undefined for an anonymous plain TCP client, and for a message that no client has sent. */
  certificateId: string | undefined;
  source: MessageSource;
  /** Of MQTT 5. Nobody changes them. */
  properties?: Readonly<PublishProperties> | undefined;
  /** Where its client connects from, as far as the connection tells. */
  sourceIp?: string | undefined;
  /** Of a message that a rule has republished: how many of them followed from each other. */
  ruleDepth?: number | undefined;
}

/** The MQTT face of a service (`topics.ts`): which topics it hears from whom, and what it does with a message. */
export interface ServiceTopics {
  /**
   * Topic filters, matched as AWS matches. A topic still fans out to subscribers like any other. {@link TopicFilters} can change while the
   * service runs.
   */
  filters: readonly string[] | TopicFilters;
  /** Whose messages it hears. Default: those of clients alone. */
  sources?: readonly MessageSource[];
  /**
   * Whether a message is acknowledged only when the service has answered it. A service that holds nothing back may be slow: what it
   * cannot take yet waits in a bounded queue, and is dropped and counted when that is full. So it is in any case with effects of services,
   * wills and events of a client's life, as nobody waits for their acknowledgement. Default true.
   */
  holdsAck?: boolean;
  /**
   * Calls back once, never from inside the call, when the message is answered. Errors become the service's own `rejected` message
   * inside; what `done` is called with is a defect and is logged.
   */
  handle(message: ServiceMessage, runner: OperationRunner, done: (error?: Error) => void): void;
}

/** {@link ServiceTopics.handle} for who can wait. */
export function answered(service: ServiceTopics, message: ServiceMessage, runner: OperationRunner): Promise<void> {
  return new Promise((resolve, reject) => {
    service.handle(message, runner, (error) => {
      if (error === undefined) resolve();
      else reject(error);
    });
  });
}
