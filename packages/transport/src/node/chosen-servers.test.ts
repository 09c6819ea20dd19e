import assert from "node:assert/strict";
import { test } from "node:test";
import { ChosenServers, contextsMax } from "./chosen-servers.js";

test("choices for contextsMax server names are kept ready, and the oldest goes for one more", () => {
  let made = 0;
  const servers = new ChosenServers((choice) => ({ choice, number: ++made }));
  const choice = (name: number) => ({ certificate: String(name), privateKey: "key" });
  const isMade = (name: number): boolean => {
    const before = made;
    assert.equal(servers.of(choice(name)).choice.certificate, String(name));
    return made > before;
  };
  const names = Array.from({ length: contextsMax }, (_, name) => name);
  assert.ok(names.every(isMade));
  assert.ok(!names.some(isMade), "all of them are ready");
  assert.ok(isMade(contextsMax));
  assert.ok(![...names.slice(1), contextsMax].some(isMade), "all but the oldest are ready");
  assert.ok(isMade(0), "the oldest is made again");
  const one = servers.of(choice(5));
  for (const other of [
    { maxVersion: "TLSv1.2" },
    { ciphers: ["a"] },
    { isRaw: true },
    { requestsClientCertificate: false },
  ] as const)
    assert.notEqual(servers.of({ ...choice(5), ...other }), one);
});
