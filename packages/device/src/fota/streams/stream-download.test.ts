import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import {
  decodeBlockBitmap,
  decodeDescribeStreamRequest,
  decodeGetStreamRequest,
  encodeStreamBlock,
  encodeStreamDescription,
  encodeStreamRejection,
  parseStreamTopic,
  streamAnswerBytesMax,
  type StreamFormat,
  streamTopic,
  type StreamTopicType,
} from "@thingline/protocol/streams";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import type { Device } from "../../device.js";
import { FakeJobsDevice, thingName } from "../../jobs/jobs-world.test.support.js";
import type { Download, DownloadRequest } from "../downloader.js";
import { BlockWindow } from "./block-window.js";
import {
  defaultStreamAnswerTimeoutMs,
  defaultStreamAttemptsMax,
  defaultStreamWindowBytes,
  type StreamDownloaderOptions,
  streamWindowBytesMax,
} from "./options.js";
import { streamRequestBitmapBytes, streamRequestsMax } from "./stream-download.js";
import { createStreamDownloader } from "./stream-downloader.js";

const streamName = "AFR_OTA-1";
const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

/** File delivery with one file, and a network to the device. */
class StreamWorld {
  readonly clock = createVirtualClock({ settlesBy: "microtasks" });
  readonly random = createVirtualRandom(1);
  readonly device = new FakeJobsDevice(this);
  readonly requests: number[][] = [];
  file: Uint8Array;
  version = 1;
  refusal: { code: string; message: string } | undefined;
  /** When each copy of a message to the device arrives. */
  fate: (topic: string) => readonly number[] = () => [0];

  constructor(sizeBytes: number) {
    this.file = createVirtualRandom(`file-${sizeBytes}`).bytes(sizeBytes);
  }

  toCloud(topicName: string, payload: Uint8Array): void {
    const topic = parseStreamTopic(topicName);
    assert.ok(topic !== undefined, topicName);
    if (this.refusal !== undefined) {
      const token = this.#tokenOf(topic.type, payload, topic.format);
      return this.#send("rejected", encodeStreamRejection({ ...this.refusal, ...token }, topic.format), topic.format);
    }
    if (topic.type === "describe") this.#describe(payload, topic.format);
    else this.#get(payload, topic.format);
  }

  #tokenOf(type: string, payload: Uint8Array, format: StreamFormat): { clientToken?: string } {
    const read =
      type === "get" ? decodeGetStreamRequest(payload, format) : decodeDescribeStreamRequest(payload, format);
    const token = "request" in read ? read.request.clientToken : undefined;
    return token === undefined ? {} : { clientToken: token };
  }

  #describe(payload: Uint8Array, format: StreamFormat): void {
    const files = [{ fileId: 0, bytes: this.file.length }];
    const answer = { ...this.#tokenOf("describe", payload, format), streamVersion: this.version, files };
    this.#send("description", encodeStreamDescription(answer, format), format);
  }

  #get(payload: Uint8Array, format: StreamFormat): void {
    const read = decodeGetStreamRequest(payload, format);
    assert.ok("request" in read, JSON.stringify(read));
    const { clientToken = "", streamVersion, blockBytes, firstBlock = 0, blockCount = Infinity, bitmap } = read.request;
    if (streamVersion !== this.version) {
      const rejection = { code: "VersionMismatch", message: "another version", clientToken };
      return this.#send("rejected", encodeStreamRejection(rejection, format), format);
    }
    const wanted =
      bitmap === undefined
        ? Array.from({ length: Math.min(blockCount, 1_000) }, (_, at) => firstBlock + at)
        : [...decodeBlockBitmap(bitmap, firstBlock)];
    const blocks = wanted.filter((block) => block * blockBytes < this.file.length);
    this.requests.push(blocks);
    let bytes = 0;
    for (const block of blocks.slice(0, blockCount)) {
      const part = this.file.subarray(block * blockBytes, (block + 1) * blockBytes);
      bytes += part.length;
      if (bytes > streamAnswerBytesMax) return;
      this.#send("data", encodeStreamBlock({ clientToken, fileId: 0, block, payload: part }, format), format);
    }
  }

  #send(type: StreamTopicType, payload: Uint8Array, format: StreamFormat): void {
    const topic = streamTopic({ thingName, streamId: streamName, type, format });
    const { connectionCount } = this.device;
    for (const delayMs of this.fate(topic)) {
      this.clock.setTimer(delayMs, () => {
        // A buffer that is used again, as a connection's.
        const view = payload.slice();
        if (this.device.connectionCount === connectionCount && this.device.state === "ready")
          this.device.receive(topic, view);
        view.fill(0);
      });
    }
  }

  open(request: Partial<DownloadRequest> = {}, options: Partial<StreamDownloaderOptions> = {}): Promise<Download> {
    const { device, clock, random } = this;
    const downloader = createStreamDownloader({ device, clock, random, ...options });
    const source = { type: "stream", streamName, fileId: 0, sizeBytes: undefined } as const;
    assert.ok(downloader.serves(source));
    const signal = new AbortController().signal;
    return downloader.open({ source, offset: 0, expected: undefined, ...request }, { signal });
  }

  /** Lets time pass until a promise is settled. */
  until<Result>(promise: Promise<Result>): Promise<Result> {
    return this.clock.until(promise, { limitMs: 24 * 3_600_000 });
  }

  async read(download: Download, pauseMs = 0): Promise<Uint8Array> {
    const chunks: Uint8Array[] = [];
    for await (const chunk of download.chunks()) {
      chunks.push(chunk);
      if (pauseMs > 0) await this.clock.sleep(pauseMs);
    }
    return Buffer.concat(chunks);
  }

  isLeft(): void {
    assert.deepEqual(this.device.filters, []);
    assert.equal(this.device.listenerCount, 0);
    assert.equal(this.clock.timerCount, 0);
  }
}

