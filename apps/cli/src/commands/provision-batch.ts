import { setMaxListeners } from "node:events";
import { join } from "node:path";
import { createNativeCredentialStore } from "@thingline/device";
import type { ProvisioningEvent } from "@thingline/device/provisioning";
import { ThinglineError } from "@thingline/protocol";
import { makePrivateFolder } from "@thingline/transport";
import type { Adapters } from "../adapters.js";
import { summaryLines, timeText } from "../batch/progress-lines.js";
import { createBatchView } from "../batch/view.js";
import { checkReportNames, renderReport, writeReports } from "../batch/reports.js";
import { batchNames, type DeviceResult } from "../batch/result.js";
import { BatchFolder, type BatchPlan, provisioningBatch } from "../batch/results-file.js";
import { runBatch, type DeviceWatch } from "../batch/run-batch.js";
import { summarize } from "../batch/tally.js";
import type { CommandContext } from "../command.js";
import { readCredentialFiles, type CredentialTexts } from "../credentials-folder.js";
import { exitCodes, UsageError } from "../failure.js";
import { isSplit, methodText } from "../provisioning-method.js";
import { runProvisioning } from "../provisioning.js";
import { bootSimulatedDevice, nearbyNetwork } from "../simulated-device.js";
import { defaultAtOnce, defaultBatchDir } from "../option-values.js";
import { flowOptions, type ProvisionOptions, type ProvisionPlan } from "../provisioning-plan.js";

/** AWS takes ten such requests a second of an account; a little less keeps the whole batch from being refused and trying again. */
export const fleetPerSecond = 8;

type Plan = ProvisionPlan & { count: number };
type BatchOptions = ProvisionOptions & { atOnce: number; batchDir: string };

/** `thingline provision --conf prj.conf --count N`: simulated devices, each with a modem of its own, in the batch's folder. */
export async function provisionBatch(
  { output, signal }: CommandContext,
  adapters: Adapters,
  given: ProvisionOptions,
  plan: Plan,
): Promise<number> {
  const { atOnce = defaultAtOnce, batchDir = defaultBatchDir } = given;
  const options: BatchOptions = { ...given, atOnce, batchDir };
  const { files, clock } = adapters;
  checkReportNames(options.report);
  const { settings, clientId, count, methodOptions } = plan;
  if (options.method === "own-certificate") {
    throw new UsageError(
      "--count gives all devices the same claim; with own-certificate each has a certificate already",
    );
  }
  const perSecond = options.rate ?? (isSplit(options.method) ? undefined : fleetPerSecond);
  // Every device listens to it.
  setMaxListeners(0, signal);
  const claim = await claimTexts(adapters, plan);
  await makePrivateFolder(files, options.batchDir);
  const lock = await files.lock(options.batchDir);
  try {
    const folder = new BatchFolder(files, options.batchDir, provisioningBatch);
    const endpoint = `${settings.host}:${settings.port}`;
    const wanted = { method: options.method, endpoint, prefix: clientId, template: methodOptions.template ?? null };
    const results = await openBatch(folder, wanted, options);
    const names = batchNames(clientId, count);
    const todo = names.filter((name) => results.get(name)?.result !== "provisioned");
    output.say(
      `${output.paint.bold(`Provisioning ${count} devices`)} at ${endpoint}, ${Math.min(options.atOnce, count)} at once`,
    );
    output.say(`  ${methodText(methodOptions)}`);
    if (todo.length < count) output.say(`  ${count - todo.length} were provisioned before, ${todo.length} are left`);
    output.event({ event: "batchStarted", ...wanted, devices: count, left: todo.length, folder: options.batchDir });
    const startedAt = new Date();
    const view = createBatchView(output, { all: count, done: count - todo.length, now: () => clock.monotonicMs() });
    let unwritten: ThinglineError | undefined;
    try {
      await runBatch({
        ...{ names: todo, atOnce: options.atOnce, perSecond, signal },
        ...{ now: () => clock.monotonicMs(), sleep: (delayMs) => clock.sleep(delayMs, { signal }) },
        provision: (name, watch) => provisionOne(adapters, options, plan, { name, claim, watch, signal }),
        onStep: (name, step) => view.step(name, step),
        onResult: async (result) => {
          await folder.append(result);
          results.set(result.name, result);
          view.ended(result);
        },
      });
    } finally {
      view.end();
      const known = names.flatMap((name) => results.get(name) ?? []);
      const head = { method: options.method, endpoint, startedAt, endedAt: new Date() };
      const reports = await writeReports(files, options.report, (kind) => renderReport(kind, head, known));
      unwritten = reports.unwritten;
      const seconds = (Date.now() - startedAt.getTime()) / 1_000;
      conclude({ output, reports: reports.written, names, known, seconds });
    }
    if (unwritten !== undefined) throw unwritten;
    return names.every((name) => results.get(name)?.result === "provisioned") ? exitCodes.done : exitCodes.failed;
  } finally {
    await lock.release();
  }
}

