import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { eventsOf, runThinglineIn, temporaryFolder } from "./cli-process.test.support.js";

test("files that have no end, are no files or no text end a command at once, by name", async (t) => {
  const cwd = await temporaryFolder(t);
  execFileSync("mkfifo", [join(cwd, "pipe")]);
  await writeFile(join(cwd, "utf16.conf"), Buffer.from("\uFEFFCONFIG_AWS_IOT=y\n", "utf16le"));
  await writeFile(join(cwd, "binary.conf"), Uint8Array.of(0x43, 0xff, 0x00));
  await writeFile(join(cwd, "unmarked.conf"), Buffer.from("CONFIG_AWS_IOT=y\n", "utf16le").swap16());
  await writeFile(join(cwd, "nul.conf"), "CONFIG_AWS_IOT=y\0\n");
  const ok = ["=y", '_BROKER_HOST_NAME="localhost"', "_SEC_TAG=4", '_CLIENT_ID_STATIC="a"'];
  await writeFile(join(cwd, "ok.conf"), ok.map((line) => `CONFIG_AWS_IOT${line}\n`).join(""));
  const cases: [command: string, code: string, message: RegExp][] = [
    ["modem write --sec-tag 4 --ca /dev/zero", "FILE_TOO_LARGE", /"\/dev\/zero" is too large.* 65536 /],
    ["device run --conf /dev/urandom", "FILE_TOO_LARGE", /"\/dev\/urandom" is too large.* 1048576 /],
    ["provision --conf pipe", "FILE_UNREADABLE", /"pipe" is a named pipe, expected a regular file/],
    ["provision --conf .", "FILE_UNREADABLE", /"\." is a folder, expected a regular file/],
    ["device run --conf utf16.conf", "FILE_UNREADABLE", /"utf16\.conf" is UTF-16 text: save it as UTF-8/],
    ["device run --conf unmarked.conf", "FILE_UNREADABLE", /"unmarked\.conf" is UTF-16 text: save it as UTF-8/],
    ["provision --conf ok.conf --ca unmarked.conf", "FILE_UNREADABLE", /"unmarked\.conf" is UTF-16 text/],
    ["provision --conf nul.conf", "FILE_UNREADABLE", /"nul\.conf" is no text in UTF-8/],
    ["modem list --modem-dir utf16.conf", "FILE_UNREADABLE", /"utf16\.conf" is a file, expected a folder/],
    [
      "device run --conf ok.conf --native-tls --certs ok.conf",
      "FILE_NOT_FOUND",
      /^ok\.conf is a file; expected a folder/,
    ],
    [
      "device run --conf ok.conf --native-tls --state-dir binary.conf",
      "FILE_UNREADABLE",
      /cannot (read|list) "binary\.conf\/.*"binary\.conf" is a file, expected a folder/,
    ],
    ["device run --conf binary.conf", "FILE_UNREADABLE", /"binary\.conf" is no text in UTF-8/],
  ];
  const runs = cases.map(([command]) => runThinglineIn(t, { cwd }, ...command.split(" "), "--json"));
  for (const [at, [command, code, message]] of cases.entries()) {
    const finished = await runs[at];
    assert.ok(finished);
    const [failure] = eventsOf(finished);
    assert.equal(finished.code, 1, command);
    assert.equal(failure?.["code"], code, command);
    assert.match(String(failure?.["message"]), message, command);
  }
});
