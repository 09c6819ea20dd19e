// The simulated modem through a pseudo-terminal, against a bare echo on the same one. Prints commands a second, ratios, and processor time.
//   npm run bench -- modem-pty [--seconds N] [--quick] [--json]
import { answerOwnRows, ownRowsOptions } from "./own-rows.js";
import { measurePty, ptyCommandsMin, ptyMeasurements } from "./modem-pty.js";
import { measureWrite, writeMeasurements, writeMsMax } from "./modem-write.js";
import { fail, positive, readOptions, row, say } from "./tools.js";

const values = readOptions({
  seconds: { type: "string", default: "1" },
  quick: { type: "boolean", default: false },
  json: { type: "boolean", default: false },
  ...ownRowsOptions,
});
const seconds = values.quick === true ? 0.2 : positive("seconds", values.seconds);
const widths = [44, 14] as const;

async function showPty(): Promise<void> {
  const { peer, rows } = await measurePty(seconds);
  const write = await measureWrite();
  if (values.json === true) return say(JSON.stringify({ name: "pty", peer, rows, write }));
  say(row(["through a pseudo-terminal", "commands/s", "of the echo", "processor us"], widths));
  for (const { name, commandsPerSecond, processorUs } of [peer, ...rows]) {
    const ratio = `${((100 * commandsPerSecond) / peer.commandsPerSecond).toFixed(0)} %`;
    say(row([name, Math.round(commandsPerSecond).toLocaleString("en"), ratio, processorUs.toFixed(0)], widths));
  }
  say(`asked for: ${ptyCommandsMin.toLocaleString("en")} commands a second\n`);
  const all = write.probeMs + write.writeMs;
  say(
    `three credentials, the modem offline and back: ${write.writeMs.toFixed(0)} ms, with the probe ${all.toFixed(0)} ms`,
  );
  say(`asked for: less than ${writeMsMax.toLocaleString("en")} ms\n`);
  // A quick look says nothing of speed, and CI's machine has neighbours.
  if (values.quick === true) return;
  const slowest = Math.min(
    ...rows.filter(({ name }) => name.endsWith("a bare host")).map((each) => each.commandsPerSecond),
  );
  if (slowest < ptyCommandsMin) fail(`${slowest.toFixed(0)} commands a second, ${ptyCommandsMin} are required`);
  if (all > writeMsMax) fail(`three credentials took ${all.toFixed(0)} ms, less than ${writeMsMax} are required`);
}

if (!(await answerOwnRows(values, [...ptyMeasurements(seconds), ...writeMeasurements()]))) await showPty();
