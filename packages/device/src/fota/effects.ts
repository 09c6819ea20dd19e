import { concatBytes, isThinglineError, ThinglineError, toHex } from "@thingline/protocol";
import type { JobStatusDetails } from "@thingline/protocol/jobs";
import type { Clock, Files, Random } from "@thingline/transport";
import type { FirmwareDocument } from "./document.js";
import type { Download, Downloader, DownloadRequest } from "./downloader.js";
import { decodeJournal, encodeJournal, journalBytesMax } from "./journal.js";
import { type FirmwareTarget, type FirmwareTargetState, firmwareHeadBytes } from "./target.js";
import type { EffectResult, FotaEvent, FotaLimits, UpdateEffect } from "./types.js";

/** What the application is asked about a new image. */
export interface HealthQuestion {
  target: string;
  /** What runs. */
  version: string;
  /** Aborted when the time for it is over. */
  signal: AbortSignal;
}

/** Restarts the device: `install` tries the new image, `revert` goes back from one that is on trial. */
export interface RebootRequest {
  target: string;
  why: "install" | "revert";
}

export interface UpdateContext {
  files: Files;
  journalPath: string;
  clock: Clock;
  random: Random;
  limits: FotaLimits;
  targets: readonly FirmwareTarget[];
  downloaders: readonly Downloader[];
  reboot: (request: RebootRequest) => Promise<void> | void;
  connected: (options: { signal: AbortSignal }) => Promise<void>;
  healthCheck: (question: HealthQuestion) => Promise<boolean | void> | boolean | void;
  /** Of the job that is worked on. */
  announce(details: JobStatusDetails, signal: AbortSignal): Promise<void>;
  freshDocument(signal: AbortSignal): Promise<FirmwareDocument>;
  onEvent(event: FotaEvent): void;
  onProgress(offset: number): void;
}

interface OpenDownload {
  download: Download;
  chunks: AsyncIterator<Uint8Array, undefined>;
  abort: AbortController;
  /** Taken from `chunks` to be looked at, and not yet written. */
  held: Uint8Array[];
}

const done: EffectResult = { of: "nothing" };
/** Of the first bytes, for people. */
const shownHeadBytes = 8;

/** Does what the machine decides; keeps the download that is open, and how far its target was written. */
export class EffectRunner {
  readonly #context: UpdateContext;
  #open: OpenDownload | undefined;
  #writtenTo = 0;

  constructor(context: UpdateContext) {
    this.#context = context;
  }

