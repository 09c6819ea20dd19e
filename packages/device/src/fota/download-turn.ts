import type { ThinglineError } from "@thingline/protocol";
import type { FirmwareDocument, FirmwareOrder } from "./document.js";
import type { DownloadSource, FileIdentity } from "./downloader.js";
import { retryDelayMs, troubleOf } from "./failures.js";
import type { UpdateJournal } from "./journal.js";
import { noAttempts } from "./state.js";
import { percentOf } from "./status.js";
import type { FotaReason } from "./status-details.js";
import { TurnBase } from "./turn.js";
import type { EffectResult, UpdateEffect } from "./types.js";

/** The part of the machine that brings the file to flash. */
export abstract class DownloadTurn extends TurnBase {
  protected abstract verify(): void;
  protected abstract fail(reason: string, message: string): void;
  protected abstract runNext(): void;
  /** The job was taken away, or the process ends. */
  protected abstract get isToStop(): boolean;

  /** Asks for the file: from where it stood, if it can be told that it is the same one. */
  protected open(): void {
    const { file, target, offset } = this.journal;
    this.stage({ name: "opening" });
    if (target !== undefined && file?.version !== undefined) {
      return this.#planned({ type: "resume", target, sizeBytes: file.sizeBytes, offset });
    }
    this.#request(undefined, 0);
  }

