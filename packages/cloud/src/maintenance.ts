import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Engine } from "./engine.js";
import type { Log } from "./log.js";
import { tellMissingBlobs } from "./services/blob-records.js";
import type { Scope } from "./services/operation.js";
import type { BlobStore } from "./store/blobs.js";
import { putBlobs, readBlobs } from "./store/blob-snapshot.js";
import { noSnapshot } from "./store/no-snapshot.js";
import { clearStore, parseSnapshot, restoreSnapshot, takeSnapshot } from "./store/snapshot.js";
import type { StoreSnapshot } from "./store/snapshot.js";
import type { Store, StoreKey } from "./store/store.js";

export interface MaintenanceOptions {
  scope: Scope;
  store: Store;
  blobs: BlobStore;
  log: Log;
  openEngine: () => Promise<Engine>;
}

/** The engine, and what is done to the store while there is none: one thing after another, and requests wait for it. */
export class Maintenance {
  readonly #options: MaintenanceOptions;
  #engine: Engine | undefined;
  /** The last reset or restore. */
  #work: Promise<void> = Promise.resolve();
  #isClosing = false;

  constructor(options: MaintenanceOptions) {
    this.#options = options;
  }

  async open(): Promise<void> {
    this.#engine = await this.#options.openEngine();
  }

  /** Between two engines there is none. */
  get current(): Engine | undefined {
    return this.#engine;
  }

  /** @throws {ThinglineError} CLOSED */
  get engine(): Engine {
    if (this.#engine === undefined || this.#isClosing)
      throw new ThinglineError("CLOSED", "the cloud was used after close()");
    return this.#engine;
  }

  /** The engine, when nothing is done to the store. @throws {ThinglineError} CLOSED */
  async ready(): Promise<Engine> {
    await this.#work;
    return this.engine;
  }

  /** Everything stored is gone, blobs too: the next engine sweeps what no record asks for. */
  reset(): Promise<void> {
    return this.#maintain("reset", () => clearStore(this.#options.store));
  }

  async snapshot(): Promise<StoreSnapshot> {
    await this.ready();
    const { store, blobs, log } = this.#options;
    const snapshot = await takeSnapshot(store, blobs);
    const { blobsLeftOut = [] } = snapshot;
    if (blobsLeftOut.length > 0) log.warn("blobsLeftOut", { count: blobsLeftOut.length, first: blobsLeftOut[0] });
    return snapshot;
  }

  /** @throws {ThinglineError} REQUEST_INVALID, STORE_VERSION_UNKNOWN */
  async restore(snapshot: unknown): Promise<void> {
    // Before anybody is disconnected.
    const entries = parseSnapshot(snapshot);
    this.#requireOurs(entries);
    const carried = readBlobs(snapshot as StoreSnapshot);
    const { log, store, blobs } = this.#options;
    let before: StoreSnapshot | undefined;
    const change = async () => {
      // From a store with damaged records there is no way back, but one on.
      before = await takeSnapshot(store).catch((error: unknown) => {
        if (!isThinglineError(error, "STORE_CORRUPT")) throw error;
        log.warn("restoredOverDamage", { error: error.message });
        return undefined;
      });
      // Under names of their own, beside those that are there: whichever are not asked for in the end are swept.
      await putBlobs(blobs, carried);
      await restoreSnapshot(store, snapshot);
    };
    const undo = async (cause: unknown) => {
      if (before !== undefined) await restoreSnapshot(store, before);
      throw isThinglineError(cause) ? cause : noSnapshot("no cloud can go on from it", cause);
    };
    await this.#maintain("restored", change, undo);
    const keys = entries.map(([key]) => key);
    await tellMissingBlobs(blobs, keys, log);
  }

  /** Nobody could ever see what is all of another account or region. @throws {ThinglineError} REQUEST_INVALID */
  #requireOurs(entries: readonly [StoreKey, unknown][]): void {
    // What concerns all accounts has none.
    const scopes = new Set(entries.flatMap(([[account, region]]) => (account === "" ? [] : [`${account} ${region}`])));
    const { account, region } = this.#options.scope;
    const own = `${account} ${region}`;
    if (scopes.size === 0 || scopes.has(own)) return;
    const theirs = [...scopes].slice(0, 3).join(", ");
    throw noSnapshot(`it is of account and region ${theirs}, and this cloud is ${own}`);
  }

  /** With no engine running meanwhile. `undo` puts back what no engine opens with, and throws. */
  #maintain(
    event: string,
    change: () => Promise<void>,
    undo: (error: unknown) => Promise<void> = async (error) => {
      throw error;
    },
  ): Promise<void> {
    const work = this.#work.then(async () => {
      await this.#closeEngine(this.engine);
      try {
        await change();
        await this.open();
      } catch (error) {
        try {
          await undo(error);
        } finally {
          await this.open();
        }
      }
      this.#options.log.info(event);
    });
    this.#work = work.catch(() => undefined);
    return work;
  }

  async #closeEngine(engine: Engine | undefined): Promise<void> {
    this.#engine = undefined;
    await engine?.close();
  }

  /** After what is being done. */
  async close(): Promise<void> {
    const done = this.#work;
    this.#isClosing = true;
    await done;
    await this.#closeEngine(this.#engine);
  }
}
