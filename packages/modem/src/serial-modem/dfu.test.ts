import assert from "node:assert/strict";
import { test } from "node:test";
import { concatBytes } from "@thingline/protocol";
import { signImage } from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { makeSimulatedModemDelta } from "../simulator/delta-image.js";
import { firmwareAreaBytes, firmwareEraseMs } from "../simulator/firmware-area.js";
import { ModemMemory } from "./dfu-modem-memory.js";
import { makeSimulatedModemPackage, modemPackageBytesMax, readModemPackage } from "./dfu-modem-package.js";
import { applicationSlotBytes } from "./dfu-updates.js";
import { makeSerialModemWorld, type SerialModemWorld, type SerialModemWorldOptions } from "./world.test.support.js";

const ok = "\r\nOK\r\n";
const error = "\r\nERROR\r\n";
const pieceBytes = 4096;
const from = "mfw_nrf9160_1.3.2";
const to = "mfw_nrf9160_1.3.7";
const delta = makeSimulatedModemDelta({ from, to, sizeBytes: 10_000 });
const crypto = createNodeImageCrypto();

async function image(major: number, minor: number): Promise<Uint8Array> {
  const version = { major, minor, revision: 0, build: 0 };
  return signImage(new Uint8Array(9_000).fill(7), { crypto, version, headerBytes: 512, padsHeader: true });
}

/** Sends one piece as a host does, and gives what came behind its OK. */
async function write(world: SerialModemWorld, type: number, address: number, bytes: Uint8Array): Promise<string> {
  assert.equal(await world.at(`AT#XDFUWRITE=${type},${address},${bytes.length}`), ok);
  world.port.write(bytes.slice());
  world.port.flush();
  await world.clock.settle();
  return world.take();
}

async function upload(world: SerialModemWorld, type: number, file: Uint8Array, address = 0): Promise<void> {
  for (let at = 0; at < file.length; at += pieceBytes) {
    const told = await write(world, type, address + at, file.subarray(at, at + pieceBytes));
    assert.equal(told, `\r\n#XDATAMODE: 0\r\n#XDFU: ${type},1,0\r\n`);
  }
}

async function reset(world: SerialModemWorld): Promise<string> {
  const answer = await world.at("AT#XRESET", { limitMs: 1_000 });
  await world.clock.advance(1_000);
  return `${answer}${world.take()}`.replace(ok, "");
}

async function makeWorld(options: SerialModemWorldOptions = {}): Promise<SerialModemWorld> {
  return makeSerialModemWorld({ dialect: "serialModem", ...options });
}

test("says what it takes, and SLM has none of it", async () => {
  const { at } = await makeWorld();
  assert.equal(await at("AT#XDFUINIT=?"), `\r\n#XDFUINIT: (0,1,2,3),<size>\r\n${ok}`);
  assert.equal(await at("AT#XDFUWRITE=?"), `\r\n#XDFUWRITE: (0,1,2,3),<addr>,<len>\r\n${ok}`);
  assert.equal(await at("AT#XDFUAPPLY=?"), `\r\n#XDFUAPPLY: (0,1,2,3)\r\n${ok}`);
  assert.equal(await at("AT#XBOOTINFO=?"), `\r\n#XBOOTINFO: (0,1)\r\n${ok}`);
  for (const dialect of ["slm-1.x", "slm-2.x"] as const) {
    const slm = await makeWorld({ dialect });
    for (const command of ["AT#XDFUINIT=?", "AT#XDFUWRITE=?", "AT#XDFUAPPLY=?", "AT#XBOOTINFO=?"]) {
      assert.equal(await slm.at(command), error, command);
    }
  }
});

