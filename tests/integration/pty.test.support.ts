import { after } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createNodeClock } from "@thingline/transport/node";
import { openPty, type Pty } from "thingline/dist/pty.js";

const clock = createNodeClock();

async function findMissing(): Promise<string | undefined> {
  try {
    const pty = await openPty({ clock });
    await pty.close();
    return undefined;
  } catch (error) {
    if (isThinglineError(error, "DEPENDENCY_MISSING")) return error.message;
    // A container without /dev/ptmx.
    return `no pseudo-terminal can be had here: ${String(error)}`;
  }
}

/** Why there are no pseudo-terminals here, for the `skip` of a test; undefined where there are. */
export const ptyMissing = await findMissing();

const opened = new Set<Pty>();
after(() => Promise.all([...opened].map((pty) => pty.close())));

/** A pseudo-terminal that is gone after the tests of the file. */
export async function makePty(): Promise<Pty> {
  const pty = await openPty({ clock });
  opened.add(pty);
  return pty;
}