/** The same batch goes on; another one is never mixed with it. */
async function openBatch(
  folder: BatchFolder<BatchPlan, DeviceResult>,
  wanted: BatchPlan,
  { batchDir, resume }: BatchOptions,
): Promise<Map<string, DeviceResult>> {
  const found = await folder.readPlan();
  if (found === undefined) {
    if (resume === true) throw new UsageError(`there is no batch in ${batchDir} to resume`);
    await folder.writePlan(wanted);
    return new Map();
  }
  if (resume !== true) {
    const message = `${batchDir} has a batch already; go on with it by --resume, or name another --batch-dir`;
    throw new ThinglineError("FILE_EXISTS", message, { details: { folder: batchDir } });
  }
  for (const member of ["method", "endpoint", "prefix", "template"] as const) {
    if (found[member] === wanted[member]) continue;
    throw new UsageError(
      `the batch in ${batchDir} has ${member} ${found[member]}, not ${wanted[member]}: name another --batch-dir`,
    );
  }
  return folder.readResults();
}

/** What every device of the batch gets; undefined where the flow writes the claim itself. */
async function claimTexts({ files }: Adapters, plan: Plan): Promise<Required<CredentialTexts> | undefined> {
  if (plan.claim !== undefined) return undefined;
  const { ca, certificate, privateKey } = await readCredentialFiles(files, { from: plan.certs });
  if (ca !== undefined && certificate !== undefined && privateKey !== undefined) return { ca, certificate, privateKey };
  const message = `${plan.certs} has no complete claim; name the folder that \`claim create\` wrote with --certs`;
  throw new ThinglineError("CREDENTIAL_MISSING", message, { details: { folder: plan.certs } });
}

interface OneDevice {
  name: string;
  claim: Required<CredentialTexts> | undefined;
  watch: DeviceWatch;
  signal: AbortSignal;
}

async function provisionOne(
  adapters: Adapters,
  options: BatchOptions,
  plan: Plan,
  { name, claim, watch, signal }: OneDevice,
): Promise<{ certificateId: string; thingName: string | undefined }> {
  const { settings, isNativeTls, tags } = plan;
  const folder = join(options.batchDir, "devices", name);
  const stateFolder = join(folder, "device");
  await using device = await bootSimulatedDevice(adapters, {
    modemDir: join(folder, "modem"),
    lte: nearbyNetwork,
    networkTimeoutMs: settings.linkTimeoutMs,
  });
  const { files, keys } = adapters;
  const store = isNativeTls
    ? createNativeCredentialStore({ files, keys, folder: join(stateFolder, "tls-credentials") })
    : undefined;
  for (const type of ["privateKey", "certificate", "ca"] as const) {
    if (claim !== undefined) await (store ?? device.credentials).write(tags.claimTag, type, claim[type]);
  }
  const flow = flowOptions(plan, options, { device, store, stateFolder, name });
  const result = await runProvisioning(adapters, { ...flow, signal }, (event) => watchEvent(watch, event));
  await result.device.close();
  return { certificateId: result.certificateId, thingName: result.thingName };
}

function watchEvent(watch: DeviceWatch, event: ProvisioningEvent): void {
  if (event.type === "stepStarted") watch.stepStarted(event.name);
  if (event.type !== "stepFinished") return;
  const { name, durationMs, result } = event;
  watch.stepEnded({ name, durationMs, result });
  if (event.result === "failed") watch.advice(event.next);
}

/** Also of a batch that was stopped: what was done is known. */
function conclude(facts: {
  output: CommandContext["output"];
  /** Those that were written. */
  reports: readonly string[];
  names: readonly string[];
  known: readonly DeviceResult[];
  seconds: number;
}): void {
  const { output, reports, names, known, seconds } = facts;
  const { paint } = output;
  const summary = summarize(known);
  const left = names.length - summary.provisioned;
  const failedText = summary.failed === 0 ? "" : `, ${paint.red(`${summary.failed} failed`)}`;
  output.event(
    {
      event: "batchEnded",
      ...summary,
      left,
      seconds: Math.round(seconds * 1_000) / 1_000,
      reports,
    },
    [
      `${paint.green("provisioned")} ${summary.provisioned} of ${names.length} devices${failedText}, in ${timeText(seconds)}`,
      "",
      ...summaryLines(summary, paint, process.stdout.isTTY ? process.stdout.columns : undefined),
    ].join("\n"),
  );
  for (const file of reports) output.say(`report  ${file}`);
  if (left > 0 && !output.isJson) {
    output.say("");
    output.say(paint.dim(`Next, those that are left: the same command with --resume`));
  }
}
