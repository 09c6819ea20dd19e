import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesEqual, concatBytes, isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Dialer } from "@thingline/transport";
import { makeTestCertificates } from "@thingline/transport/contract";
import {
  createVirtualClock,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
  type LinkFaults,
} from "@thingline/transport/virtual";
import type { DownloadRequest, FileIdentity } from "../downloader.js";
import {
  type FileRequest,
  type FileServerOptions,
  type ServedFile,
  startFileServer,
} from "./file-server.test.support.js";
import { createHttpDownloader } from "./http-downloader.js";
import { errorBodyBytesMax, redirectsMax } from "./http-download.js";
import { interimResponsesMax } from "./http-connection.js";
import { downloadConnectionsMax, type HttpDownloaderOptions, rangeBytesMax, rangeBytesMin } from "./options.js";

const { ca, second, selfSigned } = await makeTestCertificates(createVirtualKeys({ random: createVirtualRandom(1) }));
const serverTls = {
  certificate: second.certificatePem,
  privateKey: second.privateKeyPem,
  requestsClientCertificate: false,
};
const etag = '"one"';

function fileOf(length: number): Uint8Array {
  return createVirtualRandom(length).bytes(length);
}

interface WorldOptions extends Partial<Omit<FileServerOptions, "files" | "tls">> {
  file?: ServedFile;
  isSecure?: boolean;
  client?: Partial<HttpDownloaderOptions>;
  faults?: (count: number) => LinkFaults | undefined;
  latencyMs?: number;
  bitsPerSecond?: number;
}

async function worldOf({
  file = { bytes: fileOf(300_000), etag },
  isSecure = false,
  client,
  faults,
  latencyMs,
  bitsPerSecond,
  ...rest
}: WorldOptions = {}) {
  const clock = createVirtualClock();
  const random = createVirtualRandom(7);
  const network = createVirtualNetwork({
    clock,
    random,
    ...(latencyMs !== undefined && { latencyMs }),
    ...(bitsPerSecond !== undefined && { bitsPerSecond }),
    faults: ({ count }) => faults?.(count),
  });
  const files = new Map([["/image.bin", file]]);
  const place = { host: "second.test", port: isSecure ? 443 : 80 };
  const server = await startFileServer(network, {
    ...place,
    files,
    clock,
    ...(isSecure && { tls: serverTls }),
    ...rest,
  });
  const downloader = createHttpDownloader({
    clock,
    dialer: network,
    ...(isSecure && { tls: { ca: ca.certificatePem } }),
    ...client,
  });
  const abort = new AbortController();
  const url = `${isSecure ? "https" : "http"}://second.test/image.bin?signature=secret`;
  const requestOf = (from: Partial<DownloadRequest> & { url?: string } = {}): DownloadRequest => ({
    source: { type: "http", url: from.url ?? url },
    offset: from.offset ?? 0,
    expected: from.expected,
  });
  /** All of it, as a caller takes it that comes back after an error. */
  async function fetch(from: Parameters<typeof requestOf>[0] = {}, { pauseMs = 0 } = {}) {
    const parts: Uint8Array[] = [];
    let identity: FileIdentity | undefined;
    try {
      const download = await downloader.open(requestOf(from), { signal: abort.signal });
      identity = download.identity;
      for await (const chunk of download.chunks()) {
        parts.push(chunk);
        if (pauseMs > 0) await clock.sleep(pauseMs);
      }
      return { bytes: concatBytes(parts), identity, error: undefined };
    } catch (error) {
      assert.ok(isThinglineError(error), String(error));
      assert.ok(!error.message.includes("secret"));
      return { bytes: concatBytes(parts), identity, error };
    }
  }
  const run = <T>(promise: Promise<T>): Promise<T> => clock.until(promise, { limitMs: 86_400_000 });
  return { clock, network, server, files, file, downloader, abort, requestOf, fetch, run };
}

async function checkIdle({ run, clock, server }: Awaited<ReturnType<typeof worldOf>>): Promise<void> {
  await run(clock.sleep(60_000));
  assert.equal(clock.timerCount, 0, "timers are left");
  assert.equal(server.openCount, 0, "connections are left");
}

