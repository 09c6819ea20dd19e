import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError, type ThinglineError } from "@thingline/protocol";
import { createVirtualClock } from "@thingline/transport/virtual";
import { openModemSession } from "../session.js";
import { type BoardFault, FakeBoard, imageOf, versionOfImage } from "./board.test.support.js";
import type { FirmwareUpload, UploadedBoardState, UploadEvent, UploadFirmwareOptions } from "./types.js";
import { uploadAttemptsMax, uploadFirmware, uploadPieceAttemptsMax } from "./upload.js";

const oldModem = "mfw_nrf91x1_2.0.1";
const newModem = "mfw_nrf91x1_2.0.2";
const pieceBytes = 100;
const firmware = imageOf(newModem, 420);
const uploads: Record<FirmwareUpload["kind"], FirmwareUpload> = {
  application: { kind: "application", image: imageOf("v2", 250) },
  delta: { kind: "delta", image: imageOf(newModem, 250), revision: newModem },
  full: {
    kind: "full",
    revision: newModem,
    image: {
      bootloader: { address: 0x1000, bytes: imageOf("bootloader", 150) },
      firmware: [
        { address: 0x50000, bytes: firmware.subarray(0, 220) },
        { address: 0x90000, bytes: firmware.subarray(220) },
      ],
      sizeBytes: 570,
    },
  },
};

async function openBoard(types?: number[]) {
  const clock = createVirtualClock();
  const board = new FakeBoard(clock, versionOfImage, types);
  const run = async (upload: FirmwareUpload, options: Partial<UploadFirmwareOptions> = {}) => {
    const session = openModemSession(board.plugIn(), { clock, lineEnd: "\r" });
    const events: UploadEvent[] = [];
    const onEvent = (event: UploadEvent) => {
      events.push(event);
      options.onEvent?.(event);
    };
    let error: ThinglineError | undefined;
    const report = await clock
      .until(uploadFirmware(session, upload, { clock, pieceBytes, ...options, onEvent }))
      .catch((failure: unknown) => {
        assert.ok(isThinglineError(failure), String(failure));
        error = failure;
        return undefined;
      });
    await clock.until(session.close());
    return { report, error, events };
  };
  return { clock, board, run };
}

