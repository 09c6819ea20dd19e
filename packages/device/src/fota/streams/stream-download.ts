import { ThinglineError } from "@thingline/protocol";
import {
  decodeStreamBlock,
  decodeStreamDescription,
  decodeStreamRejection,
  encodeBlockBitmap,
  encodeDescribeStreamRequest,
  encodeGetStreamRequest,
  parseStreamTopic,
  streamAnswerBytesMax,
  type StreamBlock,
  type StreamDescription,
  streamTopic,
  type StreamTopicType,
} from "@thingline/protocol/streams";
import type { Timer } from "@thingline/transport";
import type { DeviceMessage } from "../../topics/message.js";
import type { DeviceSubscription } from "../../topics/subscription.js";
import { Delivery, downloadAborted, downloadClosed } from "../delivery.js";
import type { Download, DownloadRequest, DownloadSource, FileIdentity } from "../downloader.js";
import { BlockWindow } from "./block-window.js";
import { downloadError, isPassing, rejectionError, unanswered } from "./failures.js";
import type { CheckedStreamOptions } from "./options.js";

/** Requests whose blocks are on their way: while one is answered, the next has arrived. */
export const streamRequestsMax = 2;
/** Bytes of the bitmap of one request. */
export const streamRequestBitmapBytes = 64;

interface Outstanding {
  readonly clientToken: string;
  readonly order: number;
  /** Of those that have not come. */
  readonly blocks: Set<number>;
}

type Source = Extract<DownloadSource, { type: "stream" }>;

/** A file of a stream on its way. */
export class StreamDownload implements Download {
  readonly #options: CheckedStreamOptions;
  readonly #request: DownloadRequest;
  readonly #source: Source;
  readonly #token: string;
  readonly #outstanding = new Map<string, Outstanding>();
  readonly #delivery = new Delivery();
  readonly #offs: (() => void)[] = [];
  /** Ends the wait for a connection to subscribe on. */
  readonly #abort = new AbortController();
  #subscription: DeviceSubscription | undefined;
  #description: StreamDescription | undefined;
  #sizeBytes = 0;
  #window: BlockWindow | undefined;
  #requestCount = 0;
  /** Questions since the last answer that brought something. */
  #fruitless = 0;
  #timer: Timer | undefined;

  constructor(options: CheckedStreamOptions, request: DownloadRequest, source: Source) {
    this.#options = options;
    this.#request = request;
    this.#source = source;
    this.#token = options.random.uuid();
  }

