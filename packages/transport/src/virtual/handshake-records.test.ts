import assert from "node:assert/strict";
import { test } from "node:test";
import type { TlsRecord } from "../connection.js";
import { makeTestCertificate, makeTestCertificates } from "../contract/test-certificates.js";
import { createNodeNetwork } from "../node/index.js";
import { createVirtualClock } from "./clock.js";
import { createVirtualKeys } from "./keys.js";
import { createVirtualNetwork } from "./network.js";
import { createVirtualRandom } from "./random.js";

const keys = createVirtualKeys({ random: createVirtualRandom(1) });
const certificates = await makeTestCertificates(keys);
// Of another authority: OpenSSL sends along the issuer of its own certificate when it is one that it trusts.
const issuer = await makeTestCertificate(keys, { commonName: "Another CA", isCa: true });
const client = await makeTestCertificate(keys, { commonName: "client", issuer });
const ciphers = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-RSA-AES128-GCM-SHA256"];

/** The records of one handshake, and of a second one that resumes its session. */
async function handshakes(kind: "node" | "virtual", version: "TLSv1.2" | "TLSv1.3") {
  const clock = createVirtualClock();
  const network =
    kind === "node" ? createNodeNetwork() : createVirtualNetwork({ clock, random: createVirtualRandom(1) });
  const wait = <T>(promise: Promise<T>): Promise<T> => (kind === "node" ? promise : clock.until(promise));
  const { ca, server } = certificates;
  const listener = await network.listen(
    {
      ...{ host: "127.0.0.1", port: 0 },
      tls: {
        certificate: server.certificatePem,
        privateKey: server.privateKeyPem,
        requestsClientCertificate: true,
      },
    },
    // A byte, so that the client knows when the tickets are there.
    (peer) => {
      peer.start({ data: () => undefined, closed: () => undefined });
      peer.write(Uint8Array.of(1));
    },
  );
  let session: Uint8Array | undefined;
  const dial = async (): Promise<TlsRecord[]> => {
    const records: TlsRecord[] = [];
    const tls = {
      ...{ ca: ca.certificatePem, certificate: client.certificatePem, privateKey: client.privateKeyPem, ciphers },
      ...{ serverName: "localhost", maxVersion: version, minVersion: version },
      ...(session !== undefined && { session }),
      onSession: (fresh: Uint8Array) => void (session = fresh),
      onRecord: (record: TlsRecord) => void records.push(record),
    };
    const { port } = listener.address;
    const connection = await wait(network.dial({ host: "127.0.0.1", port, tls }));
    await wait(
      new Promise<void>((resolve) => {
        connection.start({ data: () => resolve(), closed: () => resolve() });
      }),
    );
    const seen = [...records];
    await wait(connection.close());
    return seen;
  };
  const result = [await dial(), await dial()] as const;
  await wait(listener.close());
  return result;
}

const bytesOf = (records: readonly TlsRecord[], direction: TlsRecord["direction"]): number =>
  records.reduce((sum, each) => sum + (each.direction === direction ? 5 + each.lengthBytes : 0), 0);

const [major = 0, minor = 0] = (process.versions["openssl"] ?? "").split(".").map(Number);
/** OpenSSL 3.5 adds a post-quantum key share of more than a kilobyte to TLS 1.3, which neither devices nor the virtual network send. */
const isPostQuantum = major > 3 || (major === 3 && minor >= 5);

for (const version of ["TLSv1.2", "TLSv1.3"] as const) {
  const skip = version === "TLSv1.3" && isPostQuantum ? "this OpenSSL adds a post-quantum key share" : false;
  test(`a virtual handshake of ${version} is about as large as OpenSSL's, full and resumed`, { skip }, async () => {
    const real = await handshakes("node", version);
    const virtual = await handshakes("virtual", version);
    for (const [index, name] of ["full", "resumed"].entries()) {
      for (const direction of ["sent", "received"] as const) {
        const [is, of] = [bytesOf(virtual[index] ?? [], direction), bytesOf(real[index] ?? [], direction)];
        assert.ok(Math.abs(is - of) <= of * 0.05, `${name}, ${direction}: ${is} bytes, OpenSSL has ${of}`);
      }
    }
  });
}