describe("uploadFirmware()", () => {
  test("an application is sent in pieces, scheduled, and runs after a restart", async () => {
    const { board, run } = await openBoard();
    const { report, events } = await run(uploads.application);
    assert.deepEqual(report, {
      ...{ kind: "application", attempts: 1 },
      before: '#XSMVER: "v1","3.3.0"',
      after: '#XSMVER: "v2","3.3.0"',
    });
    assert.deepEqual(
      board.commands.filter((command) => command.startsWith("AT#XDFU")),
      [
        "AT#XDFUINIT=?",
        "AT#XDFUINIT=0,250",
        "AT#XDFUWRITE=0,0,100",
        "AT#XDFUWRITE=0,100,100",
        "AT#XDFUWRITE=0,200,50",
        "AT#XDFUAPPLY=0",
      ],
    );
    const sent = events.flatMap((event) => (event.type === "sent" ? [event.sentBytes] : []));
    assert.deepEqual(sent, [0, 100, 200, 250]);
  });

  test("a delta is applied by a restart of the modem alone; without activation it only waits for one", async () => {
    const first = await openBoard();
    const { report } = await first.run(uploads.delta);
    assert.deepEqual([report?.before, report?.after, first.board.modem], [oldModem, newModem, newModem]);
    assert.ok(first.board.commands.includes("AT#XMODEMRESET"));
    const done = await first.run(uploads.delta);
    assert.deepEqual([done.report?.attempts, done.report?.after], [0, newModem], "it runs already");
    const second = await openBoard();
    const waiting = await second.run(uploads.delta, { activates: false });
    assert.deepEqual([waiting.report?.after, second.board.scheduled?.version], [undefined, newModem]);
  });

  test("a whole firmware goes over the modem's bootloader, segment by segment", async () => {
    const { board, run } = await openBoard();
    const { report, events } = await run(uploads.full);
    assert.deepEqual(
      [report?.attempts, report?.after, board.modem, board.mode],
      [1, newModem, newModem, "application"],
    );
    assert.deepEqual(board.memory, firmware);
    const phases = events.flatMap((event) => (event.type === "phase" ? [event.phase] : []));
    assert.deepEqual(phases.slice(-6), ["preparing", "bootloader", "firmware", "applying", "restarting", "verifying"]);
  });

  test("a board without the commands, or without this kind, is told before anything is sent", async () => {
    for (const [types, kind] of [
      [[0, 1], "full"],
      [[], "application"],
    ] as const) {
      const { board, run } = await openBoard([...types]);
      const { error } = await run(uploads[kind]);
      assert.equal(error?.code, "MODEM_APPLICATION_MISSING");
      assert.equal(error.details["state"], "unchanged");
      assert.equal(board.counted, 0);
    }
  });

  test("one ERROR that noise made is not taken for what a board cannot do, or for what it runs", async () => {
    for (const phase of ["preparing", "verifying"] as const) {
      for (const spoilt of phase === "preparing" ? [/^AT$/, /^AT#XDFUINIT=\?/, /^AT\+CGMR/] : [/^AT\+CGMR/]) {
        const { board, run } = await openBoard();
        const onEvent = (event: UploadEvent) => {
          if (event.type === "phase" && event.phase === phase) board.spoilt = spoilt;
        };
        const { report, error } = await run(uploads.delta, { onEvent });
        assert.deepEqual(
          [report?.before, report?.after, error?.message],
          [oldModem, newModem, undefined],
          String(spoilt),
        );
      }
    }
  });

  test("a modem that waits for a whole firmware takes nothing else, and that without being sent there", async () => {
    const { board, run } = await openBoard();
    board.mode = "bootloader";
    const { error } = await run(uploads.delta);
    assert.deepEqual([error?.code, error?.details["state"]], ["MODEM_DFU_FAILED", "bootloaderMode"]);
    const { report } = await run(uploads.full);
    assert.deepEqual([report?.before, report?.after], [undefined, newModem]);
  });

  test("a delta for another firmware leaves the modem as it was, and that is told", async () => {
    const { run } = await openBoard();
    const { error } = await run({ kind: "delta", image: imageOf("no firmware", 250), revision: newModem });
    assert.deepEqual(
      [error?.code, error?.details["state"], error?.details["running"]],
      ["MODEM_DFU_FAILED", "unchanged", oldModem],
    );
  });

  test(`a board that refuses every piece is given up after ${uploadAttemptsMax} uploads`, async () => {
    const { board, run } = await openBoard();
    board.modem = undefined;
    const { error, events } = await run({ kind: "application", image: imageOf("v2", 250) }, { pieceBytes: 100 });
    assert.equal(error, undefined);
    const again = await openBoard();
    Object.defineProperty(again.board, "fault", { get: () => ({ at: again.board.counted, do: "minusOne" }) });
    const refused = await again.run(uploads.application);
    assert.deepEqual([refused.error?.code, refused.error?.details["state"]], ["MODEM_DFU_FAILED", "transferOpen"]);
    assert.equal(refused.events.filter(({ type }) => type === "begunAgain").length, uploadAttemptsMax - 1);
    assert.ok(!events.some(({ type }) => type === "begunAgain"));
  });

  test(`a piece of firmware that is refused is sent again to its address, up to ${uploadPieceAttemptsMax} times`, async () => {
    const { board, run } = await openBoard();
    // Init, two pieces and apply of the bootloader come before.
    board.fault = { at: 6, do: "minusOne" };
    const { report, events } = await run(uploads.full);
    assert.equal(report?.attempts, 1);
    assert.deepEqual(
      events.filter(({ type }) => type === "repeated").map((event) => "address" in event && event.address),
      [0x50064],
    );
    assert.deepEqual(board.memory, firmware);
  });

  test("an abort is followed as long as there is a way back, and not any more after the first byte of firmware", async () => {
    for (const [phase, isFollowed] of [
      ["bootloader", true],
      ["firmware", false],
    ] as const) {
      const { board, run } = await openBoard();
      const stop = new AbortController();
      const { report, error } = await run(uploads.full, {
        signal: stop.signal,
        onEvent: (event) => {
          if (event.type === "phase" && event.phase === phase) stop.abort();
        },
      });
      assert.equal(error?.code, isFollowed ? "ABORTED" : undefined);
      if (isFollowed) assert.deepEqual([error?.details["state"], board.modem], ["bootloaderMode", oldModem]);
      else assert.equal(report?.after, newModem);
    }
  });

  test("options are checked at the call", async () => {
    const { run } = await openBoard();
    const { error } = await run(uploads.delta, { pieceBytes: 0 });
    assert.equal(error?.code, "OPTION_INVALID");
  });
});

/** Whether what was said of a board is so. */
const truths: Record<UploadedBoardState, (board: FakeBoard) => boolean> = {
  unchanged: (board) => isOld(board) && board.scheduled === undefined,
  transferOpen: (board) => isOld(board) && board.scheduled === undefined,
  applyUnanswered: () => true,
  scheduled: (board) => isOld(board) && board.scheduled !== undefined,
  bootloaderMode: (board) => board.modem === oldModem,
  noFirmware: (board) => board.mode === "bootloader",
  unverified: (board) => !isOld(board),
};

const isOld = (board: FakeBoard): boolean => board.modem === oldModem && board.application === "v1";
const isNew = (board: FakeBoard, kind: FirmwareUpload["kind"]): boolean =>
  kind === "application" ? board.application === "v2" : board.modem === newModem;

const faults: readonly BoardFault[] = [
  ...["refuse", "cutInPayload", "minusOne", "loseAnswer", "loseCommand", "restart", "unplug", "garbage"],
] as BoardFault[];

// Every command with the long variant; otherwise a third of them, another third for each fault.
const stride = process.env["THINGLINE_TEST_LONG"] === "1" ? 1 : 3;

for (const kind of ["application", "delta", "full"] as const) {
  test(`a fault at any command of an upload (${kind}): what is said of the board is so, and running it again completes it`, async () => {
    let cutPoints = 0;
    for (const [index, fault] of faults.entries()) {
      for (let at = 1 + (index % stride); ; at += stride) {
        const { board, run } = await openBoard();
        board.fault = { at, do: fault };
        const { report, error } = await run(uploads[kind]);
        const where = `${fault} at command ${at}: ${error?.message ?? "done"}`;
        if (board.counted < at) break;
        cutPoints++;
        if (error === undefined) {
          assert.ok(isNew(board, kind) && report !== undefined, where);
          continue;
        }
        const state = error.details["state"] as UploadedBoardState;
        assert.ok(truths[state](board), `${where}, but the board is otherwise`);
        board.fault = undefined;
        const again = await run(uploads[kind]);
        assert.equal(again.error, undefined, `${where}; again: ${again.error?.message}`);
        assert.ok(isNew(board, kind), where);
      }
    }
    assert.ok(cutPoints >= 40 / stride, `${cutPoints} cut points`);
  });
}
