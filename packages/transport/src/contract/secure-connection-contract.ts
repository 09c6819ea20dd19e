import type { ThinglineError } from "@thingline/protocol";
import type { Connection, SecureInfo, ServerChoice, TlsClientOptions, TlsRecord } from "../connection.js";
import { clientTlsOf, type ConnectionWorld, openPair, serverTlsOf } from "./connection-harness.js";
import { codeOf, type ContractHarness, observe } from "./harness.js";

const protocols = ["TLSv1.2", "TLSv1.3"] as const;

/** Lengths of the key and certificate messages of the provisioning sample; joined, they kill an nRF91's socket. */
const sampleBytes = [1_704, 1_326] as const;

export function secureConnectionContract(
  harness: ContractHarness,
  name: string,
  open: () => Promise<ConnectionWorld>,
): void {
  for (const protocol of protocols) {
    identityContract(harness, `${name}, ${protocol}`, open, protocol);
    recordContract(harness, `${name}, ${protocol}`, open, protocol);
  }
  refusalContract(harness, name, open);
}

function identityContract(
  { test, assert }: ContractHarness,
  name: string,
  open: () => Promise<ConnectionWorld>,
  protocol: SecureInfo["protocol"],
): void {
  test(`${name}: both sides know who the other is`, async () => {
    const world = await open();
    const { certificates } = world;
    const tls = clientTlsOf(certificates, certificates.client, { maxVersion: protocol, alpnProtocols: ["b", "a"] });
    const pair = await openPair(world, { tls: serverTlsOf(certificates, { alpnProtocols: ["a", "b"] }) }, { tls });
    const [client, server] = [pair.client.secure, pair.server.secure];
    assert.equal(client?.protocol, protocol);
    assert.equal(server?.protocol, protocol);
    assert.equal(client?.cipher, server?.cipher);
    assert.ok(client?.cipher.startsWith("TLS_"));
    assert.equal(client?.alpnProtocol, "a");
    assert.equal(server?.alpnProtocol, "a");
    assert.equal(client?.serverName, "localhost");
    assert.equal(server?.serverName, "localhost");
    assert.equal(client?.isResumed, false);
    assert.equal(server?.isResumed, false);
    assert.deepEqual(client?.peerCertificate, certificates.server.certificateDer);
    assert.deepEqual(server?.peerCertificate, certificates.client.certificateDer);
    const [here, there] = [observe(pair.client), observe(pair.server)];
    pair.client.write(Uint8Array.of(1));
    await world.wait(there.received(1));
    pair.server.write(new Uint8Array(100_000));
    await world.wait(here.received(100_000));
    await world.wait(pair.client.close());
    assert.equal(await world.wait(there.closed), undefined);
    await world.wait(pair.listener.close());
  });

  test(`${name}: a side that is destroyed is lost for the other, one that closes is not`, async () => {
    const world = await open();
    const { certificates } = world;
    const listen = { tls: serverTlsOf(certificates) };
    const target = { tls: clientTlsOf(certificates, undefined, { maxVersion: protocol }) };
    for (const end of ["client", "server"] as const) {
      for (const how of ["destroy", "close"] as const) {
        const pair = await openPair(world, listen, target);
        const [mine, other] = end === "client" ? [pair.client, pair.server] : [pair.server, pair.client];
        const [here, there] = [observe(mine), observe(other)];
        other.write(Uint8Array.of(1));
        await world.wait(here.received(1));
        void mine[how]();
        assert.equal(await world.wait(here.closed), undefined);
        const wanted = how === "destroy" ? "CONNECTION_LOST" : undefined;
        assert.equal((await world.wait(there.closed))?.code, wanted, `${end} ${how}`);
        await world.wait(pair.listener.close());
      }
    }
  });

  test(`${name}: any certificate is taken, and none as well`, async () => {
    const world = await open();
    const { certificates } = world;
    const { selfSigned } = certificates;
    for (const own of [selfSigned, undefined]) {
      const tls = clientTlsOf(certificates, own, { maxVersion: protocol });
      const { listener, client, server } = await openPair(world, { tls: serverTlsOf(certificates) }, { tls });
      assert.deepEqual(server.secure?.peerCertificate, own?.certificateDer);
      assert.equal(server.secure?.alpnProtocol, undefined);
      client.destroy();
      await world.wait(listener.close());
    }
    const tls = clientTlsOf(certificates, selfSigned, { maxVersion: protocol });
    const serverTls = serverTlsOf(certificates, { requestsClientCertificate: false });
    const { listener, client, server } = await openPair(world, { tls: serverTls }, { tls });
    assert.equal(server.secure?.peerCertificate, undefined, "not asked for");
    client.destroy();
    await world.wait(listener.close());
  });

  test(`${name}: an IP address is checked against the certificate and sends no server name`, async () => {
    const world = await open();
    const { certificates } = world;
    const { ca } = certificates;
    const tls = { ca: ca.certificatePem, maxVersion: protocol };
    const { listener, client, server } = await openPair(world, { tls: serverTlsOf(certificates) }, { tls });
    assert.equal(server.secure?.serverName, undefined);
    assert.equal(client.secure?.serverName, undefined);
    client.destroy();
    await world.wait(listener.close());
  });

  test(`${name}: bytes that are no session end in a full handshake`, async () => {
    const world = await open();
    const { certificates } = world;
    const tls = clientTlsOf(certificates, certificates.client, {
      maxVersion: protocol,
      session: Uint8Array.of(1, 2, 3),
    });
    const { listener, client, server } = await openPair(world, { tls: serverTlsOf(certificates) }, { tls });
    assert.equal(client.secure?.isResumed, false);
    assert.deepEqual(server.secure?.peerCertificate, certificates.client.certificateDer);
    client.destroy();
    await world.wait(listener.close());
  });

  test(`${name}: a resumed session shows the certificate of its first handshake, whatever the client holds now`, async () => {
    const world = await open();
    const { certificates } = world;
    const accepted: Connection[] = [];
    const listener = await world.wait(
      world.network.listen({ host: "127.0.0.1", port: 0, tls: serverTlsOf(certificates) }, (connection) => {
        accepted.push(connection);
        connection.start({ data: (bytes) => connection.write(bytes), closed: () => undefined });
      }),
    );
    let session: Uint8Array | undefined;
    for (const [index, own] of [certificates.client, certificates.otherClient].entries()) {
      let resolve: () => void = () => undefined;
      const given = new Promise<void>((done) => (resolve = done));
      const offered = session === undefined ? {} : { session };
      const tls = clientTlsOf(certificates, own, {
        maxVersion: protocol,
        onSession(bytes) {
          session = bytes;
          resolve();
        },
        ...offered,
      });
      const client = await world.wait(world.network.dial({ ...listener.address, tls }));
      const here = observe(client);
      client.write(Uint8Array.of(1));
      await world.wait(here.received(1));
      if (index === 0) await world.wait(given);
      assert.equal(client.secure?.isResumed, index === 1);
      assert.equal(accepted[index]?.secure?.isResumed, index === 1);
      assert.equal(accepted[index]?.secure?.serverName, "localhost");
      assert.deepEqual(accepted[index]?.secure?.peerCertificate, certificates.client.certificateDer);
      assert.deepEqual(client.secure?.peerCertificate, certificates.server.certificateDer);
      await world.wait(client.close());
    }
    await world.wait(listener.close());
  });
}

