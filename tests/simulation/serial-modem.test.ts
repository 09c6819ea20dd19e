// A device behind a serial modem on the virtual clock: how much of its line it gets, and that it comes through whatever a seed does to board,
// line and network. A world is replayed by: THINGLINE_SEED=... node scripts/test.mjs --integration simulation/serial-modem
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SerialModemDialect } from "@thingline/modem";
import { openProvisioningHouse } from "./provisioning-world.test.support.js";
import { untilDone } from "./rotation-world.test.support.js";
import { prepareSerialHouse, runSerialWorld } from "./serial-modem-faults.test.support.js";
import {
  createBoardDevice,
  openSerialBoard,
  publishThrough,
  writeOwnCredentials,
} from "./serial-modem-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const bytesPerSecond = 100_000;
const sentBytes = isLong ? 300_000 : 40_000;
const dialects: readonly SerialModemDialect[] = isLong ? ["slm-1.x", "slm-2.x", "serialModem"] : ["serialModem"];
const seed = process.env["THINGLINE_SEED"];
const worlds = isLong ? 70 : 1;
const seeds = seed === undefined ? Array.from({ length: worlds }, (_, index) => String(index + 1)) : [seed];
/** A way back to the modem that is disturbed itself, out of data mode. */
const seedsThatFailed = seed === undefined ? ["52"] : [];

const house = await prepareSerialHouse(await openProvisioningHouse());

for (const dialect of dialects) {
  test(`${dialect}: of what a line of 100,000 bytes a second can carry, at least 80 % are payload`, async (context) => {
    const { clock } = house;
    const board = await untilDone(clock, openSerialBoard(house, { dialect, bytesPerSecond }));
    await untilDone(clock, writeOwnCredentials(house, board));
    await untilDone(clock, board.link.connect());
    const options = { offlineQueue: {}, reconnect: { baseMs: 100, capMs: 1_000 } };
    const device = createBoardDevice(house, board, `rate-${dialect}`, options);
    await untilDone(clock, device.connect());
    for (const messageBytes of [256, 2_048]) {
      const publishing = publishThrough(device, { messageBytes, sentBytes, clock });
      const rate = (await untilDone(clock, publishing, { stepMs: 1 })) / bytesPerSecond;
      context.diagnostic(`${dialect}, messages of ${messageBytes} bytes: ${(100 * rate).toFixed(1)} %`);
      assert.ok(rate >= 0.8, `${messageBytes} bytes: ${(100 * rate).toFixed(1)} % of the line`);
    }
    const lostMs = clock.monotonicMs();
    const isLost = new Promise<void>((resolve) => device.on("disconnected", () => resolve()));
    await untilDone(clock, board.link.offline());
    await untilDone(clock, isLost);
    const publishing = device.publish("p/data", "back", { qos: 1 });
    await untilDone(clock, board.link.connect(), { stepMs: 1 });
    const onlineMs = clock.monotonicMs();
    await untilDone(clock, publishing, { stepMs: 1 });
    const againMs = clock.monotonicMs() - onlineMs;
    context.diagnostic(
      `${dialect}: publishes ${againMs} ms after its link is back, ${onlineMs - lostMs} ms after it was lost`,
    );
    assert.ok(againMs <= 2_000, "a second of its own, and a few commands");
    await untilDone(clock, device.close());
    await untilDone(clock, board.close());
  });
}

test(`worlds ${seeds[0]} to ${seeds.at(-1)}: it works again, and no message that was acknowledged is lost`, async () => {
  for (const each of [...seeds, ...seedsThatFailed]) {
    const { violations, trace, acknowledged } = await runSerialWorld(house, each);
    const replay = `THINGLINE_SEED=${each} node scripts/test.mjs --integration simulation/serial-modem`;
    assert.deepEqual(violations, [], `replay: ${replay}\n${trace.join("\n")}`);
    assert.ok(acknowledged > 0);
  }
});

test.after(async () => {
  await house.close();
  assert.equal(house.clock.timerCount, 0);
});
