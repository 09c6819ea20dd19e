import { chmod, mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { temporaryFolder } from "./cli-process.test.support.js";

/** What a fake nrfutil does for one of its commands. */
export interface FakeAnswer {
  /** Printed as they are, a line each. */
  lines?: readonly (object | string)[];
  stderr?: string;
  code?: number;
  /** Says nothing more, and does not end. */
  hangs?: boolean;
  /** Does not mind SIGTERM either. */
  isStubborn?: boolean;
  /** So many bytes without a line end. */
  floodBytes?: number;
}

export interface FakeNrfutil {
  /** A PATH with nothing but it. */
  path: string;
  /** The words it was called with so far, a line each. */
  calls(): Promise<string[]>;
}

const task = (name: string) => ({ id: "1", name, description: name, data: { serialNumber: "000960012345" } });
export const taskBegin = (name: string) => ({ type: "task_begin", data: { task: task(name) } });
export const taskEnd = (name: string, more: object = { result: "success" }) => ({
  type: "task_end",
  data: { task: task(name), ...more },
});
export const taskProgress = (step: number, progressPercentage: number) => ({
  type: "task_progress",
  data: {
    task: task("program"),
    progress: { progressPercentage, step, amountOfSteps: 2, description: step === 1 ? "Erasing" : "Programming" },
  },
});

/** One board of the series, as `nrfutil device list --json` tells of it. */
export const board = (serialNumber: string, boardVersion = "PCA10090", deviceFamily = "NRF91_FAMILY") => ({
  id: 1,
  serialNumber,
  traits: { jlink: true, seggerUsb: true, serialPorts: true, usb: true, modem: false },
  devkit: { boardVersion, deviceFamily },
  serialPorts: [{ comName: "/dev/ttyACM0", vcom: 0, path: null }],
});

export const listOf = (...devices: object[]): FakeAnswer => ({
  lines: [
    { type: "task_begin", data: { task: { ...task("list") } } },
    taskEnd("list", { result: "success", data: { devices } }),
    { type: "info", data: { devices } },
  ],
});

export const good: Readonly<Record<string, FakeAnswer>> = {
  "device --version": { lines: [{ type: "info", data: { name: "nrfutil-device", version: "2.12.3" } }] },
  "device list": listOf(board("000960012345")),
  "device program": {
    lines: [taskBegin("program"), taskProgress(1, 50), taskProgress(1, 100), taskProgress(2, 30), taskEnd("program")],
  },
  "device recover": { lines: [taskBegin("recover"), taskEnd("recover")] },
  "device reset": { lines: [taskBegin("reset"), taskEnd("reset")] },
};

/** A program of that name that plays answers back, by its first two words. A script of the shell: of Node it would take most of a test's time. */
export async function makeNrfutil(t: TestContext, answers: Readonly<Record<string, FakeAnswer>>): Promise<FakeNrfutil> {
  const folder = await temporaryFolder(t);
  const path = join(folder, "bin");
  await mkdir(path);
  const log = join(folder, "calls.txt");
  await writeFile(log, "");
  const cases = await Promise.all(
    Object.entries(answers).map(
      async ([words, { lines = [], stderr = "", code = 0, hangs, isStubborn, floodBytes }], at) => {
        const [out, err] = [join(folder, `${at}.out`), join(folder, `${at}.err`)];
        const flood = floodBytes === undefined ? "" : `${"x".repeat(floodBytes)}\n`;
        const text = lines.map((line) => `${typeof line === "string" ? line : JSON.stringify(line)}\n`).join("");
        await writeFile(out, flood + text);
        await writeFile(err, stderr);
        const end = hangs === true ? "while :; do /bin/sleep 0.05; done" : `exit ${code}`;
        const trap = isStubborn === true ? "trap '' TERM; " : "";
        return `"${words}") ${trap}/bin/cat "${out}"; /bin/cat "${err}" >&2; ${end};;`;
      },
    ),
  );
  const script = [
    "#!/bin/sh",
    `echo "$*" >> "${log}"`,
    'case "$1 $2" in',
    ...cases,
    '*) echo "error: unrecognized subcommand" >&2; exit 2;;',
    "esac",
  ];
  await writeFile(join(path, "nrfutil"), `${script.join("\n")}\n`);
  await chmod(join(path, "nrfutil"), 0o755);
  return {
    path,
    calls: async () => (await readFile(log, "utf8")).split("\n").filter((line) => line !== ""),
  };
}
