import assert from "node:assert/strict";
import { test } from "node:test";
import type { ConnectionIdentity, ConnectRequest } from "../policy/authorizer.js";
import { createMemoryStore } from "../store/memory.js";
import { startWorld, TestIdentity } from "./harness.test.support.js";

const certificateId = "ab".repeat(32);

test("a principal that changes is asked again, and closed with 0x87 when it is refused", async () => {
  const world = await startWorld();
  const identity = new TestIdentity(() => true, certificateId);
  const client = await world.connect("c", { version: 5, identity });
  await world.broker.recheckPrincipal(certificateId);
  assert.equal(client.isClosed, false);
  identity.mayConnect = false;
  await world.broker.recheckPrincipal(certificateId);
  await world.clock.settle();
  assert.equal(client.last("disconnect")?.reasonCode, 0x87);
  assert.equal(client.isClosed, true);
  assert.match(String(world.line("connectionRevoked")?.facts["explanation"]), /no statement allows iot:Connect/);
});

test("a change while a persistent session is being opened is not missed", async () => {
  const store = createMemoryStore();
  const identity = new TestIdentity(() => true, certificateId);
  const recheck = async () => (await starting).broker.recheckPrincipal(certificateId);
  let changes = 0;
  const slowStore = {
    ...store,
    // The session's commit is under way: the CONNECT was allowed, and its CONNACK is not sent yet.
    async commit(...args: Parameters<typeof store.commit>) {
      const revisions = await store.commit(...args);
      if (changes++ === 0) {
        identity.mayConnect = false;
        await recheck();
      }
      return revisions;
    },
  };
  const starting = startWorld({ store: slowStore });
  const world = await starting;
  const client = await world.connect("c", {
    version: 5,
    identity,
    isCleanStart: false,
    properties: { sessionExpirySeconds: 60 },
  });
  assert.ok(changes > 0, "or the test shows nothing");
  assert.equal(client.connack?.reasonCode, 0x87);
  assert.equal(client.isClosed, true);
});

test("of two changes at once the later one counts, whichever answer comes first", async () => {
  const world = await startWorld();
  const answers: { resolve: (isAllowed: boolean) => void }[] = [];
  const allowing = new TestIdentity(() => true, certificateId);
  const denying = new TestIdentity(() => true, certificateId);
  denying.mayConnect = false;
  let isSlow = false;
  const identity: ConnectionIdentity = {
    certificateId,
    async authorizeConnect(request: ConnectRequest) {
      if (!isSlow) return allowing.authorizeConnect(request);
      const isAllowed = await new Promise<boolean>((resolve) => answers.push({ resolve }));
      return (isAllowed ? allowing : denying).authorizeConnect(request);
    },
  };
  const client = await world.connect("c", { version: 5, identity });
  isSlow = true;
  const rechecks = [world.broker.recheckPrincipal(certificateId), world.broker.recheckPrincipal(certificateId)];
  answers[1]?.resolve(true);
  await world.clock.settle();
  answers[0]?.resolve(false);
  await Promise.all(rechecks);
  await world.clock.settle();
  assert.equal(client.isClosed, false);
});
