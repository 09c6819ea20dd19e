import type { FotaEvent } from "@thingline/device/fota";
import type { JobEvent } from "@thingline/device/jobs";
import type { RotationListeners } from "@thingline/device/rotation";
import type { JobStatusDetails } from "@thingline/protocol/jobs";
import type { BootListeners } from "./device-firmware.js";
import { shortVersion } from "./short-version.js";
import { describeBoot, describeFotaEvent, progressBar } from "./update-view.js";
import type { Device, DeviceEvents, DeviceListeners, DeviceMessage } from "@thingline/device";
import { isRecord, isThinglineError } from "@thingline/protocol";
import { parseShadowTopic } from "@thingline/protocol/shadow";
import { timeOfDay } from "./log.js";
import type { Output } from "./output.js";
import { escapeControls } from "./terminal-text.js";
import { inWordsOfKconfig } from "./kconfig-words.js";

export interface DeviceViewOptions {
  clientId: string;
  /** `HOST:PORT` */
  address: string;
  /** Where the credentials come from. */
  credentials: string;
  showsShadow: boolean;
}

/** What a device does, for people as lines with a live status below them, with `--json` as events. */
export interface DeviceView {
  /** For `DeviceSettings.on`. */
  listeners: DeviceListeners;
  /** From now on this device, another one than before after a reboot. */
  watch(device: Device): void;
  /** For a device on a board: its boots, its jobs and its updates. */
  board: BootListeners;
  /** For a device that rotates its certificate. */
  rotation: RotationListeners;
  /** A message was handed to the device, or acknowledged. */
  published(): void;
  end(): void;
}

/** As much of a payload as people are shown; `--json` has all of it. */
const payloadCharactersShown = 300;
const nameWidth = 12;
/** Behind the time of day and the name. */
const textIndent = 13 + nameWidth + 1;
const tickMs = 1000;
/** A connection that the cloud closes so soon after it was ready has done something that it must not. */
const soonMs = 2000;

