// Uploads against the simulated serial modem application, over its line.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { signImage } from "@thingline/protocol/image";
import { createNodeKeys } from "@thingline/transport/node";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { createConnectionPair, type Clock, type Connection } from "@thingline/transport";
import { createVirtualClock, createVirtualFiles, createVirtualRandom } from "@thingline/transport/virtual";
import { createSerialModemApplication } from "../serial-modem/create.js";
import { makeSimulatedModemPackage } from "../serial-modem/dfu-modem-package.js";
import { openModemSession } from "../session.js";
import { makeSimulatedModemDelta } from "../simulator/delta-image.js";
import { createSimulatedModem } from "../simulator/modem.js";
import { readFullImage } from "./full-image.js";
import type { FirmwareUpload, UploadEvent, UploadFirmwareOptions } from "./types.js";
import { uploadFirmware } from "./upload.js";

const from = "mfw_nrf9160_1.3.2";
const to = "mfw_nrf9160_1.3.7";
const keys = createNodeKeys();
const sha256 = (bytes: Uint8Array) => keys.sha256(bytes);
const version = { major: 3, minor: 1, revision: 0, build: 0 };
const uploads: Record<FirmwareUpload["kind"], FirmwareUpload> = {
  application: {
    kind: "application",
    image: await signImage(new Uint8Array(9_000).fill(7), {
      ...{ crypto: createNodeImageCrypto(), version, headerBytes: 512, padsHeader: true },
    }),
  },
  delta: { kind: "delta", image: makeSimulatedModemDelta({ from, to, sizeBytes: 10_000 }), revision: to },
  full: {
    kind: "full",
    image: readFullImage(makeSimulatedModemPackage({ to, sha256 }), sha256),
    revision: to,
  },
};

/** At the nth command of an upload, from 1. `seen` counts them. */
interface LineFault {
  at: number;
  do: "unplug" | "loseAnswer" | "minusOne" | "loseCommand";
  seen: number;
}

