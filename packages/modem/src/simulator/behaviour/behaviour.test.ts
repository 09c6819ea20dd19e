import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { makeModemWorld } from "../../world.test.support.js";
import type { ModemBehaviour } from "./behaviour.js";
import { behaviourStepsMax, resetLoopBlockMs } from "./behaviour.js";
import { checkModemBehaviour } from "./check.js";
import { modemBehaviourPresets } from "./presets.js";

const refusals: [name: string, document: unknown, option: string][] = [
  ["no object", 7, ""],
  ["a member of another name", { step: [] }, "step"],
  ["a seed that is no number", { seed: "7" }, "seed"],
  ["a condition of another name", { set: { sims: "absent" } }, "set.sims"],
  ["a SIM card of another kind", { set: { sim: "lost" } }, "set.sim"],
  ["a cell with a name that breaks answers", { set: { cell: { fullName: 'a"b' } } }, "set.cell.fullName"],
  ["a cell out of range", { set: { cell: { rsrpDbm: 7 } } }, "set.cell.rsrpDbm"],
  ["a time below zero", { set: { timing: { searchMs: -1 } } }, "set.timing.searchMs"],
  ["steps that are no list", { steps: {} }, "steps"],
  ["a step without a trigger", { steps: [{ do: "unplug" }] }, "steps[0]"],
  ["a step with two triggers", { steps: [{ atMs: 1, onWrite: 1, do: "cutPower" }] }, "steps[0]"],
  ["a step that is no object", { steps: [null] }, "steps[0]"],
  ["a timed step that does nothing", { steps: [{ atMs: 1 }] }, "steps[0]"],
  ["a timed step with a fault of commands", { steps: [{ atMs: 1, do: "loseAnswer" }] }, "steps[0].do"],
  ["a count of what is not done again", { steps: [{ atMs: 1, count: 2, do: "unplug" }] }, "steps[0].count"],
  ["a step of every 0 ms", { steps: [{ atMs: 1, everyMs: 0, do: "garbage" }] }, "steps[0].everyMs"],
  ["a command in lower case", { steps: [{ onCommand: "%cmng", do: "slow" }] }, "steps[0].onCommand"],
  ["a command step that does nothing", { steps: [{ onCommand: "AT" }] }, "steps[0].do"],
  ["a count of 0", { steps: [{ onCommand: "AT", count: 0, do: "slow" }] }, "steps[0].count"],
  ["a code for a lost answer", { steps: [{ onCommand: "AT", do: "loseAnswer", cme: 50 }] }, "steps[0].cme"],
  ["a code that no modem has", { steps: [{ onCommand: "AT", do: "refuse", cme: 999 }] }, "steps[0].cme"],
  ["a delay without slow", { steps: [{ onCommand: "AT", do: "refuse", delayMs: 5 }] }, "steps[0].delayMs"],
  ["a phase of a failure", { steps: [{ onWrite: 1, do: "fail", phase: "after" }] }, "steps[0].phase"],
  ["a write number of 0", { steps: [{ onWrite: 0, do: "fail" }] }, "steps[0].onWrite"],
  ["too many steps", { steps: Array.from({ length: behaviourStepsMax + 1 }, () => ({ atMs: 1 })) }, "steps"],
];

test("a document is checked whole, and what is wrong is named", () => {
  for (const [name, document, option] of refusals) {
    assert.throws(
      () => checkModemBehaviour(document),
      (error) => isThinglineError(error, "OPTION_INVALID") && (option === "" || error.details["option"] === option),
      name,
    );
  }
  const most = { steps: Array.from({ length: behaviourStepsMax }, () => ({ atMs: 1, do: "garbage" })) };
  assert.deepEqual(checkModemBehaviour(most), most);
});

test("a document is read before it is used, whatever it says the next time", async () => {
  const thrower = {
    get seed(): number {
      throw new Error("not now");
    },
  };
  assert.throws(
    () => checkModemBehaviour(thrower, "behaviour."),
    (error) => isThinglineError(error, "OPTION_INVALID") && error.details["option"] === "behaviour",
  );
  let asked = 0;
  const changing = {
    get set(): { isRoaming: boolean } {
      return { isRoaming: ++asked > 2 ? (7 as never) : true };
    },
  };
  const { modem } = await makeModemWorld();
  assert.throws(
    () => modem.apply(thrower),
    (error) => isThinglineError(error, "OPTION_INVALID"),
  );
  for (const change of [() => modem.apply(changing), () => modem.setConditions(changing.set)]) {
    try {
      change();
    } catch (error) {
      assert.ok(isThinglineError(error, "OPTION_INVALID"));
    }
    assert.equal(typeof modem.conditions.isRoaming, "boolean");
  }
  await modem.close();
});

