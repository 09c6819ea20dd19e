import { type Command, Option } from "commander";
import { optionValues } from "./option-values.js";
import { type AddCommand, examples, withDoorOptions, withModemOptions } from "./program-parts.js";

const paths = optionValues.path;

/** `thingline modem firmware`, and `program` below it. */
export function addModemFirmware(modem: Command, command: AddCommand): void {
  const show = command(
    modem,
    "firmware",
    "say which firmware a modem runs, and what it is good for; exit code 1 when it is too old",
    async () => (await import("./commands/modem-firmware.js")).modemFirmware,
  )
    // Options behind `program` are that command's.
    .enablePositionalOptions();
  examples(
    withModemOptions(show),
    "modem firmware --port /dev/ttyACM0",
    "modem firmware program mfw_nrf9160_1.3.7.zip",
  );
  addProgram(show, command);
}

function addProgram(firmware: Command, command: AddCommand): void {
  const program = command(
    firmware,
    "program",
    "program a modem's firmware by Nordic's nrfutil, or with --port over a serial modem application",
    async () => (await import("./commands/modem-firmware-program.js")).modemFirmwareProgram,
  ).argument("[package]", "Nordic's package of a whole firmware, mfw_*.zip; with --port its mfw_*.cbor will do", paths);
  withDoorOptions(program)
    .addOption(
      new Option("--delta <file>", "with --port: an update of the firmware that runs, *_update_from_*_to_*.bin")
        .argParser(paths)
        .conflicts("app"),
    )
    .option(
      "--app <file>",
      "with --port: an update of the serial modem application itself, a signed MCUboot image",
      paths,
    )
    .option("--force", "with --port: also when the modem runs this firmware already")
    .option("--no-restart", "with --delta or --app: leave the restart that goes over to it for later")
    .option("--serial-number <number>", "without --port: which board, where nrfutil sees several")
    .option(
      "--recover",
      "without --port: unlock the board first, which ERASES the application in its flash and all that it keeps there",
    )
    .addOption(
      new Option("--with <command>", "without --port: nrfutil's command that programs (default: device)").choices([
        "device",
        "91",
      ]),
    )
    .option("--verify-port <path>", "without --port: ask on this serial port afterwards which firmware runs");
  examples(
    program,
    "modem firmware program mfw.zip --verify-port /dev/ttyACM0",
    "modem firmware program mfw.zip --port /dev/ttyACM0",
    "modem firmware program --delta update.bin --port /dev/ttyACM0",
  );
}
