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
  2: "the link to the modem is reserved",
  3: "not allowed",
  4: "not supported",
  5: "the SIM card belongs to another device",
  6: "the device wants its first SIM card's PIN",
  7: "the device wants its first SIM card's PUK",
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
  516: "not allowed while the radio is connected",
  517: "the modem is not active",
  518: "not allowed while the modem is active",
  519: "already exists",
  520: "authentication failed",
  521: "the search for networks was interrupted, and found some only",
  522: "the bands do not fit the system mode",
  523: "key generation failed",
  525: "the web token could not be made",
  527: "invalid content",
  528: "not allowed while a power-off warning is active",
  529: "no ownership key, or the secure side failed",
} as const satisfies Readonly<Record<number, string>>;

export type CmeErrorCode = keyof typeof cmeErrors;

/** What only a network, or its rules, makes a modem answer. 3GPP TS 27.007 9.2. */
const networkErrors: Readonly<Record<number, string>> = {
  40: "the network's lock wants its PIN",
  41: "the network's lock wants its PUK",
  42: "the network subset's lock wants its PIN",
  43: "the network subset's lock wants its PUK",
  44: "the service provider's lock wants its PIN",
  45: "the service provider's lock wants its PUK",
  46: "the company's lock wants its PIN",
  47: "the company's lock wants its PUK",
  48: "the hidden key is wanted",
  49: "the authentication method is not supported",
  53: "not attached: the modem's functions are restricted",
  54: "the modem may make emergency calls only",
  55: "not allowed: the modem's functions are restricted",
  56: "only fixed numbers are allowed",
  57: "out of service for a while: the modem is used otherwise",
  58: "language or alphabet not supported",
  59: "unexpected data",
  60: "the system failed",
  61: "data missing",
  62: "calls are barred",
  63: "waiting messages could not be subscribed",
  103: "the network does not accept the subscriber",
  106: "the network does not accept the device",
  107: "packet services not allowed",
  108: "neither packet nor other services allowed",
  111: "network not allowed",
  112: "area not allowed",
  113: "roaming not allowed in this area",
  114: "packet services not allowed in this network",
  115: "no suitable cell in this area",
  122: "the network is congested",
  125: "not allowed in this closed group of cells",
  126: "too few resources",
  127: "access point missing or unknown",
  128: "address or type of the packet context unknown",
  129: "the user could not be authenticated",
  130: "the gateway refused the activation",
  131: "the activation was refused",
  132: "service option not supported",
  133: "service option not in the subscription",
  134: "service option out of order for a while",
  140: "feature not supported",
  141: "the traffic filter makes no sense",
  142: "the traffic filter is malformed",
  143: "packet context unknown",
  144: "a packet filter makes no sense",
  145: "a packet filter is malformed",
  146: "a packet context without a filter is active already",
  148: "packet service failed",
  149: "authentication of the packet context failed",
  150: "the modem's class does not allow it",
  151: "group calls not supported by the network",
  152: "no such service in the subscription",
  153: "not subscribed to this group",
  154: "group not active on the SIM card",
  155: "no such notification",
  156: "a group call is under way",
  157: "congestion",
  158: "the network failed",
  159: "the uplink is taken",
  160: "no access to the SIM card's file",
  161: "priority not in the subscription",
  162: "not possible here",
  163: "prefixes of groups not supported",
  164: "prefixes of groups not usable",
  165: "prefix of a group invalid",
  171: "the last packet connection must stay",
  172: "message without sense",
  173: "a necessary part is wrong",
  174: "a part does not exist",
  175: "a conditional part is wrong",
  176: "protocol error",
  177: "barred by the operator",
  178: "no more packet contexts possible",
  179: "access point not supported here",
  180: "refused: the mode of bearer control does not allow it",
  181: "quality of service unknown",
  182: "the network is congested for data over signalling",
};

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

/** `513 (not found)`; a code of neither 3GPP's nor Nordic's list stands alone. */
export function describeCmeError(code: number): string {
  return describeCode(code in networkErrors ? networkErrors : cmeErrors, code);
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
