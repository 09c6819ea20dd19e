// A gateway in processes that are killed: `supervise FOLDER` runs the application of a folder, and `application FOLDER VERSION` is one that updates
// itself to the image in FOLDER/update.img, and kills itself or its supervisor once at each point that FOLDER/plan.json names.
import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { createApplicationTarget, superviseApplication } from "@thingline/device/application";
import { createNodeClock, createNodeFiles } from "@thingline/transport/node";
import { createNodeImageCrypto, createNodeProcesses, endWithParent } from "@thingline/transport/node/firmware";

const [role = "", folder = "", version = ""] = process.argv.slice(2);
const files = createNodeFiles();
const crypto = createNodeImageCrypto();
const clock = createNodeClock();
const say = (event: string, facts: object = {}) => process.stdout.write(`${JSON.stringify({ event, ...facts })}\n`);

interface Plan {
  /** Whom it kills. */
  victim: "application" | "supervisor";
  points: string[];
  /** Points that are over. */
  done: string[];
}

/** Once at each point. What is durable by now has to do. */
async function reach(point: string): Promise<void> {
  const path = `${folder}/plan.json`;
  const plan = JSON.parse(readFileSync(path, "utf8")) as Plan;
  if (!plan.points.includes(point) || plan.done.includes(point)) return;
  await files.replace(path, new TextEncoder().encode(JSON.stringify({ ...plan, done: [...plan.done, point] })));
  say("killing", { point });
  if (plan.victim === "application") process.kill(process.pid, "SIGKILL");
  process.kill(process.ppid, "SIGKILL");
  // It ends with its supervisor.
  await new Promise(() => setInterval(() => undefined, 1_000));
}

async function runApplication(): Promise<void> {
  endWithParent();
  const target = createApplicationTarget({ folder, files, crypto });
  const { running } = await target.state();
  say("running", { version, trial: running.trial, pid: process.pid });
  if (version === "2.0.0") {
    await reach("onTrial");
    await target.confirm();
    await reach("confirmed");
    await target.discard();
    say("done", { version });
    setInterval(() => undefined, 1_000);
    return;
  }
  const { signal } = new AbortController();
  const image = readFileSync(`${folder}/update.img`);
  const sizeBytes = image.length;
  await target.begin({ sizeBytes }, { signal });
  await reach("begun");
  await target.write(0, image.subarray(0, 150_000));
  await target.sync();
  await reach("written");
  const from = await target.resume({ sizeBytes, offset: 150_000 }, { signal });
  await target.write(from, image.subarray(from));
  await target.sync();
  const verdict = await target.verify({ sizeBytes }, { signal });
  if (!verdict.isAccepted) throw new Error(verdict.message);
  await reach("verified");
  await target.schedule();
  await reach("scheduled");
  process.exit(0);
}

if (role === "supervise") {
  const program = fileURLToPath(import.meta.url);
  const stop = new AbortController();
  process.once("SIGTERM", () => stop.abort());
  await superviseApplication({
    ...{ folder, files, crypto, clock, processes: createNodeProcesses(), signal: stop.signal },
    restartFirstMs: 10,
    restartLastMs: 20,
    command: ({ folder: slot, main }) => ({
      program: process.execPath,
      arguments: [`${slot}/${main}`],
      environment: { GATEWAY_PROGRAM: program, GATEWAY_FOLDER: folder },
    }),
    onEvent: ({ type, ...facts }) => say(type, facts),
  });
}
if (role === "application") await runApplication();
