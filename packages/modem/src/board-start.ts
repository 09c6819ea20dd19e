/** What the serial modem application, and the AT client, say after a start. */
export const applicationBanner = "Ready";
/** What a board says that waits for a whole modem firmware. */
export const bootloaderBanner = "Bootloader mode ready";

export function isBanner(line: string): boolean {
  return line === applicationBanner || line === bootloaderBanner;
}

/** Whether a URC says that the board or its modem started again, or died: every socket is gone, and the radio is off. */
export function isRestart(line: string): boolean {
  return line === applicationBanner || line.startsWith("#XMODEM:");
}