for (const format of ["cbor", "json"] as const) {
  for (const sizeBytes of [1, 1_024, 1_025, 500_000]) {
    test(`a file of ${sizeBytes} bytes in ${format}`, async () => {
      const world = new StreamWorld(sizeBytes);
      const download = await world.until(world.open({}, { format, blockBytes: 1_024 }));
      assert.deepEqual(download.identity, { sizeBytes, version: `${streamName}/0@1` });
      assert.deepEqual(Buffer.from(await world.until(world.read(download))), Buffer.from(world.file));
      await world.clock.settle();
      world.isLeft();
    });
  }
}

test("several requests are on their way, each of several blocks, and never more than the window", async () => {
  const world = new StreamWorld(1_000_000);
  let inFlight = 0;
  let inFlightMax = 0;
  world.fate = (topic) => {
    if (topic.includes("/data/")) inFlightMax = Math.max(inFlightMax, ++inFlight);
    return [100];
  };
  const download = await world.until(world.open({}, { blockBytes: 4_096 }));
  const chunks: Uint8Array[] = [];
  await world.until(
    (async () => {
      for await (const chunk of download.chunks()) {
        inFlight -= 1;
        chunks.push(chunk);
      }
    })(),
  );
  assert.deepEqual(Buffer.concat(chunks), Buffer.from(world.file));
  // And one that was just handed out.
  assert.equal(inFlightMax, defaultStreamWindowBytes / 4_096 + 1);
  const perRequest = defaultStreamWindowBytes / 4_096 / streamRequestsMax;
  assert.ok(world.requests.every((blocks) => blocks.length <= perRequest));
  // In time of the network: as many round trips as there are windows.
  assert.ok(world.clock.monotonicMs() <= 100 * (1 + Math.ceil(1_000_000 / 4_096 / perRequest)));
});

test("lost blocks are asked for by a bitmap, those that come twice or late are not handed out twice", async () => {
  for (let seed = 1; seed <= (isLong ? 500 : 5); seed += 1) {
    const world = new StreamWorld(200_000);
    const random = createVirtualRandom(`fate-${seed}`);
    const one = (in_: number): boolean => random.integer(in_) === 0;
    world.fate = () => {
      if (one(8)) return [];
      const delayMs = one(6) ? random.integer(15_000) : random.integer(50);
      return one(8) ? [delayMs, random.integer(2_000)] : [delayMs];
    };
    const cut = (): void => {
      if (one(3)) world.device.disconnect();
      world.clock.setTimer(random.integer(3_000), () => world.device.connect());
      if (world.clock.monotonicMs() < 600_000) world.clock.setTimer(5_000 + random.integer(30_000), cut);
    };
    world.clock.setTimer(2_000, cut);
    const options = { blockBytes: 512 + random.integer(3_000), attemptsMax: 1_000 };
    const download = await world.until(world.open({}, options));
    const read = await world.until(world.read(download, one(2) ? 20 : 0));
    assert.deepEqual(Buffer.from(read), Buffer.from(world.file), `seed ${seed}`);
    assert.ok(world.requests.some((blocks, at) => at > 0 && (blocks.at(-1) ?? 0) - (blocks[0] ?? 0) >= blocks.length));
  }
});

