import {
  checkModemBehaviour,
  isModemBehaviourName,
  type ModemBehaviour,
  modemBehaviourPresets,
  type ModemSurroundings,
} from "@thingline/modem/simulator";
import { isThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";
import { UsageError } from "../failure.js";
import { readTextFile } from "../text-file.js";

export const behaviourBytesMax = 262_144;

/**
 * A behaviour by the name of a preset, or of a JSON file.
 *
 * @throws {UsageError} for what is neither.
 * @throws {ThinglineError} OPTION_INVALID with file and member, and those of reading.
 */
export async function readBehaviour(files: Files, name: string): Promise<ModemBehaviour> {
  if (isModemBehaviourName(name)) return modemBehaviourPresets[name];
  let text: string;
  try {
    text = await readTextFile(files, name, { bytesMax: behaviourBytesMax });
  } catch (error) {
    if (!isThinglineError(error, "FILE_NOT_FOUND") || name.includes("/") || name.includes(".")) throw error;
    const known = Object.keys(modemBehaviourPresets).join(", ");
    throw new UsageError(`--behaviour is a JSON file or one of ${known}; got "${name}"`);
  }
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    throw new UsageError(`--behaviour: "${name}" is no JSON`);
  }
  return checkModemBehaviour(document, `${name}: `);
}

/** A modem has one behaviour at a time: of what several set the last one holds, and the steps are those of all. */
export function joinBehaviours(behaviours: readonly ModemBehaviour[]): ModemBehaviour | undefined {
  if (behaviours.length <= 1) return behaviours[0];
  let set: ModemSurroundings = {};
  for (const { set: next = {} } of behaviours) {
    const [cell, timing] = [
      { ...set.cell, ...next.cell },
      { ...set.timing, ...next.timing },
    ];
    set = { ...set, ...next };
    if (set.cell !== undefined) set = { ...set, cell };
    if (set.timing !== undefined) set = { ...set, timing };
  }
  const seed = behaviours.findLast((each) => each.seed !== undefined)?.seed;
  const steps = behaviours.flatMap((each) => each.steps ?? []);
  return checkModemBehaviour({ ...(seed !== undefined && { seed }), set, steps });
}
