import { Option, type Command } from "commander";
import { optionValues } from "./option-values.js";
import { arrangeModemHelp } from "./program-modem-help.js";
import { examples, modemDirOption, type AddCommand } from "./program-parts.js";

/** How long a board stays away that was unplugged or lost its power. */
const defaultBackAfterMs = 2_000;

export function addModemSimulate(modem: Command, command: AddCommand): void {
  const made = command(
    modem,
    "simulate",
    "an nRF91 without a board, on a pseudo-terminal or a TCP port; it runs until Ctrl-C or SIGTERM",
    async () => (await import("./commands/modem-simulate.js")).modemSimulate,
  )
    .option("--pty", "on a pseudo-terminal (the default without --tcp; Linux and macOS)")
    .option("--link <path>", "and a name for it that stays, such as /dev/ttyACM90", optionValues.path)
    .option("--tcp <[host:]port>", "on a TCP port of the loopback, or of HOST; 0 picks a free one; one host at a time")
    .option("--count <number>", "so many modems, each with its own folder, IMEI and ports", optionValues.count, 1)
    .addOption(modemDirOption())
    .option("--firmware <name>", "modem firmware, such as mfw_nrf91x1_2.0.2 (default: the folder's, or an nRF9160's)")
    .addOption(
      new Option("--application <name>", "what the host talks to: Nordic's AT host, or a serial modem")
        .choices(["at-host", "slm-1.x", "slm-2.x", "serial-modem"])
        .default("at-host"),
    )
    .addOption(
      new Option("--terminator <bytes>", "what ends a command (default: the application's)").choices([
        "CR",
        "LF",
        "CR+LF",
        "NUL",
      ]),
    )
    .option("--baud-rate <rate>", "pace the line (default: as fast as it goes)", optionValues.baudRate)
    .option("--behaviour <name>", "a preset, or a JSON file, see docs/modem.md; may be repeated", optionValues.list)
    .option("--no-sim", "without SIM card")
    .option("--out-of-data", "registered, but no packet passes")
    .option("--roaming", "in a visited network")
    .option("--weak-signal", "at the edge of a cell: the registration comes and goes")
    .option("--lost-link", "the link is lost after half a minute, for a minute")
    .option("--slow-flash", "each write takes as long as on worn flash")
    .option("--write-failure", "the second write fails")
    .option("--power-cut", "the power goes away in the middle of the second write")
    .addOption(
      new Option("--back-after <duration>", "how long it stays away when it is unplugged or loses its power")
        .argParser(optionValues.duration)
        .default(defaultBackAfterMs, "2s"),
    )
    .option("--verbose", "show each command and answer; what may be a key is told by its length");
  made.addHelpText(
    "after",
    `
While it runs it takes lines on standard input, each for all modems or, with a
number behind it, for one: a preset (noSim, outOfData, weakSignal, ...), unplug,
cutPower, reset, garbage, status; or a behaviour as JSON:
  {"set":{"sim":"absent"}}
  {"steps":[{"onCommand":"%CMNG","do":"loseAnswer"}]}
  {"apply":"unplug","backAfterMs":500,"modem":2}`,
  );
  examples(
    made,
    "modem simulate",
    "modem simulate --link /dev/ttyACM90 --verbose",
    "modem simulate --tcp 4000 --application serial-modem --no-sim",
    "modem simulate --count 8 --link ttyACM0 --json",
  );
  arrangeModemHelp(modem);
}
