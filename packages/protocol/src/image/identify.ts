import { imageMagic } from "./header.js";

/**
 * What a file of firmware is, by its first bytes, as the original chooses its target: an MCUboot image for the application, a delta for the
 * modem, or a whole modem firmware.
 */
export type FirmwareKind = "application" | "modemDelta" | "modemFull" | "unknown";

/** Less than this is never identified, as in the original. */
export const identifiedBytes = 32;

/** `meDu` as a number, at offset 4. */
const deltaMagic = 0x7544_656d;

/** `D2 84` as a number: the tag of COSE_Sign1 and an array of four (RFC 9052), in which a modem firmware is wrapped. */
const fullModemMagic = 0x84d2;

/**
 * @param firstBytes of the file, {@link identifiedBytes} of them or more.
 * @see sdk-nrf, subsys/dfu/dfu_target
 */
export function identifyFirmware(firstBytes: Uint8Array): FirmwareKind {
  if (firstBytes.length < identifiedBytes) return "unknown";
  const view = new DataView(firstBytes.buffer, firstBytes.byteOffset, firstBytes.byteLength);
  if (view.getUint32(0, true) === imageMagic) return "application";
  if (view.getUint32(4, true) === deltaMagic) return "modemDelta";
  if (view.getUint16(0, true) === fullModemMagic) return "modemFull";
  return "unknown";
}
