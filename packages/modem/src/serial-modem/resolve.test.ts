import assert from "node:assert/strict";
import { test } from "node:test";
import { makeOnlineWorld } from "./fake-network.test.support.js";
import { resolveTimeoutMs } from "./options.js";
import { makeSerialModemWorld } from "./world.test.support.js";

const ok = "\r\nOK\r\n";
const notFound = '\r\n#XGETADDRINFO: "not found"\r\n\r\nERROR\r\n';

test("names are looked up by whoever was handed in, in the family that was asked for", async () => {
  const asked: [host: string, family: number | undefined][] = [];
  const { at } = await makeOnlineWorld({
    dialect: "slm-1.x",
    resolve: async (host, { family }) => {
      asked.push([host, family]);
      return host === "google.com" ? ["142.251.42.142", "2404:6800::200e"] : [];
    },
  });
  assert.equal(
    await at('AT#XGETADDRINFO="google.com"'),
    `\r\n#XGETADDRINFO: "142.251.42.142 2404:6800::200e"\r\n${ok}`,
  );
  assert.equal(await at('AT#XGETADDRINFO="nowhere.test",2'), notFound);
  assert.equal(await at('AT#XGETADDRINFO="nowhere.test",1'), notFound);
  assert.deepEqual(asked, [
    ["google.com", undefined],
    ["nowhere.test", 6],
    ["nowhere.test", 4],
  ]);
  assert.equal(await at('AT#XGETADDRINFO="google.com",3'), "\r\nERROR\r\n");
});

test("addresses and localhost need nobody; a name needs a network, and its answer comes in time or not at all", async () => {
  const offline = await makeSerialModemWorld({ resolve: () => assert.fail("nobody is asked without a network") });
  assert.equal(await offline.at('AT#XGETADDRINFO="10.0.0.1"'), `\r\n#XGETADDRINFO: "10.0.0.1"\r\n${ok}`);
  assert.equal(await offline.at('AT#XGETADDRINFO="10.0.0.1",2'), notFound);
  assert.equal(await offline.at('AT#XGETADDRINFO="localhost",2'), `\r\n#XGETADDRINFO: "::1"\r\n${ok}`);
  assert.equal(await offline.at('AT#XGETADDRINFO="google.com"'), notFound);
  const { send, take, clock } = await makeOnlineWorld({ resolve: () => new Promise(() => undefined) });
  assert.equal(await send('AT#XGETADDRINFO="google.com"\r'), "");
  await clock.advance(resolveTimeoutMs - 1);
  assert.equal(take(), "");
  await clock.advance(1);
  assert.equal(take(), notFound);
  assert.equal(clock.timerCount, 0);
});
