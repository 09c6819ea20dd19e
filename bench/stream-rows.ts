// Rows of `npm run bench -- fota` about downloads by MQTT file delivery: on a link of 1 Mbit/s with a round trip of 100 ms in the virtual network, over
// TLS, in both formats, and with one block on its way; and from a whole local cloud on the loopback.
import { performance } from "node:perf_hooks";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { CreateStreamCommand, IoTClient } from "@aws-sdk/client-iot";
import { startCloud } from "@thingline/cloud/node";
import { createDevice, type Device } from "@thingline/device";
import { createStreamDownloader, type StreamDownloaderOptions } from "@thingline/device/fota";
import { connectDevice } from "@thingline/device/node";
import { encodeToBytes, PacketDecoder } from "@thingline/protocol/mqtt";
import {
  decodeBlockBitmap,
  decodeDescribeStreamRequest,
  decodeGetStreamRequest,
  encodeStreamBlock,
  encodeStreamDescription,
  parseStreamTopic,
  streamTopic,
  type StreamTopic,
} from "@thingline/protocol/streams";
import type { Clock, Connection, Random } from "@thingline/transport";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeClock, createNodeRandom } from "@thingline/transport/node";
import {
  createVirtualClock,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import type { OwnMeasurement } from "./own-rows.js";
import { median, row, say } from "./tools.js";

const linkFileBytes = 2_000_000;
const loopbackFileBytes = 20_000_000;
const linkBytesPerSecond = 125_000;
const linkLatencyMs = 50;
const blockBytes = 4_096;
const widths = [56, 16] as const;
const streamName = "AFR_OTA-bench";
const mega = 1_000_000;

/** What has to be payload of the link, as a share of it. */
const links = [
  { name: "cbor", told: "MQTT stream in CBOR, 1 Mbit/s and 100 ms", least: 0.9, options: {} },
  { name: "json", told: "MQTT stream in JSON, 1 Mbit/s and 100 ms", least: 0.68, options: { format: "json" } },
  {
    ...{ name: "one", told: "one block of 4,096 bytes in flight, in CBOR", least: 0 },
    options: { windowBytes: blockBytes },
  },
  {
    ...{ name: "modem", told: "blocks of 1,024 bytes in CBOR, as for records of 2,048", least: 0 },
    options: { blockBytes: 1_024 },
  },
] as const;

export const streamMeasurements: readonly OwnMeasurement[] = [
  {
    rows: [{ name: "MQTT stream on the loopback", unit: "MB/s", isMore: true }],
    measure: async () => [await onLoopback()],
  },
];

export async function compareStreams({ rounds, json }: { rounds: number; json: boolean }): Promise<void> {
  const shares: Record<string, number> = {};
  for (const { name, options } of links) shares[name] = await onLink(options);
  const rates: number[] = [];
  for (let round = 0; round < rounds; round++) rates.push(await onLoopback());
  const missed = links.filter(({ name, least }) => (shares[name] ?? 0) < least);
  if (missed.length > 0) process.exitCode = 1;
  const megabytesPerSecond = median(rates);
  if (json) return say(JSON.stringify({ streams: { megabytesPerSecond, shares, isKept: missed.length === 0 } }));
  say(
    `\nThe same by MQTT file delivery; from a whole local cloud on the loopback, a file of ${loopbackFileBytes / mega} MB.\n`,
  );
  say(
    row(
      ["MQTT stream in CBOR on the loopback, cloud and device together", `${megabytesPerSecond.toFixed(1)} MB/s`],
      widths,
    ),
  );
  for (const { name, told, least } of links) {
    const share = shares[name] ?? 0;
    const judged = least === 0 ? "" : ` (${least * 100} %: ${share >= least ? "kept" : "MISSED"})`;
    say(row([told, `${(share * 100).toFixed(1)} %${judged}`], widths));
  }
}

async function download(
  device: Device,
  adapters: { clock: Clock; random: Random },
  options: Partial<StreamDownloaderOptions>,
): Promise<number> {
  const source = { type: "stream", streamName, fileId: 0, sizeBytes: undefined } as const;
  const { signal } = new AbortController();
  const downloader = createStreamDownloader({ device, ...adapters, blockBytes, ...options });
  const { chunks } = await downloader
    .open({ source, offset: 0, expected: undefined }, { signal })
    .then((opened) => ({ chunks: opened.chunks() }));
  let length = 0;
  for await (const chunk of chunks) length += chunk.length;
  return length;
}

/** @returns payload per second over what the link carries */
async function onLink(options: Partial<StreamDownloaderOptions>): Promise<number> {
  const clock = createVirtualClock();
  const random = createVirtualRandom(1);
  const { ca, second } = await makeTestCertificates(createVirtualKeys({ random }));
  const link = { latencyMs: linkLatencyMs, bytesPerSecond: linkBytesPerSecond };
  const network = createVirtualNetwork({ clock, random, ...link });
  const tls = {
    certificate: second.certificatePem,
    privateKey: second.privateKeyPem,
    requestsClientCertificate: false,
  };
  const file = new Uint8Array(linkFileBytes);
  const listener = await network.listen({ host: "second.test", port: 8883, tls }, (connection) =>
    serve(connection, file),
  );
  const device = createDevice({
    ...{ endpoint: "second.test:8883", clientId: "pump-7", clock, random, dialer: network },
    tls: { ca: ca.certificatePem },
  });
  const fetching = (async () => {
    await device.connect();
    const startMs = clock.monotonicMs();
    const length = await download(device, { clock, random }, options);
    const seconds = (clock.monotonicMs() - startMs) / 1000;
    await device.close();
    return length / seconds / linkBytesPerSecond;
  })();
  const share = await clock.until(fetching);
  await clock.until(listener.close());
  return share;
}

/** An MQTT server that knows file delivery, and nothing else. */
function serve(connection: Connection, file: Uint8Array): void {
  const decoder = new PacketDecoder({ receiver: "server", packetBytesMax: 200_000 });
  const send = (packet: Parameters<typeof encodeToBytes>[0]): void => void connection.write(encodeToBytes(packet, 4));
  connection.start({
    data(bytes) {
      decoder.push(bytes);
      for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) {
        if (packet.type === "connect") send({ type: "connack", isSessionPresent: false, reasonCode: 0 });
        else if (packet.type === "subscribe") {
          send({ type: "suback", packetId: packet.packetId, reasonCodes: packet.subscriptions.map(({ qos }) => qos) });
        } else if (packet.type === "publish") {
          for (const { topic, payload } of answersTo(packet.topic, packet.payload, file)) {
            send({ type: "publish", topic, payload, qos: 0, isRetained: false, isDuplicate: false });
          }
        } else if (packet.type === "pingreq") send({ type: "pingresp" });
      }
    },
    closed: () => undefined,
  });
}

