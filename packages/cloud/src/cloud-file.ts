import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Files } from "@thingline/transport";

/** In the data folder while a cloud runs on it: how other commands find it. */
export const cloudFileName = "cloud.json";
export const cloudFileBytesMax = 64 * 1024;

/** What `cloud.json` says. */
export interface RunningCloud {
  /** `HOST:PORT` of MQTT over mutual TLS. */
  mqtts: string;
  /** `HOST:PORT` of the port with ALPN and WebSocket. */
  https: string;
  /** URL of the REST APIs. */
  api: string;
  /** URL of objects over HTTPS. A cloud of an earlier version does not say. */
  objects?: string;
  /** `HOST:PORT` of plain MQTT; null when it is off. */
  mqtt: string | null;
  /** Path of the CA certificate to trust. */
  ca: string;
  account: string;
  region: string;
  processId: number;
}

export async function writeCloudFile(files: Files, folder: string, running: RunningCloud): Promise<void> {
  const text = `${JSON.stringify(running, undefined, 2)}\n`;
  await files.replace(`${folder}/${cloudFileName}`, new TextEncoder().encode(text), { mode: 0o644 });
}

/**
 * Where the cloud of a data folder is.
 *
 * @throws {ThinglineError} CLOUD_NOT_RUNNING when none runs there, or when the one that wrote the file has died.
 */
export async function readCloudFile(
  files: Files,
  folder: string,
  isAlive: (processId: number) => boolean,
): Promise<RunningCloud> {
  const path = `${folder}/${cloudFileName}`;
  let bytes: Uint8Array;
  try {
    bytes = await files.read(path, { bytesMax: cloudFileBytesMax });
  } catch (error) {
    if (!isThinglineError(error, "FILE_NOT_FOUND")) throw error;
    throw new ThinglineError("CLOUD_NOT_RUNNING", `no local cloud runs on "${folder}"`, {
      details: { folder },
    });
  }
  const running = parseCloudFile(new TextDecoder().decode(bytes));
  if (running === undefined)
    throw new ThinglineError("CLOUD_NOT_RUNNING", `"${path}" was not written by a local cloud`, {
      details: { folder },
    });
  if (isAlive(running.processId)) return running;
  const message = `the local cloud of "${folder}" (process ${running.processId}) has died without closing`;
  throw new ThinglineError("CLOUD_NOT_RUNNING", message, { details: { folder, processId: running.processId } });
}

function parseCloudFile(text: string): RunningCloud | undefined {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return undefined;
  }
  if (typeof json !== "object" || json === null) return undefined;
  const { mqtts, https, api, objects, mqtt, ca, account, region, processId } = json as Record<string, unknown>;
  const texts = [mqtts, https, api, ca, account, region];
  if (!texts.every((value) => typeof value === "string") || typeof processId !== "number") return undefined;
  if (objects !== undefined && typeof objects !== "string") return undefined;
  if (mqtt !== null && typeof mqtt !== "string") return undefined;
  return json as RunningCloud;
}
