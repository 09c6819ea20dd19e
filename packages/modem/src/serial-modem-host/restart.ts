/** Whether a URC says that the board or its modem started again, or died: every socket is gone, and the radio is off. */
export function isRestart(line: string): boolean {
  return line === "Ready" || line.startsWith("#XMODEM:");
}
