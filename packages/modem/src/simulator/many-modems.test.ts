import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { createNodeKeys } from "@thingline/transport/node";
import { createVirtualClock } from "@thingline/transport/virtual";
import { makeModemWorld } from "../world.test.support.js";
import type { SimulatedModem } from "./simulated-modem.js";

const modemCount = process.env["THINGLINE_TEST_LONG"] === "1" ? 200 : 50;

setFlagsFromString("--expose-gc");
const collectGarbage = runInNewContext("gc") as () => void;

test(`${modemCount} modems live in one process, each with its own state, and leave neither timers nor memory`, async () => {
  const clock = createVirtualClock();
  const keys = createNodeKeys();
  const remains: WeakRef<SimulatedModem>[] = [];
  await live();
  assert.equal(clock.timerCount, 0);
  // What the clock does at the end of a turn goes first; and a weak reference holds its target until the event loop's turn ends.
  for (let turn = 0; turn < 20 && remains.some((modem) => modem.deref() !== undefined); turn++) {
    await clock.advance(0);
    await nextTurn();
    collectGarbage();
  }
  assert.equal(remains.filter((modem) => modem.deref() !== undefined).length, 0);

  async function live(): Promise<void> {
    const worlds = await Promise.all(
      Array.from({ length: modemCount }, () =>
        makeModemWorld({ clock, keys, behaviour: { steps: [{ atMs: 1_000, everyMs: 30_000, do: "garbage" }] } }),
      ),
    );
    for (const [index, { modem }] of worlds.entries()) {
      remains.push(new WeakRef(modem));
      modem.openPort();
      for (const command of [`AT%CMNG=0,${index},4,"${index}"`, 'AT+CPSMS=1,,,"00000110","00100001"', "AT+CFUN=1"]) {
        assert.equal(await modem.at(command), "OK\r\n");
      }
    }
    await clock.advance(70_000);
    assert.ok(clock.timerCount >= 2 * modemCount, "each has its behaviour and its sleep");
    for (const [index, { modem }] of worlds.entries()) {
      assert.match(await modem.at("AT+CEREG?"), /^\+CEREG: 0,1\r\n/);
      assert.match(await modem.at(`AT%CMNG=2,${index},4`), new RegExp(`"${index}"\r\nOK`));
      assert.equal(await modem.at(`AT%CMNG=1,${index + 1}`), "OK\r\n");
    }
    await Promise.all(worlds.map(({ modem }) => modem.close()));
  }
});
