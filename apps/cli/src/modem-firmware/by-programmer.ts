import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { nodeAdapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import type { DoorOptions } from "../door-options.js";
import { type OpenDoor, openModemDoor } from "../modem-door.js";
import type { Output } from "../output.js";
import {
  listBoards,
  type ProgrammerCommand,
  programPackage,
  recoverBoard,
  requireNrfutil,
  resetBoard,
} from "./nrfutil.js";
import { isSameSerialNumber, type NrfutilLine, type ProgrammerBoard } from "./nrfutil-lines.js";
import { readPackageFile } from "./package-file.js";
import { ProgramProgress } from "./progress.js";

/** A port is asked so often, some seconds each. */
const startAttemptsMax = 3;

export interface ByProgrammerOptions {
  serialNumber?: string;
  recover?: boolean;
  /** Default `device`. */
  with?: ProgrammerCommand;
  verifyPort?: string;
  baudRate?: number;
  flowControl?: boolean;
}

/** Programs a package by Nordic's nrfutil: checked first, one board, recovered only when asked to, asked afterwards where a port is named. */
export async function programByNrfutil(
  context: CommandContext,
  options: ByProgrammerOptions,
  path: string,
): Promise<void> {
  const { output, signal } = context;
  const found = await readPackageFile(nodeAdapters().files, path);
  const { revision = null, segments } = found;
  output.event(
    { event: "firmwarePackage", path, revision, segments: segments.length },
    `${output.paint.green("checked")}  ${path}: ${revision ?? "a modem firmware"}, ${segments.length} segments`,
  );
  await requireNrfutil("device", signal);
  if (options.with === "91") await requireNrfutil("91", signal);
  const board = choose(await listBoards(signal), options.serialNumber);
  const { serialNumber, boardVersion = null } = board;
  output.event(
    { event: "programmerBoard", serialNumber, boardVersion, ports: board.ports },
    `${output.paint.green("board")}    ${serialNumber}${boardVersion === null ? "" : `, ${boardVersion}`}`,
  );
  signal.throwIfAborted();
  await program(context, options, { path, serialNumber });
  await reset(output, serialNumber);
  if (options.verifyPort !== undefined) return verify(context, options, revision ?? undefined);
  output.event(
    { event: "firmwareProgrammed", way: "nrfutil", serialNumber, revision, isVerified: false },
    `${output.paint.green("programmed")}; which firmware runs, the modem says: modem firmware --port PORT`,
  );
}

async function program(
  context: CommandContext,
  { recover, with: command = "device" }: ByProgrammerOptions,
  { path, serialNumber }: { path: string; serialNumber: string },
): Promise<void> {
  const { output, signal } = context;
  const progress = new ProgramProgress(output);
  const onLine = (line: NrfutilLine): void => {
    if (line.type === "progress") progress.percent(line.percent, line.description);
  };
  try {
    if (recover === true) {
      const message = "the application on the board, and all that it keeps in its flash, is erased by --recover";
      output.event({ event: "warning", message });
      output.complain({ kind: "warning", message });
      progress.phase("recovering", "unlocking the board");
      await recoverBoard(serialNumber, { signal, onLine });
    }
    progress.phase("programming", "programming: do not unplug the board");
    using _held = context.holdStop?.(() => {
      const message = "the modem would be left without firmware: it goes on. Ctrl-C again ends Thingline, not nrfutil";
      output.complain({ kind: "warning", message });
    });
    await programPackage(path, { command, serialNumber, onLine });
  } catch (error) {
    throw asLeft(error);
  } finally {
    progress.end();
  }
}

/** What it means for the board, when the programming itself went wrong. */
function asLeft(error: unknown): unknown {
  if (!(error instanceof ThinglineError) || error.code !== "PROGRAMMER_FAILED") return error;
  const message = `${error.message}. If it had begun to write, the modem has no whole firmware until the same command comes to its end`;
  return new ThinglineError("PROGRAMMER_FAILED", message, { details: error.details, cause: error });
}

/** @throws {ThinglineError} PROGRAMMER_FAILED naming those that are there, when it is not clear which one is meant. */
export function choose(boards: readonly ProgrammerBoard[], wanted: string | undefined): ProgrammerBoard {
  const names = boards.map(({ serialNumber, boardVersion }) =>
    boardVersion === undefined ? serialNumber : `${serialNumber} (${boardVersion})`,
  );
  const seen = names.length === 0 ? "it sees none that can be programmed" : `it sees ${names.join(", ")}`;
  if (wanted !== undefined) {
    const board = boards.find(({ serialNumber }) => isSameSerialNumber(serialNumber, wanted));
    if (board !== undefined) return board;
    throw new ThinglineError("PROGRAMMER_FAILED", `nrfutil sees no board ${wanted}: ${seen}`);
  }
  const fit = boards.filter(({ family }) => family === undefined || family.startsWith("NRF91"));
  const [only] = fit;
  if (only === undefined) throw new ThinglineError("PROGRAMMER_FAILED", `no board of the nRF91 series: ${seen}`);
  if (fit.length > 1) throw new ThinglineError("PROGRAMMER_FAILED", `say which board, by --serial-number: ${seen}`);
  return only;
}

async function reset(output: Output, serialNumber: string): Promise<void> {
  try {
    await resetBoard(serialNumber);
  } catch (error) {
    if (!(error instanceof ThinglineError)) throw error;
    // The firmware is there all the same.
    const message = `the board could not be restarted, press its reset button: ${error.message}`;
    output.event({ event: "warning", code: error.code, message });
    output.complain({ kind: "warning", message, code: error.code });
  }
}

async function verify(
  { output, signal }: CommandContext,
  { verifyPort, baudRate, flowControl }: ByProgrammerOptions,
  revision: string | undefined,
): Promise<void> {
  const options = {
    ...(verifyPort !== undefined && { port: verifyPort }),
    ...(baudRate !== undefined && { baudRate }),
    ...(flowControl !== undefined && { flowControl }),
  };
  await using door = await openStarting(options, signal);
  const [running = ""] = await door.session.command("AT+CGMR", { signal });
  if (revision !== undefined && running !== revision) {
    const message = `the modem runs ${running} after the programming, expected ${revision}`;
    throw new ThinglineError("PROGRAMMER_FAILED", message, { details: { running } });
  }
  output.event(
    { event: "firmwareProgrammed", way: "nrfutil", revision: running, isVerified: true },
    `${output.paint.green("programmed")}, and the modem runs ${running}`,
  );
}

/** A board that has just been restarted takes a moment. */
async function openStarting(options: DoorOptions, signal: AbortSignal): Promise<OpenDoor> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await openModemDoor(options, signal, { leavesDataMode: false });
    } catch (error) {
      if (attempt >= startAttemptsMax || !isThinglineError(error, "MODEM_NOT_FOUND")) throw error;
    }
  }
}
