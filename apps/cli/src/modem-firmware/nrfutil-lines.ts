import { isRecord } from "@thingline/protocol";

/** One line of `nrfutil ... --json`, as far as it is of use. */
export type NrfutilLine =
  /** `id`: the task's, by which its end is known; its name where it has none. */
  | { type: "begin"; id: string; task: string }
  | { type: "progress"; percent: number; description: string | undefined }
  | { type: "end"; id: string; task: string; isSuccess: boolean; message: string | undefined; data: unknown }
  | { type: "info"; data: unknown }
  | { type: "log"; level: string; message: string }
  /** Text that is no JSON, or JSON of another kind. */
  | { type: "other"; text: string };

/**
 * Reads one line. What is in a `batch_update` counts as if it stood alone.
 *
 * @see NordicSemiconductor/pc-nrfconnect-shared, nrfutil/sandboxTypes.ts
 */
export function readNrfutilLine(text: string): NrfutilLine {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    return { type: "other", text };
  }
  for (let depth = 0; depth < 2; depth++) {
    if (!isRecord(value)) return { type: "other", text };
    const { type, data } = value;
    if (type === "batch_update" && isRecord(data)) value = data["data"];
    else return lineOf(type, data) ?? { type: "other", text };
  }
  return { type: "other", text };
}

function lineOf(type: unknown, data: unknown): NrfutilLine | undefined {
  if (type === "info") return { type: "info", data };
  const members = isRecord(data) ? data : {};
  if (type === "log") return { type: "log", level: textOf(members["level"]), message: textOf(members["message"]) };
  const task = nameOf(members["task"]);
  const id = idOf(members["task"]) || task;
  if (type === "task_begin") return { type: "begin", id, task };
  if (type === "task_progress") return progressOf(members["progress"]);
  if (type === "task_end") {
    const { result, message, error } = members;
    const description = isRecord(error) ? textOf(error["description"]) : "";
    const words = textOf(message) === "" ? description : textOf(message);
    const isSuccess = result === "success" || (result === undefined && error === undefined);
    return { type: "end", id, task, isSuccess, message: words === "" ? undefined : words, data: members["data"] };
  }
  return undefined;
}

/** Of all steps of a task together. */
function progressOf(value: unknown): NrfutilLine | undefined {
  if (!isRecord(value) || typeof value["progressPercentage"] !== "number") return undefined;
  const { progressPercentage, step, amountOfSteps, description, message } = value;
  const steps = typeof amountOfSteps === "number" && amountOfSteps >= 1 ? amountOfSteps : 1;
  const at = typeof step === "number" && step >= 1 ? step : 1;
  const percent = (100 * (at - 1) + progressPercentage) / steps;
  const words = textOf(description) === "" ? textOf(message) : textOf(description);
  return {
    type: "progress",
    percent: Math.min(100, Math.max(0, percent)),
    description: words === "" ? undefined : words,
  };
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");

const idOf = (task: unknown): string => (isRecord(task) ? textOf(task["id"]) : "");

function nameOf(task: unknown): string {
  if (!isRecord(task)) return "";
  const description = textOf(task["description"]);
  return description === "" ? textOf(task["name"]) : description;
}

/** A board that nrfutil sees. */
export interface ProgrammerBoard {
  serialNumber: string;
  /** `PCA10090`, of development kits. */
  boardVersion: string | undefined;
  /** `NRF91_FAMILY`, where it is known. */
  family: string | undefined;
  ports: string[];
}

/** What can be reached by a programmer, of the answer to `nrfutil device list --json`; undefined for an answer that is none. */
export function boardsOf(data: unknown): ProgrammerBoard[] | undefined {
  const inner = isRecord(data) && isRecord(data["data"]) ? data["data"] : data;
  const devices = isRecord(inner) ? inner["devices"] : undefined;
  if (!Array.isArray(devices)) return undefined;
  return devices.flatMap((device: unknown) => {
    if (!isRecord(device)) return [];
    const { serialNumber, traits, devkit, serialPorts } = device;
    const can =
      isRecord(traits) && (traits["jlink"] === true || traits["mcuBoot"] === true || traits["modem"] === true);
    if (!can || typeof serialNumber !== "string" || serialNumber === "") return [];
    const kit = isRecord(devkit) ? devkit : {};
    const ports: unknown[] = Array.isArray(serialPorts) ? serialPorts : [];
    return [
      {
        serialNumber,
        boardVersion: textOf(kit["boardVersion"]) || undefined,
        family: textOf(kit["deviceFamily"]) || undefined,
        ports: ports.flatMap((port) =>
          isRecord(port) && textOf(port["comName"]) !== "" ? [textOf(port["comName"])] : [],
        ),
      },
    ];
  });
}

/** Leading zeros are a matter of taste. */
export const isSameSerialNumber = (first: string, second: string): boolean =>
  first.replace(/^0+/, "") === second.replace(/^0+/, "");