  #request(expected: FileIdentity | undefined, offset: number): void {
    const { attempts, job } = this.state;
    if (attempts.count === 0) {
      const isResumed = expected !== undefined;
      this.event({ type: "started", jobId: this.journal.jobId, target: this.journal.target, offset, isResumed });
      if (job) this.report();
    }
    this.set({ attempts: { ...attempts, count: attempts.count + 1 } });
    this.#planned({ type: "openDownload", request: { source: this.#source, offset, expected } });
  }

  get #order(): FirmwareOrder {
    const { order } = this.state;
    if (!order) throw new Error("a download is under way without an order");
    return order;
  }

  get #source(): DownloadSource {
    const source = this.#order.sources[this.state.sourceIndex];
    if (!source) throw new Error("an order has no source");
    return source;
  }

  // What the effects of a download brought

  protected resumed(offset: number): void {
    const { file } = this.journal;
    this.save({ offset });
    if (!file || offset < file.sizeBytes) return this.#request(file, offset);
    this.verify();
  }

  protected opened(identity: FileIdentity): void {
    const { target, file } = this.journal;
    const { sizeBytes } = this.#order;
    if (sizeBytes !== undefined && sizeBytes !== identity.sizeBytes) {
      const message = `the job document says ${sizeBytes} bytes, and the file has ${identity.sizeBytes}`;
      return this.fail("sizeMismatch", message);
    }
    this.set({ problem: undefined });
    // As it was asked for: the first bytes of another file were not expected to be there.
    if (target !== undefined && file?.version !== undefined) return this.#fetch(this.journal.offset);
    this.#remember({ file: identity, offset: 0 }, "target");
    this.#planned({ type: "recognise" });
  }

  protected recognised({ target, capacityBytes, headHex }: Extract<EffectResult, { of: "recognise" }>): void {
    const { sizeBytes } = this.#file;
    if (target === undefined) {
      const names = this.state.config.targets.map(({ name }) => name).join(", ");
      const message = `no target of this device (${names}) takes an image that begins with ${headHex === "" ? "nothing" : headHex}`;
      return this.fail("imageUnknown", message);
    }
    this.save({ target });
    if (sizeBytes > capacityBytes) {
      return this.fail("imageTooLarge", `the file has ${sizeBytes} bytes, and ${target} has room for ${capacityBytes}`);
    }
    this.stage({ name: "making" });
    this.set({ plan: [this.save({ target }), { type: "begin", target, sizeBytes }] });
    this.runNext();
  }

  protected made(): void {
    this.#fetch(0);
  }

  #fetch(writtenTo: number): void {
    const { target = "" } = this.journal;
    const { sizeBytes } = this.#file;
    const step = Math.max(this.state.config.limits.syncBytes, Math.ceil(sizeBytes / 200));
    this.stage({ name: "fetching" });
    const untilOffset = Math.min(sizeBytes, writtenTo + step);
    this.set({ plan: [...this.state.plan, { type: "pump", target, untilOffset }] });
    this.runNext();
  }

  protected pumped({ offset, writtenTo, error }: Extract<EffectResult, { of: "pump" }>): void {
    const { attempts } = this.state;
    if (offset > attempts.reachedOffset) {
      this.set({ attempts: { ...attempts, fruitless: 0, freshDocuments: 0, reachedOffset: offset } });
    }
    if (offset > this.journal.offset) this.plan(this.save({ offset }));
    if (this.isToStop) return this.runNext();
    if (error) return this.trouble(error);
    const { sizeBytes } = this.#file;
    if (offset >= sizeBytes) return this.verify();
    if (writtenTo >= sizeBytes) {
      return this.fail("targetFailed", `${sizeBytes} bytes were written, and ${offset} are on flash`);
    }
    this.#fetch(writtenTo);
  }

  protected progress(offset: number): void {
    const { file } = this.state.journal ?? {};
    if (!file) return;
    const percent = percentOf({ file, offset });
    if (percent === this.state.percent) return;
    this.set({ percent });
    this.event({ type: "progress", percent, offset, sizeBytes: file.sizeBytes });
    this.report();
  }

  // When it does not get on

  /** Again, later or with a fresh document, from another source, from the beginning; or it is over. */
  protected trouble(error: ThinglineError): void {
    const { attempts, config } = this.state;
    const { limits } = config;
    const trouble = troubleOf(error);
    if (trouble.type === "final") return this.#giveUp(trouble.reason, error);
    if (trouble.type === "changed") {
      if (attempts.changes >= limits.changesMax) return this.#giveUp("downloadChanging", error);
      this.note(`the download begins again: ${error.message}`, error);
      this.set({ attempts: { ...attempts, changes: attempts.changes + 1, reachedOffset: 0 }, percent: -1 });
      this.#remember({ offset: 0 }, "target", "file");
      this.stage({ name: "waiting" });
      return this.#planned({ type: "closeDownload" }, this.save({}));
    }
    const fruitless = attempts.fruitless + 1;
    if (fruitless > limits.fruitlessAttemptsMax || attempts.count >= limits.attemptsMax) {
      return this.#giveUp(trouble.type === "gone" ? "downloadGone" : "downloadUnavailable", error);
    }
    if (trouble.type === "gone") {
      if (attempts.freshDocuments >= limits.freshDocumentsMax) return this.#giveUp("downloadGone", error);
      this.set({ attempts: { ...attempts, fruitless, freshDocuments: attempts.freshDocuments + 1 } });
      return this.#wait("downloadGone", error, undefined, true);
    }
    this.set({ attempts: { ...attempts, fruitless } });
    this.#wait("downloadUnavailable", error, trouble.delayMs, false);
  }

  #wait(reason: FotaReason, error: ThinglineError, wantedMs: number | undefined, wantsDocument: boolean): void {
    const { attempts, config, plan } = this.state;
    const delayMs = retryDelayMs(attempts.fruitless, wantedMs, config.limits);
    this.note(`attempt ${attempts.count} of the download failed: ${error.message}`, error);
    this.set({ problem: { reason, error } });
    this.report();
    this.stage({ name: "waiting" });
    // What is on flash is remembered before the wait.
    const effects: UpdateEffect[] = [...plan, { type: "closeDownload" }, { type: "wait", delayMs }];
    this.#planned(...effects, ...(wantsDocument ? [{ type: "refreshDocument" } as const] : []));
  }

  #giveUp(reason: FotaReason, error: ThinglineError): void {
    const { sourceIndex } = this.state;
    if (sourceIndex + 1 >= this.#order.sources.length) return this.fail(reason, error.message);
    this.note(`the next source is tried: ${error.message}`, error);
    this.set({ sourceIndex: sourceIndex + 1, attempts: { ...noAttempts, count: 1 }, percent: -1 });
    this.#remember({ offset: 0 }, "target", "file");
    this.stage({ name: "waiting" });
    this.#planned({ type: "closeDownload" }, this.save({}));
  }

  protected refreshed(document: FirmwareDocument): void {
    if ("refused" in document) return this.fail(document.refused.reason, document.refused.message);
    const { order } = document;
    if (order.documentId !== this.journal.documentId) {
      return this.fail("documentInvalid", "the job document was read again, and is another one");
    }
    this.set({ order });
    this.runNext();
  }

  get #file(): FileIdentity {
    const { file } = this.journal;
    if (!file) throw new Error("a download is under way without a file");
    return file;
  }

  #remember(change: Partial<UpdateJournal>, ...forgotten: readonly ("target" | "file")[]): void {
    const journal = { ...this.journal };
    for (const name of forgotten) delete journal[name];
    this.set({ journal: { ...journal, ...change } });
  }

  #planned(...plan: readonly UpdateEffect[]): void {
    this.plan(...plan);
    this.runNext();
  }
}