test("it goes on at any offset of the same version, and not of another", async () => {
  const world = new StreamWorld(50_000);
  const expected = { sizeBytes: 50_000, version: `${streamName}/0@1` };
  for (const offset of [1, 1_023, 1_024, 33_333, 49_999, 50_000]) {
    const download = await world.until(world.open({ offset, expected }, { blockBytes: 1_024 }));
    const rest = await world.until(world.read(download));
    assert.deepEqual(Buffer.from(rest), Buffer.from(world.file.subarray(offset)));
  }
  world.version = 2;
  await assert.rejects(world.until(world.open({ offset: 1_024, expected })), { code: "DOWNLOAD_CHANGED" });
  await world.clock.settle();
  world.isLeft();
});

test("a stream that changes meanwhile ends the download, and what had come is handed out", async () => {
  const world = new StreamWorld(500_000);
  const download = await world.until(world.open({}, { blockBytes: 1_024, windowBytes: 16_384 }));
  let bytes = 0;
  const reading = (async () => {
    for await (const chunk of download.chunks()) {
      bytes += chunk.length;
      if (bytes >= 100_000) world.version = 2;
    }
  })();
  await assert.rejects(world.until(reading), { code: "DOWNLOAD_CHANGED" });
  assert.ok(bytes >= 100_000);
});

const refusals: [string, string][] = [
  ["ResourceNotFound", "DOWNLOAD_GONE"],
  ["Unauthorized", "DOWNLOAD_GONE"],
  ["ETagMismatch", "DOWNLOAD_GONE"],
  ["InternalError", "DOWNLOAD_UNAVAILABLE"],
  ["BlockSizeOutOfBounds", "DOWNLOAD_INVALID"],
  ["SomethingNew", "DOWNLOAD_INVALID"],
];
for (const [code, expected] of refusals) {
  test(`${code} is ${expected}, at first and in the middle`, async () => {
    const world = new StreamWorld(500_000);
    world.refusal = { code, message: "no" };
    await assert.rejects(world.until(world.open()), { code: expected });
    world.refusal = undefined;
    const download = await world.until(world.open());
    const reading = (async () => {
      for await (const _ of download.chunks()) world.refusal = { code, message: "no" };
    })();
    await assert.rejects(world.until(reading), { code: expected });
    await world.clock.settle();
    world.isLeft();
  });
}

test("a file that is not in the stream, an id that is none, and a source of another kind", async () => {
  const world = new StreamWorld(10);
  const source = { type: "stream", streamName, fileId: 7, sizeBytes: undefined } as const;
  await assert.rejects(world.until(world.open({ source })), { code: "DOWNLOAD_GONE" });
  await assert.rejects(world.until(world.open({ source: { ...source, streamName: "a/b" } })), {
    code: "DOWNLOAD_INVALID",
  });
  await assert.rejects(world.until(world.open({ source: { type: "http", url: "http://x" } })), {
    code: "DOWNLOAD_INVALID",
  });
});

test("silence is asked again for, and given up after defaultStreamAttemptsMax attempts", async () => {
  const world = new StreamWorld(1_000);
  world.fate = () => [];
  await assert.rejects(world.until(world.open()), { code: "DOWNLOAD_UNAVAILABLE" });
  assert.equal(world.clock.monotonicMs(), defaultStreamAnswerTimeoutMs * defaultStreamAttemptsMax);
  world.fate = (topic) => (topic.includes("/data/") ? [] : [0]);
  const download = await world.until(world.open());
  await assert.rejects(world.until(world.read(download)), { code: "DOWNLOAD_UNAVAILABLE" });
  assert.equal(world.requests.length, defaultStreamAttemptsMax + 1);
  world.isLeft();
});

