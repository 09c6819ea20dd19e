import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Connection, ListenOptions, TlsClientOptions, TlsRecord } from "../connection.js";
import { makeTestCertificates } from "../contract/test-certificates.js";
import { createNodeKeys } from "./keys.js";
import { createNodeNetwork } from "./network.js";

const certificates = await makeTestCertificates(createNodeKeys());
const network = createNodeNetwork();
const { ca, server, client, selfSigned } = certificates;
const serverTls = {
  certificate: server.certificatePem,
  privateKey: server.privateKeyPem,
  requestsClientCertificate: true,
};
const trusted = { ca: ca.certificatePem };

/** What one side of a connection saw. */
function watch(connection: Connection) {
  const chunks: Uint8Array[] = [];
  let waiting: { lengthBytes: number; resolve: (bytes: Buffer) => void } | undefined;
  let resolveEnd: (error: ThinglineError | undefined) => void = () => undefined;
  const end = new Promise<ThinglineError | undefined>((resolve) => (resolveEnd = resolve));
  const check = (): void => {
    const all = Buffer.concat(chunks);
    if (waiting !== undefined && all.length >= waiting.lengthBytes) waiting.resolve(all);
  };
  connection.start({
    data(bytes) {
      chunks.push(bytes);
      check();
    },
    closed: resolveEnd,
  });
  return {
    chunks,
    end,
    bytes: (lengthBytes: number) =>
      new Promise<Buffer>((resolve) => {
        waiting = { lengthBytes, resolve };
        check();
      }),
  };
}

async function open(options: Partial<ListenOptions> = {}, target: Partial<Parameters<typeof network.dial>[0]> = {}) {
  let resolve: (connection: Connection) => void = () => undefined;
  const accepted = new Promise<Connection>((done) => (resolve = done));
  const listener = await network.listen({ host: "127.0.0.1", port: 0, ...options }, (connection) =>
    resolve(connection),
  );
  const dialled = await network.dial({ ...listener.address, ...target });
  return { listener, dialled, accepted: await accepted };
}

test("plain TCP carries bytes both ways and ends in order", async () => {
  const { listener, dialled, accepted } = await open();
  const [here, there] = [watch(dialled), watch(accepted)];
  const offset = dialled.reserve(3);
  dialled.slab.set([1, 2, 3], offset);
  dialled.write(Uint8Array.of(4), Uint8Array.of(5, 6));
  assert.deepEqual([...(await there.bytes(6))], [1, 2, 3, 4, 5, 6]);
  assert.equal(there.chunks.length, 1);
  accepted.write(new Uint8Array(100_000).fill(7));
  assert.equal((await here.bytes(100_000)).length, 100_000);
  await dialled.close();
  assert.equal(await here.end, undefined);
  assert.equal(await there.end, undefined);
  assert.equal(dialled.bufferedBytes, 0);
  await listener.close();
});

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  test(`${version} tells both sides who the other is, resumed or not`, async () => {
    let session: Uint8Array | undefined;
    const tls: TlsClientOptions = {
      ...trusted,
      certificate: client.certificatePem,
      privateKey: client.privateKeyPem,
      maxVersion: version,
      serverName: "localhost",
      onSession: (given) => (session = given),
    };
    const accepted: Connection[] = [];
    const listener = await network.listen({ host: "127.0.0.1", port: 0, tls: serverTls }, (connection) => {
      accepted.push(connection);
      connection.start({ data: (bytes) => connection.write(bytes), closed: () => undefined });
    });
    for (const isResumed of [false, true]) {
      const target = { ...listener.address, tls: { ...tls, ...(session !== undefined && { session }) } };
      const dialled = await network.dial(target);
      const here = watch(dialled);
      dialled.write(Uint8Array.of(1));
      await here.bytes(1);
      const other = accepted.at(-1)?.secure;
      assert.equal(dialled.secure?.isResumed, isResumed);
      assert.equal(dialled.secure.protocol, version);
      assert.equal(other?.isResumed, isResumed);
      if (!isResumed) assert.equal(other.serverName, "localhost");
      assert.deepEqual(other.peerCertificate, client.certificateDer);
      assert.deepEqual(dialled.secure.peerCertificate, server.certificateDer);
      await dialled.close();
    }
    await listener.close();
  });
}

