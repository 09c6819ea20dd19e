/** The line that ends every response. */
export type FinalResult =
  | { type: "ok" }
  | { type: "error" }
  | { type: "cmeError"; code: number }
  | { type: "cmsError"; code: number };

const codePattern = /^\+(CME|CMS) ERROR: ?([0-9]{1,5})$/;

/** @returns undefined for any other line. Text error codes are not numeric and not final here: an nRF91 has none. */
export function parseFinalResult(line: string): FinalResult | undefined {
  if (line === "OK") return { type: "ok" };
  if (line === "ERROR") return { type: "error" };
  const match = codePattern.exec(line);
  if (match === null) return undefined;
  return { type: match[1] === "CME" ? "cmeError" : "cmsError", code: Number(match[2]) };
}

export function formatFinalResult(result: FinalResult): string {
  switch (result.type) {
    case "ok":
      return "OK";
    case "error":
      return "ERROR";
    case "cmeError":
      return `+CME ERROR: ${result.code}`;
    case "cmsError":
      return `+CMS ERROR: ${result.code}`;
  }
}

/** `+CME ERROR` codes that this project meets, in words. nRF91 AT Commands reference; 3GPP TS 27.007 9.2. */
export const cmeErrors = {
  10: "no SIM card",
  11: "the SIM card wants its PIN",
  13: "the SIM card failed",
  50: "incorrect parameters",
  51: "the command is disabled in this firmware",
  513: "not found",
  514: "no access",
  515: "storage full",
  518: "not allowed while the modem is active",
  519: "already exists",
  520: "authentication failed",
  523: "key generation failed",
  527: "invalid content",
  528: "not allowed while a power-off warning is active",
} as const satisfies Readonly<Record<number, string>>;

export type CmeErrorCode = keyof typeof cmeErrors;

/** `513 (not found)`; a code that is not in {@link cmeErrors} stands alone. */
export function describeCmeError(code: number): string {
  const words = (cmeErrors as Readonly<Record<number, string>>)[code];
  return words === undefined ? String(code) : `${code} (${words})`;
}

/**
 * `modemLibrary`: what the modem says, each line ended by CR LF. `serialModem`: the Serial LTE Modem application puts
 * a CR LF before the information text, before the final result and before every URC as well.
 */
export type AtFraming = "modemLibrary" | "serialModem";

/** The exact bytes, as text, of one response. */
export function formatResponse(
  lines: readonly string[],
  result: FinalResult,
  framing: AtFraming = "modemLibrary",
): string {
  const information = lines.map((line) => `${line}\r\n`).join("");
  const final = `${formatFinalResult(result)}\r\n`;
  if (framing === "modemLibrary") return information + final;
  return `${information === "" ? "" : `\r\n${information}`}\r\n${final}`;
}

/** The exact bytes, as text, of one URC. */
export function formatNotification(line: string, framing: AtFraming = "modemLibrary"): string {
  return framing === "modemLibrary" ? `${line}\r\n` : `\r\n${line}\r\n`;
}
