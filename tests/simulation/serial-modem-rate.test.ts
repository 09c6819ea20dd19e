// What the device library gets through a serial modem whose line is paced, on the virtual clock: nothing here depends on the machine.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { SerialModemDialect } from "@thingline/modem";
import { openProvisioningHouse } from "./provisioning-world.test.support.js";
import { untilDone } from "./rotation-world.test.support.js";
import {
  createBoardDevice,
  openSerialBoard,
  publishThrough,
  writeOwnCredentials,
} from "./serial-modem-world.test.support.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const bytesPerSecond = 100_000;
const sentBytes = isLong ? 300_000 : 100_000;
const dialects: readonly SerialModemDialect[] = isLong ? ["slm-1.x", "slm-2.x", "serialModem"] : ["serialModem"];

const house = await openProvisioningHouse();

for (const dialect of dialects) {
  test(`${dialect}: of what a line of 100,000 bytes a second can carry, at least 80 % are payload`, async (context) => {
    const { clock } = house;
    const board = await untilDone(clock, openSerialBoard(house, { dialect, bytesPerSecond }));
    await untilDone(clock, writeOwnCredentials(house, board));
    await untilDone(clock, board.link.connect());
    const device = createBoardDevice(house, board, `rate-${dialect}`);
    await untilDone(clock, device.connect());
    for (const messageBytes of [256, 2_048]) {
      const publishing = publishThrough(device, { messageBytes, sentBytes, clock });
      const rate = (await untilDone(clock, publishing, { stepMs: 1 })) / bytesPerSecond;
      context.diagnostic(`${dialect}, messages of ${messageBytes} bytes: ${(100 * rate).toFixed(1)} %`);
      assert.ok(rate >= 0.8, `${messageBytes} bytes: ${(100 * rate).toFixed(1)} % of the line`);
    }
    await untilDone(clock, device.close());
    await untilDone(clock, board.close());
  });
}

test.after(() => house.close());