test("two packets of one turn are two records over TLS 1.2", async () => {
  const records: TlsRecord[] = [];
  const tls = { ...trusted, maxVersion: "TLSv1.2", onRecord: (record: TlsRecord) => records.push(record) } as const;
  const { listener, dialled, accepted } = await open({ tls: serverTls }, { tls });
  const here = watch(dialled);
  watch(accepted);
  accepted.write(new Uint8Array(1_704));
  accepted.write(new Uint8Array(1_326));
  await here.bytes(3_030);
  const lengths = records.filter((r) => r.direction === "received" && r.contentType === 23).map((r) => r.lengthBytes);
  assert.equal(lengths.length, 2);
  assert.deepEqual(
    here.chunks.map((chunk) => chunk.length),
    [1_704, 1_326],
  );
  await dialled.close();
  await listener.close();
});

test("a record over the limit kills the connection before its data is delivered", async () => {
  const tls = { ...trusted, maxVersion: "TLSv1.2", receivedRecordBytesMax: 2_048 } as const;
  const { listener, dialled, accepted } = await open({ tls: serverTls }, { tls });
  const [here, there] = [watch(dialled), watch(accepted)];
  accepted.write(new Uint8Array(10));
  accepted.write(new Uint8Array(4_500));
  assert.ok(isThinglineError(await here.end, "TLS_RECORD_TOO_LARGE"));
  assert.equal(here.chunks.length, 1);
  assert.ok(isThinglineError(await there.end, "CONNECTION_LOST"));
  await listener.close();
});

test("any certificate with a proven key is taken", async () => {
  const tls = { ...trusted, certificate: selfSigned.certificatePem, privateKey: selfSigned.privateKeyPem };
  const { listener, dialled, accepted } = await open({ tls: serverTls }, { tls });
  assert.deepEqual(accepted.secure?.peerCertificate, selfSigned.certificateDer);
  assert.equal(new X509Certificate(selfSigned.certificateDer).checkPrivateKey !== undefined, true);
  dialled.destroy();
  await listener.close();
});

test("WebSocket", async () => {
  const { listener, dialled, accepted } = await open(
    { tls: serverTls, webSocket: { path: "/mqtt" } },
    { tls: trusted, webSocket: { path: "/mqtt?a=b" } },
  );
  const [here, there] = [watch(dialled), watch(accepted)];
  assert.equal(accepted.webSocketRequest?.path, "/mqtt?a=b");
  dialled.write(Uint8Array.of(1, 2));
  assert.deepEqual([...(await there.bytes(2))], [1, 2]);
  accepted.write(new Uint8Array(5_000));
  await here.bytes(5_000);
  await accepted.close();
  assert.equal(await here.end, undefined);
  assert.equal(await there.end, undefined);
  await listener.close();
});

test("refusals", async () => {
  const { listener, dialled } = await open({ tls: serverTls }, { tls: trusted });
  dialled.destroy();
  const code = (promise: Promise<unknown>) =>
    promise.then(
      () => "none",
      (error: unknown) => (error instanceof ThinglineError ? error.code : String(error)),
    );
  assert.equal(
    await code(network.dial({ ...listener.address, tls: { ca: selfSigned.certificatePem } })),
    "TLS_PEER_UNTRUSTED",
  );
  assert.equal(
    await code(network.dial({ ...listener.address, tls: { ...trusted, serverName: "other" } })),
    "TLS_PEER_UNTRUSTED",
  );
  assert.equal(await code(network.dial({ host: "nowhere.invalid", port: 1 })), "HOST_NOT_FOUND");
  assert.equal(await code(network.dial({ host: "127.0.0.1", port: 1 })), "CONNECTION_REFUSED");
  assert.equal(await code(network.listen({ ...listener.address }, () => undefined)), "PORT_IN_USE");
  await listener.close();
});