test("presets are documents that pass the check and survive JSON", () => {
  for (const preset of Object.values(modemBehaviourPresets)) {
    assert.deepEqual(checkModemBehaviour(JSON.parse(JSON.stringify(preset))), preset);
  }
});

test("a behaviour that is refused changes nothing", async () => {
  const { modem } = await makeModemWorld({ behaviour: { set: { isRoaming: true } } });
  assert.throws(() => modem.apply({ set: { isRoaming: false }, steps: [{ atMs: -1 }] }));
  assert.equal(modem.conditions.isRoaming, true);
  await assert.rejects(
    makeModemWorld({ behaviour: { steps: [{ atMs: 1 }] } }),
    (error) => isThinglineError(error, "OPTION_INVALID") && error.details["option"] === "behaviour.steps[0]",
  );
});

/** The statuses of `+CEREG` that a behaviour brings within a time. */
async function statuses(behaviour: ModemBehaviour, timeMs: number): Promise<string> {
  const world = await makeModemWorld({ behaviour });
  await world.at("AT+CEREG=1");
  await world.at("AT+CFUN=1");
  await world.clock.advance(timeMs);
  await world.modem.close();
  assert.equal(world.clock.timerCount, 0);
  return world.notifications.map((line) => line.replace("+CEREG: ", "")).join(" ");
}

const registrations: [name: keyof typeof modemBehaviourPresets, timeMs: number, expected: RegExp][] = [
  ["noSim", 1_000, /^90$/],
  ["simPin", 1_000, /^$/],
  ["simPuk", 1_000, /^$/],
  ["outOfData", 1_000, /^2 1$/],
  ["roaming", 1_000, /^2 5$/],
  ["denied", 1_000, /^2 3$/],
  ["lostLink", 100_000, /^2 1 2 4 2 1$/],
  ["weakSignal", 300_000, /^2 1( 2 4 2 1| 2 1){3,}/],
  ["slowNetwork", 30_000, /^$/],
  ["slowNetwork", 70_000, /^2 1$/],
  ["resetLoop", 100_000, /^2 1 0$/],
  ["resetLoop", 2_000 + resetLoopBlockMs, /^2 1 0 2 1$/],
];
for (const [name, timeMs, expected] of registrations) {
  test(`${name}: the registration within ${timeMs} ms`, async () => {
    assert.match(await statuses(modemBehaviourPresets[name], timeMs), expected);
  });
}

test("the same seed gives the same run, another one another", async () => {
  const run = (seed: number) => statuses({ ...modemBehaviourPresets.weakSignal, seed }, 1_000_000).then(String);
  const noise = async (seed: number) => {
    const { modem, at } = await makeModemWorld();
    modem.apply({ seed, steps: [{ onCommand: "*", count: 9, do: "garbage" }] });
    const answer = await at("AT+CGMI");
    await modem.close();
    return answer;
  };
  assert.equal(await run(7), await run(7));
  assert.equal(await noise(7), await noise(7));
  assert.notEqual(await noise(7), await noise(8));
});

test("a command is hit as its step says: by name, form, operation, after so many, so often", async () => {
  const { modem, at } = await makeModemWorld();
  modem.apply({
    steps: [
      { onCommand: "%CMNG", operation: 1, skip: 1, count: 2, do: "refuse", cme: 514 },
      { onCommand: "+CMEE", form: "read", do: "refuse" },
    ],
  });
  await at("AT+CMEE=1");
  const answers = [];
  for (const command of ["AT%CMNG=2,1,0", ...Array.from({ length: 4 }, () => "AT%CMNG=1"), "AT+CMEE?", "AT+CMEE?"]) {
    answers.push((await at(command)).trim());
  }
  const refused = "+CME ERROR: 514";
  const listed = answers[1] ?? "";
  assert.match(listed, /OK$/);
  assert.deepEqual(answers, ["+CME ERROR: 513", listed, refused, refused, listed, "ERROR", "+CMEE: 1\r\nOK"]);
  await modem.close();
});

/** One command over a port, with what came back within a minute. */
async function overPort(behaviour: ModemBehaviour, command: string) {
  const world = await makeModemWorld({ behaviour });
  const port = world.modem.openPort();
  let received = "";
  let ended = "";
  port.start({
    data: (bytes) => (received += Buffer.from(bytes).toString("latin1")),
    closed: (error) => (ended = error?.code ?? "closed"),
  });
  port.write(new TextEncoder().encode(`${command}\r`));
  await world.clock.advance(60_000);
  return { world, received, ended };
}