for (const [command, told] of [
  ["AT#XMODEMRESET", `\r\n#XMODEMRESET: 0\r\n${ok}\r\n#XFOTA: 5,0\r\n`],
  ["AT#XRESET", `${ok}Ready\r\n\r\n#XFOTA: 5,0\r\n`],
] as const) {
  test(`a delta of the modem is uploaded, and runs after ${command}`, async () => {
    const world = await makeWorld();
    const { at, clock, take } = world;
    assert.equal(await at(`AT#XDFUINIT=1,${delta.length}`), ok);
    await upload(world, 1, delta);
    assert.equal(`${await at("AT#XDFUAPPLY=1")}${take()}`, `${ok}#XDFU: 1,2,0\r\n`);
    assert.equal(await at("AT+CGMR"), `\r\n${from}\r\n${ok}`);
    const answer = await at(command);
    await clock.advance(1_000);
    assert.equal(`${answer}${take()}`, told);
    assert.equal(await at("AT+CGMR"), `\r\n${to}\r\n${ok}`);
    assert.equal(await at("AT%SHORTSWVER"), `\r\n%SHORTSWVER: nrf9160_1.3.7\r\n${ok}`);
  });
}

test("an application is uploaded, and its version is told after the restart", async () => {
  const world = await makeWorld();
  const { at, take } = world;
  const application = await image(2, 1);
  assert.equal(await at(`AT#XDFUINIT=0,${application.length}`), ok);
  await upload(world, 0, application);
  assert.equal(`${await at("AT#XDFUAPPLY=0")}${take()}`, `${ok}#XDFU: 0,2,0\r\n`);
  await at("AT#XSLEEP=2");
  await world.application.wake();
  await world.clock.settle();
  assert.equal(take(), "Ready\r\n", "the line was off, and nothing has started anew");
  assert.equal(await reset(world), "Ready\r\n\r\n#XFOTA: 5,0\r\n");
  assert.equal(await at("AT#XSMVER"), `\r\n#XSMVER: "v2.1.0","3.4.0"\r\n${ok}`);
  // An older one is refused by the bootloader, and nothing is said of it.
  const older = await image(2, 0);
  await at(`AT#XDFUINIT=0,${older.length}`);
  await upload(world, 0, older);
  await at("AT#XDFUAPPLY=0");
  assert.equal(await reset(world), "Ready\r\n");
  assert.equal(await at("AT#XSMVER"), `\r\n#XSMVER: "v2.1.0","3.4.0"\r\n${ok}`);
});

test("a bootloader is uploaded, and the other slot runs after the restart", async () => {
  const world = await makeWorld();
  const { at } = world;
  assert.equal(await at("AT#XBOOTINFO=0"), `\r\n#XBOOTINFO: 1\r\n${ok}`);
  assert.equal(await at("AT#XBOOTINFO=1"), `\r\n#XBOOTINFO: 0\r\n${ok}`);
  for (const [major, version, slot] of [
    [2, 2, 1],
    [2, 2, 1],
    [7, 7, 0],
  ] as const) {
    const bootloader = await image(major, 0);
    assert.equal(await at(`AT#XDFUINIT=3,${bootloader.length}`), ok);
    await upload(world, 3, bootloader);
    await at("AT#XDFUAPPLY=3");
    assert.equal(await reset(world), "Ready\r\n");
    assert.equal(await at("AT#XBOOTINFO=0"), `\r\n#XBOOTINFO: ${version}\r\n${ok}`);
    assert.equal(await at("AT#XBOOTINFO=1"), `\r\n#XBOOTINFO: ${slot}\r\n${ok}`);
  }
});

