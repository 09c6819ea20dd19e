// One end of a pseudo-terminal, in a process of its own: a line of `modem simulate`, or its peer, which answers OK to each line and does nothing else.
import { join } from "node:path";
import { nodeAdapters } from "thingline/dist/adapters.js";
import { openPty } from "thingline/dist/pty.js";
import { SimulatedLine } from "thingline/dist/simulate/simulated-line.js";

const adapters = nodeAdapters();
const [kind = "modem", count = "1", folder = ""] = process.argv.slice(2);

async function openModem(name: string): Promise<string> {
  const none = () => undefined;
  const events = { wentAway: none, cameBack: none, failed: none, line: none, unsupported: none };
  const line = await SimulatedLine.start(
    adapters,
    {
      folder: join(folder, name),
      application: "at-host",
      pty: {},
      backAfterMs: 1_000,
      showsLines: false,
    },
    { ...events, hostCame: none, hostLeft: none, hostRefused: none },
  );
  return line.place.pty ?? "";
}

const carriageReturn = 0x0d;
const ok = new TextEncoder().encode("OK\r\n");

/** Answers each carriage return. */
async function openEcho(): Promise<string> {
  const { path, connection } = await openPty({ clock: adapters.clock });
  connection.start({
    data: (bytes) => {
      for (const byte of bytes) if (byte === carriageReturn) connection.write(ok);
    },
    closed: () => undefined,
  });
  return path;
}

const paths: string[] = [];
for (let index = 0; index < Number(count); index++)
  paths.push(await (kind === "echo" ? openEcho() : openModem(`modem-${index}`)));
process.on("message", () => process.send?.(process.cpuUsage()));
process.send?.(paths);
