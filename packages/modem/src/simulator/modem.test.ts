import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualFiles, createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import fc from "fast-check";
import { makeModemWorld } from "../world.test.support.js";
import { factoryCredentialsMax } from "./modem.js";
import { heldNotificationsMax, queuedCommandsMax } from "./command-executor.js";

/** What `unit: "binary"` means, whose tables take fast-check 0.7 s to make: any code point but surrogates. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10_f7ff })
  .map((point) => String.fromCodePoint(point < 0xd800 ? point : point + 0x800));

const afterBoot: [command: string, answer: RegExp | string][] = [
  ["AT", "OK\r\n"],
  ["at", "OK\r\n"],
  ["ATE0", "ERROR\r\n"],
  ["at AT+CGSN", "ERROR\r\n"],
  ["AT+NOPE", "ERROR\r\n"],
  ["AT+CFUN=3", "ERROR\r\n"],
  ["AT+CFUN!", "ERROR\r\n"],
  ["AT+CFUN?", "+CFUN: 0\r\nOK\r\n"],
  ["AT+CFUN=?", "+CFUN: (0,1,2,4,20,21,30,31,40,41,44)\r\nOK\r\n"],
  ["AT+CGMI", "Nordic Semiconductor ASA\r\nOK\r\n"],
  ["AT+CGMM", "nRF9160-SICA\r\nOK\r\n"],
  ["AT+CGMR", "mfw_nrf9160_1.3.2\r\nOK\r\n"],
  ["AT+CGSN", /^35265610[0-9]{7}\r\nOK\r\n$/],
  ["AT+CGSN=1", /^\+CGSN: "[0-9]{15}"\r\nOK\r\n$/],
  ["AT+CGSN=2", /^\+CGSN: "[0-9]{16}"\r\nOK\r\n$/],
  ["AT+CGSN=3", /^\+CGSN: "[0-9]{2}"\r\nOK\r\n$/],
  ["AT+CGSN=4", "ERROR\r\n"],
  ["AT+CGSN=?", "+CGSN: (0-3)\r\nOK\r\n"],
  ["AT%SHORTSWVER", "%SHORTSWVER: nrf9160_1.3.2\r\nOK\r\n"],
  ["AT%HWVERSION", "%HWVERSION: nRF9160 SICA B0A\r\nOK\r\n"],
  ["AT%XMODEMUUID", /^%XMODEMUUID: [0-9a-f-]{36}\r\nOK\r\n$/],
  ["AT%DEVICEUUID", "ERROR\r\n"],
  ["AT+CMEE?", "+CMEE: 0\r\nOK\r\n"],
  ["AT+CIMI", "ERROR\r\n"],
  ["AT+CPIN?", "ERROR\r\n"],
  ["AT+CEREG?", "+CEREG: 0,0\r\nOK\r\n"],
  ["AT+CESQ", "+CESQ: 99,99,255,255,255,255\r\nOK\r\n"],
  ["AT%XMONITOR", "%XMONITOR: 0\r\nOK\r\n"],
  ["AT%XSYSTEMMODE?", "%XSYSTEMMODE: 1,0,0,0\r\nOK\r\n"],
  ["AT%XSYSTEMMODE=0,0,0,0", "ERROR\r\n"],
  ["AT+COPS?", "+COPS: 0\r\nOK\r\n"],
  ["AT+CCLK?", "ERROR\r\n"],
  ["AT%XVBAT", "%XVBAT: 4464\r\nOK\r\n"],
  ["AT%XTEMP?", "%XTEMP: 25\r\nOK\r\n"],
  ["AT%XTEMP", "ERROR\r\n"],
  ["AT+CPSMS?", "+CPSMS: 0\r\nOK\r\n"],
  ["AT+CGDCONT?", '+CGDCONT: 0,"IP","","",0,0\r\nOK\r\n'],
  ["AT+CGACT?", "+CGACT: 0,0\r\nOK\r\n"],
  ["AT+CSCON?", "+CSCON: 0,0\r\nOK\r\n"],
  ["AT+CLAC", /^AT\+CGMI\r\n[^]*AT%CMNG\r\n[^]*OK\r\n$/],
];

test("a modem that just booted answers as a real one", async () => {
  const world = await makeModemWorld();
  for (const [command, answer] of afterBoot) {
    const got = await world.at(command);
    if (typeof answer === "string") assert.equal(got, answer, command);
    else assert.match(got, answer, command);
  }
  await world.modem.close();
});

test("queuedCommandsMax commands are taken at once, one more is refused, and all get their answers", async () => {
  const { modem, clock } = await makeModemWorld();
  const taken = Array.from({ length: queuedCommandsMax }, () => modem.at("AT"));
  await assert.rejects(modem.at("AT"), (error) => isThinglineError(error, "LIMIT_EXCEEDED"));
  const answers = await clock.until(Promise.all(taken));
  assert.ok(answers.every((answer) => answer === "OK\r\n"));
  assert.equal(await clock.until(modem.at("AT")), "OK\r\n", "there is room again");
  await modem.close();
});

test("the IMEI has its check digit", async () => {
  const { modem } = await makeModemWorld();
  const digits = [...modem.identity.imei].map(Number);
  const sum = digits.reverse().reduce((total, digit, index) => {
    const value = index % 2 === 1 ? digit * 2 : digit;
    return total + (value > 9 ? value - 9 : value);
  }, 0);
  assert.equal(sum % 10, 0);
});

test("registration sends its URCs in the order of a real attach", async () => {
  const world = await makeModemWorld();
  await world.at("AT+CEREG=5");
  await world.at("AT+CSCON=1");
  await world.at("AT%MDMEV=1");
  assert.equal(await world.at("AT+CFUN=1"), "OK\r\n");
  await world.clock.advance(10_000);
  assert.deepEqual(world.notifications, [
    "%MDMEV: SEARCH STATUS 1",
    '+CEREG: 2,"0901","02024720",7,,,,',
    "+CSCON: 1",
    '+CEREG: 1,"0901","02024720",7,,,"11100000","11100000"',
    "+CSCON: 0",
  ]);
  assert.equal(await world.at("AT+CEREG?"), '+CEREG: 5,1,"0901","02024720",7,,,"11100000","11100000"\r\nOK\r\n');
  assert.match(
    await world.at("AT%XMONITOR"),
    /^%XMONITOR: 1,"Thingline test network","Thingline","00101","0901",7,20,/,
  );
  assert.match(await world.at("AT+CCLK?"), /^\+CCLK: "26\/01\/01,00:00:1[0-9]\+00"\r\nOK/);
  assert.match(await world.at("AT+CIMI"), /^00101[0-9]{10}\r\nOK/);
  assert.equal(await world.at("AT+COPS?"), '+COPS: 0,2,"00101",7\r\nOK\r\n');
  await world.modem.close();
  assert.equal(world.clock.timerCount, 0);
});

test("going offline answers after the detach, then tells the registration is gone", async () => {
  const world = await makeModemWorld({ lte: { detachMs: 700 } });
  await world.at("AT+CEREG=1");
  await world.at("AT+CFUN=1");
  await world.clock.advance(1000);
  const before = world.clock.monotonicMs();
  assert.equal(await world.at("AT+CFUN=4"), "OK\r\n");
  assert.equal(world.clock.monotonicMs() - before, 700);
  assert.deepEqual(world.notifications, ["+CEREG: 2", "+CEREG: 1", "+CEREG: 0"]);
  assert.equal(await world.at("AT+CFUN?"), "+CFUN: 4\r\nOK\r\n");
});

test("power off loses the subscriptions and keeps the settings", async () => {
  const files = createVirtualFiles();
  const world = await makeModemWorld({ files, folder: "modem" });
  await world.at("AT+CEREG=5");
  await world.at("AT%XSYSTEMMODE=1,1,0,2");
  await world.at('AT+CPSMS=1,,,"00000011","00100001"');
  await world.at("AT+CFUN=0");
  assert.equal(await world.at("AT+CEREG?"), "+CEREG: 0,0\r\nOK\r\n");
  world.modem.cutPower();
  await world.modem.closed;
  const again = await makeModemWorld({ files, folder: "modem" });
  assert.equal(await again.at("AT%XSYSTEMMODE?"), "%XSYSTEMMODE: 1,1,0,2\r\nOK\r\n");
  assert.equal(await again.at("AT+CPSMS?"), '+CPSMS: 1,,,"00000011","00100001"\r\nOK\r\n');
  assert.deepEqual(again.modem.identity, world.modem.identity);
});

test("loss of coverage, denial and a failed SIM card are told and recovered from", async () => {
  const world = await makeModemWorld();
  const { modem, clock, notifications } = world;
  await world.at("AT+CEREG=1");
  await world.at("AT+CFUN=1");
  await clock.advance(1000);
  modem.setConditions({ hasCoverage: false });
  await clock.advance(1000);
  modem.setConditions({ hasCoverage: true });
  await clock.advance(1000);
  modem.setConditions({ isDenied: true });
  await clock.advance(1000);
  modem.setConditions({ isDenied: false });
  await clock.advance(1000);
  modem.setConditions({ sim: "failed" });
  await clock.advance(1000);
  modem.setConditions({ sim: "ready", isRoaming: true });
  await clock.advance(1000);
  const statuses = notifications.map((line) => line.replace("+CEREG: ", "")).join(" ");
  // Home; searching, out of coverage; home; denied; home; SIM failure; roaming.
  assert.equal(statuses, "2 1 2 4 2 1 3 2 1 90 2 5");
});

test("a SIM card that wants its PIN keeps the modem from searching", async () => {
  const world = await makeModemWorld({ lte: { conditions: { sim: "pinRequired" } }, pin: "4321" });
  await world.at("AT%XSIM=1");
  await world.at("AT+CFUN=1");
  await world.clock.advance(10_000);
  assert.deepEqual(world.notifications, ["%XSIM: 0,1"]);
  assert.equal(await world.at("AT+CPIN?"), "+CPIN: SIM PIN\r\nOK\r\n");
  assert.equal(await world.at('AT+CPIN="1234"'), "ERROR\r\n");
  assert.equal(await world.at('AT+CPIN="4321"'), "OK\r\n");
  await world.clock.advance(1000);
  assert.equal(await world.at("AT+CEREG?"), "+CEREG: 0,1\r\nOK\r\n");
});

test("the system mode decides whether a cell can be found", async () => {
  const world = await makeModemWorld();
  await world.at("AT%XSYSTEMMODE=0,1,0,0");
  await world.at("AT+CFUN=1");
  assert.equal(await world.at("AT%XSYSTEMMODE=1,0,0,0"), "ERROR\r\n");
  await world.clock.advance(1000);
  assert.equal(await world.at("AT+CEREG?"), "+CEREG: 0,4\r\nOK\r\n");
});

test("any text gets one answer that ends with a final result code, and the modem stays usable", async () => {
  const world = await makeModemWorld({ keys: createVirtualKeys({ random: createVirtualRandom("fuzz") }) });
  const names = (await world.at("AT+CLAC")).split("\r\n").filter((line) => line.startsWith("AT"));
  const value = fc.oneof(
    fc.integer({ min: -1, max: 50 }).map(String),
    fc.constantFrom("", '""', '"1001"', '"00000011"', '"SIM PIN"', "4294967294", "(", '"', "x"),
    fc.string().map((text) => `"${text}"`),
  );
  const set = fc.array(value, { maxLength: 6 }).map((values) => `=${values.join(",")}`);
  const command = fc
    .tuple(fc.constantFrom(...names), fc.oneof(fc.constantFrom("", "?", "=?"), set))
    .map(([name, rest]) => name + rest);
  await fc.assert(
    fc.asyncProperty(fc.oneof({ weight: 9, arbitrary: command }, fc.string({ unit: anyCharacter })), async (line) => {
      assert.match(await world.at(line), /(^|\r\n)(OK|ERROR|\+CME ERROR: [0-9]+)\r\n$/, JSON.stringify(line));
    }),
    { numRuns: process.env["THINGLINE_TEST_LONG"] === "1" ? 20_000 : 100 },
  );
  assert.equal(await world.at("AT"), "OK\r\n");
  await world.modem.close();
  assert.equal(world.clock.timerCount, 0);
});

test("a command of more than 4096 bytes is not taken", async () => {
  const { modem } = await makeModemWorld();
  await assert.rejects(modem.at(`AT%X="${"a".repeat(4096)}"`), (error) => isThinglineError(error, "LIMIT_EXCEEDED"));
});

test("commands are answered in their order, one after the other", async () => {
  const world = await makeModemWorld({ lte: { detachMs: 500 } });
  await world.at("AT+CFUN=1");
  await world.clock.advance(1000);
  const order: string[] = [];
  const first = world.modem.at("AT+CFUN=4").then(() => order.push("offline"));
  const second = world.modem.at("AT+CFUN?").then((answer) => order.push(answer));
  await world.clock.until(Promise.all([first, second]));
  assert.deepEqual(order, ["offline", "+CFUN: 4\r\nOK\r\n"]);
});

test("a folder belongs to one modem at a time, and close gives it back", async () => {
  const files = createVirtualFiles();
  const { modem } = await makeModemWorld({ files, folder: "modem" });
  await assert.rejects(makeModemWorld({ files, folder: "modem" }), (error) => isThinglineError(error, "LOCKED"));
  await modem.close();
  await modem.close();
  await assert.rejects(modem.at("AT"), (error) => isThinglineError(error, "CLOSED"));
  const again = await makeModemWorld({ files, folder: "modem" });
  assert.equal(again.modem.identity.imei, modem.identity.imei);
});

test("a damaged identity names the file and says what to do", async () => {
  const files = createVirtualFiles({ content: { "modem/identity.json": "{}" } });
  await assert.rejects(
    makeModemWorld({ files, folder: "modem" }),
    (error) => isThinglineError(error, "STORE_CORRUPT") && /modem\/identity\.json.*Remove the file/.test(error.message),
  );
  // And the folder is free again.
  await (await files.lock("modem")).release();
});

test("an identity whose key signs nothing, or is of no such part, is damaged", async () => {
  const files = createVirtualFiles();
  await (await makeModemWorld({ files, folder: "modem" })).modem.close();
  const path = "modem/identity.json";
  const text = new TextDecoder().decode(await files.read(path, { bytesMax: 65_536 }));
  const otherCurve = generateKeyPairSync("ec", { namedCurve: "P-384" }).privateKey.export({
    type: "sec1",
    format: "pem",
  });
  const broken = "-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n";
  for (const change of [
    ...["", broken, otherCurve, 5].map((identityKey) => ({ identityKey })),
    { part: "nRF1234" },
    { firmware: "mfw_nrf9160_9.9.9" },
  ]) {
    await files.replace(path, new TextEncoder().encode(JSON.stringify({ ...JSON.parse(text), ...change })));
    await assert.rejects(
      makeModemWorld({ files, folder: "modem" }),
      (error) => isThinglineError(error, "STORE_CORRUPT") && error.details["file"] === path,
      JSON.stringify(change).slice(0, 60),
    );
  }
});

test("options that make no sense are refused by name", async () => {
  await assert.rejects(makeModemWorld({ folder: "modem" }), (error) => isThinglineError(error, "OPTION_INVALID"));
  const wrong = { imei: "12", deviceUuid: "-".repeat(36) };
  for (const [name, value] of Object.entries(wrong)) {
    await assert.rejects(
      makeModemWorld({ identity: { [name]: value } }),
      (error) => isThinglineError(error, "OPTION_INVALID") && error.details["option"] === `identity.${name}`,
    );
  }
});

test("a modem comes with factoryCredentialsMax credentials at most, which are listed and not deleted", async () => {
  const entry = (secTag: number) => ({ secTag, type: 9, content: "owner" });
  const most = Array.from({ length: factoryCredentialsMax }, (_none, index) => entry(index));
  const { at, modem } = await makeModemWorld({ factoryCredentials: most });
  assert.equal((await at("AT%CMNG=1")).match(/,9,/g)?.length, factoryCredentialsMax);
  assert.equal(await at("AT%CMNG=3,7,9"), "ERROR\r\n");
  await modem.close();
  const wrong: [value: unknown, option: string][] = [
    [[...most, entry(64)], "factoryCredentials"],
    [[{ secTag: 1, type: 9 }], "factoryCredentials[0].content"],
    [[{ ...entry(1), type: 14 }], "factoryCredentials[0].type"],
    [[{ ...entry(1), content: 'a"b' }], "factoryCredentials[0].content"],
  ];
  for (const [factoryCredentials, option] of wrong) {
    await assert.rejects(
      makeModemWorld({ factoryCredentials: factoryCredentials as never }),
      (error) => isThinglineError(error, "OPTION_INVALID") && error.details["option"] === option,
    );
  }
});

test("PIN and PUK are digits", async () => {
  for (const option of ["pin", "puk"]) {
    await assert.rejects(
      makeModemWorld({ [option]: "12a4" }),
      (error) => isThinglineError(error, "OPTION_INVALID") && error.details["option"] === option,
    );
  }
});

test("while a command is under way heldNotificationsMax URCs wait for its end, and the oldest of more are dropped and counted", async () => {
  const world = await makeModemWorld({ lte: { operatorSearchMs: 1_000 } });
  await world.at("AT+CEREG=5");
  await world.at("AT+CFUN=1");
  await world.clock.advance(10_000);
  world.notifications.length = 0;
  const search = world.modem.at("AT+COPS=?");
  await world.clock.settle();
  for (let cell = 0; cell < heldNotificationsMax + 3; cell++) {
    world.modem.setConditions({ cell: { cellId: cell.toString(16).padStart(8, "0") } });
  }
  assert.deepEqual(world.notifications, []);
  await world.clock.until(search);
  assert.equal(world.notifications.length, heldNotificationsMax);
  assert.match(world.notifications[0] ?? "", /"00000003"/);
  assert.equal(world.modem.counters.droppedNotifications, 3);
  await world.modem.close();
});

test("conditions that are undefined are left as they are", async () => {
  const { modem } = await makeModemWorld({ lte: { conditions: { isRoaming: true, cell: { band: 4 } } } });
  const before = modem.conditions;
  modem.setConditions({ isRoaming: undefined, cell: { band: undefined } });
  modem.apply({ set: { hasCoverage: undefined, timing: { searchMs: undefined } } });
  assert.deepEqual(modem.conditions, before);
  await modem.close();
});