test("the whole firmware of the modem goes through its bootloader", async () => {
  const world = await makeWorld();
  const { at, take, clock } = world;
  const parts = readModemPackage(makeSimulatedModemPackage({ to: "mfw_nrf9160_1.3.9" }));
  assert.ok(parts);
  assert.equal(await at("AT#XDFUWRITE=2,0,4096"), error, "not yet");
  assert.equal(await at("AT#XDFUINIT=2", { limitMs: 100 }), "Bootloader mode ready\r\n");
  assert.equal(await at("AT"), error);
  assert.equal(await at("AT+CGMR"), error);
  assert.equal(await at("AT#XDFUINIT=1,100"), error);
  assert.equal(await at("AT#XDFUWRITE=0,0,1"), error);
  assert.equal(await at("AT#XDFUAPPLY=1"), error);
  await upload(world, 2, parts.bootloader.bytes, parts.bootloader.address);
  assert.equal(`${await at("AT#XDFUAPPLY=2")}${take()}`, `${ok}#XDFU: 2,2,0\r\n`);
  for (const { address, bytes } of parts.firmware) await upload(world, 2, bytes, address);
  const answer = await at("AT#XDFUAPPLY=2");
  await clock.advance(1_000);
  assert.equal(`${answer}${take()}`, `${ok}#XDFU: 2,2,0\r\nReady\r\n`);
  assert.equal(await at("AT+CGMR"), `\r\nmfw_nrf9160_1.3.9\r\n${ok}`);
});

test("a piece of the modem's firmware goes to its address, sent twice, late, or over others", async () => {
  const world = await makeWorld();
  const parts = readModemPackage(makeSimulatedModemPackage({ to: "mfw_nrf9160_1.3.9" }));
  assert.ok(parts);
  const [low, high] = parts.firmware;
  assert.ok(low && high);
  await world.at("AT#XDFUINIT=2", { limitMs: 100 });
  await upload(world, 2, parts.bootloader.bytes);
  await world.at("AT#XDFUAPPLY=2");
  await upload(world, 2, high.bytes, high.address);
  await write(world, 2, low.address + 100, new Uint8Array(5_000));
  await upload(world, 2, low.bytes, low.address);
  await write(world, 2, low.address + 50, low.bytes.subarray(50, 5_050));
  await world.at("AT#XDFUAPPLY=2");
  await world.clock.advance(1_000);
  world.take();
  assert.equal(await world.at("AT+CGMR"), `\r\nmfw_nrf9160_1.3.9\r\n${ok}`);
});

test("the memory that firmware goes to is bounded, and what is written over needs no room", () => {
  const memory = new ModemMemory(10);
  assert.equal(memory.write(100, Uint8Array.of(1, 2, 3, 4, 5, 6)), true);
  assert.equal(memory.write(200, new Uint8Array(5)), false);
  assert.equal(memory.write(102, Uint8Array.of(7, 8)), true);
  assert.equal(memory.write(98, Uint8Array.of(9, 9, 9)), true);
  assert.deepEqual([...memory.content], [9, 9, 9, 2, 7, 8, 5, 6]);
  assert.equal(memory.write(0, Uint8Array.of(0, 0)), true);
  assert.equal(memory.write(106, Uint8Array.of(1)), false);
  assert.deepEqual([...memory.content], [0, 0, 9, 9, 9, 2, 7, 8, 5, 6]);
});

test("a modem whose firmware was only begun has none, until one is complete", async () => {
  const files = createVirtualFiles();
  const world = await makeWorld({ files, folder: "application", modem: { files, folder: "modem" } });
  const parts = readModemPackage(makeSimulatedModemPackage({ to: "mfw_nrf9160_1.3.9" }));
  assert.ok(parts);
  await world.at("AT#XDFUINIT=2", { limitMs: 100 });
  assert.equal(await reset(world), "Ready\r\n", "nothing is lost yet");
  await world.at("AT#XDFUINIT=2", { limitMs: 100 });
  await upload(world, 2, parts.bootloader.bytes);
  await world.at("AT#XDFUAPPLY=2");
  const [first] = parts.firmware;
  assert.ok(first);
  await write(world, 2, first.address, first.bytes.subarray(0, 100));
  assert.equal(await world.at("AT#XDFUAPPLY=2"), `${ok}#XDFU: 2,2,-1\r\n`);
  assert.equal(await reset(world), "Bootloader mode ready\r\n");
  world.modem.cutPower();
  await world.clock.advance(1);
  const after = files.restart();
  const again = await makeWorld({ files: after, folder: "application", modem: { files: after, folder: "modem" } });
  assert.equal(await again.at("AT"), `Bootloader mode ready\r\n${error}`, "the bootloader still");
  await upload(again, 2, parts.bootloader.bytes);
  await again.at("AT#XDFUAPPLY=2");
  for (const { address, bytes } of parts.firmware) await upload(again, 2, bytes, address);
  await again.at("AT#XDFUAPPLY=2");
  await again.clock.advance(1_000);
  again.take();
  assert.equal(await again.at("AT+CGMR"), `\r\nmfw_nrf9160_1.3.9\r\n${ok}`);
});