export function createDeviceView(output: Output, options: DeviceViewOptions): DeviceView {
  const { paint } = output;
  const status = output.status();
  const counts = { in: 0, out: 0 };
  let droppedCount = 0;
  let device: Device | undefined;
  let session = "";
  let phase: string | undefined;
  let shadow: string | undefined;
  let retryAtMs: number | undefined;
  let readyAtMs = -Infinity;
  let isAdvised = false;
  let timer: NodeJS.Timeout | undefined;

  const line = (color: (text: string) => string, name: string, text: string) =>
    `${paint.dim(timeOfDay(new Date()))} ${color(name.padEnd(nameWidth))} ${output.wrap(text, textIndent)}`;
  const failureOf = (error: Error | undefined) =>
    error === undefined ? {} : { ...(isThinglineError(error) && { code: error.code }), message: error.message };
  const again = (retryInMs: number | undefined) =>
    retryInMs === undefined ? "" : `; next attempt in ${(retryInMs / 1000).toFixed(1)} s`;

  const draw = () => {
    const state = device?.state ?? "connecting";
    const waitMs = state === "waiting" && retryAtMs !== undefined ? retryAtMs - performance.now() : undefined;
    const parts = [
      waitMs === undefined ? state : `next attempt in ${Math.max(0, Math.ceil(waitMs / 1000))} s`,
      // What moves comes first: a narrow terminal cuts the end.
      ...(phase === undefined ? [] : [`update ${phase}`]),
      options.clientId,
      options.address,
      ...(state === "ready" ? [session] : []),
      `${counts.in} in, ${counts.out} out`,
      ...(shadow === undefined ? [] : [`shadow ${shadow}`]),
    ];
    status.show(escapeControls(parts.join(" · ")), state !== "ready");
  };
  /** The device tells of its new state before it is in it. */
  const drawSoon = () => queueMicrotask(draw);

  const messageText = ({ payload }: DeviceMessage) => {
    const text = decodeText(payload);
    if (text === undefined) return `${payload.length} bytes that are no text`;
    if (text.length <= payloadCharactersShown) return text;
    return `${text.slice(0, payloadCharactersShown)}… (${payload.length} bytes)`;
  };

  const showShadow = (message: DeviceMessage) => {
    const topic = parseShadowTopic(message.topic);
    if (topic === undefined) return false;
    const document = decodeJson(message.payload);
    const version = document?.["version"];
    if (typeof version === "number") shadow = topic.tail.startsWith("delete/") ? "deleted" : `v${version}`;
    else if (topic.tail === "get/rejected" && document?.["code"] === 404) shadow = "none";
    if (!options.showsShadow) return false;
    const { tail } = topic;
    output.event(
      { event: "shadow", topic: tail, ...(typeof version === "number" && { version }), document: document ?? null },
      line(tail.endsWith("rejected") ? paint.yellow : paint.magenta, "shadow", `${tail}  ${messageText(message)}`),
    );
    return true;
  };

  /** A reader that is slow holds up the acknowledgement, and with it the cloud. QoS 0 has none: what comes meanwhile is dropped. */
  const dropWhile = async (busy: Promise<void>) => {
    droppedCount = 1;
    await busy;
    const text = `${droppedCount} messages with QoS 0, because nobody read them in time`;
    output.event({ event: "dropped", count: droppedCount }, line(paint.yellow, "dropped", text));
    droppedCount = 0;
  };

  const showData = (message: DeviceMessage): Promise<void> | undefined => {
    counts.in += 1;
    if (droppedCount > 0 && message.qos === 0) {
      droppedCount += 1;
      return undefined;
    }
    const busy = output.drained();
    if (busy !== undefined && message.qos === 0) {
      void dropWhile(busy);
      return undefined;
    }
    const wasShown = showShadow(message);
    const { topic, payload, qos, isRetained, isDuplicate, packetId } = message;
    const text = decodeText(payload);
    output.event(
      {
        event: "data",
        topic,
        ...(text === undefined ? { payloadBase64: Buffer.from(payload).toString("base64") } : { payload: text }),
        ...{ qos, isRetained, isDuplicate, ...(packetId === undefined ? {} : { packetId }) },
      },
      wasShown ? undefined : line(paint.blue, "message", `${topic}  ${messageText(message)}`),
    );
    draw();
    return output.drained();
  };

  const adviseOnce = () => {
    if (isAdvised) return;
    isAdvised = true;
    const message = "the cloud closed the connection as soon as it was ready";
    const text =
      "AWS IoT does so when a policy denies a publish or a subscription. The local cloud's log says which. " +
      `CONFIG_AWS_IOT_AUTO_DEVICE_SHADOW_REQUEST=n leaves out the one to $aws/things/${options.clientId}/shadow/get.`;
    output.complain({ kind: "warning", message, hint: { text } });
  };

  const listeners: DeviceListeners = {
    connecting({ result, error, retryInMs }) {
      retryAtMs = retryInMs === undefined ? undefined : performance.now() + retryInMs;
      const { clientId, address, credentials } = options;
      const text =
        result === undefined
          ? line(paint.cyan, "connecting", `${clientId} to ${address}, ${credentials}`)
          : line(paint.yellow, "failed", `${result}: ${error?.message ?? ""}${again(retryInMs)}`);
      output.event(
        { event: "connecting", clientId, address, ...withResult({ result, retryInMs }), ...failureOf(error) },
        text,
      );
      drawSoon();
    },
    connected(event) {
      session = event.isPersistentSession ? "session kept" : "new session";
      const { keepAliveSeconds } = event;
      const text = line(paint.cyan, "connected", `${session}, keep alive ${keepAliveSeconds} s`);
      output.event({ event: "connected", ...event }, text);
      drawSoon();
    },
    ready(event) {
      readyAtMs = performance.now();
      const secure = device?.connection?.secure;
      const facts = { tls: secure?.protocol, isResumed: secure?.isResumed };
      const tls = secure === undefined ? "" : `, ${secure.protocol}${secure.isResumed ? ", TLS session resumed" : ""}`;
      const text = line(paint.green, "ready", `${options.clientId} at ${options.address}${tls}`);
      output.event({ event: "ready", ...event, ...facts }, text);
      drawSoon();
    },
    data: (message) => showData(message),
    puback: (event) => output.event({ event: "puback", ...event }),
    pingresp: () => output.event({ event: "pingresp" }),
    offlineQueue: (event) => output.event({ event: "offlineQueue", ...event }),
    disconnected({ reason, error, retryInMs }) {
      retryAtMs = retryInMs === undefined ? undefined : performance.now() + retryInMs;
      const why = error === undefined ? reason : `${reason}: ${error.message}`;
      output.event(
        { event: "disconnected", reason, ...withResult({ retryInMs }), ...failureOf(error) },
        line(reason === "userRequest" ? paint.cyan : paint.yellow, "disconnected", `${why}${again(retryInMs)}`),
      );
      // A reset, a record that is too large, a reason of the server: those say it themselves.
      const isSilent = error === undefined || error.details["inFlightCount"] !== undefined;
      if (reason === "closedByRemote" && isSilent && performance.now() - readyAtMs < soonMs) adviseOnce();
      drawSoon();
    },
    recordTooLarge(event: DeviceEvents["recordTooLarge"]) {
      const { type, error, cutCount, lengthBytes, recordBytesMax } = event;
      const filter = type === "filterDropped" ? { filter: event.filter } : {};
      const given = { gaveUp: type, ...filter, cutCount, lengthBytes, recordBytesMax };
      output.event(
        { event: "recordTooLarge", ...given, ...failureOf(error) },
        line(paint.yellow, "gave up", error.message),
      );
    },
    warning({ warning }: DeviceEvents["warning"]) {
      const told = inWordsOfKconfig(warning);
      output.event({ event: "warning", ...failureOf(told) }, line(paint.yellow, "warning", told.message));
    },
    error({ error }) {
      // It gave up: the command ends with this error and reports it.
      if (device?.state === "idle") return;
      output.event({ event: "error", ...failureOf(error) }, line(paint.red, "error", error.message));
    },
  };

  const showJob = (
    name: string,
    { jobId, executionNumber, ...facts }: JobEvent & { statusDetails?: JobStatusDetails },
  ) => {
    const { reason, message } = facts.statusDetails ?? {};
    const number = executionNumber === 1 ? "" : ` (execution ${executionNumber})`;
    const why = [reason, message].filter((part) => part !== undefined).join(": ");
    const color = name === "succeeded" || name === "started" ? paint.green : paint.yellow;
    const text = `${jobId}${number} ${name}${why === "" ? "" : `: ${why}`}`;
    output.event({ event: "job", state: name, jobId, executionNumber, ...facts }, line(color, "job", text));
  };
  const board: BootListeners = {
    booted(report) {
      const { runs, swapType, isResumed, refusals, warnings } = report;
      const did = describeBoot(report);
      const runsNow = `version ${shortVersion(runs?.version ?? "unknown")}${runs?.isOnTrial === true ? ", on trial" : ""}`;
      output.event(
        {
          event: "boot",
          version: runs?.version ?? null,
          isOnTrial: runs?.isOnTrial ?? false,
          swapType,
          isResumed,
          refusals,
          warnings,
        },
        line(paint.cyan, "boot", did === undefined ? runsNow : `${runsNow}; the bootloader ${did}`),
      );
    },
    fota(event) {
      const { type, ...facts } = event;
      phase = phaseOf(event, phase);
      draw();
      const text = describeFotaEvent(event);
      const color = type === "error" ? paint.red : type === "note" || type === "cancelled" ? paint.yellow : paint.blue;
      output.event(
        { event: "fota", phase: type, ...facts },
        text === undefined ? undefined : line(color, "update", type === "note" ? text : `${type}: ${text}`),
      );
    },
    jobs: {
      jobStarted: (event) => showJob(event.isResumed ? "resumed" : "started", event),
      jobCompleted: (event) => showJob("succeeded", event),
      jobFailed: (event) => showJob("failed", event),
      jobRejected: (event) => showJob("rejected", event),
      jobCancelled: (event) => showJob("taken away", event),
      error: ({ error }) =>
        output.event({ event: "jobsError", ...failureOf(error) }, line(paint.yellow, "jobs", error.message)),
    },
  };

  const rotation: RotationListeners = {
    rotationStarted: ({ reason, fromTag, toTag }) =>
      output.event(
        { event: "rotationStarted", reason, fromTag, toTag },
        line(paint.cyan, "rotation", `a new certificate for security tag ${toTag}, asked for with that in ${fromTag}`),
      ),
    rotated: ({ certificateId, secTag, replacedCertificateId, overlapUntilUnixMs }) => {
      const overlapUntil = new Date(overlapUntilUnixMs).toISOString();
      output.event(
        { event: "rotated", certificateId, secTag, replacedCertificateId: replacedCertificateId ?? null, overlapUntil },
        line(
          paint.green,
          "rotated",
          `connected with security tag ${secTag}; the one before is kept until ${overlapUntil}`,
        ),
      );
    },
    rotationFailed: ({ reason, error, retryInMs }) =>
      output.event(
        { event: "rotationFailed", reason, ...failureOf(error), retryInMs: retryInMs ?? null },
        line(paint.red, "rotation", `failed, the certificate before stays in use: ${error.message}`),
      ),
    oldCredentialsDeleted: ({ secTag }) =>
      output.event(
        { event: "oldCredentialsGone", secTag },
        line(paint.dim, "rotation", `the credentials in security tag ${secTag} are deleted`),
      ),
    wentBack: ({ secTag, error }) =>
      output.event(
        { event: "wentBack", secTag, ...failureOf(error) },
        line(paint.yellow, "rotation", `back to security tag ${secTag}: ${error.message}`),
      ),
    certificateEnding: ({ certificateId, notAfterMs, daysLeft, isClockTrusted }) =>
      output.event(
        {
          event: "certificateEnding",
          certificateId,
          notAfter: new Date(notAfterMs).toISOString(),
          daysLeft,
          isClockTrusted,
        },
        line(
          paint.yellow,
          "certificate",
          `ends in ${daysLeft} days${isClockTrusted ? "" : " at most: the clock tells nothing"}`,
        ),
      ),
    error: ({ error }) =>
      output.event({ event: "rotationError", ...failureOf(error) }, line(paint.yellow, "rotation", error.message)),
  };

  return {
    listeners,
    board,
    rotation,
    watch(watched) {
      device = watched;
      clearInterval(timer);
      timer = setInterval(() => {
        // Only a wait shows a time.
        if (watched.state === "waiting") draw();
      }, tickMs).unref();
      draw();
    },
    published() {
      counts.out += 1;
      draw();
    },
    end() {
      clearInterval(timer);
      status.end();
    },
  };
}

/** What the live line says of an update. */
function phaseOf(event: FotaEvent, before: string | undefined): string | undefined {
  switch (event.type) {
    case "started":
      return "downloading";
    case "progress":
      return `downloading ${progressBar(event.percent)}`;
    case "note":
    case "erasePending":
    case "eraseDone":
    case "done":
      return before;
    case "confirmed":
    case "error":
    case "cancelled":
      return undefined;
    default:
      return event.type;
  }
}

/** Members that are undefined are left out: JSON would show them in no other way. */
function withResult<Facts extends object>(facts: Facts): Partial<Facts> {
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as Partial<Facts>;
}

const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

function decodeText(payload: Uint8Array): string | undefined {
  try {
    return decoder.decode(payload);
  } catch {
    return undefined;
  }
}

function decodeJson(payload: Uint8Array): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(decodeText(payload) ?? "");
    return isRecord(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
