// A file of the local cloud through the TLS of a simulated modem, over real sockets: each answer is one record of at most 2,048 bytes, and a server
// that sends larger ones is named.
import assert from "node:assert/strict";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { createHttpDownloader } from "@thingline/device/fota";
import { createLinkControl, createModemCredentialStore, openModemSession } from "@thingline/modem";
import { createSimulatedModem } from "@thingline/modem/simulator";
import { bytesEqual, concatBytes } from "@thingline/protocol";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeClock, createNodeKeys, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { openWorld } from "./cloud-world.test.support.js";

const [clock, keys, network] = [createNodeClock(), createNodeKeys(), createNodeNetwork()];
const certificates = await makeTestCertificates(keys);
const recordBytesMax = 2_048;
const secTag = 50;
const content = Uint8Array.from({ length: 40_000 }, (_none, at) => (at * 31 + (at >> 8)) & 0xff);

/** A registered modem that trusts this CA, with a downloader behind it. */
async function openModem(context: TestContext, caPem: string) {
  const lte = { searchMs: 1, attachMs: 1, detachMs: 1 };
  const modem = await createSimulatedModem({ network, clock, random: createNodeRandom(), keys, lte });
  const session = openModemSession(modem.openPort(), { clock });
  const link = createLinkControl(session, { clock });
  context.after(async () => {
    link.close();
    await session.close();
    await modem.close();
  });
  const credentials = createModemCredentialStore(session, { keys });
  await credentials.write(secTag, "ca", caPem);
  await credentials.write(secTag, "certificate", certificates.client.certificatePem);
  await credentials.write(secTag, "privateKey", certificates.client.privateKeyPem);
  await link.connect();
  const { secTagDialer } = modem;
  assert.equal(secTagDialer.receivedRecordBytesMax, recordBytesMax);
  const downloader = createHttpDownloader({ clock, secTagDialer, secTag, family: 4 });
  return async (url: string): Promise<{ bytes: Uint8Array; chunkBytesMax: number }> => {
    const request = { source: { type: "http", url } as const, offset: 0, expected: undefined };
    const download = await downloader.open(request, { signal: new AbortController().signal });
    const chunks: Uint8Array[] = [];
    for await (const chunk of download.chunks()) chunks.push(chunk);
    return { bytes: concatBytes(chunks), chunkBytesMax: Math.max(...chunks.map(({ length }) => length)) };
  };
}

test("an object of the cloud comes through a modem, head and body of each range in one record", async (context) => {
  const { started } = await openWorld(context);
  const { cloud, addresses, caPem } = started;
  await cloud.run(cloud.objects.createBucket, { bucket: "firmware" });
  await cloud.run(cloud.objects.putObject, { bucket: "firmware", key: "app.bin", chunks: [content] });
  const fetch = await openModem(context, caPem);
  const { bytes, chunkBytesMax } = await fetch(`${addresses.objects}/firmware/app.bin`);
  assert.ok(bytesEqual(bytes, content));
  // Larger ones would have ended the connection; much smaller ones would waste what a record has room for.
  assert.ok(chunkBytesMax > recordBytesMax / 2 && chunkBytesMax < recordBytesMax, `${chunkBytesMax} bytes a range`);
});

test("a server that sends 16 KB in one record is named, with what this device takes", async (context) => {
  const { ca, server } = certificates;
  let requestCount = 0;
  const options = { cert: server.certificatePem, key: server.privateKeyPem };
  const https = createServer(options, (_request, response) => {
    requestCount += 1;
    // It does not know ranges.
    response.writeHead(200, { "Content-Length": content.length, ETag: '"1"' });
    response.end(content);
  });
  await new Promise<void>((resolve) => https.listen(0, "127.0.0.1", resolve));
  context.after(() => https.close());
  const fetch = await openModem(context, ca.certificatePem);
  const { port } = https.address() as AddressInfo;
  await assert.rejects(fetch(`https://localhost:${port}/app.bin`), {
    code: "TLS_RECORD_TOO_LARGE",
    message: new RegExp(`^https://localhost:${port} sent \\d{5} bytes in one TLS record .* takes ${recordBytesMax}`),
  });
  assert.ok(requestCount <= 3, `${requestCount} requests: smaller ranges are tried, and no more`);
});