test("a file comes in ranges over two connections, in order and whole", async () => {
  for (const isSecure of [false, true]) {
    const world = await worldOf({ isSecure, latencyMs: 50 });
    const { bytes, identity, error } = await world.run(world.fetch());
    assert.equal(error, undefined);
    assert.ok(bytesEqual(bytes, world.file.bytes));
    assert.deepEqual(identity, { sizeBytes: 300_000, version: etag });
    const { requests } = world.server;
    assert.equal(world.server.connectionCount, 2);
    assert.equal(requests.length, 5);
    assert.deepEqual(
      [...new Set(requests.map(({ connectionIndex }) => connectionIndex))].sort(),
      [1, 2],
      "both connections are used",
    );
    assert.equal(requests[0]?.target, "/image.bin?signature=secret");
    assert.equal(requests[0]?.fields.get("host"), "second.test");
    assert.equal(requests[1]?.fields.get("if-match"), etag);
    assert.equal(requests[1]?.fields.get("if-range"), etag);
    await checkIdle(world);
  }
});

test("a download goes on at an offset when the file is the same, and says when it is another", async () => {
  const world = await worldOf();
  const expected = { sizeBytes: 300_000, version: etag };
  const rest = await world.run(world.fetch({ offset: 100_001, expected }));
  assert.ok(bytesEqual(rest.bytes, world.file.bytes.subarray(100_001)));
  assert.equal(world.server.requests[0]?.fields.get("if-match"), etag);
  const all = await world.run(world.fetch({ offset: 300_000, expected }));
  assert.deepEqual([all.bytes.length, all.error], [0, undefined], "nothing is left, and nobody is asked");

  for (const honoursConditions of [true, false]) {
    for (const other of [
      { bytes: fileOf(300_000), etag: '"two"' },
      { bytes: fileOf(300_001), etag },
      { bytes: fileOf(300_000) },
      { bytes: fileOf(50), etag },
    ]) {
      const changed = await worldOf({ file: other, honoursConditions });
      const { error } = await changed.run(changed.fetch({ offset: 100_001, expected }));
      assert.equal(error?.code, "DOWNLOAD_CHANGED", JSON.stringify({ ...other, bytes: other.bytes.length }));
      await checkIdle(changed);
    }
  }
});

test("a file that changes while it is fetched is told, also without an ETag and by a server without conditions", async () => {
  for (const [before, after] of [
    [{ etag }, { etag: '"two"' }],
    [{ etag: 'W/"a"' }, { etag: 'W/"b"' }],
    [{ lastModified: "a" }, { lastModified: "b" }],
  ] as const) {
    for (const honoursConditions of [true, false]) {
      const world = await worldOf({
        honoursConditions,
        file: { bytes: fileOf(300_000), ...before },
        odd({ index }) {
          if (index === 4) world.files.set("/image.bin", { bytes: fileOf(300_000), ...after });
          return undefined;
        },
      });
      const { error, identity } = await world.run(world.fetch());
      assert.equal(error?.code, "DOWNLOAD_CHANGED");
      assert.equal(identity?.version, "etag" in before && before.etag === etag ? etag : undefined, "weak is none");
      await checkIdle(world);
    }
  }
});

test("a server without ranges is taken at its word, over one connection, at the pace of the taker", async () => {
  for (const offset of [0, 120_000]) {
    const world = await worldOf({
      honoursRanges: false,
      honoursConditions: false,
      writeBytes: 10_000,
      file: { bytes: fileOf(1_000_000), etag },
    });
    const expected = offset === 0 ? undefined : { sizeBytes: 1_000_000, version: etag };
    const { bytes, error } = await world.run(world.fetch({ offset, expected }, { pauseMs: 1_000 }));
    assert.equal(error, undefined);
    assert.ok(bytesEqual(bytes, world.file.bytes.subarray(offset)));
    assert.equal(world.server.connectionCount, 1);
    await checkIdle(world);
  }
});