test("a connection that is lost brings a later attempt, and one that stays away ends it", async () => {
  const world = new StreamWorld(200_000);
  const download = await world.until(world.open({}, { windowBytes: 8_192 }));
  let count = 0;
  const reading = (async () => {
    for await (const _ of download.chunks()) if (++count === 10) world.device.disconnect();
  })();
  await assert.rejects(world.until(reading), { code: "DOWNLOAD_UNAVAILABLE" });
  await assert.rejects(world.until(world.open()), { code: "DOWNLOAD_UNAVAILABLE" });
});

test("a block of another size than was asked for ends it", async () => {
  const world = new StreamWorld(10_000);
  const download = await world.until(world.open({}, { blockBytes: 1_024, windowBytes: 2_048 }));
  world.file = world.file.subarray(0, 9_000);
  await assert.rejects(world.until(world.read(download)), { code: "DOWNLOAD_INVALID" });
});

test("leaving the loop, closing and the signal leave nothing behind; a slow taker is not run over", async () => {
  const world = new StreamWorld(500_000);
  const left = await world.until(world.open());
  const leaving = (async () => {
    for await (const _ of left.chunks()) break;
  })();
  await world.until(leaving);
  const closed = await world.until(world.open());
  await closed.close();
  await closed.close();
  await assert.rejects(world.until(world.read(closed)), { code: "CLOSED" });
  const controller = new AbortController();
  const { device, clock, random } = world;
  const source = { type: "stream", streamName, fileId: 0, sizeBytes: undefined } as const;
  const opening = createStreamDownloader({ device, clock, random }).open(
    { source, offset: 0, expected: undefined },
    { signal: controller.signal },
  );
  const aborted = await world.until(opening);
  controller.abort();
  await assert.rejects(world.until(world.read(aborted)), { code: "ABORTED" });
  const slow = await world.until(world.open({}, { windowBytes: 8_192 }));
  const read = await world.until(world.read(slow, 60_000));
  assert.equal(read.length, 500_000);
  await world.clock.settle();
  world.isLeft();
});

test("a download that waits for a connection ends when it is in vain", async () => {
  const world = new StreamWorld(10);
  // As a device does that is not connected.
  const subscribe = (...given: Parameters<Device["subscribe"]>): Promise<never> => {
    const { signal } = (given[2] ?? {}) as { signal?: AbortSignal };
    return new Promise((_resolve, reject) => {
      signal?.addEventListener("abort", () => reject(new ThinglineError("ABORTED", "aborted")));
    });
  };
  Object.assign(world.device, { subscribe });
  const controller = new AbortController();
  const { device, clock, random } = world;
  const source = { type: "stream", streamName, fileId: 0, sizeBytes: undefined } as const;
  const opening = createStreamDownloader({ device, clock, random }).open(
    { source, offset: 0, expected: undefined },
    { signal: controller.signal },
  );
  await world.clock.settle();
  controller.abort();
  await assert.rejects(world.until(opening), { code: "ABORTED" });
  assert.equal(world.clock.timerCount, 0);
});

test("topics that the policy forbids are told", async () => {
  const world = new StreamWorld(10);
  world.device.subscribeError = new ThinglineError("MQTT_SUBSCRIPTION_REFUSED", "refused");
  await assert.rejects(world.until(world.open()), /iot:Subscribe on topicfilter\/\$aws\/things\/<thing>\/streams/);
});

test("a request spans no more blocks than its bitmap has room for", () => {
  const window = new BlockWindow({ sizeBytes: 1_000_000, offset: 0, blockBytes: 256, windowBlocks: 4_000 });
  const blocks = window.next(2_000, streamRequestBitmapBytes * 8) ?? [];
  window.giveBack(blocks.filter((block) => block % 300 === 0));
  const again = window.next(2_000, streamRequestBitmapBytes * 8);
  assert.deepEqual(again, [0, 300]);
});

test("options are checked", () => {
  const world = new StreamWorld(10);
  const { device, clock, random } = world;
  const wrong: [object, string][] = [
    [{ blockBytes: 255 }, "blockBytes"],
    [{ windowBytes: 100 }, "windowBytes"],
    [{ windowBytes: streamWindowBytesMax + 1 }, "windowBytes"],
    [{ format: "xml" }, "format"],
    [{ thingName: "a/b" }, "thingName"],
    [{ attemptsMax: 0 }, "attemptsMax"],
  ];
  for (const [options, option] of wrong) {
    assert.throws(
      () => createStreamDownloader({ device, clock, random, ...options }),
      (error) => error instanceof ThinglineError && error.details["option"] === option,
    );
  }
});
