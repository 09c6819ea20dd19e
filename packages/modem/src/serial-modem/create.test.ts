import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock, createVirtualFiles, createVirtualRandom } from "@thingline/transport/virtual";
import { makeModemWorld } from "../world.test.support.js";
import { createSerialModemApplication } from "./create.js";
import { serialModemPortsMax, type SerialModemOptions } from "./options.js";
import { openSerialModemStorage, storedEntriesMax, storedValueCharactersMax } from "./storage.js";
import { makeSerialModemWorld } from "./world.test.support.js";

const ok = "\r\nOK\r\n";

test("an option that is wrong is refused by its name", async () => {
  const clock = createVirtualClock();
  const { modem } = await makeModemWorld({ clock });
  const random = createVirtualRandom(1);
  const wrong: [option: string, options: Partial<Record<keyof SerialModemOptions, unknown>>][] = [
    ["dialect", { dialect: "slm" }],
    ["terminator", { terminator: "NUL" }],
    ["baudRate", { baudRate: 1199 }],
    ["baudRate", { baudRate: Number.NaN }],
    ["whileBusy", { whileBusy: "ignored" }],
    ["version", { version: 'v"1' }],
    ["customerVersion", { customerVersion: "x".repeat(65) }],
    ["folder", { folder: "/modem" }],
    ["hasNativeTls", { hasNativeTls: true, dialect: "serialModem" }],
    ["resolve", { resolve: "dns" }],
  ];
  for (const [option, options] of wrong) {
    const made = createSerialModemApplication(modem, { clock, random, ...options } as SerialModemOptions);
    await assert.rejects(made, { code: "OPTION_INVALID", details: { option } }, option);
  }
  const application = await createSerialModemApplication(modem, { clock, random });
  for (const bytesPerSecond of [9, Number.NaN, 100_000_001]) {
    assert.throws(() => application.openPort({ bytesPerSecond }), { code: "OPTION_INVALID" });
  }
  for (let port = 0; port < serialModemPortsMax; port++) application.openPort();
  assert.throws(() => application.openPort(), { code: "LIMIT_EXCEEDED" });
  await application.close();
});

test("the speed of the line is kept where the application has a folder, and the add-on's is not", async () => {
  const clock = createVirtualClock();
  const files = createVirtualFiles({ random: createVirtualRandom("files") });
  const place = { files, folder: "/modem", clock };
  const first = await makeSerialModemWorld({ ...place, dialect: "slm-1.x" });
  assert.equal(await first.at("AT#XSLMUART?"), `\r\n#XSLMUART: 115200,1\r\n${ok}`);
  assert.equal(await first.at("AT#XSLMUART=1000000,0"), ok);
  assert.equal(await first.at("AT#XSLMUART=1000001"), "\r\nERROR\r\n");
  const again = await makeSerialModemWorld({ ...place, dialect: "slm-1.x" });
  assert.equal(await again.at("AT#XSLMUART?"), `\r\n#XSLMUART: 1000000,0\r\n${ok}`);
  assert.equal(await again.at("AT#XDATACTRL?"), `\r\n#XDATACTRL: 0,12\r\n${ok}`);
  const newer = await makeSerialModemWorld({ ...place, dialect: "serialModem", baudRate: 460_800 });
  assert.equal(await newer.at("AT+IPR?"), `\r\n+IPR: 460800\r\n${ok}`);
  assert.equal(await newer.at("AT+IPR=921600"), ok);
  assert.equal(await newer.at("AT+IPR?"), `\r\n+IPR: 921600\r\n${ok}`);
  assert.equal(await newer.at("AT+IPR=?"), `\r\n+IPR: (),(115200,230400,460800,921600,1000000)\r\n${ok}`);
});

test("what is kept is bounded, and a damaged file is named", async () => {
  const files = createVirtualFiles({ random: createVirtualRandom("files") });
  await files.makeFolder("/modem");
  const storage = await openSerialModemStorage({ files, folder: "/modem" });
  await storage.set("longest", "x".repeat(storedValueCharactersMax));
  await assert.rejects(storage.set("longest", "x".repeat(storedValueCharactersMax + 1)), { code: "LIMIT_EXCEEDED" });
  for (let entry = 1; entry < storedEntriesMax; entry++) await storage.set(`entry ${entry}`, "");
  await assert.rejects(storage.set("one more", ""), { code: "LIMIT_EXCEEDED" });
  await storage.set("longest", undefined);
  await storage.set("one more", "fits");
  assert.equal((await openSerialModemStorage({ files, folder: "/modem" })).get("one more"), "fits");
  // A download ends while a command changes something else.
  await Promise.all([
    storage.set("one more", "at once"),
    storage.set("entry 1", undefined),
    storage.set("entry 2", "2"),
  ]);
  const reopened = await openSerialModemStorage({ files, folder: "/modem" });
  const kept = ["one more", "entry 1", "entry 2"].map((name) => reopened.get(name));
  assert.deepEqual(kept, ["at once", undefined, "2"]);
  await files.replace("/modem/serial-modem.json", new TextEncoder().encode('{"uart":1}'));
  await assert.rejects(openSerialModemStorage({ files, folder: "/modem" }), { code: "STORE_CORRUPT" });
});