test("a bootloader segment that is none is refused", async () => {
  const world = await makeWorld();
  await world.at("AT#XDFUINIT=2", { limitMs: 100 });
  assert.equal(await world.at("AT#XDFUAPPLY=2"), `${ok}#XDFU: 2,2,-1\r\n`);
  await write(world, 2, 0, new Uint8Array(100));
  assert.equal(await world.at("AT#XDFUAPPLY=2"), `${ok}#XDFU: 2,2,-1\r\n`);
});

test("raw bytes are exactly as many as were announced, whatever they are, and the next command is read behind them", async () => {
  const world = await makeWorld();
  const { at, send, clock, take } = world;
  await at("AT#XDFUINIT=0,12");
  assert.equal(await at("AT#XDFUWRITE=0,0,12"), ok);
  assert.equal(await send("+++AT\r"), "");
  await clock.advance(10_000);
  assert.equal(take(), "", "a pause does not end it");
  const came = await send("+++AT\rAT\r");
  await clock.settle();
  assert.equal(`${came}${take()}`, `\r\n#XDATAMODE: 0\r\n#XDFU: 0,1,0\r\n${ok}`);
  assert.equal(await at("AT#XDFUWRITE=0,0,0"), error);
});

test("what cannot be written is taken off the line and told", async () => {
  const world = await makeWorld();
  const failed = "\r\n#XDATAMODE: 0\r\n#XDFU: ";
  for (const type of [0, 1, 3]) {
    assert.equal(await write(world, type, 0, new Uint8Array(10)), `${failed}${type},1,-1\r\n`, "no transfer was begun");
    assert.equal(await world.at(`AT#XDFUAPPLY=${type}`), `${ok}#XDFU: ${type},2,-1\r\n`);
  }
  await world.at("AT#XDFUINIT=1,10000");
  assert.equal(await write(world, 0, 0, new Uint8Array(10)), `${failed}0,1,-1\r\n`, "it is another one");
  assert.equal(await write(world, 1, 0, new Uint8Array(10)), `${failed}1,1,-1\r\n`, "not a delta");
  await world.at("AT#XDFUINIT=1,10000");
  await write(world, 1, 0, delta.subarray(0, 5_000));
  assert.equal(await world.at("AT#XDFUAPPLY=1"), `${ok}#XDFU: 1,2,-1\r\n`, "half of one");
  const other = makeSimulatedModemDelta({ from: to, to: from, sizeBytes: 5_000 });
  await world.at("AT#XDFUINIT=1,5000", { limitMs: 2 * firmwareEraseMs });
  assert.equal(await write(world, 1, 0, other), `${failed}1,1,-1\r\n`, "for another modem");
});

