// Many simulated devices in one process, for `npm run bench -- fota`: each has a flash, a bootloader, its own connections, the job client and
// the updater, and does what a job asks for, through its reboot to the confirmed image.
import { setMaxListeners } from "node:events";
import { performance } from "node:perf_hooks";
import { createDevice } from "@thingline/device";
import {
  createFirmwareUpdater,
  createHttpDownloader,
  firmwareUpdateOperation,
  whenReady,
} from "@thingline/device/fota";
import { runJobs } from "@thingline/device/jobs";
import { type Board, type BoardApplication, createBoard, makeSimulatedFirmware, runBoard } from "@thingline/sim";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { createVirtualFiles, createVirtualFlash } from "@thingline/transport/virtual";
import type { FleetFacts } from "./fota-cloud.js";

export type FleetTask = { do: "makeImage" } | { do: "connect"; things: number; cloud: FleetFacts } | { do: "close" };
export type FleetAnswer = { imageBase64: string } | { seconds: number } | { connected: number } | { isClosed: true };

const imageBytes = 16 * 1024;
const slotPages = 8;
const pageBytes = 4_096;
const [clock, random, dialer] = [createNodeClock(), createNodeRandom(), createNodeNetwork()];
const crypto = createNodeImageCrypto();
const { privateKeyPem } = await crypto.generateKey("ecdsa-p256");
const keys = [crypto.publicKeyOf(privateKeyPem)];
const make = (version: string) => makeSimulatedFirmware({ crypto, privateKeyPem, version, sizeBytes: imageBytes });
const factoryImage = await make("1.0.0");
const life = new AbortController();
setMaxListeners(0, life.signal);
const boards: Promise<void>[] = [];

const stopped = (signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener("abort", () => resolve(), { once: true });
  });

async function openBoard(): Promise<Board> {
  const flash = createVirtualFlash({ sizeBytes: (2 * slotPages + 1) * pageBytes, pageBytes });
  return createBoard({ flash, crypto, keys, factoryImage });
}

/** Resolves when the device is connected for the first time. */
async function startDevice(clientId: string, { mqttPort, caPem }: FleetFacts): Promise<void> {
  const board = await openBoard();
  const files = createVirtualFiles();
  await new Promise<void>((resolve, reject) => {
    const application: BoardApplication = async (_image, context) => {
      const reconnect = { firstAttempt: "retry" } as const;
      const where = { host: "127.0.0.1", port: mqttPort, dialer, clock, random };
      await using device = createDevice({ ...where, clientId, reconnect });
      await using updater = createFirmwareUpdater({
        ...{ files, clock, random, reboot: context.reboot, connected: whenReady(device) },
        journalPath: "/update.json",
        // A thousand that ask at once are turned away by the cloud at first: what is measured is not how long they wait then.
        limits: { retryMaxMs: 4_000 },
        targets: [board.target()],
        downloaders: [createHttpDownloader({ clock, dialer, tls: { ca: caPem }, connections: 1 })],
      });
      const runner = await runJobs(device, {
        ...{ clock, random, files, folder: "/jobs" },
        handlers: { [firmwareUpdateOperation]: updater.handler },
      });
      try {
        await device.connect({ signal: context.signal });
        resolve();
        await stopped(context.signal);
      } finally {
        await runner.close();
      }
    };
    const running = runBoard(board, application, { signal: life.signal });
    boards.push(running.catch(reject));
  });
}

async function connect({ things, cloud }: { things: number; cloud: FleetFacts }): Promise<FleetAnswer> {
  const began = performance.now();
  const pending = Array.from({ length: things }, (_none, at) => `device-${at}`);
  // As many at a time as a listener has room for in its queue.
  const lanes = Array.from({ length: 50 }, async () => {
    for (let next = pending.pop(); next !== undefined; next = pending.pop()) await startDevice(next, cloud);
  });
  await Promise.all(lanes);
  return { seconds: (performance.now() - began) / 1_000 };
}

async function perform(task: FleetTask): Promise<FleetAnswer> {
  if (task.do === "makeImage") return { imageBase64: Buffer.from(await make("2.0.0")).toString("base64") };
  if (task.do === "connect") return connect(task);
  life.abort();
  await Promise.all(boards);
  return { isClosed: true };
}

process.on("message", (task: FleetTask) => {
  perform(task).then(
    (answer) => process.send!(answer),
    (error: unknown) => {
      process.stderr.write(`bench: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});
process.send!({});