  async run(effect: UpdateEffect, signal: AbortSignal): Promise<EffectResult> {
    const { files, journalPath, clock, random, reboot } = this.#context;
    switch (effect.type) {
      case "loadJournal":
        return this.#loadJournal();
      case "saveJournal":
        await files.replace(journalPath, encodeJournal(effect.journal));
        return done;
      case "inspect":
        return this.#inspect();
      case "openDownload":
        return this.#openDownload(effect.request, signal);
      case "closeDownload":
        await this.close();
        return done;
      case "recognise":
        return this.#recognise(signal);
      case "begin":
        return this.#begin(effect, signal);
      case "resume": {
        const { sizeBytes, offset } = effect;
        this.#writtenTo = await this.#target(effect.target).resume({ sizeBytes, offset }, { signal });
        return { of: "resume", offset: this.#writtenTo };
      }
      case "pump":
        return this.#pump(effect, signal);
      case "verify": {
        const { sizeBytes } = effect;
        return { of: "verify", verdict: await this.#target(effect.target).verify({ sizeBytes }, { signal }) };
      }
      case "schedule":
        await this.#target(effect.target).schedule();
        return done;
      case "announce":
        await this.#announce(effect.details, signal);
        return done;
      case "reboot":
        // It may never resolve: the process ends first.
        await orAborted((async () => reboot({ target: effect.target, why: effect.why }))(), signal);
        return done;
      case "checkHealth":
        return this.#checkHealth(effect, signal);
      case "awaitConnected":
        await orAborted(this.#context.connected({ signal }), signal);
        return done;
      case "confirm":
        await this.#target(effect.target).confirm();
        return done;
      case "discard":
        await this.#target(effect.target).discard();
        return done;
      case "refreshDocument":
        return { of: "refreshDocument", document: await this.#context.freshDocument(signal) };
      case "wait":
        // Only ever later: a server may have said when.
        await clock.sleep(Math.round(effect.delayMs * (1 + 0.25 * random.fraction())), { signal });
        return done;
    }
  }

  /** Gives up the download that is open. */
  async close(): Promise<void> {
    const open = this.#open;
    this.#open = undefined;
    open?.abort.abort();
    await open?.download.close();
  }

  async #loadJournal(): Promise<EffectResult> {
    const { files, journalPath } = this.#context;
    let bytes: Uint8Array;
    try {
      bytes = await files.read(journalPath, { bytesMax: journalBytesMax });
    } catch (error) {
      if (isThinglineError(error, "FILE_NOT_FOUND")) return { of: "loadJournal", journal: undefined };
      if (!isThinglineError(error, "FILE_TOO_LARGE")) throw error;
      const problem = `what ${journalPath} remembers of updates is not trusted: ${error.message}`;
      return { of: "loadJournal", journal: undefined, problem };
    }
    const journal = decodeJournal(bytes);
    if (journal) return { of: "loadJournal", journal };
    const kept = `${journalPath}.unreadable`;
    await files.replace(kept, bytes);
    const problem = `what ${journalPath} remembers of updates cannot be understood, so nothing in it is trusted; it was kept as ${kept}`;
    return { of: "loadJournal", journal: undefined, problem };
  }

  async #inspect(): Promise<EffectResult> {
    const states: Record<string, FirmwareTargetState> = {};
    for (const target of this.#context.targets) states[target.name] = await target.state();
    return { of: "inspect", states };
  }

  async #openDownload(request: DownloadRequest, signal: AbortSignal): Promise<EffectResult> {
    await this.close();
    const { source } = request;
    const downloader = this.#context.downloaders.find((each) => each.serves(source));
    if (!downloader) throw new ThinglineError("DOWNLOAD_INVALID", "nothing on this device fetches from such a place");
    const abort = new AbortController();
    const unlink = linkAbort(signal, abort);
    try {
      const download = await downloader.open(request, { signal: abort.signal });
      const chunks = download.chunks()[Symbol.asyncIterator]() as AsyncIterator<Uint8Array, undefined>;
      this.#open = { download, chunks, abort, held: [] };
      return { of: "openDownload", identity: download.identity };
    } finally {
      unlink();
    }
  }

  async #recognise(signal: AbortSignal): Promise<EffectResult> {
    const open = this.#opened();
    const unlink = linkAbort(signal, open.abort);
    let length = 0;
    try {
      while (length < firmwareHeadBytes) {
        const next = await open.chunks.next();
        if (next.done === true) break;
        open.held.push(next.value);
        length += next.value.length;
      }
    } finally {
      unlink();
    }
    const head = concatBytes(open.held).slice(0, firmwareHeadBytes);
    const target = this.#context.targets.find((each) => each.recognises(head));
    const capacityBytes = target === undefined ? 0 : await target.capacityBytes();
    return { of: "recognise", target: target?.name, capacityBytes, headHex: toHex(head.subarray(0, shownHeadBytes)) };
  }

  async #begin({ target, sizeBytes }: UpdateEffect & { type: "begin" }, signal: AbortSignal): Promise<EffectResult> {
    const { clock, limits } = this.#context;
    let isPending = false;
    const timer = clock.setTimer(limits.erasePendingAfterMs, () => {
      isPending = true;
      this.#context.onEvent({ type: "erasePending" });
    });
    try {
      await this.#target(target).begin({ sizeBytes }, { signal });
    } finally {
      timer.cancel();
    }
    if (isPending) this.#context.onEvent({ type: "eraseDone" });
    this.#writtenTo = 0;
    return done;
  }

