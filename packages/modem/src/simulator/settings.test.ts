import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { defaultSettings, readSettings, writeSettings } from "./settings.js";

const folder = "/modem";

test("settings are read back as they were written", async () => {
  const files = createVirtualFiles();
  const settings = {
    ...defaultSettings,
    psm: { periodicTau: "00000110", activeTime: "00000000" },
    edrx: { 4: "1001", 5: null },
  };
  await files.makeFolder(folder);
  await writeSettings({ files, folder }, settings);
  assert.deepEqual(await readSettings({ files, folder }), settings);
});

const edited: object[] = [
  { psm: {} },
  { psm: { periodicTau: "00000110", activeTime: 5 } },
  { edrx: {} },
  { edrx: { 4: 9, 5: null } },
  { pdn: { type: "IP" } },
  // What goes into an answer would end it.
  { psm: { periodicTau: '1"\r\nOK', activeTime: "00000000" } },
  { edrx: { 4: "\r\nOK\r\n", 5: null } },
  { pdn: { type: "X25", apn: "" } },
  { pdn: { type: "IP", apn: 'a","' } },
  { pagingWindow: null },
  { pagingWindow: { 4: "0011", 5: 3 } },
  { systemMode: { lteM: true, nbIot: false, gnss: false, preference: 1e308 } },
];
for (const change of edited) {
  test(`settings edited to ${JSON.stringify(change)} are refused, not half used`, async () => {
    const files = createVirtualFiles();
    await files.makeFolder(folder);
    const text = JSON.stringify({ ...defaultSettings, ...change });
    await files.replace(`${folder}/settings.json`, new TextEncoder().encode(text));
    await assert.rejects(readSettings({ files, folder }), (error) => isThinglineError(error, "STORE_CORRUPT"));
  });
}
