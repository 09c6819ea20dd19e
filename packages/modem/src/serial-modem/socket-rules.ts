import { fromHex } from "@thingline/protocol";
import type { AtParameter } from "@thingline/protocol/at";
import { integerAt, stringAt } from "@thingline/protocol/at";
import { socketsMax } from "../simulator/sockets.js";
import { integer, oneOf, optional, type ParameterRule, text } from "../simulator/commands/parameter-rules.js";
import { failed, ok, type SerialModemCommand, type SerialModemReply, type SerialModemSetForm } from "./command.js";
import type { SerialModemServices } from "./feature.js";
import type { SocketKind } from "./socket.js";

/** Names of hosts are kept in so many bytes. */
export const hostBytesMax = 128;
/** Highest number of a packet data network. */
export const cidMax = 10;
/** Bytes of one command in hexadecimal digits. */
export const hexSentBytesMax = 1400;

export const host: ParameterRule = text(/^[\x21-\x7e]{1,128}$/);
export const port: ParameterRule = integer(1, 65_535);
export const handle: ParameterRule = integer(0, socketsMax - 1);
export const secTag: ParameterRule = integer(0, 2_147_483_647);
export const timeoutSeconds: ParameterRule = integer(0, 2_147_483);

/** `<family>,<type>,<role>[,<cid>]`, whatever the first is called. */
export const plainSocketRules: readonly ParameterRule[] = [
  oneOf(1, 2),
  oneOf(1, 2, 3),
  oneOf(0, 1),
  optional(integer(0, cidMax)),
];
/** `<family>,<type>,<role>,<sec_tag>[,<peer_verify>[,<cid>]]` */
export const secureSocketRules: readonly ParameterRule[] = [
  oneOf(1, 2),
  oneOf(1, 2),
  oneOf(0, 1),
  secTag,
  optional(oneOf(0, 1, 2)),
  optional(integer(0, cidMax)),
];

/** What TCP and TLS sockets are called in the answers to their opening. */
export const protocols = { plain: "1,6", secure: "1,258" } as const;

/** What is to be opened, or a refusal of what the transport does not have. */
export function readSocketKind(
  services: SerialModemServices,
  parameters: readonly AtParameter[],
  isSecure: boolean,
): SocketKind | SerialModemReply {
  const [family, type, role] = [0, 1, 2].map((index) => integerAt(parameters, index));
  if (type === 2) return services.refuse(`${isSecure ? "DTLS" : "UDP"} sockets`);
  if (type === 3) return services.refuse("raw sockets");
  if (role === 1 && (isSecure || services.options.listen === undefined)) {
    return services.refuse(isSecure ? "TLS servers" : "server sockets");
  }
  return {
    family: family === 2 ? 2 : 1,
    role: role === 1 ? 1 : 0,
    cid: integerAt(parameters, isSecure ? 5 : 3) ?? 0,
    secTag: isSecure ? integerAt(parameters, 3) : undefined,
    peerVerify: integerAt(parameters, 4) ?? 2,
  };
}

/** Flags of a receive command. */
export interface ReceiveFlags {
  isPeek: boolean;
  isNonBlocking: boolean;
  waitsForAll: boolean;
}

const flagBits = { peek: 2, nonBlocking: 64, waitForAll: 256 } as const;
const knownFlags = flagBits.peek | flagBits.nonBlocking | flagBits.waitForAll;

/** Undefined for bits that nobody knows. */
export function readReceiveFlags(flags: number): ReceiveFlags | undefined {
  if ((flags & ~knownFlags) !== 0) return undefined;
  return {
    isPeek: (flags & flagBits.peek) !== 0,
    isNonBlocking: (flags & flagBits.nonBlocking) !== 0,
    waitsForAll: (flags & flagBits.waitForAll) !== 0,
  };
}

/** The time of a receive command: 0 waits for ever, unless it does not wait at all. */
export function receiveTimeoutMs(seconds: number, { isNonBlocking }: ReceiveFlags): number | undefined {
  if (isNonBlocking) return 0;
  return seconds === 0 ? undefined : seconds * 1000;
}

export function bytesAt(parameters: readonly AtParameter[], index: number): Uint8Array {
  return new TextEncoder().encode(stringAt(parameters, index) ?? "");
}

/** Undefined for what is not an even number of hexadecimal digits, or too many of them. */
export function hexAt(parameters: readonly AtParameter[], index: number): Uint8Array | undefined {
  const digits = stringAt(parameters, index) ?? "";
  return digits.length === 0 || digits.length > 2 * hexSentBytesMax ? undefined : fromHex(digits);
}

/** The form of SLM's send commands that carries its text: `#XSEND: <bytes sent>`, and ERROR when those are not all. */
export function textSendForm(
  { traits }: SerialModemServices,
  name: string,
  send: (bytes: Uint8Array) => Promise<number>,
): SerialModemSetForm {
  return {
    rules: [text()],
    handle: async (parameters) => {
      const bytes = bytesAt(parameters, 0);
      if (bytes.length > (traits.sentTextBytesMax ?? bytes.length)) return failed();
      const sent = await send(bytes);
      const line = `${name}: ${Math.max(0, sent)}`;
      return sent === bytes.length ? ok(line) : failed(line);
    },
  };
}

/** A command that is known and not simulated: each form is an ERROR, and told by name. */
export function refusedCommand(
  services: SerialModemServices,
  name: string,
  what: string,
  of: SerialModemCommand["dialects"] & object,
): SerialModemCommand {
  const refuse = (): SerialModemReply => services.refuse(`${what} (AT${name})`);
  return {
    name,
    dialects: of,
    forms: { execute: refuse, read: refuse, test: refuse, set: { rules: "any", handle: refuse } },
  };
}
