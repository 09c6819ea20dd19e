/**
 * So many of the first bytes of a file a target is shown to recognise an image; fewer when the whole file is shorter. A header of MCUboot
 * has 32, a modem's delta image tells itself by bytes 4 to 7.
 */
export const firmwareHeadBytes = 64;

/**
 * Where what runs stands with its bootloader. `confirmed`: it stays, whatever happens. `onTrial`: the next boot goes back to the image
 * before it, unless it is confirmed. `reverted`: it stays, and it runs because the bootloader went back from a newer image that was not
 * confirmed, or would not take it; nothing was scheduled since. A target that cannot tell says `confirmed`.
 */
export type FirmwareTrial = "confirmed" | "onTrial" | "reverted";

/** What runs now. */
export interface RunningFirmware {
  /** As people write it: `1.2.3+4` of an MCUboot image, `mfw_nrf9160_1.3.7` of a modem. */
  version: string;
  /**
   * Tells one image from another of the same version: lower-case hex of the image's hash where there is one. For the same image it equals
   * `imageId` of {@link FirmwareVerdict}.
   */
  imageId: string;
  trial: FirmwareTrial;
}

export interface FirmwareTargetState {
  running: RunningFirmware;
  /** The next boot will try what lies here. False as soon as the bootloader has decided, whichever way. */
  isScheduled: boolean;
  /** What the bootloader, or the modem, said of the last image that it would not take, for people. Undefined: nothing is known. */
  refusal?: string;
}

/**
 * What verifying an image that lies on flash came to. `reason` is a stable code in camelCase, of the target's own table (`hashMismatch`,
 * `signatureInvalid`, `imageTooLarge`, `downgradeRefused`, …); `message` says to people what was expected and what was found.
 */
export type FirmwareVerdict =
  | {
      isAccepted: true;
      /** Undefined: it shows only when the image runs, as with a modem's. */
      version: string | undefined;
      /** As {@link RunningFirmware.imageId}. Undefined: the same. */
      imageId: string | undefined;
    }
  | { isAccepted: false; reason: string; message: string };

/**
 * A place that firmware goes to: the secondary slot of MCUboot, an application directory, a modem. The updater decides what happens when;
 * a target does it, and tells what is so. One updater uses a target at a time, one call after the other.
 *
 * Power may go during any call. What a call of this interface has resolved is on flash; of a call that was cut, any part may be. Each call
 * may be made again by the next process, in the same words, and then does what is left of it: so no call but {@link write} and {@link sync}
 * relies on what an earlier call left in memory.
 *
 * All reject with a `ThinglineError`; what it says ends the update as FAILED with the reason `targetFailed` and its code. A target that finds
 * the image unfit while it is written throws nothing for that: it says so in {@link verify}.
 */
export interface FirmwareTarget {
  /** Stable, for statusDetails and journal: `mcuboot`, `application`, `modem`. */
  readonly name: string;
  /**
   * Whether a running image that is on trial can be gone back from by a reboot without {@link confirm}. False of a modem, whose firmware
   * stays once it is applied.
   */
  readonly canRevert: boolean;

  /** Whether an image that begins so belongs here, by its own magic. `head` has {@link firmwareHeadBytes} or the whole file. Pure. */
  recognises(head: Uint8Array): boolean;
  /** The largest file that has room here, whatever is in it. */
  capacityBytes(): Promise<number>;
  state(): Promise<FirmwareTargetState>;

  /**
   * Makes room for a new image of `sizeBytes`: nothing is scheduled any more, what lay here is worth nothing. May erase, which may take
   * minutes; or it erases as it is written to. The updater has asked {@link capacityBytes} before.
   */
  begin(image: { sizeBytes: number }, options: { signal: AbortSignal }): Promise<void>;
  /**
   * Goes on with the image that `begin` was called for, in an earlier process perhaps. `offset` bytes had been made durable by
   * {@link sync}; behind them anything may lie.
   *
   * @returns where the next {@link write} begins: usually at most `offset`, at the start of a page of flash for example, 0 when nothing can be
   * kept; more, when the target itself knows how much of this image was written.
   */
  resume(image: { sizeBytes: number; offset: number }, options: { signal: AbortSignal }): Promise<number>;
  /**
   * The next bytes, any number. `offset` is where the last write ended; the first one is at 0 after {@link begin}, and where
   * {@link resume} said. May keep what does not fill a write unit until more comes; does not keep `bytes` after it has resolved.
   */
  write(offset: number, bytes: Uint8Array): Promise<void>;
  /**
   * Makes durable what was written.
   *
   * @returns up to which offset it is: less than was written where a last part has to wait for more bytes, and all of it once `sizeBytes`
   * were written.
   */
  sync(): Promise<number>;
  /** Up to `length` bytes of the image, as they lie on flash; fewer at the end of the place only. */
  read(offset: number, length: number): Promise<Uint8Array>;
  /**
   * Looks at what lies on flash, all of it: format, hash, signature, dependencies, whether the bootloader will take it. Changes nothing.
   */
  verify(image: { sizeBytes: number }, options: { signal: AbortSignal }): Promise<FirmwareVerdict>;

  /** Asks the bootloader to try the verified image at the next boot. Called again when it is scheduled: nothing happens. */
  schedule(): Promise<void>;
  /** What runs stays. Not on trial: nothing happens. */
  confirm(): Promise<void>;
  /**
   * Nothing of an update is left: nothing is scheduled, and what lies here cannot be taken for an image. What runs is not touched. Called
   * when nothing is there: nothing happens.
   */
  discard(): Promise<void>;
}
