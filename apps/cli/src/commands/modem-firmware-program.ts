import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { type DoorOptions, namesDoor } from "../door-options.js";
import { type ByProgrammerOptions, programByNrfutil } from "../modem-firmware/by-programmer.js";
import { type BySerialOptions, programBySerial } from "../modem-firmware/by-serial.js";

type ProgramOptions = DoorOptions & ByProgrammerOptions & BySerialOptions;

/** `thingline modem firmware program` */
export async function modemFirmwareProgram(
  context: CommandContext,
  options: ProgramOptions,
  packagePath?: string,
): Promise<void> {
  const { delta, app } = options;
  const files = [packagePath, delta, app].filter((file) => file !== undefined);
  if (files.length !== 1) {
    throw new UsageError("say what to program: a package mfw_*.zip, or with --port a --delta or an --app, one of them");
  }
  if (namesDoor(options, options.port ?? options.verifyPort)) {
    forbid(options, ["serialNumber", "recover", "with", "verifyPort"], "is for nrfutil, which does not need --port");
    if (packagePath !== undefined && options.restart === false) {
      throw new UsageError(
        "--no-restart is for --delta and --app: a whole firmware is uploaded to a board that restarts for it",
      );
    }
    return programBySerial(context, options, packagePath);
  }
  if (packagePath === undefined) {
    throw new UsageError(
      "--delta and --app go over a serial modem application: --port /dev/ttyACM0, or --tcp HOST:PORT",
    );
  }
  forbid(options, ["force"], "is for --port");
  if (options.restart === false) throw new UsageError("--no-restart is for --port");
  return programByNrfutil(context, options, packagePath);
}

const flags = {
  serialNumber: "--serial-number",
  recover: "--recover",
  with: "--with",
  verifyPort: "--verify-port",
  force: "--force",
} as const;

function forbid(options: ProgramOptions, names: readonly (keyof typeof flags)[], why: string): void {
  const name = names.find((each) => options[each] !== undefined);
  if (name !== undefined) throw new UsageError(`${flags[name]} ${why}`);
}