test("an empty file has no chunks", async () => {
  const world = await worldOf({ file: { bytes: new Uint8Array(0), etag } });
  assert.deepEqual((await world.run(world.fetch())).bytes.length, 0);
  const whole = await worldOf({ file: { bytes: new Uint8Array(0), etag }, honoursRanges: false });
  assert.deepEqual((await whole.run(whole.fetch())).error, undefined);
});

test("the body of a 416 is nothing of an empty file", async () => {
  const body = new TextEncoder().encode("<Error><Code>InvalidRange</Code></Error>");
  const text = `HTTP/1.1 416 R\r\nContent-Range: bytes */0\r\nContent-Length: ${body.length}\r\n\r\n`;
  const world = await worldOf({ odd: () => ({ type: "bytes", text, body }) });
  const { bytes, error } = await world.run(world.fetch());
  assert.deepEqual([bytes.length, error], [0, undefined]);
  await checkIdle(world);
});

test("a 416 within the file passes: the next attempt may find a server that has the whole file", async () => {
  const text = "HTTP/1.1 416 R\r\nContent-Range: bytes */300000\r\nContent-Length: 0\r\n\r\n";
  for (const at of [1, 3]) {
    const world = await worldOf({ odd: ({ index }) => (index === at ? { type: "bytes", text } : undefined) });
    const { error } = await world.run(world.fetch());
    assert.deepEqual([error?.code, error?.details["status"]], ["DOWNLOAD_UNAVAILABLE", 416]);
    await checkIdle(world);
  }
});

test("a 400 of S3 whose code is about the moment is none about the request", async () => {
  for (const [code, expected] of [
    ["ExpiredToken", "DOWNLOAD_GONE"],
    ["RequestTimeout", "DOWNLOAD_UNAVAILABLE"],
    ["AuthorizationQueryParametersError", "DOWNLOAD_INVALID"],
  ] as const) {
    const body = new TextEncoder().encode(`<Error><Code>${code}</Code></Error>`);
    const text = `HTTP/1.1 400 Bad Request\r\nContent-Length: ${body.length}\r\n\r\n`;
    const world = await worldOf({ odd: () => ({ type: "bytes", text, body }) });
    assert.equal((await world.run(world.fetch())).error?.code, expected, code);
  }
});

const refusals: readonly [string, string, string?][] = [
  ["403 Forbidden", "DOWNLOAD_GONE"],
  ["401 Unauthorized", "DOWNLOAD_GONE"],
  ["404 Not Found", "DOWNLOAD_GONE"],
  ["410 Gone", "DOWNLOAD_GONE"],
  ["408 Request Timeout", "DOWNLOAD_UNAVAILABLE"],
  ["429 Too Many Requests", "DOWNLOAD_UNAVAILABLE", "Retry-After: 7"],
  ["500 Internal Server Error", "DOWNLOAD_UNAVAILABLE"],
  ["503 Slow Down", "DOWNLOAD_UNAVAILABLE", "Retry-After: 7"],
  ["501 Not Implemented", "DOWNLOAD_INVALID"],
  ["505 HTTP Version Not Supported", "DOWNLOAD_INVALID"],
  ["400 Bad Request", "DOWNLOAD_INVALID"],
  ["204 No Content", "DOWNLOAD_INVALID"],
  ["304 Not Modified", "DOWNLOAD_INVALID"],
  ["416 Range Not Satisfiable", "DOWNLOAD_UNAVAILABLE"],
  ["302 Found", "DOWNLOAD_INVALID"],
  ["412 Precondition Failed", "DOWNLOAD_CHANGED"],
];

test("what a status means: gone, later, changed or never, for the first answer and for a later one", async () => {
  for (const [status, code, field] of refusals) {
    for (const at of [1, 3]) {
      const text = `HTTP/1.1 ${status}\r\nContent-Length: 0\r\n${field === undefined ? "" : `${field}\r\n`}\r\n`;
      const world = await worldOf({ odd: ({ index }) => (index === at ? { type: "bytes", text } : undefined) });
      const { error, bytes } = await world.run(world.fetch());
      assert.equal(error?.code, at === 3 && status.startsWith("416") ? "DOWNLOAD_CHANGED" : code, `${status} at ${at}`);
      if (field !== undefined) assert.equal(error.details["retryAfterMs"], 7_000);
      assert.ok(bytesEqual(bytes, world.file.bytes.subarray(0, bytes.length)), "what came before holds");
      await checkIdle(world);
    }
  }
});

