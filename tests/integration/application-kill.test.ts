// `kill -9` of a gateway's application, and of its supervisor, at steps of an update, with real processes and files. Every single write is cut in
// packages/device/src/fota/targets/application-directory.test.ts.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { installApplication, packApplication } from "@thingline/device/application";
import { signImage } from "@thingline/protocol/image";
import { createNodeFiles } from "@thingline/transport/node";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { type JsonEvent, type RunningProgram, startProgram, temporaryFolder } from "./cli-process.test.support.js";

const support = fileURLToPath(new URL("./application-process.test.support.js", import.meta.url));
const crypto = createNodeImageCrypto();
const points = ["begun", "written", "verified", "scheduled", "onTrial", "confirmed"];
const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

function imageOf(version: string): Promise<Uint8Array> {
  const program = `process.argv.splice(2, 0, "application", process.env.GATEWAY_FOLDER, ${JSON.stringify(version)});
await import("file://" + process.env.GATEWAY_PROGRAM);
`;
  const files = { "main.mjs": new TextEncoder().encode(program), "data.bin": new Uint8Array(200_000).fill(7) };
  const [major = 0] = version.split(".").map(Number);
  return signImage(packApplication(files, { main: "main.mjs", crypto }), {
    ...{ crypto, version: { major, minor: 0, revision: 0, build: 0 }, headerBytes: 32, padsHeader: true },
  });
}

async function gateway(context: TestContext, victim: string, at: readonly string[]): Promise<string> {
  const folder = await temporaryFolder(context);
  await installApplication({ folder, files: createNodeFiles(), crypto }, await imageOf("1.0.0"));
  await writeFile(join(folder, "update.img"), await imageOf("2.0.0"));
  await writeFile(join(folder, "plan.json"), JSON.stringify({ victim, points: at, done: [] }));
  return folder;
}

const supervise = (context: TestContext, folder: string): RunningProgram =>
  startProgram(context, process.execPath, [support, "supervise", folder]);

const is =
  (name: string) =>
  ({ event }: JsonEvent): boolean =>
    event === name;

const doneIn = async (folder: string): Promise<string[]> =>
  (JSON.parse(await readFile(join(folder, "plan.json"), "utf8")) as { done: string[] }).done;

test("an application that is killed at each step of its update is updated in the end", async (context) => {
  const folder = await gateway(context, "application", points);
  const supervisor = supervise(context, folder);
  await supervisor.event(is("done"));
  assert.deepEqual(await doneIn(folder), points);
  await supervisor.end("SIGTERM");
});

test("so is one whose supervisor is killed at each step, and no two of it run", async (context) => {
  // Each is two processes.
  const sampled = isLong ? points : ["written", "scheduled", "onTrial"];
  const folder = await gateway(context, "supervisor", sampled);
  for (const point of sampled) {
    const supervisor = supervise(context, folder);
    await supervisor.event(is("killing"));
    // Its output ends when its application has ended, too.
    await supervisor.end("SIGKILL");
    assert.equal((await doneIn(folder)).at(-1), point);
  }
  const last = supervise(context, folder);
  await last.event(is("done"));
  await last.end("SIGTERM");
});
