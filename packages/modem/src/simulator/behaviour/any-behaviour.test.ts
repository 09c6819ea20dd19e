import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualFiles, createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { makeModemWorld } from "../../world.test.support.js";
import type { ModemBehaviour } from "./behaviour.js";
import { checkModemBehaviour } from "./check.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const keys = createVirtualKeys({ random: createVirtualRandom("keys") });

const time = fc.integer({ min: 0, max: 120_000 });
const set = fc.record(
  {
    sim: fc.constantFrom("ready", "absent", "failed", "pinRequired", "pukRequired" as const),
    hasCoverage: fc.boolean(),
    isDenied: fc.boolean(),
    isEmergencyOnly: fc.boolean(),
    isRoaming: fc.boolean(),
    hasData: fc.boolean(),
    isPsmGranted: fc.boolean(),
    isEdrxGranted: fc.boolean(),
    cell: fc.record({ rsrpDbm: fc.integer({ min: -156, max: -43 }), act: fc.constantFrom(7, 9 as const) }),
    timing: fc.record({ searchMs: time, detachMs: time }),
    supplyMv: fc.integer({ min: 2_900, max: 5_000 }),
    temperatureC: fc.integer({ min: -40, max: 125 }),
    isPowerFailing: fc.boolean(),
    writeMs: fc.integer({ min: 0, max: 5_000 }),
    storageBytesMax: fc.integer({ min: 0, max: 5_000 }),
    networkTimeOffsetMs: fc.integer(),
  },
  { requiredKeys: [] },
);
const events = ["unplug", "cutPower", "reset", "resetLoop", "overheated", "batteryLow", "garbage"] as const;
const faults = ["loseAnswer", "loseCommand", "garbage", "slow", "refuse", "cutPower", "unplug", "reset"] as const;
const count = fc.integer({ min: 1, max: 3 });
const step = fc.oneof(
  fc.record({ atMs: time, everyMs: fc.integer({ min: 1_000, max: 60_000 }), count, jitterMs: time, set }),
  fc.record({ atMs: time, do: fc.constantFrom(...events) }),
  fc.record({
    onCommand: fc.constantFrom("*", "AT", "+CFUN", "%CMNG"),
    skip: count,
    count,
    do: fc.constantFrom(...faults),
  }),
  fc.record({ onWrite: count, count, do: fc.constantFrom("cutPower", "fail" as const) }),
);
const behaviour: fc.Arbitrary<ModemBehaviour> = fc.record({
  seed: fc.nat(),
  set,
  steps: fc.array(step, { maxLength: 6 }),
});

const command = fc.constantFrom(
  ...[
    "AT",
    "AT+CFUN=1",
    "AT+CFUN=0",
    "AT+CFUN=4",
    "AT+CFUN=21",
    "AT+CFUN=44",
    "AT+CEREG=5",
    "AT+CEREG?",
    "AT%XMONITOR",
  ],
  ...['AT%CMNG=0,1,4,"x"', "AT%CMNG=1", "AT%CMNG=3,1,4", "AT%XMODEMSLEEP=1,1000,60000", "AT%XT3412=1,5000,60000"],
  ...['AT+CPSMS=1,,,"00000110","00100001"', 'AT+CEDRXS=2,4,"1001"', 'AT+CPIN="1234"', "AT+COPS=?", "AT+CGATT=0"],
  ...[
    "AT%MDMEV=1",
    "AT%XPOFWARN=1,30",
    "AT+CGEREP=1",
    "AT+CIND=1,1,1",
    "AT%CESQ=1",
    "AT+CSCON=3",
    "AT%XFACTORYRESET=0",
  ],
);

/** What an answer is, when a behaviour does not hurt it. */
const answer = /(^|\r\n)(OK|ERROR|\+CME ERROR: [0-9]+)\r\n$/;

test("whatever happens to a modem, each command ends, the modem can be closed, and its folder opened again", async () => {
  await fc.assert(
    fc.asyncProperty(behaviour, fc.array(fc.tuple(command, time), { maxLength: 12 }), async (made, commands) => {
      const document = checkModemBehaviour(JSON.parse(JSON.stringify(made)));
      const files = createVirtualFiles();
      const world = await makeModemWorld({ keys, files, folder: "modem", behaviour: document });
      const { modem, clock } = world;
      const isHurt = document.steps?.some((each) => "do" in each && each.do === "garbage") ?? false;
      modem.openPort();
      let isOn = true;
      for (const [line, pauseMs] of commands) {
        try {
          const got = await world.at(line);
          assert.ok(isOn, "the power is gone");
          if (!isHurt) assert.match(got, answer, line);
        } catch (error) {
          if (isThinglineError(error, "CONNECTION_LOST")) isOn = false;
          else if (!isThinglineError(error, "TIMEOUT")) throw error;
        }
        await clock.advance(pauseMs);
      }
      await clock.until(modem.close());
      assert.equal(clock.timerCount, 0);
      const again = await makeModemWorld({ keys, files, folder: "modem" });
      assert.match(await again.at("AT%CMNG=1"), answer);
      await again.modem.close();
    }),
    { numRuns: isLong ? 1_500 : 20, ...(isLong ? {} : { seed: 275 }) },
  );
});
