import { clientTlsOf, type ConnectionWorld, openPair, serverTlsOf } from "./connection-harness.js";
import { codeOf, type ContractHarness, observe } from "./harness.js";

const webSocket = { path: "/mqtt" };

export function webSocketContract(
  { test, assert }: ContractHarness,
  name: string,
  open: () => Promise<ConnectionWorld>,
): void {
  for (const isSecure of [false, true]) {
    test(`${name}: ${isSecure ? "secure " : ""}WebSocket carries bytes both ways and ends in order`, async () => {
      const world = await open();
      const { certificates } = world;
      const listen = isSecure ? { tls: serverTlsOf(certificates) } : {};
      const dial = isSecure ? { tls: clientTlsOf(certificates, certificates.client) } : {};
      const target = { path: "/mqtt?x=a%2Fb", headers: { "x-test": "1" } };
      const pair = await openPair(world, { ...listen, webSocket }, { ...dial, webSocket: target });
      const { client, server, listener } = pair;
      assert.equal(server.webSocketRequest?.path, "/mqtt?x=a%2Fb");
      assert.equal(server.webSocketRequest?.headers["x-test"], "1");
      assert.deepEqual(server.secure?.peerCertificate, isSecure ? certificates.client.certificateDer : undefined);
      const [here, there] = [observe(client), observe(server)];
      client.write(Uint8Array.of(1), Uint8Array.of(2));
      client.write(new Uint8Array(200_000));
      assert.deepEqual([...(await world.wait(there.received(200_002))).subarray(0, 3)], [1, 2, 0]);
      server.reserve(70_000);
      server.reserve(70_000);
      await world.wait(here.received(140_000));
      server.write(Uint8Array.of(1));
      await world.wait(server.close());
      assert.equal(await world.wait(here.closed), undefined);
      assert.equal(await world.wait(there.closed), undefined);
      assert.equal(here.receivedBytes, 140_001);
      await world.wait(listener.close());
    });
  }

  test(`${name}: a WebSocket that is destroyed is lost for the other side`, async () => {
    const world = await open();
    const { client, server, listener } = await openPair(world, { webSocket }, { webSocket });
    const [here, there] = [observe(client), observe(server)];
    client.destroy();
    assert.equal(await world.wait(here.closed), undefined);
    assert.equal((await world.wait(there.closed))?.code, "CONNECTION_LOST");
    await world.wait(listener.close());
  });

  test(`${name}: an upgrade on another path is refused`, async () => {
    const { network, wait } = await open();
    const refused: string[] = [];
    const options = {
      host: "127.0.0.1",
      port: 0,
      webSocket,
      onRefused: (error: { code: string }) => refused.push(error.code),
    };
    const listener = await wait(network.listen(options, () => undefined));
    const dial = network.dial({ ...listener.address, webSocket: { path: "/other" } });
    assert.equal(await wait(codeOf(dial)), "CONNECTION_REFUSED");
    assert.deepEqual(refused, ["CONNECTION_REFUSED"]);
    await wait(listener.close());
  });

  test(`${name}: on a WebSocket listener a raw ALPN protocol gets raw bytes`, async () => {
    const world = await open();
    const { certificates } = world;
    const alpnProtocols = ["x-amzn-mqtt-ca"];
    const tls = serverTlsOf(certificates, { alpnProtocols });
    const listen = { tls, webSocket, rawAlpnProtocols: alpnProtocols };
    const raw = await openPair(world, listen, { tls: clientTlsOf(certificates, undefined, { alpnProtocols }) });
    const there = observe(raw.server);
    observe(raw.client);
    raw.client.write(Uint8Array.of(1, 2));
    assert.deepEqual([...(await world.wait(there.received(2)))], [1, 2]);
    assert.equal(raw.server.webSocketRequest, undefined);
    raw.client.destroy();
    await world.wait(raw.listener.close());
    const { certificatePem: certificate, privateKeyPem: privateKey } = certificates.server;
    const selectServer = () => ({ certificate, privateKey, isRaw: true });
    const rawName = await openPair(
      world,
      { ...listen, tls: { ...tls, selectServer } },
      { tls: clientTlsOf(certificates, undefined) },
    );
    assert.equal(rawName.server.webSocketRequest, undefined);
    rawName.client.destroy();
    await world.wait(rawName.listener.close());
    for (const offered of [undefined, ["http/1.1"]]) {
      const client = clientTlsOf(certificates, undefined, offered === undefined ? {} : { alpnProtocols: offered });
      const upgraded = await openPair(world, listen, { tls: client, webSocket });
      assert.equal(upgraded.server.webSocketRequest?.path, "/mqtt");
      upgraded.client.destroy();
      await world.wait(upgraded.listener.close());
    }
  });
}
