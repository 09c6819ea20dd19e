import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { manifestBytesMax, manifestEntriesMax, readManifest } from "./manifest.js";

const read = (name: string, text: string) => readManifest(createVirtualFiles({ content: { [name]: text } }), name);
const one = "352656100367872";
const two = "352656100367880";

test("a CSV names folders by IMEI or by serial number, with quotes, CRLF, empty lines and any order of columns", async () => {
  const text = `folder,IMEI,serial,secTag\r\n"a, ""b""",${one},,42\r\n\r\n/abs/c,,000960012345,\r\n`;
  const manifest = await read("/line/boards.csv", text);
  assert.equal(manifest.entryCount, 2);
  assert.deepEqual(manifest.find({ imei: one, serial: undefined }), { folder: '/line/a, "b"', secTag: 42 });
  assert.deepEqual(manifest.find({ imei: two, serial: "960012345" }), { folder: "/abs/c" });
  assert.equal(manifest.find({ imei: two, serial: undefined }), undefined);
  assert.equal(manifest.find({ imei: two, serial: "1" }), undefined);
});

test("a JSON list says the same", async () => {
  const boards = [
    { imei: one, folder: "a", secTag: 42 },
    { serial: "960012345", folder: "b.json" },
  ];
  const manifest = await read("/line/boards.json", JSON.stringify(boards));
  assert.deepEqual(manifest.find({ imei: one, serial: "960012345" }), { folder: "/line/a", secTag: 42 });
  assert.deepEqual(manifest.find({ imei: two, serial: "000960012345" }), { folder: "/line/b.json" });
});

test("a CSV without a last line end is read to its end", async () => {
  assert.equal((await read("/a.csv", `imei,folder\n${one},a\n${two},b`)).entryCount, 2);
});

const refused: [what: string, name: string, text: string, message: RegExp][] = [
  ["nothing", "a.csv", "", /a\.csv is empty|has no boards/],
  ["a heading alone", "a.csv", "imei,folder\n", /has no boards/],
  ["an unknown column", "a.csv", `imei,path\n${one},a\n`, /a column "path"; known are imei, serial, folder, secTag/],
  ["a board without folder", "a.csv", `imei,folder\n${one},\n`, /line 2 has no folder/],
  ["a board without a name", "a.csv", "imei,folder\n,a\n", /line 2 has neither imei nor serial/],
  ["a short IMEI", "a.csv", "imei,folder\n1234,a\n", /line 2 has an imei that is not of 15 digits/],
  ["a board twice", "a.csv", `imei,folder\n${one},a\n${one},b\n`, /line 3 has a board that stands above it already/],
  ["a serial number twice, once with zeros", "a.csv", "serial,folder\n1,a\n001,b\n", /line 3 has a board that stands/],
  ["a tag that is none", "a.csv", `imei,folder,secTag\n${one},a,x\n`, /line 2 has a secTag that is no security tag/],
  ["too many cells", "a.csv", `imei,folder\n${one},a,b\n`, /line 2 has more cells than the heading/],
  ["a quote out of place", "a.csv", `imei,folder\n${one},a"b\n`, /has a quote that is out of place/],
  ["a column twice", "a.csv", `imei,folder,IMEI\n${one},a,\n`, /has the column imei twice/],
  ["no JSON", "a.json", "{", /is no JSON/],
  ["an object", "a.json", "{}", /holds no list of boards/],
  ["an entry that is no object", "a.json", "[1]", /entry 1 is no object/],
  ["a member that is no text", "a.json", `[{"imei":"${one}","folder":[]}]`, /entry 1 has a folder that is no text/],
];
for (const [what, name, text, message] of refused) {
  test(`${what} in a manifest is told by place`, async () => {
    await assert.rejects(read(name, text), { code: "MANIFEST_INVALID", message });
  });
}

test("a manifest has a bound", async () => {
  const rows = (count: number) =>
    `serial,folder\n${Array.from({ length: count }, (_, at) => `${at + 1},f`).join("\n")}\n`;
  assert.equal((await read("a.csv", rows(manifestEntriesMax))).entryCount, manifestEntriesMax);
  await assert.rejects(read("a.csv", rows(manifestEntriesMax + 1)), {
    code: "MANIFEST_INVALID",
    message: /more than 10000/,
  });
});

test("a manifest that is too large is not read", async () => {
  const text = `imei,folder\n${one},${"f".repeat(manifestBytesMax)}\n`;
  await assert.rejects(read("a.csv", text), { code: "FILE_TOO_LARGE" });
});
