// A device in a process of its own that downloads a file, for `npm run bench -- fota`: says how long it took, and what memory.
import { createHash } from "node:crypto";
import type { IncomingMessage } from "node:http";
import { get } from "node:https";
import { performance } from "node:perf_hooks";
import { connectDevice } from "@thingline/device/node";
import {
  createHttpDownloader,
  createStreamDownloader,
  type Downloader,
  type DownloadSource,
} from "@thingline/device/fota";
import type { TlsRecord } from "@thingline/transport";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import type { ServedFile } from "./fota-cloud.js";
import { type DownloadHow, httpsRangeBytes, isHttps, modemTls, streamOptions } from "./fota-kinds.js";

export interface DownloadTask {
  file: ServedFile;
  how: DownloadHow;
  /** Nothing is asked for before what was asked for is there. */
  isOneAtATime: boolean;
}

export interface DownloadFacts {
  seconds: number;
  /** The most that this process grew by while it downloaded: with what waits to be collected. */
  grownBytes: number;
  /** The most that heap and buffers held after a collection, more than at the start. 0 without `--expose-gc`. */
  heldBytes: number;
  /** Of the largest TLS record that came. */
  recordBytes: number;
}

const task = JSON.parse(process.argv[2] ?? "{}") as DownloadTask;
const [clock, random, network] = [createNodeClock(), createNodeRandom(), createNodeNetwork()];
let recordBytes = 0;

interface Source {
  chunks: AsyncIterable<Uint8Array>;
  close: () => Promise<void>;
}

async function open(): Promise<Source> {
  const { file, how, isOneAtATime } = task;
  if (how === "node") return { chunks: byNode(file), close: () => Promise.resolve() };
  if (!isHttps(how)) return openStream(file);
  const tls = { ca: file.tls.ca, onRecord, ...(how === "modem" && modemTls) };
  const downloader = createHttpDownloader({
    ...{ clock, dialer: network, tls, rangeBytes: httpsRangeBytes },
    ...(isOneAtATime && { connections: 1 }),
  });
  return { chunks: chunksOf(downloader, { type: "http", url: file.url }), close: () => Promise.resolve() };
}

async function openStream({ endpoint, clientId, tls, streamName, fileBytes }: ServedFile): Promise<Source> {
  const { how, isOneAtATime } = task;
  const bounded = { onRecord, ...(how === "modemCbor" && modemTls) };
  const device = await connectDevice({ endpoint, clientId, tls: { ...tls, ...bounded } });
  const downloader = createStreamDownloader({ device, clock, random, ...streamOptions(how, isOneAtATime) });
  const source = { type: "stream", streamName, fileId: 0, sizeBytes: fileBytes } as const;
  return { chunks: chunksOf(downloader, source), close: () => device.close() };
}

function onRecord({ direction, contentType, lengthBytes }: TlsRecord): void {
  if (direction === "received" && contentType === 23) recordBytes = Math.max(recordBytes, lengthBytes);
}

async function* chunksOf(downloader: Downloader, source: DownloadSource): AsyncGenerator<Uint8Array> {
  const request = { source, offset: 0, expected: undefined };
  const running = await downloader.open(request, { signal: new AbortController().signal });
  yield* running.chunks();
}

/** The whole file in one answer. */
async function* byNode({ url, tls }: ServedFile): AsyncGenerator<Uint8Array> {
  const response = await new Promise<IncomingMessage>((resolve, reject) => {
    get(url, { ca: tls.ca, agent: false }, resolve).on("error", reject);
  });
  yield* response as AsyncIterable<Uint8Array>;
}

async function download(): Promise<DownloadFacts> {
  const { chunks, close } = await open();
  const before = process.memoryUsage.rss();
  let most = before;
  const heldBefore = heldBytes();
  let heldMost = heldBefore;
  const began = performance.now();
  let bytes = 0;
  let nextLook = 0;
  const hash = createHash("sha256");
  for await (const chunk of chunks) {
    bytes += chunk.length;
    hash.update(chunk);
    if (bytes < nextLook) continue;
    most = Math.max(most, process.memoryUsage.rss());
    heldMost = Math.max(heldMost, heldBytes());
    nextLook = bytes + 1_000_000;
  }
  const seconds = (performance.now() - began) / 1_000;
  if (bytes !== task.file.fileBytes) throw new Error(`${bytes} bytes came of ${task.file.fileBytes}`);
  await close();
  return { seconds, grownBytes: most - before, heldBytes: heldMost - heldBefore, recordBytes };
}

function heldBytes(): number {
  if (globalThis.gc === undefined) return 0;
  globalThis.gc();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

process.send!(await download());
process.disconnect();
