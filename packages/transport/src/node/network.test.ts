import assert from "node:assert/strict";
import dns from "node:dns";
import { EventEmitter, once } from "node:events";
import { type AddressInfo, connect, createServer, type Socket } from "node:net";
import { test, type TestContext } from "node:test";
import { createServer as createTlsServer } from "node:tls";
import { connectionContract } from "../contract/connection-contract.js";
import { makeTestCertificates } from "../contract/test-certificates.js";
import { createNodeKeys } from "./keys.js";
import { createNodeNetwork } from "./network.js";

const certificates = await makeTestCertificates(createNodeKeys());

connectionContract({ test, assert }, "Node network", async () => ({
  network: createNodeNetwork(),
  certificates,
  wait: (promise) => promise,
}));

test("ciphers that OpenSSL does not know are an option's fault, before any network", async () => {
  const network = createNodeNetwork();
  const tls = { ca: certificates.ca.certificatePem, ciphers: ["NO_SUCH_CIPHER"] };
  await assert.rejects(network.dial({ host: "127.0.0.1", port: 1, tls }), { code: "OPTION_INVALID" });
});

/** A server that tells how each TCP connection ended: TLS itself would not say. */
async function listenForEnds(isSecure: boolean, context: TestContext) {
  const ends = new EventEmitter();
  const { certificatePem: cert, privateKeyPem: key } = certificates.server;
  const opened = (socket: Socket): void => {
    socket.on("error", () => undefined);
    socket.resume();
    ends.emit("open");
  };
  const behind = isSecure ? createTlsServer({ cert, key }, opened) : createServer(opened);
  behind.listen(0, "127.0.0.1");
  await once(behind, "listening");
  const server = createServer((socket) => {
    const next = connect({ host: "127.0.0.1", port: (behind.address() as AddressInfo).port });
    next.on("error", () => undefined);
    socket.pipe(next).pipe(socket);
    // What we still write to a socket that ended in order may be refused.
    let ending: string | undefined;
    socket.on("end", () => (ending ??= "in order"));
    socket.on("error", (error: NodeJS.ErrnoException) => (ending ??= error.code));
    socket.on("close", () => {
      next.destroy();
      ends.emit("end", ending);
    });
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => {
    server.close();
    behind.close();
  });
  return { port: (server.address() as AddressInfo).port, ends };
}

const ca = certificates.ca.certificatePem;
const resets = [
  ["TCP", undefined],
  ["TLS", { ca, serverName: "localhost" }],
  ["TLS over a TCP socket of its own", { ca, serverName: "localhost", onRecord: () => undefined }],
] as const;

for (const [name, tls] of resets) {
  test(`destroy resets the connection: ${name}`, async (context) => {
    const { port, ends } = await listenForEnds(tls !== undefined, context);
    const network = createNodeNetwork();
    const open = async () => {
      const opened = once(ends, "open");
      const connection = await network.dial({ host: "127.0.0.1", port, ...(tls && { tls }) });
      await opened;
      return connection;
    };
    const destroyed = await open();
    destroyed.start({ data: () => undefined, closed: () => undefined });
    const end = once(ends, "end");
    destroyed.destroy();
    await destroyed.closed;
    assert.deepEqual(await end, ["ECONNRESET"]);
    const closed = await open();
    closed.start({ data: () => undefined, closed: () => undefined });
    const orderly = once(ends, "end");
    await closed.close();
    assert.deepEqual(await orderly, ["in order"]);
  });
}

test("a session is resumed at the address that answers, when the first of the host's does not", async (context) => {
  const network = createNodeNetwork();
  const { certificatePem: certificate, privateKeyPem: privateKey } = certificates.server;
  const tls = { certificate, privateKey, requestsClientCertificate: false };
  const listener = await network.listen({ host: "127.0.0.1", port: 0, tls }, (connection) => {
    connection.start({ data: () => undefined, closed: () => undefined });
    connection.write(Uint8Array.of(1));
  });
  context.after(() => listener.close());
  type Answer = (error: null, addresses: { address: string; family: number }[]) => void;
  context.mock.method(dns, "lookup", (_host: string, _options: object, answer: Answer) => {
    answer(null, [
      { address: "::1", family: 6 },
      { address: "127.0.0.1", family: 4 },
    ]);
  });
  let session: Uint8Array | undefined;
  for (const isResumed of [false, true]) {
    const offered = session === undefined ? {} : { session };
    const onSession = (given: Uint8Array): void => void (session = given);
    const target = { host: "localhost", port: listener.address.port, tls: { ca, onSession, ...offered } };
    const connection = await network.dial(target);
    assert.equal(connection.secure?.isResumed, isResumed);
    // TLS 1.3 sends the ticket with the first bytes.
    await new Promise<void>((resolve) => connection.start({ data: () => resolve(), closed: () => resolve() }));
    await connection.close();
    assert.ok(session !== undefined);
  }
});

test("PEM is taken as the bytes of a file, and what is none is told by its option before any network", async (context) => {
  const network = createNodeNetwork();
  const { certificatePem: certificate, privateKeyPem: privateKey } = certificates.server;
  const tls = { certificate, privateKey, requestsClientCertificate: true };
  const listener = await network.listen({ host: "127.0.0.1", port: 0, tls }, (connection) => {
    connection.start({ data: () => undefined, closed: () => undefined });
  });
  context.after(() => listener.close());
  const client = {
    ca: Buffer.from(ca),
    certificate: Buffer.from(certificates.client.certificatePem),
    privateKey: Buffer.from(certificates.client.privateKeyPem),
  };
  const { port } = listener.address;
  const connection = await network.dial({ host: "localhost", port, family: 4, tls: client });
  connection.start({ data: () => undefined, closed: () => undefined });
  await connection.close();
  for (const [wrong, code, message] of [
    [{ ca: undefined }, "OPTION_INVALID", /^tls\.ca: expected PEM as text or bytes, got nothing/],
    [{ ca: "ca.pem" }, "CERTIFICATE_INVALID", /^tls\.ca is not a PEM: it looks like the path of a file/],
    [{ privateKey: client.certificate }, "KEY_INVALID", /^tls\.privateKey .* may be swapped$/],
    [{ privateKey: certificates.otherClient.privateKeyPem }, "KEY_MISMATCH", /^tls\.privateKey and tls\.certificate: /],
    [{ privateKeys: "x" }, "OPTION_INVALID", /^tls\.privateKeys: .* did you mean tls\.privateKey\?$/],
  ] as const) {
    const target = { host: "127.0.0.1", port: 1, tls: { ...client, ...wrong } as never };
    await assert.rejects(network.dial(target), { code, message });
  }
  await assert.rejects(network.dial({ host: "h", port: 1, tlsOptions: {} } as never), { code: "OPTION_INVALID" });
});
