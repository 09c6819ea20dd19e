import type { Clock } from "@thingline/transport";
import type { FullImage } from "./full-image.js";

/** What goes over the line. */
export type FirmwareUpload =
  /** The application's own MCUboot image: `app_update.bin`, signed. */
  | { kind: "application"; image: Uint8Array }
  /** From the modem firmware that runs to another one: `mfw_nrf91x1_update_from_2.0.1_to_2.0.2.bin`. */
  | { kind: "delta"; image: Uint8Array; revision?: string | undefined }
  /** A whole modem firmware. `revision`: what `AT+CGMR` has to tell afterwards. */
  | { kind: "full"; image: FullImage; revision?: string | undefined };

/**
 * What a board is left with.
 * - `unchanged`: what ran runs; nothing of the new firmware is there.
 * - `transferOpen`: what ran runs; a part of the new firmware lies in its area and is never started. Another upload begins anew.
 * - `applyUnanswered`: the board was told to apply the new firmware, or to restart with it, and did not answer: its next restart shows which
 *   one runs.
 * - `scheduled`: what ran runs, and the next restart goes over to the new firmware.
 * - `bootloaderMode`: the modem waits for a whole firmware and does nothing else. The old one is still whole, but only an upload ends the mode.
 *   Also of a board that was sent there and did not answer.
 * - `noFirmware`: as `bootloaderMode`, and the old firmware may be overwritten in part: the modem works again when an upload has come to its end.
 * - `unverified`: the new firmware was applied, and what runs is not what was expected, or could not be asked.
 */
export type UploadedBoardState =
  | "unchanged"
  | "transferOpen"
  | "applyUnanswered"
  | "scheduled"
  | "bootloaderMode"
  | "noFirmware"
  | "unverified";

export type UploadEvent =
  /** `firmware` is where there is no way back. */
  | {
      type: "phase";
      phase: "preparing" | "image" | "bootloader" | "firmware" | "applying" | "restarting" | "verifying";
    }
  | { type: "sent"; sentBytes: number; totalBytes: number }
  /** A piece of the firmware is sent to the same address once more. */
  | { type: "repeated"; address: number; reason: string }
  /** All is sent once more, from the beginning. */
  | { type: "begunAgain"; attempt: number; reason: string };

export interface UploadFirmwareOptions {
  clock: Clock;
  onEvent?: (event: UploadEvent) => void;
  /** Followed up to the first byte of modem firmware in phase `firmware`; from there on the upload goes to its end. */
  signal?: AbortSignal;
  /** Bytes of one `#XDFUWRITE`. Default {@link defaultPieceBytes}. */
  pieceBytes?: number;
  /** Restart the board or the modem so that the new firmware runs, and ask which one does. Default true. */
  activates?: boolean;
}

/** As Nordic's own examples send it. */
export const defaultPieceBytes = 4_096;

export interface UploadReport {
  kind: FirmwareUpload["kind"];
  /** How often it was begun; 0 for a delta whose firmware runs already. */
  attempts: number;
  /** `AT+CGMR`, or `AT#XSMVER` of an application; undefined when the board could not be asked. */
  before: string | undefined;
  /** The same afterwards; undefined when it was not activated. */
  after: string | undefined;
}