test("an answer is lost, a command is lost: nothing comes, and only the command of a lost answer was done", async () => {
  for (const [fault, expected] of [
    ["loseAnswer", "+CMEE: 1\r\nOK\r\n"],
    ["loseCommand", "+CMEE: 0\r\nOK\r\n"],
  ] as const) {
    const { world, received } = await overPort({ steps: [{ onCommand: "+CMEE", do: fault }] }, "AT+CMEE=1");
    assert.equal(received, "");
    assert.equal(await world.at("AT+CMEE?"), expected);
  }
  const { at, modem } = await makeModemWorld({ behaviour: { steps: [{ onCommand: "AT", do: "loseAnswer" }] } });
  await assert.rejects(at("AT"), (error) => isThinglineError(error, "TIMEOUT"));
  assert.equal(await at("AT"), "OK\r\n");
  await modem.close();
});

test("a slow answer comes as late as it was said, and noise comes between", async () => {
  const world = await makeModemWorld({ behaviour: { steps: [{ onCommand: "AT", do: "slow", delayMs: 700 }] } });
  assert.equal(await world.at("AT"), "OK\r\n");
  assert.equal(world.clock.monotonicMs(), 700);
  const { received } = await overPort({ steps: [{ atMs: 10, do: "garbage" }] }, "AT");
  assert.ok(received.startsWith("OK\r\n") && received.length > 4);
});

test("what a disturbed line changes are bytes, which need not make a text", async () => {
  const isText = (latin1: string): boolean => !Buffer.from(latin1, "latin1").toString().includes("\ufffd");
  const damaged: string[] = [];
  for (let seed = 1; seed <= 8; seed++) {
    const behaviour: ModemBehaviour = { seed, steps: [{ onCommand: "+CGMI", do: "garbage" }] };
    const { received } = await overPort(behaviour, "AT+CGMI");
    const { at } = await makeModemWorld({ behaviour });
    assert.equal(received, await at("AT+CGMI"), "one byte for each character");
    damaged.push(received);
  }
  assert.ok(damaged.some(isText) && !damaged.every(isText));
});

test("the cable is pulled: ports end, the modem lives on and takes new ports", async () => {
  const { world, ended, received } = await overPort(
    { steps: [{ onCommand: "+CMEE", phase: "after", do: "unplug" }] },
    "AT+CMEE=1",
  );
  assert.equal(ended, "SERIAL_PORT_UNPLUGGED");
  assert.equal(received, "");
  assert.equal(await world.clock.until(world.openSession().command("AT+CMEE?")).then(String), "+CMEE: 1");
  let unplugged = 0;
  world.modem.onUnplug(() => unplugged++);
  world.modem.apply({ steps: [{ atMs: 5, everyMs: 5, count: 2, do: "unplug" }] });
  await world.clock.advance(100);
  assert.equal(unplugged, 2);
});

test("a reset forgets what was not stored", async () => {
  const { modem, at, clock } = await makeModemWorld({ behaviour: { steps: [{ atMs: 5_000, do: "reset" }] } });
  for (const command of ["AT%XSYSTEMMODE=0,1,0,0", "AT+CFUN=0", "AT%XSYSTEMMODE=1,1,0,0", "AT+CEREG=5"])
    await at(command);
  await at("AT+CFUN=1");
  await clock.advance(10_000);
  assert.equal(await at("AT+CFUN?"), "+CFUN: 0\r\nOK\r\n");
  assert.equal(await at("AT%XSYSTEMMODE?"), "%XSYSTEMMODE: 0,1,0,0\r\nOK\r\n");
  assert.equal(await at("AT+CEREG?"), "+CEREG: 0,0\r\nOK\r\n");
  await modem.close();
});

test("a reset comes over a command: nothing is answered, nothing of it stays, and what it had stored is there", async () => {
  const { at, modem, clock } = await makeModemWorld({ lte: { detachMs: 2_000 } });
  for (const command of ["AT%XSYSTEMMODE=1,1,0,0", "AT+CFUN=1"]) await at(command);
  await clock.advance(1_000);
  modem.apply({ steps: [{ atMs: 1_000, do: "reset" }] });
  await assert.rejects(at("AT+CFUN=4"), (error) => isThinglineError(error, "TIMEOUT"));
  assert.equal(await at("AT+CFUN?"), "+CFUN: 0\r\nOK\r\n");
  assert.equal(await at("AT%XSYSTEMMODE?"), "%XSYSTEMMODE: 1,0,0,0\r\nOK\r\n");
  // The write is under way when the reset comes, and ends as it began.
  await at("AT%XSYSTEMMODE=0,1,0,0");
  modem.apply({ set: { writeMs: 2_000 }, steps: [{ atMs: 1_000, do: "reset" }] });
  await assert.rejects(at("AT+CFUN=0"), (error) => isThinglineError(error, "TIMEOUT"));
  assert.equal(await at("AT%XSYSTEMMODE?"), "%XSYSTEMMODE: 0,1,0,0\r\nOK\r\n");
  await modem.close();
});