function* answersTo(
  name: string,
  payload: Uint8Array,
  file: Uint8Array,
): Generator<{ topic: string; payload: Uint8Array }> {
  const topic = parseStreamTopic(name) as StreamTopic;
  const { format } = topic;
  if (topic.type === "describe") {
    const read = decodeDescribeStreamRequest(payload, format);
    const answer = {
      ...("request" in read && read.request),
      streamVersion: 1,
      files: [{ fileId: 0, bytes: file.length }],
    };
    yield { topic: streamTopic({ ...topic, type: "description" }), payload: encodeStreamDescription(answer, format) };
    return;
  }
  const read = decodeGetStreamRequest(payload, format);
  if (!("request" in read)) return;
  const { clientToken = "", fileId, blockBytes: size, firstBlock = 0, blockCount = 0, bitmap } = read.request;
  const run = Array.from({ length: blockCount }, (_none, at) => firstBlock + at);
  for (const block of bitmap === undefined ? run : decodeBlockBitmap(bitmap, firstBlock)) {
    const part = file.subarray(block * size, (block + 1) * size);
    const data = encodeStreamBlock({ clientToken, fileId, block, payload: part }, format);
    yield { topic: streamTopic({ ...topic, type: "data" }), payload: data };
  }
}

async function onLoopback(): Promise<number> {
  const options = { memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0, limits: "none" } as const;
  await using cloud = await startCloud(options);
  const thing = await cloud.createThing("pump-7");
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const place = { endpoint: cloud.addresses.api, region: "us-east-1", credentials };
  const [iot, s3] = [new IoTClient(place), new S3Client({ ...place, forcePathStyle: true })];
  await s3.send(new CreateBucketCommand({ Bucket: "firmware" }));
  await s3.send(new PutObjectCommand({ Bucket: "firmware", Key: "app.bin", Body: new Uint8Array(loopbackFileBytes) }));
  const files = [{ fileId: 0, s3Location: { bucket: "firmware", key: "app.bin" } }];
  const roleArn = "arn:aws:iam::123456789012:role/firmware";
  await iot.send(new CreateStreamCommand({ streamId: streamName, files, roleArn }));
  iot.destroy();
  s3.destroy();
  await using device = await connectDevice(thing);
  const startMs = performance.now();
  const length = await download(device, { clock: createNodeClock(), random: createNodeRandom() }, {});
  return length / mega / ((performance.now() - startMs) / 1000);
}