test("of the body of an error its code is told, and no more than a bounded part is read", async () => {
  const body = new TextEncoder().encode(
    `<Error><Code>AccessDenied</Code><Message>Request has expired</Message><X>secret</X>${"x".repeat(10 * errorBodyBytesMax)}</Error>`,
  );
  for (const length of [`Content-Length: ${body.length}\r\n`, ""]) {
    const text = `HTTP/1.1 403 Forbidden\r\n${length}\r\n`;
    const world = await worldOf({ odd: () => ({ type: "bytes", text, body }) });
    const { error } = await world.run(world.fetch());
    assert.deepEqual(
      [error?.code, error?.message, error?.details["serverCode"]],
      ["DOWNLOAD_GONE", "the server answered 403: AccessDenied, the presigned URL has expired", "AccessDenied"],
    );
    await checkIdle(world);
  }
});

test("answers that are none end the download as invalid", async () => {
  const part = "HTTP/1.1 206 Partial Content\r\n";
  for (const [text, body] of [
    [`${part}Content-Length: 65536\r\n\r\n`],
    [`${part}Content-Range: bytes 0-65535/300000\r\n\r\n`],
    [`${part}Content-Range: bytes 0-65535/300000\r\nContent-Length: 10\r\n\r\n`],
    [`${part}Content-Range: bytes 1-65536/300000\r\nContent-Length: 65536\r\n\r\n`],
    [`${part}Content-Range: bytes 0-9/300000\r\nContent-Length: 10\r\n\r\n`],
    [`${part}Content-Range: bytes 0-65535/300000\r\nTransfer-Encoding: chunked\r\n\r\n`],
    [`${part}Content-Range: bytes 0-65535/300000\r\nContent-Length: 65536\r\nContent-Encoding: gzip\r\n\r\n`],
    ["HTTP/1.1 200 OK\r\n\r\n"],
    ["HTTP/1.1 101 Switching Protocols\r\n\r\n"],
    ["HTTP/1.1 100 Continue\r\n\r\n".repeat(interimResponsesMax + 1)],
    ["SSH-2.0-OpenSSH_9.6\r\n\r\n"],
    [`${part}Content-Range: bytes 0-65535/300000\r\nContent-Length: 65536\r\n\r\n`, new Uint8Array(65_537)],
  ] as const) {
    const world = await worldOf({ odd: () => ({ type: "bytes", text, ...(body && { body }) }) });
    const { error } = await world.run(world.fetch());
    assert.equal(error?.code, "DOWNLOAD_INVALID", text);
    await checkIdle(world);
  }
});

test("interim answers before the real one are passed over, a few of them", async () => {
  const interim = "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n".repeat(interimResponsesMax);
  const body = fileOf(10);
  const answer = `${interim}HTTP/1.1 206 P\r\nContent-Range: bytes 0-9/10\r\nContent-Length: 10\r\n\r\n`;
  const world = await worldOf({ odd: () => ({ type: "bytes", text: answer, body }) });
  assert.ok(bytesEqual((await world.run(world.fetch())).bytes, body));
});

test("redirects are followed, a few of them, and never to a connection without TLS", async () => {
  const to = (location: string) => ({
    type: "bytes" as const,
    text: `HTTP/1.1 307 T\r\nLocation: ${location}\r\nContent-Length: 0\r\n\r\n`,
  });
  const good = await worldOf({ odd: ({ index }) => (index <= redirectsMax ? to("/image.bin?again") : undefined) });
  assert.ok(bytesEqual((await good.run(good.fetch())).bytes, good.file.bytes));
  const many = await worldOf({ odd: ({ index }) => (index <= redirectsMax + 1 ? to("/image.bin") : undefined) });
  assert.equal((await many.run(many.fetch())).error?.code, "DOWNLOAD_INVALID");
  const plain = await worldOf({ isSecure: true, odd: () => to("http://second.test/image.bin") });
  assert.match((await plain.run(plain.fetch())).error?.message ?? "", /without TLS/u);
  await checkIdle(plain);
});

