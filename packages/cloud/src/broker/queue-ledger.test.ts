import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualRandom } from "@thingline/transport/virtual";
import type { Random } from "@thingline/transport";
import {
  closeWorld,
  quickLimits,
  startWorld,
  TestIdentity,
  type TestClient,
  type World,
} from "./harness.test.support.js";
import { ledgerCounts, recountQueues } from "./ledger-recount.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] !== undefined;
const seeds = isLong ? 300 : 6;
const stepsMax = 150;

const limits = {
  ...quickLimits,
  publishesPerSecond: Infinity,
  queuedMessagesMax: 8,
  queuedBytesMax: 2_500,
  queuedBytesTotalMax: 6_000,
  sessionExpirySecondsMax: 40,
  redeliverySecondsMax: { 4: 60, 5: 30 },
};

/** A member of the crowd: its client while it is connected, and what it has not acknowledged. */
class Member {
  readonly clientId: string;
  readonly identity = new TestIdentity();
  client: TestClient | undefined;
  acknowledged = 0;

  constructor(clientId: string) {
    this.clientId = clientId;
  }
}

const filters = ["t/1", "t/+", "$share/g/t/+", "$share/h/t/1"];

/** One step of a crowd that connects, subscribes, acknowledges and leaves as it likes. @returns what it did */
async function step(world: World, random: Random, members: readonly Member[], publisher: TestClient): Promise<string> {
  const member = members[random.integer(members.length)]!;
  const { clientId, client } = member;
  const filter = filters[random.integer(filters.length)]!;
  switch (random.integer(9)) {
    case 0:
    case 1: {
      if (client !== undefined && !client.isClosed) return "nothing";
      const version = random.integer(2) === 0 ? 4 : 5;
      const isCleanStart = random.integer(3) === 0;
      const properties = { receiveMaximum: 1 + random.integer(3), sessionExpirySeconds: 10 + random.integer(30) };
      const own = version === 5 ? { properties } : {};
      member.client = world.open(version, member.identity);
      member.client.acknowledges = random.integer(2) === 0;
      member.acknowledged = 0;
      member.client.send({ type: "connect", version, clientId, isCleanStart, keepAliveSeconds: 1_200, ...own });
      return `${clientId} connects`;
    }
    case 2:
      await client?.subscribe({ filter, qos: random.integer(4) === 0 ? 0 : 1 });
      return `${clientId} subscribes to ${filter}`;
    case 3:
      client?.send({ type: "unsubscribe", packetId: 7, filters: [filter] });
      return `${clientId} unsubscribes from ${filter}`;
    case 4:
      if (random.integer(2) === 0) await client?.disconnect();
      else client?.lose();
      return `${clientId} leaves`;
    case 5: {
      const next = client?.publishes.filter(({ qos }) => qos === 1)[member.acknowledged];
      if (next === undefined || client?.acknowledges === true) return "nothing";
      member.acknowledged++;
      client!.send({ type: "puback", packetId: next.packetId!, reasonCode: 0 });
      return `${clientId} acknowledges`;
    }
    case 6: {
      // All may receive t/1, some not the other.
      const isDenied = random.integer(2) === 0;
      member.identity.rule = (action, resource) => !isDenied || action !== "iot:Receive" || resource === "topic/t/1";
      member.identity.generation++;
      return `${clientId} ${isDenied ? "loses" : "gains"} a right`;
    }
    case 7:
      await world.clock.advance(1_000 * (1 + random.integer(20)));
      return "time passes";
    default: {
      const expiry = random.integer(3) === 0 ? { properties: { messageExpirySeconds: 1 + random.integer(10) } } : {};
      const text = "x".repeat(random.integer(400));
      for (let left = 1 + random.integer(4); left > 0; left--)
        await publisher.publish(`t/${1 + random.integer(2)}`, text, { isRetained: random.integer(8) === 0, ...expiry });
      return "messages";
    }
  }
}

function checkLedger({ parts }: World, step: string): void {
  assert.deepEqual(ledgerCounts(parts), recountQueues(parts), step);
}

let worldsThatQueue = 0;

for (let seed = 1; seed <= seeds; seed++) {
  test(`the ledger is what a recount says, whatever a crowd does: seed ${seed}`, async () => {
    const random = createVirtualRandom(seed);
    const world = await startWorld({ limits });
    const publisher = await world.connect("publisher", { version: 5, keepAliveSeconds: 1_200 });
    const members = ["a", "b", "c", "d"].map((clientId) => new Member(clientId));
    let queued = 0;
    for (let count = 0; count < stepsMax; count++) {
      const done = await step(world, random, members, publisher);
      checkLedger(world, `step ${count}, ${done}, before it settles`);
      await world.clock.settle();
      checkLedger(world, `step ${count}, ${done}`);
      queued += world.parts.ledger.queuedMessages;
      if (!publisher.isClosed) publisher.send({ type: "pingreq" });
    }
    if (queued > 0) worldsThatQueue++;
    await closeWorld(world);
    // What persistent sessions keep is still there; nothing is in flight any more.
    checkLedger(world, "after the end");
    assert.equal(world.parts.ledger.inflightBytes, 0);
  });
}

// In some crowds of the long run nobody is away while something is published: a world without a queue, which is one, too.
test("nine of ten crowds leave something in a queue, or these tests show nothing", () => {
  assert.ok(worldsThatQueue >= seeds * 0.9, `${worldsThatQueue} of ${seeds}`);
});