function recordContract(
  { test, assert }: ContractHarness,
  name: string,
  open: () => Promise<ConnectionWorld>,
  protocol: SecureInfo["protocol"],
): void {
  const joins = protocol === "TLSv1.3";

  test(`${name}: two packets of one turn are ${joins ? "one record" : "two records when joined they are over 2,048 bytes"}`, async () => {
    const world = await open();
    const { certificates } = world;
    const records: TlsRecord[] = [];
    const tls = clientTlsOf(certificates, undefined, {
      maxVersion: protocol,
      onRecord: (record) => records.push(record),
    });
    const { listener, client, server } = await openPair(world, { tls: serverTlsOf(certificates) }, { tls });
    const here = observe(client);
    observe(server);
    // The first write of a connection is under way when the two come, and they still do not join.
    server.write(Uint8Array.of(1));
    server.flush();
    for (const length of sampleBytes) server.write(new Uint8Array(length));
    await world.wait(here.received(1 + sampleBytes[0] + sampleBytes[1]));
    const wanted = joins ? [1, sampleBytes[0] + sampleBytes[1]] : [1, ...sampleBytes];
    assert.deepEqual(
      here.chunks.map(({ length }) => length),
      wanted,
    );
    const received = records.filter(({ direction, contentType }) => direction === "received" && contentType === 23);
    // What a record adds to its plaintext: 16 to 69 bytes, by cipher. TLS 1.3 hides its handshake among them.
    for (const length of wanted.slice(1)) {
      const fits = received.filter(({ lengthBytes }) => lengthBytes >= length + 16 && lengthBytes <= length + 69);
      assert.equal(fits.length, 1, `records for ${length} bytes`);
    }
    await world.wait(client.close());
    await world.wait(listener.close());
  });

  test(`${name}: small packets of one turn are joined`, async () => {
    const world = await open();
    const { certificates } = world;
    const tls = clientTlsOf(certificates, undefined, { maxVersion: protocol });
    const { listener, client, server } = await openPair(world, { tls: serverTlsOf(certificates) }, { tls });
    observe(client);
    const there = observe(server);
    for (let count = 0; count < 20; count++) client.reserve(100);
    client.reserve(48);
    client.reserve(1);
    await world.wait(there.received(2_049));
    assert.deepEqual(
      there.chunks.map(({ length }) => length),
      joins ? [2_049] : [2_048, 1],
    );
    await world.wait(client.close());
    await world.wait(listener.close());
  });

  test(`${name}: a record over the receiver's limit kills the connection, one at the limit does not`, async () => {
    const world = await open();
    const { certificates } = world;
    const tls = clientTlsOf(certificates, undefined, { maxVersion: protocol, receivedRecordBytesMax: 2_048 });
    const { listener, client, server } = await openPair(world, { tls: serverTlsOf(certificates) }, { tls });
    const [here, there] = [observe(client), observe(server)];
    server.write(new Uint8Array(2_048));
    await world.wait(here.received(2_048));
    server.write(new Uint8Array(2_000), new Uint8Array(2_500));
    const error = await world.wait(here.closed);
    assert.equal(error?.code, "TLS_RECORD_TOO_LARGE");
    assert.equal(error?.details["lengthBytes"], 4_500, "alone and whole in one record");
    assert.equal(here.receivedBytes, 2_048, "none of it was delivered");
    assert.equal((await world.wait(there.closed))?.code, "CONNECTION_LOST");
    await world.wait(listener.close());
  });

  test(`${name}: without a limit a packet of 4.5 KB passes in one record`, async () => {
    const world = await open();
    const { certificates } = world;
    const tls = clientTlsOf(certificates, undefined, { maxVersion: protocol });
    const { listener, client, server } = await openPair(world, { tls: serverTlsOf(certificates) }, { tls });
    const here = observe(client);
    observe(server);
    server.write(new Uint8Array(10), new Uint8Array(4_490));
    await world.wait(here.received(4_500));
    assert.equal(here.chunks.length, 1);
    await world.wait(client.close());
    await world.wait(listener.close());
  });
}