test("a server that closes after each answer is dialled again for the next", async () => {
  const world = await worldOf({ isSecure: true, odd: () => ({ type: "fields", fields: {}, thenCloses: true }) });
  assert.ok(bytesEqual((await world.run(world.fetch())).bytes, world.file.bytes));
  assert.equal(world.server.connectionCount, 5);
  await checkIdle(world);
});

test("a connection that was idle and is closed just when it is used again is replaced without a word", async () => {
  const world = await worldOf({
    client: { connections: 1 },
    odd: ({ index }) => (index === 3 ? { type: "close" } : undefined),
  });
  assert.ok(bytesEqual((await world.run(world.fetch())).bytes, world.file.bytes));
  assert.equal(world.server.connectionCount, 2);
  const first = await worldOf({ odd: ({ index }) => (index === 1 ? { type: "close" } : undefined) });
  assert.equal((await first.run(first.fetch())).error?.code, "DOWNLOAD_UNAVAILABLE");
});

test("a lost connection is for later, and what came in order is handed out before", async () => {
  for (const odd of [{ type: "reset" }, { type: "cut", bodyBytes: 1_000 }] as const) {
    const world = await worldOf({ client: { connections: 1 }, odd: ({ index }) => (index >= 2 ? odd : undefined) });
    const { bytes, error } = await world.run(world.fetch());
    assert.equal(error?.code, "DOWNLOAD_UNAVAILABLE");
    assert.equal(bytes.length, 65_536 + (odd.type === "cut" ? 1_000 : 0));
    assert.ok(bytesEqual(bytes, world.file.bytes.subarray(0, bytes.length)));
    await checkIdle(world);
  }
});

/** As a modem counts: a connection takes its place until the transport has let go of it. */
function withPlaces(network: Dialer, places: number): Dialer {
  let taken = 0;
  return {
    async dial(target, options) {
      if (taken >= places) throw new ThinglineError("LIMIT_EXCEEDED", "all are in use");
      taken += 1;
      const connection = await network.dial(target, options);
      void connection.closed.then(() => (taken -= 1));
      return connection;
    },
  };
}

test("a connection that is over gives its place to the next, within a download and for the one after it", async () => {
  for (const type of ["reset", "close"] as const) {
    // Both connections end when they are used for the second time, as when a server dies.
    const used = new Set<number>();
    const odd = ({ connectionIndex }: FileRequest) => {
      if (used.has(connectionIndex) && connectionIndex <= 2) return { type };
      used.add(connectionIndex);
      return undefined;
    };
    const world = await worldOf({ latencyMs: 50, odd });
    const dialer = withPlaces(world.network, 2);
    const downloader = createHttpDownloader({ clock: world.clock, dialer });
    const take = async (bytesMax: number): Promise<number> => {
      let length = 0;
      const download = await downloader.open(world.requestOf(), { signal: world.abort.signal });
      for await (const chunk of download.chunks()) {
        length += chunk.length;
        if (length >= bytesMax) break;
      }
      return length;
    };
    assert.equal(await world.run(take(Infinity)), 300_000, type);
    assert.equal(world.server.connectionCount, 4, "both were replaced");
    await world.run(take(1));
    assert.equal(await world.run(take(Infinity)), 300_000, "at once after one that was left in the middle");
    await checkIdle(world);
  }
});

test("a modem whose sockets are all in use is one for later", async () => {
  const world = await worldOf();
  const downloader = createHttpDownloader({ clock: world.clock, dialer: withPlaces(world.network, 0) });
  const opened = world.run(downloader.open(world.requestOf(), { signal: world.abort.signal }));
  await assert.rejects(opened, (error) => isThinglineError(error, "DOWNLOAD_UNAVAILABLE"));
});