test("the power goes at a time, whatever is under way, and no timer is left", async () => {
  const { at, modem, clock } = await makeModemWorld({ lte: { detachMs: 2_000 } });
  for (const command of ['AT+CPSMS=1,,,"00000110","00100001"', "AT+CFUN=1"]) await at(command);
  await clock.advance(1_000);
  modem.apply({
    steps: [
      { atMs: 1_000, do: "cutPower" },
      { atMs: 500, everyMs: 500, do: "garbage" },
    ],
  });
  await assert.rejects(at("AT+CFUN=0"), (error) => isThinglineError(error, "CONNECTION_LOST"));
  await modem.closed;
  assert.equal(clock.timerCount, 0);
  assert.throws(
    () => modem.apply({}),
    (error) => isThinglineError(error, "CONNECTION_LOST"),
  );
});

const dayMs = 24 * 60 * 60_000;
for (const [what, command, surroundings] of [
  ["an answer that a behaviour makes slow", "AT", { steps: [{ onCommand: "AT", do: "slow", delayMs: dayMs }] }],
  ["a write that takes long", 'AT%CMNG=0,1,3,"AA"', { set: { writeMs: dayMs } }],
  ["a search for networks", "AT+COPS=?", { set: { timing: { operatorSearchMs: dayMs } } }],
  ["a network that takes its time to let go", "AT+CFUN=4", { set: { timing: { detachMs: dayMs } } }],
  ["the same by +CGATT", "AT+CGATT=0", { set: { timing: { detachMs: dayMs } } }],
] as const satisfies readonly (readonly [string, string, ModemBehaviour])[]) {
  test(`neither close() nor a power cut waits for ${what}, and no timer is left`, async () => {
    for (const end of ["close", "cutPower"] as const) {
      const { at, modem, clock } = await makeModemWorld();
      if (command.startsWith("AT+")) await at("AT+CFUN=1");
      await clock.advance(60_000);
      modem.apply(surroundings);
      const outcome = modem.at(command).then(
        (answer) => answer,
        (error: unknown) => (isThinglineError(error) ? error.code : error),
      );
      await clock.settle();
      void modem[end]();
      await clock.settle();
      assert.equal(clock.timerCount, 0, end);
      await modem.closed;
      if (end === "close") assert.match(String(await outcome), /OK\r\n$/);
      else assert.equal(await outcome, "CONNECTION_LOST");
    }
  });
}

