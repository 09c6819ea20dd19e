import type { FirmwareKind, ImageFacts } from "@thingline/protocol/image";
import type { BootloaderRule } from "../bootloader-rules.js";
import type { FirmwareJob } from "./jobs.js";
import { whyRefused, type Running } from "./rollback-rules.js";

/** An image to go back to. */
export interface Previous {
  /** The job that brought it; undefined for a file that was given. */
  readonly job: FirmwareJob | undefined;
  readonly version: string;
  readonly kind: FirmwareKind;
  /** Undefined where it could not be read, or is no MCUboot image. */
  readonly image: ImageFacts | undefined;
  readonly bytes: Uint8Array | undefined;
  readonly file: string;
}

/** `skipped`: there is nothing to go back to; `refused`: there is, and the device would not take it. */
export interface Obstacle {
  readonly kind: "skipped" | "refused";
  readonly why: string;
}

/** Why a device does not go back; undefined when it does. */
export function obstacleOf(
  running: Running,
  previous: Pick<Previous, "job" | "kind" | "image" | "bytes"> | undefined,
  rule: BootloaderRule,
): Obstacle | undefined {
  if (previous === undefined) {
    return { kind: "skipped", why: "no update before this one is known: name the image with --to" };
  }
  const { job, kind, image, bytes } = previous;
  if (bytes === undefined) {
    return { kind: "skipped", why: `its image of job ${job?.jobId} is not there any more: name it with --to` };
  }
  if (kind === "modemDelta") {
    if (job === undefined) return undefined;
    const why =
      "a modem's delta image fits the version that it was made from only: give the one that leads back with --to";
    return { kind: "skipped", why };
  }
  if (image === undefined) {
    if (rule === "none") return undefined;
    return { kind: "refused", why: "it is no MCUboot image: say --bootloader none if it may be taken" };
  }
  const { header, securityCounter } = image;
  const why = whyRefused(running, { version: header.version, securityCounter }, rule);
  return why === undefined ? undefined : { kind: "refused", why };
}