  get identity(): FileIdentity {
    const { streamName, fileId } = this.#source;
    const version = `${streamName}/${fileId}@${this.#description?.streamVersion ?? ""}`;
    return { sizeBytes: this.#sizeBytes, version };
  }

  get description(): string {
    const { format, blockBytes, windowBlocks } = this.#options;
    return `stream, ${format}, ${windowBlocks} blocks of ${blockBytes} bytes`;
  }

  /** Resolves when the stream is described. */
  async open(signal: AbortSignal): Promise<this> {
    if (signal.aborted) throw downloadAborted(signal);
    const onAbort = (): void => void this.#stop(downloadAborted(signal));
    signal.addEventListener("abort", onAbort, { once: true });
    this.#offs.push(() => signal.removeEventListener("abort", onAbort));
    try {
      await this.#subscribe();
      this.#offs.push(this.#options.device.on("ready", () => this.#connected()));
      this.#describe();
      while (this.#description === undefined) {
        if (this.#delivery.failure !== undefined) throw this.#delivery.failure;
        await this.#delivery.moved();
      }
      this.#begin(this.#description);
    } catch (error) {
      throw this.#stop(error);
    }
    return this;
  }

  chunks(): AsyncGenerator<Uint8Array> {
    const window = this.#window as BlockWindow;
    return this.#delivery.chunks(window, { taken: () => this.#ask(), close: () => this.close() });
  }

  async close(): Promise<void> {
    this.#stop(downloadClosed());
    return Promise.resolve();
  }

  // ---- describing ----------------------------------------------------------------------------------------------

  async #subscribe(): Promise<void> {
    const { device } = this.#options;
    const filters = (["description", "data", "rejected"] as const).map((type) => this.#topic(type));
    const subscription = await device.subscribe(filters, (message) => this.#received(message), {
      qos: 0,
      signal: this.#abort.signal,
    });
    if (this.#delivery.isOver) {
      void subscription.close().catch(() => undefined);
      throw this.#delivery.failure ?? downloadClosed();
    }
    this.#subscription = subscription;
    subscription.whenEnded((error) => {
      if (!this.#delivery.isOver) this.#fail(error ?? downloadClosed());
    });
  }

  #describe(): void {
    const { format } = this.#options;
    if (!this.#mayAskAgain()) return;
    this.#publish("describe", encodeDescribeStreamRequest({ clientToken: this.#token }, format));
    this.#watch(() => this.#describe());
  }

  #begin({ streamVersion, files }: StreamDescription): void {
    const { fileId, streamName } = this.#source;
    const { expected, offset } = this.#request;
    const file = files.find((each) => each.fileId === fileId);
    if (file === undefined) {
      const message = `the stream "${streamName}" has no file ${fileId}`;
      throw new ThinglineError("DOWNLOAD_GONE", message, { details: { streamVersion } });
    }
    this.#sizeBytes = file.bytes;
    const { version, sizeBytes } = this.identity;
    if (expected !== undefined && (expected.version !== version || expected.sizeBytes !== sizeBytes)) {
      const message = `the stream "${streamName}" has another file ${fileId} than when the download was begun`;
      throw new ThinglineError("DOWNLOAD_CHANGED", message, { details: { streamVersion } });
    }
    const { blockBytes, windowBlocks } = this.#options;
    this.#window = new BlockWindow({ sizeBytes, offset, blockBytes, windowBlocks });
    this.#fruitless = 0;
    this.#ask();
  }

  // ---- asking for blocks ---------------------------------------------------------------------------------------

  /** As many requests as may be on their way. */
  #ask(): void {
    const window = this.#window;
    if (window === undefined || this.#delivery.isEnding) return;
    if (this.#options.device.state !== "ready") return this.#watchIfAsked();
    while (this.#outstanding.size < streamRequestsMax) {
      const { blockBytes, windowBlocks } = this.#options;
      const perRequest = Math.min(
        Math.ceil(windowBlocks / streamRequestsMax),
        Math.floor(streamAnswerBytesMax / blockBytes),
      );
      const blocks = window.next(Math.max(1, perRequest), streamRequestBitmapBytes * 8);
      if (blocks === undefined) break;
      this.#get(blocks);
    }
    this.#watchIfAsked();
  }

  #get(blocks: readonly number[]): void {
    const { format, blockBytes } = this.#options;
    const order = ++this.#requestCount;
    const clientToken = `${this.#token}-${order}`;
    this.#outstanding.set(clientToken, { clientToken, order, blocks: new Set(blocks) });
    const [first = 0] = blocks;
    const isRun = (blocks.at(-1) ?? first) - first === blocks.length - 1;
    const payload = encodeGetStreamRequest(
      {
        clientToken,
        streamVersion: this.#description?.streamVersion ?? 0,
        fileId: this.#source.fileId,
        blockBytes,
        firstBlock: first,
        blockCount: blocks.length,
        ...(!isRun && { bitmap: encodeBlockBitmap(blocks, first) }),
      },
      format,
    );
    this.#publish("get", payload);
  }

  /** Time runs while something is awaited, and starts anew with everything that comes. */
  #watchIfAsked(): void {
    const window = this.#window;
    if (window === undefined || window.isTaken) return;
    const isAwaited = this.#outstanding.size > 0 || this.#options.device.state !== "ready";
    if (isAwaited && !this.#delivery.isOver) this.#watch(() => this.#askAgain());
    else this.#timer?.cancel();
  }

  #watch(then: () => void): void {
    this.#timer?.cancel();
    this.#timer = this.#options.clock.setTimer(this.#options.answerTimeoutMs, then);
  }