  /** What the download throws comes back with what is on flash by then; what the target throws is thrown. */
  async #pump(effect: UpdateEffect & { type: "pump" }, signal: AbortSignal): Promise<EffectResult> {
    const open = this.#opened();
    const target = this.#target(effect.target);
    const unlink = linkAbort(signal, open.abort);
    let failure: ThinglineError | undefined;
    try {
      while (this.#writtenTo < effect.untilOffset && !failure) {
        const bytes = open.held.shift() ?? (await this.#next(open));
        if (bytes instanceof ThinglineError) failure = bytes;
        else {
          await target.write(this.#writtenTo, bytes);
          this.#writtenTo += bytes.length;
          this.#context.onProgress(this.#writtenTo);
        }
      }
    } finally {
      unlink();
    }
    const offset = await target.sync();
    return { of: "pump", offset, writtenTo: this.#writtenTo, ...(failure && { error: failure }) };
  }

  async #next(open: OpenDownload): Promise<Uint8Array | ThinglineError> {
    try {
      const next = await open.chunks.next();
      if (next.done !== true) return next.value;
      return new ThinglineError("DOWNLOAD_UNAVAILABLE", "the download ended before the end of the file");
    } catch (error) {
      if (isThinglineError(error)) return error;
      throw error;
    }
  }

  async #announce(details: JobStatusDetails, signal: AbortSignal): Promise<void> {
    const { clock, limits } = this.#context;
    const abort = new AbortController();
    const unlink = linkAbort(signal, abort);
    const timer = clock.setTimer(limits.reportTimeoutMs, () => abort.abort());
    try {
      await orAborted(this.#context.announce(details, abort.signal), abort.signal);
    } finally {
      timer.cancel();
      unlink();
    }
  }

  async #checkHealth(
    { target, version }: UpdateEffect & { type: "checkHealth" },
    signal: AbortSignal,
  ): Promise<EffectResult> {
    try {
      const answer = await orAborted(
        // Async, so that what is thrown at once is caught as well.
        (async () => this.#context.healthCheck({ target, version, signal }))(),
        signal,
      );
      return { of: "checkHealth", isHealthy: answer !== false };
    } catch (error) {
      if (signal.aborted) throw error;
      const message = error instanceof Error ? error.message : String(error);
      return { of: "checkHealth", isHealthy: false, message: `the health check of the new image failed: ${message}` };
    }
  }

  #opened(): OpenDownload {
    if (!this.#open) throw new Error("bytes are to be moved, and no download is open");
    return this.#open;
  }

  #target(name: string): FirmwareTarget {
    const target = this.#context.targets.find((each) => each.name === name);
    if (!target) throw new Error(`there is no target ${name}`);
    return target;
  }
}

/** Aborts with the signal. @returns takes the link off again */
function linkAbort(signal: AbortSignal, abort: AbortController): () => void {
  const listener = (): void => abort.abort(signal.reason);
  if (signal.aborted) listener();
  else signal.addEventListener("abort", listener, { once: true });
  return () => signal.removeEventListener("abort", listener);
}

/** Does not wait for what the signal makes vain, whether or not it listens. */
async function orAborted<T>(promise: Promise<T>, signal: AbortSignal): Promise<T> {
  let abort = (): void => undefined;
  const aborted = new Promise<never>((_resolve, reject) => {
    abort = () => {
      const { reason } = signal as { reason: unknown };
      reject(isThinglineError(reason) ? reason : new ThinglineError("ABORTED", "it was aborted", { cause: reason }));
    };
  });
  if (signal.aborted) abort();
  else signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } catch (error) {
    // Why it was aborted counts, not how the promise put it.
    throw signal.aborted && isThinglineError(signal.reason) ? signal.reason : error;
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