function refusalContract({ test, assert }: ContractHarness, name: string, open: () => Promise<ConnectionWorld>): void {
  test(`${name}: a server that is not trusted is refused, and so is one with another name`, async () => {
    const { network, certificates, wait } = await open();
    const listener = await wait(
      network.listen({ host: "127.0.0.1", port: 0, tls: serverTlsOf(certificates) }, (connection) => {
        connection.start({ data: () => undefined, closed: () => undefined });
      }),
    );
    const { selfSigned } = certificates;
    const code = (tls: TlsClientOptions): Promise<string> => wait(codeOf(network.dial({ ...listener.address, tls })));
    assert.equal(await code({ ca: selfSigned.certificatePem, serverName: "localhost" }), "TLS_PEER_UNTRUSTED");
    assert.equal(await code(clientTlsOf(certificates, undefined, { serverName: "other" })), "TLS_PEER_UNTRUSTED");
    await wait(listener.close());
  });

  test(`${name}: a handshake without agreement fails on both sides`, async () => {
    const { network, certificates, wait } = await open();
    const refused: ThinglineError[] = [];
    let resolve: () => void = () => undefined;
    const wasRefused = new Promise<void>((done) => (resolve = done));
    const tls = serverTlsOf(certificates, { alpnProtocols: ["a"] });
    const onRefused = (error: ThinglineError): void => {
      refused.push(error);
      resolve();
    };
    const listener = await wait(network.listen({ host: "127.0.0.1", port: 0, tls, onRefused }, () => undefined));
    const target = { ...listener.address, tls: clientTlsOf(certificates, undefined, { alpnProtocols: ["b"] }) };
    const error = await wait(network.dial(target).catch((failure: unknown) => failure as ThinglineError));
    assert.ok("code" in error && error.code === "TLS_HANDSHAKE_FAILED");
    assert.equal("details" in error ? error.details["alert"] : "", "no_application_protocol");
    await wait(wasRefused);
    assert.deepEqual(
      refused.map(({ code }) => code),
      ["TLS_HANDSHAKE_FAILED"],
    );
    await wait(listener.close());
  });

  test(`${name}: texts that are no credentials are told before any network`, async () => {
    const { network, certificates, wait } = await open();
    const { client, otherClient, ca } = certificates;
    // Nobody listens there: an answer from the network would be CONNECTION_REFUSED.
    const code = (tls: TlsClientOptions): Promise<string> =>
      wait(codeOf(network.dial({ host: "127.0.0.1", port: 1, tls })));
    const good = clientTlsOf(certificates, client);
    assert.equal(await code(good), "CONNECTION_REFUSED");
    assert.equal(await code({ ...good, ca: "no PEM" }), "CERTIFICATE_INVALID");
    assert.equal(await code({ ...good, certificate: "no PEM" }), "CERTIFICATE_INVALID");
    assert.equal(await code({ ...good, privateKey: "no PEM" }), "KEY_INVALID");
    assert.equal(await code({ ...good, privateKey: client.certificatePem }), "KEY_INVALID");
    assert.equal(await code({ ...good, privateKey: otherClient.privateKeyPem }), "KEY_MISMATCH");
    assert.equal(await code({ ca: ca.certificatePem, certificate: client.certificatePem }), "OPTION_INVALID");
  });

  test(`${name}: a listener shows another certificate, and speaks another way, for another name`, async () => {
    const world = await open();
    const { certificates } = world;
    const names: (string | undefined)[] = [];
    const { certificatePem: certificate, privateKeyPem: privateKey } = certificates.second;
    const selectServer = async (serverName: string | undefined): Promise<ServerChoice | undefined> => {
      names.push(serverName);
      if (serverName !== "second.test") return undefined;
      return { certificate, privateKey, maxVersion: "TLSv1.2", requestsClientCertificate: false };
    };
    const listen = { tls: serverTlsOf(certificates, { selectServer }) };
    for (const [serverName, shown, protocol, proved] of [
      ["localhost", certificates.server, "TLSv1.3", certificates.client.certificateDer],
      ["second.test", certificates.second, "TLSv1.2", undefined],
    ] as const) {
      const tls = clientTlsOf(certificates, certificates.client, { serverName });
      const pair = await openPair(world, listen, { tls });
      assert.deepEqual(pair.client.secure?.peerCertificate, shown.certificateDer);
      assert.deepEqual(pair.server.secure?.peerCertificate, proved);
      assert.deepEqual([pair.server.secure?.protocol, pair.server.secure?.serverName], [protocol, serverName]);
      pair.client.destroy();
      await world.wait(pair.listener.close());
    }
    assert.deepEqual(names, ["localhost", "second.test"]);
  });

  test(`${name}: a client that speaks none of a name's versions, and one whose name has no server, are refused`, async () => {
    const world = await open();
    const { certificates } = world;
    const refused: ThinglineError[] = [];
    const { certificatePem: certificate, privateKeyPem: privateKey } = certificates.second;
    const selectServer = (serverName: string | undefined): ServerChoice => {
      if (serverName === "second.test") return { certificate, privateKey, minVersion: "TLSv1.3" };
      throw new Error("nobody is called that");
    };
    const tls = serverTlsOf(certificates, { selectServer });
    let resolve: () => void = () => undefined;
    const bothRefused = new Promise<void>((done) => (resolve = done));
    const onRefused = (error: ThinglineError): void => {
      if (refused.push(error) === 2) resolve();
    };
    const options = { host: "127.0.0.1", port: 0, tls, onRefused };
    const listener = await world.wait(world.network.listen(options, () => undefined));
    for (const client of [
      { serverName: "second.test", maxVersion: "TLSv1.2" as const },
      { serverName: "third.test" },
    ]) {
      const target = { ...listener.address, tls: clientTlsOf(certificates, undefined, client) };
      assert.ok((await world.wait(codeOf(world.network.dial(target)))) !== "none");
    }
    await world.wait(bothRefused);
    await world.wait(listener.close());
    assert.deepEqual(
      refused.map(({ code }) => code),
      ["TLS_HANDSHAKE_FAILED", "TLS_HANDSHAKE_FAILED"],
    );
    assert.ok(refused.some(({ message }) => message.includes("nobody is called that")));
  });
}