  #connected(): void {
    if (this.#delivery.isOver) return;
    if (this.#window === undefined) this.#describe();
    else this.#askAgain();
  }

  /** What is on its way does not come any more, it seems. */
  #askAgain(): void {
    if (!this.#mayAskAgain()) return;
    for (const { blocks } of this.#outstanding.values()) this.#window?.giveBack(blocks);
    this.#outstanding.clear();
    this.#ask();
  }

  #mayAskAgain(): boolean {
    if (this.#fruitless >= this.#options.attemptsMax) {
      this.#fail(unanswered(this.#source.streamName, this.#fruitless));
      return false;
    }
    this.#fruitless += 1;
    return true;
  }

  #publish(type: "describe" | "get", payload: Uint8Array): void {
    this.#options.device.publish(this.#topic(type), payload, { qos: 0 }).catch((error: unknown) => {
      const failure = downloadError(this.#source.streamName, error);
      // Without a connection, the next one brings another attempt, and time runs.
      if (!(failure instanceof ThinglineError) || failure.code !== "DOWNLOAD_UNAVAILABLE") this.#fail(failure);
    });
  }

  // ---- what comes ----------------------------------------------------------------------------------------------

  /** Nothing that comes from the network may throw into the session. */
  #received({ topic, payload }: DeviceMessage): void {
    if (this.#delivery.isEnding) return;
    const { format } = this.#options;
    try {
      switch (parseStreamTopic(topic)?.type) {
        case "description":
          return this.#described(decodeStreamDescription(payload, format));
        case "data":
          return this.#blockCame(decodeStreamBlock(payload, format));
        case "rejected":
          return this.#rejected(decodeStreamRejection(payload, format));
        default:
          return;
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  #described(description: StreamDescription): void {
    // Somebody else's question, or an answer that came twice.
    if (description.clientToken !== this.#token || this.#description !== undefined) return;
    this.#description = description;
    this.#timer?.cancel();
    this.#delivery.move();
  }

  #blockCame({ clientToken, fileId, block, payload }: StreamBlock): void {
    const window = this.#window;
    if (window === undefined || fileId !== this.#source.fileId || clientToken?.startsWith(this.#token) !== true) return;
    if (payload.length !== window.bytesOf(block)) {
      const { blockBytes } = this.#options;
      const message = `block ${block} of a stream has ${payload.length} bytes, and the blocks of this file have ${blockBytes}, the last one ${window.bytesOf(block)}`;
      throw new ThinglineError("STREAM_MESSAGE_INVALID", message, { details: { block } });
    }
    // What comes is a view of what the connection received, which is used again.
    if (!window.push(block, payload.slice())) return;
    this.#fruitless = 0;
    this.#settle(block);
    this.#delivery.move();
    this.#ask();
  }

  /** A request is over when all its blocks are there; one that was made before it and is not has lost some. */
  #settle(block: number): void {
    for (const outstanding of this.#outstanding.values()) {
      if (!outstanding.blocks.delete(block) || outstanding.blocks.size > 0) continue;
      this.#outstanding.delete(outstanding.clientToken);
      for (const earlier of this.#outstanding.values()) {
        if (earlier.order > outstanding.order) continue;
        this.#outstanding.delete(earlier.clientToken);
        this.#window?.giveBack(earlier.blocks);
      }
    }
  }

  #rejected(rejection: { code: string; message: string; clientToken?: string }): void {
    const { clientToken } = rejection;
    const isOurs = clientToken === undefined || clientToken.startsWith(this.#token);
    const isOld = clientToken !== undefined && clientToken !== this.#token && !this.#outstanding.has(clientToken);
    if (!isOurs || isOld) return;
    // Time brings the next attempt.
    if (isPassing(rejection)) return;
    this.#fail(rejectionError(this.#source.streamName, rejection));
  }

  // ---- the end, and waiting ------------------------------------------------------------------------------------

  /** What has come is still handed out. */
  #fail(error: unknown): void {
    this.#timer?.cancel();
    this.#delivery.fail(downloadError(this.#source.streamName, error));
  }

  /** @returns what it ended with */
  #stop(error: unknown): Error {
    const ended = downloadError(this.#source.streamName, error);
    if (!this.#delivery.end(ended)) return this.#delivery.failure ?? ended;
    this.#timer?.cancel();
    for (const off of this.#offs) off();
    void this.#subscription?.close().catch(() => undefined);
    this.#abort.abort();
    return this.#delivery.failure ?? ended;
  }

  #topic(type: StreamTopicType): string {
    const { thingName, format } = this.#options;
    return streamTopic({ thingName, streamId: this.#source.streamName, type, format });
  }
}
