// Rows of `npm run bench -- fota` about downloads over HTTPS ranges: on the loopback beside Node's own client, on a link of 1 Mbit/s with a round
// trip of 100 ms in the virtual network, through a TLS of 2,048 bytes a record, and what memory a file of 100 MB takes.
import { get } from "node:https";
import { performance } from "node:perf_hooks";
import { fileURLToPath } from "node:url";
import { createHttpDownloader, type HttpDownloaderOptions } from "@thingline/device/fota";
import type { Connection } from "@thingline/transport";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeClock, createNodeNetwork } from "@thingline/transport/node";
import {
  createVirtualClock,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import type { FileServerFacts } from "./file-server.js";
import type { OwnMeasurement } from "./own-rows.js";
import { median, row, say, Worker } from "./tools.js";

const fileBytes = 100_000_000;
const linkFileBytes = 2_000_000;
const linkBytesPerSecond = 125_000;
const linkLatencyMs = 50;
const widths = [56, 16] as const;
const mega = 1_000_000;

/** Of a link of 1 Mbit/s with 100 ms: the share of it that is payload. */
export const linkRowsTold = {
  ranges: "HTTPS ranges, 1 Mbit/s and 100 ms, native TLS",
  one: "one range in flight, 1 Mbit/s and 100 ms, native TLS",
  modem: "HTTPS ranges, 1 Mbit/s and 100 ms, records of 2,048 bytes",
} as const;

export const downloadMeasurements: readonly OwnMeasurement[] = [
  {
    rows: [{ name: "HTTPS ranges on the loopback", unit: "MB/s", isMore: true }],
    measure: async () => [(await onLoopback()).megabytesPerSecond],
  },
];

export async function compareDownloads({ rounds, json }: { rounds: number; json: boolean }): Promise<void> {
  const loopback: Loopback[] = [];
  for (let round = 0; round < rounds; round++) loopback.push(await onLoopback());
  const of = (name: keyof Loopback) => median(loopback.map((each) => each[name]));
  const links = {
    ranges: await onLink({}),
    one: await onLink({ connections: 1 }),
    modem: await onLink({ tls: { receivedRecordBytesMax: 2_048, maxVersion: "TLSv1.2" } }),
  };
  const isKept = links.ranges >= 0.9;
  if (!isKept) process.exitCode = 1;
  if (json) {
    const { megabytesPerSecond, nodeMegabytesPerSecond, heldMegabytes } = {
      megabytesPerSecond: of("megabytesPerSecond"),
      nodeMegabytesPerSecond: of("nodeMegabytesPerSecond"),
      heldMegabytes: of("heldMegabytes"),
    };
    return say(JSON.stringify({ megabytesPerSecond, nodeMegabytesPerSecond, heldMegabytes, links, isKept }));
  }
  say(
    `\nA file of ${fileBytes / mega} MB over HTTPS on the loopback, median of ${rounds} rounds; the server has a process of its own.\n`,
  );
  say(row(["HTTPS ranges over two connections", `${of("megabytesPerSecond").toFixed(0)} MB/s`], widths));
  say(row(["Node's https, the whole file in one answer", `${of("nodeMegabytesPerSecond").toFixed(0)} MB/s`], widths));
  say(row(["memory that the download takes at most", `${of("heldMegabytes").toFixed(1)} MB`], widths));
  say(`\nA file of ${linkFileBytes / mega} MB over a virtual link; payload as a share of the link.\n`);
  for (const name of ["ranges", "one", "modem"] as const) {
    const told = name === "ranges" ? ` (90 %: ${isKept ? "kept" : "MISSED"})` : "";
    say(row([linkRowsTold[name], `${(links[name] * 100).toFixed(1)} %${told}`], widths));
  }
}

interface Loopback {
  megabytesPerSecond: number;
  nodeMegabytesPerSecond: number;
  /** More than before it began, at most: of heap and buffers. */
  heldMegabytes: number;
}

async function onLoopback(): Promise<Loopback> {
  const server = new Worker(fileURLToPath(new URL("file-server.js", import.meta.url)), [String(fileBytes)]);
  try {
    const { port, caPem } = await server.next<FileServerFacts>();
    const url = `https://127.0.0.1:${port}/app.bin`;
    const downloader = createHttpDownloader({
      clock: createNodeClock(),
      dialer: createNodeNetwork(),
      tls: { ca: caPem },
    });
    globalThis.gc?.();
    const beforeBytes = heldBytes();
    let mostBytes = 0;
    const startMs = performance.now();
    const source = { type: "http", url } as const;
    const { signal } = new AbortController();
    const download = await downloader.open({ source, offset: 0, expected: undefined }, { signal });
    let length = 0;
    for await (const chunk of download.chunks()) {
      length += chunk.length;
      mostBytes = Math.max(mostBytes, heldBytes());
    }
    const seconds = (performance.now() - startMs) / 1000;
    const nodeSeconds = await byNode(url, caPem);
    return {
      megabytesPerSecond: length / mega / seconds,
      nodeMegabytesPerSecond: fileBytes / mega / nodeSeconds,
      heldMegabytes: (mostBytes - beforeBytes) / mega,
    };
  } finally {
    await server.stop();
  }
}

function heldBytes(): number {
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

function byNode(url: string, ca: string): Promise<number> {
  const startMs = performance.now();
  return new Promise((resolve, reject) => {
    const request = get(url, { ca, agent: false }, (response) => {
      response.on("data", () => undefined);
      response.on("end", () => resolve((performance.now() - startMs) / 1000));
    });
    request.on("error", reject);
  });
}

/** @returns payload per second over what the link carries */
async function onLink({
  tls = {},
  ...options
}: Omit<Partial<HttpDownloaderOptions>, "tls"> & { tls?: object }): Promise<number> {
  const clock = createVirtualClock();
  const random = createVirtualRandom(1);
  const { ca, second } = await makeTestCertificates(createVirtualKeys({ random }));
  const link = { latencyMs: linkLatencyMs, bitsPerSecond: 8 * linkBytesPerSecond };
  const network = createVirtualNetwork({ clock, random, ...link });
  const serverTls = {
    certificate: second.certificatePem,
    privateKey: second.privateKeyPem,
    requestsClientCertificate: false,
  };
  const file = new Uint8Array(linkFileBytes);
  const listener = await network.listen({ host: "second.test", port: 443, tls: serverTls }, (connection) =>
    serve(connection, file),
  );
  const downloader = createHttpDownloader({
    clock,
    dialer: network,
    tls: { ca: ca.certificatePem, ...tls },
    ...options,
  });
  const startMs = clock.monotonicMs();
  const source = { type: "http", url: "https://second.test/app.bin" } as const;
  const { signal } = new AbortController();
  const fetching = (async () => {
    const download = await downloader.open({ source, offset: 0, expected: undefined }, { signal });
    let length = 0;
    for await (const chunk of download.chunks()) length += chunk.length;
    return length;
  })();
  const length = await clock.until(fetching);
  const seconds = (clock.monotonicMs() - startMs) / 1000;
  await clock.until(listener.close());
  return length / seconds / linkBytesPerSecond;
}

function serve(connection: Connection, file: Uint8Array): void {
  let text = "";
  connection.start({
    data(bytes) {
      text += new TextDecoder("latin1").decode(bytes);
      for (let end = text.indexOf("\r\n\r\n"); end !== -1; end = text.indexOf("\r\n\r\n")) {
        const range = /bytes=(\d+)-(\d+)/.exec(text.slice(0, end));
        text = text.slice(end + 4);
        const first = Number(range?.[1] ?? 0);
        const last = Math.min(Number(range?.[2] ?? Infinity), file.length - 1);
        const head = `HTTP/1.1 206 Partial Content\r\nETag: "1"\r\nContent-Range: bytes ${first}-${last}/${file.length}\r\nContent-Length: ${last - first + 1}\r\n\r\n`;
        // In one packet, as a server does that knows of records.
        const packet = new Uint8Array(head.length + last - first + 1);
        packet.set(new TextEncoder().encode(head));
        packet.set(file.subarray(first, last + 1), head.length);
        connection.write(packet);
      }
    },
    closed: () => undefined,
  });
}