test("one connection suffices when there is no second to be had", async () => {
  const world = await worldOf({ faults: (count) => (count === 1 ? undefined : { isRefused: true }) });
  assert.ok(bytesEqual((await world.run(world.fetch())).bytes, world.file.bytes));
  assert.equal(new Set(world.server.requests.map(({ connectionIndex }) => connectionIndex)).size, 1);
});

test("silence, half-open links and a server that drips end by their time-outs", async () => {
  const silent = await worldOf({ odd: () => ({ type: "silence" }) });
  const { error } = await silent.run(silent.fetch());
  assert.deepEqual([error?.code, error?.details["networkCode"]], ["DOWNLOAD_UNAVAILABLE", "TIMEOUT"]);
  assert.ok(silent.clock.monotonicMs() < 31_000);
  await checkIdle(silent);

  const halfOpen = await worldOf({ faults: () => ({ silentAfter: { from: "server", bytes: 40_000 } }) });
  assert.equal((await halfOpen.run(halfOpen.fetch())).error?.code, "DOWNLOAD_UNAVAILABLE");
  await checkIdle(halfOpen);

  const text = "HTTP/1.1 206 Partial Content\r\n";
  const dripping = await worldOf({
    client: { rangeTimeoutMs: 60_000 },
    odd: () => ({ type: "drip", text, everyMs: 20_000 }),
  });
  assert.equal((await dripping.run(dripping.fetch())).error?.code, "DOWNLOAD_UNAVAILABLE");
  assert.ok(dripping.clock.monotonicMs() < 61_000);
  await checkIdle(dripping);
});

test("a signal ends a download at any time", async () => {
  for (const afterMs of [0, 1, 3, 5, 7, 9, 40]) {
    const world = await worldOf({ isSecure: true, latencyMs: 2 });
    world.clock.setTimer(afterMs, () => world.abort.abort());
    const { error } = await world.run(world.fetch({}, { pauseMs: 5 }));
    assert.equal(error?.code, "ABORTED", `${afterMs}`);
    await checkIdle(world);
  }
});

test("leaving the loop closes the download", async () => {
  const world = await worldOf();
  const download = await world.run(world.downloader.open(world.requestOf(), { signal: world.abort.signal }));
  await world.run(
    (async () => {
      for await (const chunk of download.chunks()) if (chunk.length > 0) break;
    })(),
  );
  await checkIdle(world);
  const unread = await worldOf();
  const other = await unread.run(unread.downloader.open(unread.requestOf(), { signal: unread.abort.signal }));
  await unread.run(other.close());
  await other.close();
  await checkIdle(unread);
});

test("a slow taker bounds what is fetched ahead", async () => {
  const world = await worldOf({ file: { bytes: fileOf(2_000_000), etag } });
  const download = await world.run(world.downloader.open(world.requestOf(), { signal: world.abort.signal }));
  const chunks = download.chunks()[Symbol.asyncIterator]();
  await world.run(chunks.next());
  await world.run(world.clock.sleep(10_000));
  assert.ok(world.server.requests.length <= 4, `${world.server.requests.length} ranges were asked for`);
  await world.run(download.close());
});

test("head and body of a range stay within one record where records are bounded", async () => {
  for (const protocol of ["TLSv1.2", "TLSv1.3"] as const) {
    let largest = 0;
    const onRecord = ({ direction, lengthBytes }: { direction: string; lengthBytes: number }): void => {
      if (direction === "received") largest = Math.max(largest, lengthBytes);
    };
    const tls = { ca: ca.certificatePem, maxVersion: protocol, receivedRecordBytesMax: 2_048, onRecord };
    const world = await worldOf({ isSecure: true, client: { tls }, file: { bytes: fileOf(60_000), etag } });
    assert.ok(bytesEqual((await world.run(world.fetch())).bytes, world.file.bytes));
    assert.ok(largest > 1_900 && largest <= 2_048 + 24, `the largest record has ${largest} bytes`);
    assert.ok(world.server.requests.length < 45, "the range follows the size of the head");
  }
});