test("sizes go to the room that there is", async () => {
  const world = await makeWorld();
  for (const [type, bytes] of [
    [0, applicationSlotBytes],
    [3, applicationSlotBytes],
    [1, firmwareAreaBytes],
  ] as const) {
    assert.equal(await world.at(`AT#XDFUINIT=${type},${bytes}`), ok);
    assert.equal(await world.at(`AT#XDFUINIT=${type},${bytes + 1}`), error);
    assert.equal(await world.at(`AT#XDFUINIT=${type}`), error);
  }
  await world.at(`AT#XDFUINIT=0,${applicationSlotBytes}`);
  assert.match(await write(world, 0, 0, new Uint8Array(applicationSlotBytes)), /#XDFU: 0,1,0/);
  assert.match(await write(world, 0, 0, new Uint8Array(1)), /#XDFU: 0,1,-1/);
});

test("a new beginning drops what was written, in the modem's area by erasing it", async () => {
  const world = await makeWorld();
  const { at, clock } = world;
  await at("AT#XDFUINIT=1,10000");
  await write(world, 1, 0, delta.subarray(0, 5_000));
  const before = clock.monotonicMs();
  assert.equal(await at("AT#XDFUINIT=1,10000", { limitMs: 2 * firmwareEraseMs }), ok);
  assert.ok(clock.monotonicMs() - before >= firmwareEraseMs);
  await upload(world, 1, delta);
  assert.equal(await at("AT#XDFUAPPLY=1"), `${ok}#XDFU: 1,2,0\r\n`);
  const application = await image(2, 1);
  await at("AT#XDFUINIT=0,100");
  await write(world, 0, 0, application.subarray(0, 100));
  await at(`AT#XDFUINIT=0,${application.length}`);
  await upload(world, 0, application);
  await at("AT#XDFUAPPLY=0");
  assert.equal(await reset(world), "Ready\r\n\r\n#XFOTA: 5,0\r\n");
});

test("what was applied outlives a power cut, and what was only written does not run", async () => {
  const application = await image(2, 1);
  for (const isApplied of [true, false]) {
    const files = createVirtualFiles();
    const world = await makeWorld({ files, folder: "application", modem: { files, folder: "modem" } });
    await world.at(`AT#XDFUINIT=0,${application.length}`);
    await upload(world, 0, application);
    if (isApplied) await world.at("AT#XDFUAPPLY=0");
    world.modem.cutPower();
    await world.clock.advance(1);
    const after = files.restart();
    const { at, take } = await makeWorld({
      files: after,
      folder: "application",
      modem: { files: after, folder: "modem" },
    });
    assert.equal(take(), isApplied ? "\r\n#XFOTA: 5,0\r\n" : "");
    assert.equal(await at("AT#XSMVER"), `\r\n#XSMVER: "${isApplied ? "v2.1.0" : "v2.0.0"}","3.4.0"\r\n${ok}`);
  }
});

test("a package of a modem is read as Nordic's tools read theirs, and a damaged one is none", () => {
  const file = makeSimulatedModemPackage({ to, bootloaderBytes: 600, firmwareBytes: 2_000 });
  assert.deepEqual([file[0], file[1]], [0xd2, 0x84]);
  const parts = readModemPackage(file);
  assert.deepEqual(
    [parts?.bootloader, ...(parts?.firmware ?? [])].map((segment) => [segment?.address, segment?.bytes.length]),
    [
      [0, 600],
      [0x10000, 1_268],
      [0x80000, 732],
    ],
  );
  assert.equal(readModemPackage(concatBytes([file, new Uint8Array(1)])), undefined);
  for (let length = 0; length < file.length; length++) {
    assert.equal(readModemPackage(file.subarray(0, length)), undefined, String(length));
  }
  for (let at = 0; at < 100; at++) {
    const changed = file.slice();
    changed[at] = (changed[at] ?? 0) ^ 0xff;
    readModemPackage(changed);
  }
  const half = modemPackageBytesMax / 2;
  assert.throws(() => makeSimulatedModemPackage({ to, firmwareBytes: half + 1 }), { code: "OPTION_INVALID" });
  assert.throws(() => makeSimulatedModemPackage({ to: "a b" }), { code: "OPTION_INVALID" });
  const large = new Uint8Array(modemPackageBytesMax + 1);
  large.set(file);
  assert.equal(readModemPackage(large), undefined);
});

test("nothing is left when the application ends while the modem erases", async () => {
  const world = await makeWorld();
  await world.at("AT#XDFUINIT=1,10000");
  await write(world, 1, 0, delta.subarray(0, 5_000));
  await world.send("AT#XDFUINIT=1,10000\r");
  await world.clock.until(world.application.close());
  await world.clock.until(world.modem.close());
  assert.equal(world.clock.timerCount, 0);
});
