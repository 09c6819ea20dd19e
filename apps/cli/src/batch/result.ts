import { isRecord } from "@thingline/protocol";

/** One step of one device, as it ended. */
export interface StepTime {
  readonly name: string;
  readonly durationMs: number;
  readonly result: "done" | "skipped" | "failed";
}

/** Why a device could not be provisioned. */
export interface DeviceFailure {
  /** The step that failed; undefined before the first. */
  readonly step?: string | undefined;
  readonly code: string;
  readonly reason: string;
  /** The next thing to try. */
  readonly next?: string | undefined;
}

/** Of a value from a file, which may be damaged. */
export const isOptionalText = (value: unknown): value is string | undefined =>
  value === undefined || typeof value === "string";

/** The same: a failure that can be shown. */
export function isDeviceFailure(value: unknown): value is DeviceFailure {
  if (!isRecord(value)) return false;
  const { step, code, reason, next } = value;
  return isOptionalText(step) && typeof code === "string" && typeof reason === "string" && isOptionalText(next);
}

/** What became of one device of a batch. */
export interface DeviceResult {
  readonly name: string;
  readonly result: "provisioned" | "failed";
  readonly durationMs: number;
  /** As the cloud named it; undefined where it named none. */
  readonly thingName?: string | undefined;
  readonly certificateId?: string | undefined;
  readonly failure?: DeviceFailure | undefined;
  readonly steps: readonly StepTime[];
}

/** A batch has at most so many devices: all of it is kept in memory for its report. */
export const batchDevicesMax = 10_000;

/** Each of them has a modem, two connections and a few files. */
export const devicesAtOnceMax = 200;

/** `pump-0001`, `pump-0002` and so on: all of one length, so that they sort as they count. */
export function batchNames(prefix: string, count: number): string[] {
  const digits = Math.max(4, String(count).length);
  return Array.from({ length: count }, (_, at) => `${prefix}-${String(at + 1).padStart(digits, "0")}`);
}

/** A step's name as people read it: `connectClaim` is `connect claim`. */
export function stepWords(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replace(/\blte\b/, "LTE");
}