test("a head that grows makes ranges smaller, and a record that is too large is named", async () => {
  const tls = { ca: ca.certificatePem, receivedRecordBytesMax: 2_048 };
  const growing = await worldOf({
    isSecure: true,
    client: { tls },
    file: { bytes: fileOf(30_000), etag },
    odd: ({ index }) => (index === 4 ? { type: "fields", fields: { "X-Pad": "x".repeat(700) } } : undefined),
  });
  assert.ok(bytesEqual((await growing.run(growing.fetch())).bytes, growing.file.bytes));

  const whole = await worldOf({ isSecure: true, honoursRanges: false, client: { tls } });
  const { error } = await whole.run(whole.fetch());
  assert.equal(error?.code, "TLS_RECORD_TOO_LARGE");
  assert.match(
    error.message,
    /^https:\/\/second\.test sent 16384 bytes in one TLS record for a range of 256 bytes.*2048/u,
  );
  assert.equal(whole.server.requests.length, 3, "1024, 512, 256");
  await checkIdle(whole);

  const wide = await worldOf({
    isSecure: true,
    client: { tls },
    odd: () => ({ type: "fields", fields: { "X-Pad": "x".repeat(1_700) } }),
    file: { bytes: fileOf(100), etag },
  });
  assert.match((await wide.run(wide.fetch())).error?.message ?? "", /leaves no room/u);
});

test("what this device is not set up for is said as that", async () => {
  const clock = createVirtualClock();
  const network = createVirtualNetwork({ clock, random: createVirtualRandom(1) });
  const open = (options: Partial<HttpDownloaderOptions>, url: string) =>
    createHttpDownloader({ clock, ...options }).open(
      { source: { type: "http", url }, offset: 0, expected: undefined },
      { signal: new AbortController().signal },
    );
  await assert.rejects(open({ dialer: network }, "https://h/"), { code: "OPTION_INVALID", message: /no CA/u });
  const secTagDialer = { name: "modem TLS", dial: () => Promise.reject(new Error("none")) };
  await assert.rejects(open({ secTagDialer, secTag: 1 }, "http://h/"), {
    code: "OPTION_INVALID",
    message: /without TLS/u,
  });
  await assert.rejects(open({ dialer: network }, "file:///etc/passwd"), { code: "DOWNLOAD_INVALID" });
  for (const options of [
    {},
    { secTagDialer },
    { dialer: network, connections: 0 },
    { dialer: network, connections: downloadConnectionsMax + 1 },
    { dialer: network, rangeBytes: rangeBytesMin - 1 },
    { dialer: network, rangeBytes: rangeBytesMax + 1 },
    { dialer: network, tls: {} as never },
  ]) {
    assert.throws(() => createHttpDownloader({ clock, ...options }), { code: "OPTION_INVALID" });
  }
});

test("an untrusted server is told as that", async () => {
  const world = await worldOf({ isSecure: true, client: { tls: { ca: selfSigned.certificatePem } } });
  assert.equal((await world.run(world.fetch())).error?.code, "TLS_PEER_UNTRUSTED");
});

test("a link of 1 Mbit/s with a round trip of 100 ms is used to nine tenths", async () => {
  const link = { isSecure: true, latencyMs: 50, bitsPerSecond: 1_000_000, file: { bytes: fileOf(1_000_000), etag } };
  const shareOf = async (client: Partial<HttpDownloaderOptions>): Promise<number> => {
    const world = await worldOf({ ...link, client: { tls: { ca: ca.certificatePem }, ...client } });
    const { bytes } = await world.run(world.fetch());
    assert.equal(bytes.length, 1_000_000);
    return 1_000_000 / ((world.clock.monotonicMs() / 1000) * (link.bitsPerSecond / 8));
  };
  const share = await shareOf({});
  const alone = await shareOf({ connections: 1 });
  assert.ok(share >= 0.9, `${share}`);
  assert.ok(alone < share, `one range in flight: ${alone}`);
});