/** A line between host and board that goes wrong at one command. */
function faultyLine(board: Connection, clock: Clock, fault: LineFault): Connection {
  const { near, far } = createConnectionPair({ clock });
  const encoder = new TextEncoder();
  let isHit = false;
  far.start({
    data(bytes) {
      const isCommand = /^AT#X(?:DFU(?:INIT|WRITE|APPLY)=\d|RESET|MODEMRESET)/.test(
        new TextDecoder("latin1").decode(bytes.subarray(0, 20)),
      );
      if (isCommand) isHit = ++fault.seen === fault.at;
      if (isCommand && isHit && fault.do === "unplug") return far.destroy();
      if (isCommand && isHit && fault.do === "loseCommand") return;
      board.write(bytes.slice());
    },
    closed: () => board.destroy(),
  });
  board.start({
    data(bytes) {
      if (isHit && fault.do === "loseAnswer") return;
      const text = new TextDecoder("latin1").decode(bytes);
      const isSpoiled = isHit && fault.do === "minusOne";
      far.write(isSpoiled ? encoder.encode(text.replace(/(#XDFU: \d,\d),0/, "$1,-1")) : bytes.slice());
    },
    closed: () => far.destroy(),
  });
  return near;
}

/** A board whose memory outlives its power. */
async function openBoard() {
  const clock = createVirtualClock();
  const files = createVirtualFiles();
  const network = { dial: () => Promise.reject(new Error("nobody dials")) };
  const boot = async () => {
    const place = { files, folder: "/modem" };
    const modem = await createSimulatedModem({ network, clock, random: createVirtualRandom(1), keys, ...place });
    const options = { clock, random: createVirtualRandom(2), dialect: "serialModem", ...place } as const;
    return { modem, application: await createSerialModemApplication(modem, options) };
  };
  let board = await clock.untilSettled(boot());
  const run = async (upload: FirmwareUpload, options: Partial<UploadFirmwareOptions> = {}, fault?: LineFault) => {
    const port = board.application.openPort();
    const line = fault === undefined ? port : faultyLine(port, clock, fault);
    const session = openModemSession(line, { clock, lineEnd: "\r" });
    const upAndDown = uploadFirmware(session, upload, { clock, pieceBytes: 4_000, ...options });
    const outcome = await clock.until(upAndDown).catch((error: unknown) => error);
    await clock.until(session.close());
    return outcome;
  };
  const powerCycle = async () => {
    board.modem.cutPower();
    await clock.until(board.application.close());
    await clock.until(board.modem.closed);
    board = await clock.untilSettled(boot());
  };
  return { clock, run, powerCycle, modem: () => board.modem };
}

for (const kind of ["application", "delta", "full"] as const) {
  test(`the simulated application takes an upload (${kind}), and runs it`, async () => {
    const { run } = await openBoard();
    const report = await run(uploads[kind]);
    assert.ok(!(report instanceof ThinglineError), String(report));
    const { before, after } = report as { before?: string; after?: string };
    if (kind === "application") assert.match(after ?? "", /^#XSMVER: "v3\.1\.0"/);
    else assert.deepEqual([before, after], [from, to]);
  });
}

test("a power cut in the middle of a whole firmware leaves a modem that waits for one, and the next upload gives it one", async () => {
  const { run, powerCycle, modem } = await openBoard();
  let phase = "";
  const onEvent = (event: UploadEvent) => {
    if (event.type === "phase") ({ phase } = event);
    if (event.type === "sent" && phase === "firmware" && event.sentBytes > 15_000) modem().cutPower();
  };
  const cut = await run(uploads.full, { onEvent });
  assert.ok(isThinglineError(cut, "MODEM_DFU_FAILED"), String(cut));
  assert.equal(cut.details["state"], "noFirmware");
  await powerCycle();
  const refused = await run(uploads.delta);
  assert.ok(isThinglineError(refused, "MODEM_DFU_FAILED"), String(refused));
  assert.equal(refused.details["state"], "bootloaderMode");
  const report = await run(uploads.full);
  assert.ok(!(report instanceof ThinglineError), String(report));
  assert.equal((report as { after?: string }).after, to);
});

test("a power cut while a delta is sent leaves what ran before", async () => {
  const { run, powerCycle, modem } = await openBoard();
  const onEvent = (event: UploadEvent) => {
    if (event.type === "sent" && event.sentBytes > 5_000) modem().cutPower();
  };
  const cut = await run(uploads.delta, { onEvent });
  assert.ok(isThinglineError(cut, "MODEM_DFU_FAILED"), String(cut));
  assert.equal(cut.details["state"], "transferOpen");
  await powerCycle();
  const report = await run(uploads.delta);
  assert.ok(!(report instanceof ThinglineError), String(report));
});

// Every command with the long variant; a few of them otherwise.
const stride = process.env["THINGLINE_TEST_LONG"] === "1" ? 1 : 13;

for (const kind of ["application", "delta", "full"] as const) {
  test(`after a fault of the line (${kind}) the same command, run again, brings the firmware`, async () => {
    let hit = 0;
    for (const [index, fault] of (["unplug", "loseAnswer", "minusOne", "loseCommand"] as const).entries()) {
      for (let at = 1 + (index % stride); ; at += stride) {
        const { run, powerCycle } = await openBoard();
        const line: LineFault = { at, do: fault, seen: 0 };
        const first = await run(uploads[kind], {}, line);
        if (line.seen < at) break;
        hit++;
        const where = `${fault} at command ${at}: ${String(first)}`;
        if (!(first instanceof ThinglineError)) continue;
        assert.equal(first.code, "MODEM_DFU_FAILED", where);
        if (fault === "unplug") await powerCycle();
        const again = await run(uploads[kind]);
        assert.ok(!(again instanceof ThinglineError), `${where}; again: ${String(again)}`);
      }
    }
    assert.ok(hit >= 20 / stride, `${hit} faults`);
  });
}
