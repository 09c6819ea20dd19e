import type { ServedOperation } from "./aws-operation.js";
import type { LifecycleEvent } from "./lifecycle.js";
import type { CommitListener } from "./commit-listener.js";
import type { OperationRunner, Scope, ServiceTopics } from "./operation.js";
import type { TaggableKind } from "./taggable.js";
import type { WakeHandler } from "./wake-ups.js";

/**
 * One service of the cloud, whole: what it can do, and the faces through which it is asked. The `index.ts` of its folder makes it, and
 * `all.ts` lists it; nothing else names it.
 *
 * It is made once for a cloud. A reset or a restore changes the store below it, and another node may write there as well, so it keeps
 * nothing of the store in memory but what `onOpen` and `onRefresh` read, or what it hears of every commit by `changes`. Its faces hold no
 * rules: they call `operations`. It asks the rest of the cloud for nothing but by
 * effects, and another service for nothing but by `context.call`.
 *
 * A place is kept for what comes with its first user: an effect `request` (HTTP with retry, for hooks) would stand beside `publish` in
 * `Effect` and be performed from the outbox. Decision 160 says how.
 */
export interface CloudService<Operations extends object = object> {
  /** Unlike that of any other service: `wakeAt` and blobs go by it, and it is stored with them. */
  readonly name: string;
  /** By AWS's names in camel case. Each checks its own input. */
  readonly operations: Operations;
  /** The HTTP face: the operations of AWS that are served. Where they are and what they look like, AWS's model says. */
  readonly rest?: readonly ServedOperation[];
  /** The MQTT face. */
  readonly topics?: ServiceTopics;
  /** Kinds of its resources that may have tags. */
  readonly taggable?: readonly TaggableKind[];
  /** Called when a `wakeAt` with the service's name is due. */
  readonly wake?: WakeHandler;
  /**
   * Called when the store is there, before the first client: at the start, and again after a reset or restore. It reads what it has to know
   * at once.
   */
  onOpen?(scope: Scope, runner: OperationRunner): Promise<void>;
  /**
   * Hears what happens to clients. The client waits for nothing of it, and what it throws or rejects with is logged: whoever must not
   * miss an event learns of it by its state as well, because an event is lost with its process.
   */
  onLifecycle?(event: LifecycleEvent, runner: OperationRunner): void | Promise<void>;
  /** After a `refresh` effect with the service's name, of any node: what it read when it was opened is read anew. */
  onRefresh?(scope: Scope, runner: Pick<OperationRunner, "run">): Promise<void>;
  /** Hears what every operation commits. */
  readonly changes?: CommitListener;
  /** Ends what the service keeps open. No operation runs then. */
  close?(): void | Promise<void>;
}