test("events are told to those who subscribed, and the network's time jumps", async () => {
  const world = await makeModemWorld({
    behaviour: {
      steps: [
        { atMs: 2_000, do: "overheated" },
        { atMs: 3_000, do: "batteryLow" },
        { atMs: 4_000, set: { networkTimeOffsetMs: 86_400_000 } },
      ],
    },
  });
  await world.at("AT%MDMEV=1");
  await world.at("AT%XTIME=1");
  await world.at("AT+CFUN=1");
  await world.clock.advance(5_000);
  assert.deepEqual(world.notifications, [
    "%MDMEV: SEARCH STATUS 1",
    '%XTIME: "00","62101000000000","00"',
    "%MDMEV: ME OVERHEATED",
    "%MDMEV: ME BATTERY LOW",
    '%XTIME: "00","62102000004000","00"',
  ]);
  assert.match(await world.at("AT+CCLK?"), /^\+CCLK: "26\/01\/02,/);
  await world.modem.close();
});

test("a write takes its time, fails, or loses its power: then the old or the new is there, whole", async () => {
  const kept = new Set<string>();
  for (const phase of ["before", "during", "after"] as const) {
    for (let seed = 1; seed <= 6; seed++) {
      const files = createVirtualFiles();
      const { at, clock, modem } = await makeModemWorld({ files, folder: "modem" });
      await at('AT%CMNG=0,5,4,"old"');
      modem.apply({ seed, set: { writeMs: 400 }, steps: [{ onWrite: 2, do: "cutPower", phase }] });
      const before = clock.monotonicMs();
      assert.equal(await at('AT%CMNG=0,6,4,"first"'), "OK\r\n");
      assert.equal(clock.monotonicMs() - before, 400);
      await assert.rejects(at('AT%CMNG=0,5,4,"new"'), (error) => isThinglineError(error, "CONNECTION_LOST"));
      assert.equal(clock.monotonicMs() - before, 400 + { before: 0, during: 200, after: 400 }[phase]);
      await modem.closed;
      assert.equal(clock.timerCount, 0);
      const again = await makeModemWorld({ files, folder: "modem" });
      const content = /"(old|new)"/.exec(await again.at("AT%CMNG=2,5,4"))?.[1] ?? "";
      if (phase !== "during") assert.equal(content, phase === "before" ? "old" : "new");
      kept.add(`${phase} ${content}`);
      await again.modem.close();
    }
  }
  assert.deepEqual([...kept].sort(), ["after new", "before old", "during new", "during old"]);
});

test("a write that fails is refused and changes nothing", async () => {
  const { at, modem } = await makeModemWorld({ behaviour: { steps: [{ onWrite: 2, count: 2, do: "fail" }] } });
  await at("AT+CMEE=1");
  assert.equal(await at('AT%CMNG=0,5,4,"old"'), "OK\r\n");
  assert.equal(await at('AT%CMNG=0,5,4,"new"'), "+CME ERROR: 0\r\n");
  assert.equal(await at("AT%CMNG=3,5,4"), "+CME ERROR: 0\r\n");
  assert.match(await at("AT%CMNG=2,5,4"), /"old"/);
  assert.equal(await at("AT%CMNG=3,5,4"), "OK\r\n");
  modem.apply({ set: { storageBytesMax: 3 } });
  assert.equal(await at('AT%CMNG=0,5,4,"long"'), "+CME ERROR: 515\r\n");
  modem.apply({ set: { isPowerFailing: true } });
  assert.equal(await at('AT%CMNG=0,5,4,"x"'), "+CME ERROR: 528\r\n");
  await modem.close();
});

test("AT+CFUN=0 saves the settings: a power cut in between leaves the old ones or the new ones", async () => {
  const kept = new Set<string>();
  for (const phase of ["before", "during", "after"] as const) {
    for (let seed = 1; seed <= 4; seed++) {
      const files = createVirtualFiles();
      const { at, clock, modem } = await makeModemWorld({ files, folder: "modem" });
      for (const command of ["AT%XSYSTEMMODE=0,1,0,0", "AT+CFUN=0"]) assert.equal(await at(command), "OK\r\n");
      for (const command of ["AT%XSYSTEMMODE=1,1,0,2", 'AT+CGDCONT=0,"IPV6","iot"']) await at(command);
      modem.apply({ seed, set: { writeMs: 300 }, steps: [{ onWrite: 1, do: "cutPower", phase }] });
      await assert.rejects(at("AT+CFUN=0"), (error) => isThinglineError(error, "CONNECTION_LOST"));
      assert.equal(clock.timerCount, 0);
      const again = await makeModemWorld({ files, folder: "modem" });
      const mode = (await again.at("AT%XSYSTEMMODE?")).trim().split("\r\n")[0] ?? "";
      const context = (await again.at("AT+CGDCONT?")).includes("IPV6") ? "IPV6" : "IP";
      kept.add(`${phase} ${mode.slice(-7)} ${context}`);
      await again.modem.close();
    }
  }
  const [before, after] = ["0,1,0,0 IP", "1,1,0,2 IPV6"];
  assert.deepEqual(
    [...kept].sort(),
    [`after ${after}`, `before ${before}`, `during ${before}`, `during ${after}`].sort(),
  );
});

test("settings that cannot be written are refused, and stand after a reset as they were", async () => {
  const { at, modem } = await makeModemWorld({ behaviour: { steps: [{ onWrite: 1, do: "fail", cme: 515 }] } });
  await at("AT+CMEE=1");
  await at("AT%XSYSTEMMODE=0,1,0,0");
  assert.equal(await at("AT+CFUN=0"), "+CME ERROR: 515\r\n");
  modem.apply({ steps: [{ onCommand: "AT", do: "reset" }] });
  await assert.rejects(at("AT"), (error) => isThinglineError(error, "TIMEOUT"));
  assert.equal(await at("AT%XSYSTEMMODE?"), "%XSYSTEMMODE: 1,0,0,0\r\nOK\r\n");
  await modem.close();
});
