// README.md's commands, from top to bottom, as they stand, in an empty folder. Differences from a person who copies them:
// `npx` is a script that runs this workspace's command, since an empty folder has none; a network namespace of its own keeps the README's
// ports free whatever runs on the machine; `npm start` and `npm test` are run by .ci/run; what runs until Ctrl-C runs in the background, as
// in another terminal, until it has said what it says; and mosquitto_pub is repeated until mosquitto_sub, which does not say when it has
// subscribed, has the message.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { runProgram, temporaryFolder, thinglineBin } from "./cli-process.test.support.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const ownNetwork = ["unshare", "--map-root-user", "--net", "bash", "-c"] as const;
const hasOwnNetwork =
  spawnSync(ownNetwork[0], [...ownNetwork.slice(1), "ip link set lo up"], { stdio: "ignore" }).status === 0;
const skip = hasOwnNetwork ? false : "needs unshare and ip, to have the README's ports for itself";
/** Then docs/modem.md's commands as well, in the same world, and those of README.md for a board behind a port, which tests of their own run. */
const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const isThere = (program: string) => spawnSync(program, ["--version"], { stdio: "ignore" }).error === undefined;

/** Waits for a line in the output of something in the background, and fails when that ends without it. */
const prelude = `
set -euo pipefail
ip link set lo up
touch heard.out
trap 'kill $(jobs -p) 2>/dev/null; wait || true' EXIT
begin() { bash -euc "exec $2" >"$1.out" 2>&1 & last=$!; }
until_says() {
  until grep -q -- "$2" "$1.out"; do
    kill -0 $last 2>/dev/null || { echo "ended without '$2':"; cat "$1.out"; exit 1; }
    read -rt 0.05 <> <(:) || true
  done
}
`;

function step(block: string, at: number): string {
  const quoted = `'${block.replaceAll("'", "'\\''")}'`;
  const [name, out] = [`step${at}`, `step${at}.out`];
  const said = `echo "ran: "${quoted}`;
  if (/^(?:npx )?thingline (?:cloud start|modem simulate .*)\n/.test(block))
    return `begin ${name} ${quoted}; until_says ${name} ^ready; ${said}`;
  if (block.startsWith("mosquitto_sub")) return isThere("mosquitto_sub") ? `begin heard ${quoted}; ${said}` : "";
  if (block.startsWith("mosquitto_pub")) {
    return isThere("mosquitto_pub")
      ? `until grep -q ^world heard.out; do bash -euc ${quoted}; done; kill $last; ${said}`
      : "";
  }
  if (/^aws /m.test(block))
    return isThere("aws") ? `bash -euc ${quoted} >${out}; grep -q my-thing ${out}; ${said}` : "";
  const runs = /^((?:npx )?thingline (?:modem write|thing create)[^]*\n)?((?:npx )?thingline device run [^]*)$/.exec(
    block,
  );
  if (runs !== null) {
    const before = runs[1] === undefined ? "" : `bash -euc '${runs[1].replaceAll("'", "'\\''")}'\n`;
    const device = `'${(runs[2] ?? "").replaceAll("'", "'\\''")}'`;
    return `${before}begin ${name} ${device}; until_says ${name} connected; kill $last; wait $last || true; ${said}`;
  }
  // What a block starts in its own background is to have done all that it was told before the block ends it.
  const own = /^([^]*>(\S+\.log) &\n[^]*)^(kill \$![^]*)$/m.exec(block);
  if (own !== null) {
    const [, before = "", log = "", end = ""] = own;
    const isDone = `last=$!; until grep -q cameBack ${log}; do kill -0 $last; ! grep Refused ${log}; read -rt 0.05 <> <(:) || true; done`;
    const whole = `'${`${before}${isDone}\n${end.replace("$!", "$last")}wait $last`.replaceAll("'", "'\\''")}'`;
    return `bash -euc ${whole} >${out} 2>&1 || { cat ${out} ${log}; exit 1; }\n${said}`;
  }
  return `bash -euo pipefail -c ${quoted} >${out} 2>&1 || { cat ${out}; exit 1; }\n${said}`;
}

test("README.md's commands do what it says, from top to bottom", { skip, timeout: 120_000 }, async (t) => {
  const documents = ["README.md", ...(isLong ? ["docs/modem.md", "docs/rules.md"] : [])];
  const texts = await Promise.all(documents.map((document) => readFile(join(root, document), "utf8")));
  const blocks = texts.flatMap((text) => [...text.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, block = ""]) => block));
  const [first = "", ...all] = blocks;
  const rest = all.filter((block) => isLong || !/ttyACM0/.test(block));
  assert.ok(isLong || rest.length > all.length / 2);
  assert.match(first, /^npm start .*\nnpm test .*\n$/);
  const folder = await temporaryFolder(t);
  const tools = join(folder, "tools");
  const empty = join(folder, "empty");
  await Promise.all([mkdir(tools), mkdir(empty)]);
  const npx = `#!/bin/sh\nshift\nexec env npm_command=exec "${process.execPath}" "${thinglineBin}" "$@"\n`;
  const thingline = `#!/bin/sh\nexec npx thingline "$@"\n`;
  for (const [name, script] of Object.entries({ npx, thingline })) {
    await writeFile(join(tools, name), script);
    await chmod(join(tools, name), 0o755);
  }
  const script = `${prelude}${rest.map(step).join("\n")}\necho all done\n`;
  const env = { PATH: `${tools}:${process.env["PATH"] ?? ""}`, HOME: folder };
  const { code, stdout, stderr } = await runProgram(t, ownNetwork[0], [...ownNetwork.slice(1), script], "", {
    cwd: empty,
    env,
  });
  assert.equal(code, 0, `${stdout}\n${stderr}`);
  assert.match(stdout, /all done\n$/);
  for (const block of rest) {
    const isRun = stdout.includes(`ran: ${block}`);
    if (!isRun) t.diagnostic(`left out, its program is not installed (.ci/run does): ${block.split("\n")[0]}`);
    assert.ok(isRun || /^(mosquitto|export AWS)/.test(block), block);
  }
});
