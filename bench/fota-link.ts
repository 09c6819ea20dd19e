// Downloads over a link of so many bits a second in a virtual network, in virtual time: a whole cloud with its streams, and a server of files that
// answers as its objects are answered.
import { createCloud, createMemoryStore, silentLog } from "@thingline/cloud";
import { connectDevice } from "@thingline/device";
import {
  createHttpDownloader,
  createStreamDownloader,
  type Downloader,
  type DownloadSource,
} from "@thingline/device/fota";
import { concatBytes } from "@thingline/protocol";
import type { Connection, TlsClientOptions, TlsServerOptions } from "@thingline/transport";
import { makeTestCertificates } from "@thingline/transport/contract";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { type DownloadHow, httpsRangeBytes, isHttps, modemTls, streamOptions } from "./fota-kinds.js";

export interface LinkOptions {
  bitsPerSecond: number;
  roundTripMs: number;
  fileBytes: number;
}

const key = "app.bin";
const fileHost = "second.test";
const keys = () => createVirtualKeys({ random: createVirtualRandom("keys") });

/** @returns bits of the file a second, from the question what lies there to the last byte */
export async function measureLink(how: DownloadHow, isOneAtATime: boolean, options: LinkOptions): Promise<number> {
  const world = await openWorld(options);
  const { clock } = world;
  const { downloader, source, close } = isHttps(how)
    ? world.openHttps(how === "modem", isOneAtATime)
    : await world.openStream(how, isOneAtATime);
  const beganMs = clock.monotonicMs();
  const bytes = await clock.until(lengthOf(downloader, source));
  const seconds = (clock.monotonicMs() - beganMs) / 1_000;
  if (bytes !== options.fileBytes) throw new Error(`${bytes} bytes came of ${options.fileBytes}`);
  await clock.until(close());
  await world.close();
  return (bytes * 8) / seconds;
}

async function lengthOf(downloader: Downloader, source: DownloadSource): Promise<number> {
  const request = { source, offset: 0, expected: undefined };
  const download = await downloader.open(request, { signal: new AbortController().signal });
  let bytes = 0;
  for await (const chunk of download.chunks()) bytes += chunk.length;
  return bytes;
}

async function openWorld({ bitsPerSecond, roundTripMs, fileBytes }: LinkOptions) {
  const clock = createVirtualClock();
  const random = createVirtualRandom("link");
  const network = createVirtualNetwork({ clock, random, latencyMs: roundTripMs / 2, bitsPerSecond });
  const content = createVirtualRandom("file").bytes(fileBytes);
  const at = (port: number) => ({ host: "localhost", port, optionName: "port" });
  const adapters = { network, clock, random, files: createVirtualFiles(), keys: keys(), store: createMemoryStore() };
  const doors = { folder: "/cloud", mqtts: at(8883), https: at(8443) };
  const cloud = await clock.untilSettled(createCloud({ ...adapters, log: silentLog }, { ...doors, limits: "none" }));
  const run = <Result>(promise: Promise<Result>): Promise<Result> => clock.untilSettled(promise);
  const { ca, second } = await makeTestCertificates(keys());
  const served = { certificate: second.certificatePem, privateKey: second.privateKeyPem };
  await serveFile(network, { ...served, requestsClientCertificate: false }, content);
  const secure = { ca: ca.certificatePem };

  async function makeDevice(): Promise<TlsClientOptions> {
    const { registry } = cloud;
    const statement = { Effect: "Allow", Action: "iot:*", Resource: "*" };
    const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
    const issued = await run(cloud.run(registry.createKeysAndCertificate, { setAsActive: true }));
    await run(cloud.run(registry.createPolicy, { policyName: "all", policyDocument }));
    await run(cloud.run(registry.attachPolicy, { policyName: "all", target: issued.certificateArn }));
    return { ca: cloud.caPem, certificate: issued.certificatePem, privateKey: issued.keyPair.PrivateKey };
  }

  return {
    clock,
    openHttps(isModem: boolean, isOneAtATime: boolean) {
      const downloader = createHttpDownloader({
        clock,
        dialer: network,
        tls: { ...secure, ...(isModem && modemTls) },
        rangeBytes: httpsRangeBytes,
        ...(isOneAtATime && { connections: 1 }),
      });
      const source = { type: "http", url: `https://${fileHost}/bench/${key}` } as const;
      return { downloader, source, close: () => Promise.resolve() };
    },
    async openStream(how: DownloadHow, isOneAtATime: boolean) {
      const { objects, streams } = cloud;
      await run(cloud.run(objects.createBucket, { bucket: "bench" }));
      await run(cloud.run(objects.putObject, { bucket: "bench", key, chunks: [content] }));
      const files = [{ fileId: 0, s3Location: { bucket: "bench", key } }];
      const roleArn = "arn:aws:iam::123456789012:role/bench";
      await run(cloud.run(streams.createStream, { streamId: "bench", files, roleArn }));
      const tls = { ...(await makeDevice()), ...(how === "modemCbor" && modemTls) };
      const where = { host: "localhost", port: 8883, dialer: network, clock, random, tls };
      const device = await clock.until(connectDevice({ ...where, clientId: "bench-device" }));
      const downloader = createStreamDownloader({ device, clock, random, ...streamOptions(how, isOneAtATime) });
      const source = { type: "stream", streamName: "bench", fileId: 0, sizeBytes: fileBytes } as const;
      return { downloader, source, close: () => device.close() };
    },
    close: () => run(cloud.close()),
  };
}

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

/** Its heads are as long as those of the cloud's own objects. */
async function serveFile(
  network: ReturnType<typeof createVirtualNetwork>,
  tls: TlsServerOptions,
  content: Uint8Array,
): Promise<void> {
  const answer = (connection: Connection, request: string): void => {
    const range = /\r\nRange: bytes=(\d+)-(\d+)/i.exec(request);
    const [first, last] = [Number(range?.[1]), Math.min(Number(range?.[2]), content.length - 1)];
    const lines = [
      "HTTP/1.1 206 Partial Content",
      "x-amz-request-id: 4C0A1B2D3E4F5061",
      "x-amz-id-2: 4C0A1B2D3E4F50614C0A1B2D3E4F50614C0A1B2D3E4F5061",
      "Date: Thu, 01 Jan 2026 00:00:00 GMT",
      "Last-Modified: Thu, 01 Jan 2026 00:00:00 GMT",
      'ETag: "9b2cf535f27731c974343645a3985328"',
      "Accept-Ranges: bytes",
      `Content-Range: bytes ${first}-${last}/${content.length}`,
      "Content-Type: binary/octet-stream",
      `Content-Length: ${last - first + 1}`,
    ];
    connection.write(concatBytes([latin1(`${lines.join("\r\n")}\r\n\r\n`), content.subarray(first, last + 1)]));
  };
  await network.listen({ host: fileHost, port: 443, tls }, (connection) => {
    let text = "";
    connection.start({
      data(bytes) {
        for (const byte of bytes) text += String.fromCharCode(byte);
        for (let end = text.indexOf("\r\n\r\n"); end !== -1; end = text.indexOf("\r\n\r\n")) {
          answer(connection, text.slice(0, end));
          text = text.slice(end + 4);
        }
      },
      closed: () => undefined,
    });
  });
}
