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

/** `+CME ERROR` codes in words. 3GPP TS 27.007 9.2; from 512 on, nRF91 AT Commands reference. */
export const cmeErrors = {
  0: "the modem failed",
  1: "no connection to the modem",
  3: "not allowed",
  4: "not supported",
  5: "the SIM card belongs to another device",
  10: "no SIM card",
  11: "the SIM card wants its PIN",
  12: "the SIM card wants its PUK",
  13: "the SIM card failed",
  14: "the SIM card is busy",
  15: "the SIM card is of a wrong kind",
  16: "incorrect password",
  17: "the SIM card wants its PIN2",
  18: "the SIM card wants its PUK2",
  20: "memory full",
  21: "invalid index",
  22: "nothing found",
  23: "memory failed",
  24: "text too long",
  25: "invalid characters in a text",
  26: "dial string too long",
  27: "invalid characters in a dial string",
  30: "no network service",
  31: "the network did not answer in time",
  32: "emergency calls only",
  50: "incorrect parameters",
  51: "the command is disabled in this firmware",
  52: "the command was aborted",
  100: "unknown reason",
  513: "not found",
  514: "no access",
  515: "storage full",
  518: "not allowed while the modem is active",
  519: "already exists",
  520: "authentication failed",
  523: "key generation failed",
  527: "invalid content",
  528: "not allowed while a power-off warning is active",
  529: "no ownership key, or the secure side failed",
} as const satisfies Readonly<Record<number, string>>;

export type CmeErrorCode = keyof typeof cmeErrors;

/** `+CMS ERROR` codes in words. 3GPP TS 27.005 3.2.5. */
export const cmsErrors = {
  300: "the modem failed",
  301: "the SMS service is reserved",
  302: "not allowed",
  303: "not supported",
  304: "invalid PDU",
  305: "invalid text",
  310: "no SIM card",
  311: "the SIM card wants its PIN",
  312: "the SIM card belongs to another device",
  313: "the SIM card failed",
  314: "the SIM card is busy",
  315: "the SIM card is of a wrong kind",
  316: "the SIM card wants its PUK",
  317: "the SIM card wants its PIN2",
  318: "the SIM card wants its PUK2",
  320: "memory failed",
  321: "invalid index",
  322: "memory full",
  330: "the address of the SMS centre is unknown",
  331: "no network service",
  332: "the network did not answer in time",
  340: "no acknowledgement was expected",
  500: "unknown reason",
} as const satisfies Readonly<Record<number, string>>;

/** `513 (not found)`; a code that is not in {@link cmeErrors} stands alone. */
export function describeCmeError(code: number): string {
  return describeCode(cmeErrors, code);
}

/** `310 (no SIM card)`; a code that is not in {@link cmsErrors} stands alone. */
export function describeCmsError(code: number): string {
  return describeCode(cmsErrors, code);
}

function describeCode(table: Readonly<Record<number, string>>, code: number): string {
  const words = table[code];
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
