import type { AtParameter } from "@thingline/protocol/at";
import { integerAt, isAbsentAt, stringAt } from "@thingline/protocol/at";
import { integer, oneOf, optional, type ParameterRule, text } from "../simulator/commands/parameter-rules.js";
import { failed, ok, type SerialModemReply } from "./command.js";
import type { SerialModemDialect } from "./dialect.js";
import { hostBytesMax } from "./socket-rules.js";
import type { ModemSocket } from "./socket.js";

/** `<op>,<name>[,<value>]`: 0 reads, 1 writes. */
export const optionRules: readonly ParameterRule[] = [
  oneOf(0, 1),
  integer(0, 65_535),
  optional(integer(-2_147_483_648, 2_147_483_647)),
];
export const textOptionRules: readonly ParameterRule[] = [
  oneOf(1),
  integer(0, 65_535),
  text(new RegExp(`^.{0,${hostBytesMax}}$`, "s")),
];

interface NumberOption {
  access: "both" | "set" | "get";
  values?: readonly number[];
  range?: readonly [lowest: number, highest: number];
  dialects?: readonly SerialModemDialect[];
}

const flag: NumberOption = { access: "both", values: [0, 1] };
const newer = ["slm-2.x", "serialModem"] as const;
const handshakeTimes = [1, 3, 7, 15, 31, 63, 123] as const;

/** Options of plain sockets by number. But for the two timeouts they are kept and change nothing. */
const plainOptions: Readonly<Record<number, NumberOption>> = {
  2: { access: "set", values: [0, 1] },
  20: { access: "both", range: [0, 2_147_483] },
  21: { access: "both", range: [1, 600] },
  30: flag,
  31: flag,
  32: flag,
  34: { ...flag, dialects: ["serialModem"] },
  40: { access: "set", range: [0, 10], dialects: newer },
  55: { access: "both", range: [0, 135], dialects: newer },
  61: { access: "set", range: [1, 5], dialects: newer },
  62: { ...flag, dialects: newer },
};

/** Options of secure sockets by number, besides the host name. Those of DTLS alone are refused, as there are no DTLS sockets. */
const secureOptions: Readonly<Record<number, NumberOption>> = {
  4: { access: "get" },
  5: { access: "both", values: [0, 1, 2] },
  12: flag,
  13: { access: "set" },
  14: { access: "both", values: handshakeTimes, dialects: ["slm-1.x"] },
  18: { access: "both", values: handshakeTimes, dialects: newer },
  22: { access: "both", values: [0, 1, 2], dialects: ["serialModem"] },
};

const hostNameOption = 2;

interface OptionRequest {
  socket: ModemSocket;
  dialect: SerialModemDialect;
  parameters: readonly AtParameter[];
  /** Where the operation stands: 1 behind a handle. */
  from: 0 | 1;
}

/** `#XSOCKETOPT`. */
export function handlePlainOption({ socket, dialect, parameters, from }: OptionRequest): SerialModemReply {
  const [isGet, name] = [integerAt(parameters, from) === 0, integerAt(parameters, from + 1) ?? 0];
  const option = plainOptions[name];
  if (!isThere(option, dialect, isGet)) return failed();
  if (isGet) return ok(answerLine("#XSOCKETOPT", socket, dialect, readPlain(socket, name)));
  const value = integerAt(parameters, from + 2) ?? 0;
  if (!isAllowed(option, value)) return failed();
  if (name === 20) socket.receiveTimeoutSeconds = value;
  else if (name === 21) socket.sendTimeoutSeconds = value;
  else socket.storedOptions.set(name, value);
  return ok();
}

/** `#XSSOCKETOPT`. */
export function handleSecureOption({ socket, dialect, parameters, from }: OptionRequest): SerialModemReply {
  if (socket.kind.secTag === undefined) return failed();
  const [isGet, name] = [integerAt(parameters, from) === 0, integerAt(parameters, from + 1) ?? 0];
  if (name === hostNameOption) return handleHostName({ socket, dialect, parameters, from }, isGet);
  const option = secureOptions[name];
  if (!isThere(option, dialect, isGet)) return failed();
  if (isGet) return ok(answerLine("#XSSOCKETOPT", socket, dialect, readSecure(socket, name)));
  if (isAbsentAt(parameters, from + 2) || stringAt(parameters, from + 2) !== undefined) return failed();
  const value = integerAt(parameters, from + 2) ?? 0;
  if (!isAllowed(option, value)) return failed();
  if (name === 5) socket.peerVerify = value;
  else if (name === 12) socket.isSessionCached = value === 1;
  else if (name !== 13) socket.storedOptions.set(name, value);
  return ok();
}

function handleHostName({ socket, dialect, parameters, from }: OptionRequest, isGet: boolean): SerialModemReply {
  if (isGet) return ok(answerLine("#XSSOCKETOPT", socket, dialect, socket.hostName ?? ""));
  const name = stringAt(parameters, from + 2);
  if (name === undefined) return failed();
  socket.hostName = name === "" || name.toUpperCase() === "NULL" ? undefined : name;
  return ok();
}

/** The add-on's answers begin with the handle. */
function answerLine(command: string, socket: ModemSocket, dialect: SerialModemDialect, value: string | number): string {
  return dialect === "serialModem" ? `${command}: ${socket.handle},${value}` : `${command}: ${value}`;
}

function isThere(
  option: NumberOption | undefined,
  dialect: SerialModemDialect,
  isGet: boolean,
): option is NumberOption {
  if (option === undefined || option.dialects?.includes(dialect) === false) return false;
  return option.access === "both" || option.access === (isGet ? "get" : "set");
}

function isAllowed({ values, range: [lowest, highest] = [-Infinity, Infinity] }: NumberOption, value: number): boolean {
  return value >= lowest && value <= highest && values?.includes(value) !== false;
}

function readPlain(socket: ModemSocket, name: number): number {
  if (name === 20) return socket.receiveTimeoutSeconds;
  if (name === 21) return socket.sendTimeoutSeconds;
  return socket.storedOptions.get(name) ?? 0;
}

function readSecure(socket: ModemSocket, name: number): string | number {
  if (name === 4) return `0x${(cipherSuiteNumbers[socket.cipher ?? ""] ?? 0).toString(16)}`;
  if (name === 5) return socket.peerVerify;
  if (name === 12) return socket.isSessionCached ? 1 : 0;
  return socket.storedOptions.get(name) ?? 0;
}

/** IANA's numbers of the modem's cipher suites. */
const cipherSuiteNumbers: Readonly<Record<string, number>> = {
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA384: 0xc024,
  TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA: 0xc00a,
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA256: 0xc023,
  TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA: 0xc009,
  TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA: 0xc014,
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA256: 0xc027,
  TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA: 0xc013,
  TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256: 0xc02b,
  TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384: 0xc030,
  TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256: 0xc02f,
};
