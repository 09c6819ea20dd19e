import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { readdir } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { runProgram, temporaryFolder, thinglineBin } from "./cli-process.test.support.js";

const isWindows = process.platform === "win32";
const ports = "--mqtts-port 0 --https-port 0 --api-port 0";

test("output that nobody reads, or that cannot be written, is no crash", { skip: isWindows }, async (t) => {
  const cwd = await temporaryFolder(t);
  const env = { THINGLINE: `${process.execPath} ${thinglineBin}` };
  const shell = (line: string) => runProgram(t, "bash", ["-c", line], "", { cwd, env });
  const full = existsSync("/dev/full");
  const cases: [line: string, code: number, stderr: RegExp][] = [
    ["$THINGLINE --help | true; exit ${PIPESTATUS[0]}", 141, /^$/],
    ["$THINGLINE modem list | true; exit ${PIPESTATUS[0]}", 141, /^$/],
    ["$THINGLINE modem list --json 2>&1 >/dev/null | true; exit ${PIPESTATUS[0]}", 0, /^$/],
    ["$THINGLINE nonsense 2>&1 | true; exit ${PIPESTATUS[0]}", 2, /^$/],
    [`$THINGLINE cloud start ${ports} --data-dir a 2>log | true; exit \${PIPESTATUS[0]}`, 141, /^$/],
    ["$THINGLINE --help >&-", 0, /^$/],
    ...(full
      ? ([
          ["$THINGLINE --help >/dev/full", 1, /^error: cannot write standard output: ENOSPC \(FILE_UNREADABLE\)\n$/],
          [`$THINGLINE cloud start ${ports} --data-dir b >/dev/full 2>&1`, 1, /^$/],
          ["$THINGLINE nonsense 2>/dev/full", 2, /^$/],
        ] as [string, number, RegExp][])
      : []),
  ];
  // One after the other there would be a second more of waiting.
  const finished = await Promise.all(cases.map(([line]) => shell(line)));
  for (const [at, [line, code, stderr]] of cases.entries()) {
    assert.equal(finished[at]?.code, code, line);
    assert.match(finished[at]?.stderr ?? "", stderr, line);
  }
  const left = (await readdir(join(cwd, "a"))).filter((name) => /lock|cloud\.json/.test(name));
  assert.deepEqual(left, [], "the cloud was closed");
});
