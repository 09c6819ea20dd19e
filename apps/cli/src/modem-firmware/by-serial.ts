import {
  compareFirmwareVersions,
  type FirmwareUpload,
  type ModemSession,
  openModemSession,
  parseFirmwareRevision,
  uploadFirmware,
  type UploadEvent,
} from "@thingline/modem";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { nodeAdapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import type { DoorOptions } from "../door-options.js";
import { connectDoor, probeDoor } from "../modem-door.js";
import type { Output } from "../output.js";
import { readFullUpload, readImageUpload, requireSameFamily } from "./package-file.js";
import { ProgramProgress } from "./progress.js";

const waitingAnswerMs = 2_000;

export interface BySerialOptions {
  delta?: string;
  app?: string;
  force?: boolean;
  /** False by `--no-restart`. */
  restart?: boolean;
}

/** Uploads by the DFU commands of Nordic's serial modem application. */
export async function programBySerial(
  context: CommandContext,
  options: BySerialOptions & DoorOptions,
  packagePath: string | undefined,
): Promise<void> {
  const { output, signal } = context;
  const upload = await readUpload(options, packagePath);
  const sizeBytes = upload.kind === "full" ? upload.image.sizeBytes : upload.image.length;
  const revision = upload.kind === "application" ? undefined : upload.revision;
  output.event(
    { event: "firmwarePackage", kind: upload.kind, revision: revision ?? null, bytes: sizeBytes },
    `${output.paint.green("checked")}  ${revision ?? uploadWords[upload.kind]}, ${sizeBytes} bytes`,
  );
  await using door = await openDoor(options, signal);
  if (upload.kind !== "application" && (await isThere(context, { door, upload, options }))) return;
  const progress = new ProgramProgress(output);
  let held: Disposable | undefined;
  try {
    const report = await uploadFirmware(door.session, upload, {
      clock: nodeAdapters().clock,
      signal,
      activates: options.restart !== false,
      onEvent(event) {
        if (event.type === "phase" && event.phase === "firmware") held ??= context.holdStop?.(() => warnOfEnd(output));
        show(output, progress, event);
      },
    });
    progress.end();
    const { before = null, after = null, attempts } = report;
    output.event(
      {
        event: "firmwareProgrammed",
        way: "serial",
        kind: upload.kind,
        before,
        after,
        attempts,
        isVerified: after !== null,
      },
      after === null
        ? `${output.paint.green("uploaded")}; the next restart of the board goes over to it`
        : `${output.paint.green("programmed")}, and the board runs ${after}`,
    );
  } finally {
    progress.end();
    held?.[Symbol.dispose]();
  }
}

function warnOfEnd(output: Output): void {
  const message =
    "there is no way back: it goes on to its end. Ctrl-C again ends it, and leaves the modem without firmware";
  output.complain({ kind: "warning", message });
}

async function readUpload({ delta, app }: BySerialOptions, packagePath: string | undefined): Promise<FirmwareUpload> {
  const { files } = nodeAdapters();
  if (delta !== undefined) return readImageUpload(files, delta, "delta");
  if (app !== undefined) return readImageUpload(files, app, "application");
  return readFullUpload(files, packagePath ?? "");
}

/** Where the uploads go. */
interface UploadDoor extends AsyncDisposable {
  session: ModemSession;
}

async function openDoor(options: DoorOptions, signal: AbortSignal): Promise<UploadDoor> {
  const door = await probeDoor(options, signal, { leavesDataMode: true });
  const { kind } = door.probe;
  if (kind === "serialModem") return door;
  await door.session.close();
  if (kind === "unknown") return openWaitingBoard(options, { name: door.name, signal });
  const [code, message] =
    kind === "silent"
      ? (["MODEM_NOT_FOUND", `nothing answers AT on ${door.name}`] as const)
      : ([
          "MODEM_APPLICATION_MISSING",
          `${door.name} has a modem, and no serial modem application that takes firmware: without --port it is programmed by nrfutil`,
        ] as const);
  throw new ThinglineError(code, message, { details: { where: door.name } });
}

/**
 * A board that waits for a whole firmware answers everything else with ERROR, which a probe does not take for a modem. How it ends its lines is
 * found by the one question that it answers: with a wrong end the first byte of each piece would be one of the line's.
 */
async function openWaitingBoard(
  options: DoorOptions,
  { name, signal }: { name: string; signal: AbortSignal },
): Promise<UploadDoor> {
  for (const lineEnd of ["\r", "\r\n", "\n"] as const) {
    const { connection } = await connectDoor(options, signal);
    const session = openModemSession(connection, { clock: nodeAdapters().clock, lineEnd });
    try {
      await session.command("AT#XDFUINIT=?", { timeoutMs: waitingAnswerMs, signal });
      return { session, [Symbol.asyncDispose]: () => session.close() };
    } catch (error) {
      await session.close();
      if (!isThinglineError(error, "TIMEOUT") && !isThinglineError(error, "MODEM_COMMAND_REJECTED")) throw error;
    }
  }
  const message = `what answers on ${name} neither speaks AT nor takes firmware: a log or a shell`;
  throw new ThinglineError("MODEM_NOT_FOUND", message, { details: { where: name } });
}

/** Refuses what is for another family; says when it runs already, or is older. */
async function isThere(
  { output, signal }: CommandContext,
  { door, upload, options }: { door: UploadDoor; upload: FirmwareUpload; options: BySerialOptions },
): Promise<boolean> {
  const revision = upload.kind === "application" ? undefined : upload.revision;
  const running = await runningRevision(door, signal);
  requireSameFamily(revision, running);
  if (revision === undefined || running === undefined) return false;
  if (running === revision && options.force !== true) {
    output.event(
      { event: "firmwareUnchanged", revision },
      `the modem runs ${revision} already; --force programs it again`,
    );
    return true;
  }
  const [wanted, found] = [parseFirmwareRevision(revision), parseFirmwareRevision(running)];
  if (wanted !== undefined && found !== undefined && compareFirmwareVersions(wanted.version, found.version) < 0) {
    const message = `${revision} is older than ${running}, which runs: modems do not take every older one`;
    output.event({ event: "warning", message });
    output.complain({ kind: "warning", message });
  }
  return false;
}

async function runningRevision({ session }: UploadDoor, signal: AbortSignal): Promise<string | undefined> {
  try {
    return (await session.command("AT+CGMR", { signal }))[0];
  } catch (error) {
    if (isThinglineError(error, "MODEM_COMMAND_REJECTED")) return undefined;
    throw error;
  }
}

const uploadWords = { full: "a whole firmware", delta: "a delta", application: "an application's image" } as const;

const phases = {
  preparing: "making room, which takes up to two minutes",
  image: "sending the image",
  bootloader: "sending the modem's bootloader",
  firmware: "sending the modem's firmware: do not unplug the board, there is no way back",
  applying: "having it checked and applied",
  restarting: "restarting",
  verifying: "asking which firmware runs",
} as const;

function show(output: Output, progress: ProgramProgress, event: UploadEvent): void {
  switch (event.type) {
    case "phase":
      return progress.phase(event.phase, phases[event.phase]);
    case "sent":
      return progress.percent((100 * event.sentBytes) / event.totalBytes, `${event.sentBytes} bytes`);
    case "repeated": {
      const { address, reason } = event;
      output.event({ event: "firmwareRepeated", address, reason });
      return output.complain({ kind: "warning", message: `a piece is sent again to ${address}: ${reason}` });
    }
    case "begunAgain": {
      const { attempt, reason } = event;
      output.event({ event: "firmwareBegunAgain", attempt, reason });
      return output.complain({ kind: "warning", message: `once more from the beginning: ${reason}` });
    }
  }
}
