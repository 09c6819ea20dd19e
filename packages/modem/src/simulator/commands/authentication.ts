import { isThinglineError } from "@thingline/protocol";
import type { AtCommand, AtParameter } from "@thingline/protocol/at";
import { atCommandBytesMax, integerAt, isAbsentAt, parseAtCommand, stringAt } from "@thingline/protocol/at";
import { decodeBase64, readPem, readPublicKeyKind } from "@thingline/protocol/x509";
import { refusalOfMoment } from "../credential-rules.js";
import type { CommandTable, ModemState, Reply } from "./command.js";
import { ok, refused, set } from "./command.js";
import { areAllowed, integer, oneOf, optional, text } from "./parameter-rules.js";

/** Of `%CMNG`: the public key of authenticated commands. Its security tag is its slot. */
const publicKeyType = 5;
const slot = integer(0, 9);

const sudoRules = [integer(1, atCommandBytesMax), text(/^[A-Za-z0-9+/]+={0,2}$/), optional(slot)];

/** Commands that somebody has signed, and the end of a device's production. */
export const authenticationCommands: CommandTable = {
  "%XPMNG": {
    set: set([oneOf(0, 2), optional(text()), optional(slot)], (modem, parameters) => {
      const key = integerAt(parameters, 2) ?? 0;
      return integerAt(parameters, 0) === 0 ? writeKey(modem, key, parameters) : readKey(modem, key, parameters);
    }),
  },
  // Without a command behind it there is nothing to authenticate; with one, `authenticated` below takes it apart.
  "%XSUDO": {
    set: set(sudoRules, () => refused("error")),
  },
  "%XPRODDONE": {
    execute: endProduction,
    set: set([optional(integer(0, 1))], endProduction),
  },
};

async function writeKey(modem: ModemState, key: number, parameters: readonly AtParameter[]): Promise<Reply> {
  const content = stringAt(parameters, 1);
  if (content === undefined || content === "") return refused("error");
  if (publicKeyOf(content) === undefined) return refused(50);
  const refusal = refusalOfMoment(modem.situation()) ?? modem.takeInjectedRefusal();
  if (refusal !== undefined) return refused(refusal);
  // A key is written once: whoever may delete it may write another.
  if (modem.storage.get(key, publicKeyType) !== undefined) return refused(519);
  const entry = { secTag: key, type: publicKeyType, content };
  if (!modem.storage.hasRoomFor(entry)) return refused(515);
  await modem.storage.put(entry);
  return ok();
}

function readKey(modem: ModemState, key: number, parameters: readonly AtParameter[]): Reply {
  if (!isAbsentAt(parameters, 1) && stringAt(parameters, 1) !== "") return refused("error");
  const content = modem.storage.get(key, publicKeyType)?.content;
  return content === undefined ? refused(513) : ok(`%XPMNG: "${content}"`);
}

async function endProduction(modem: ModemState): Promise<Reply> {
  const refusal = refusalOfMoment(modem.situation());
  if (refusal !== undefined) return refused(refusal);
  await modem.endProduction();
  return ok();
}

/**
 * `AT%XSUDO=<length>,"<signature>"[,<slot>];<command>`: ECDSA on P-256 over so many characters of the command, which has no AT in front.
 *
 * @returns the command that was signed, or why it is not done.
 */
export function authenticate(modem: ModemState, { parameters, authenticated = "" }: AtCommand): AtCommand | Reply {
  if (!areAllowed(parameters, sudoRules)) return refused("error");
  const [length, signature, key] = [
    integerAt(parameters, 0) ?? 0,
    stringAt(parameters, 1) ?? "",
    integerAt(parameters, 2),
  ];
  if (authenticated.length < length) return refused("error");
  const signed = authenticated.slice(0, length);
  const content = modem.storage.get(key ?? 0, publicKeyType)?.content;
  const publicKey = content === undefined ? undefined : publicKeyOf(content);
  if (publicKey === undefined) return refused(513);
  const isSigned = modem.keys.verify({
    publicKey,
    algorithm: { kind: "ecdsa", hash: "sha256" },
    data: new TextEncoder().encode(signed),
    signature: decodeBase64(signature) ?? new Uint8Array(0),
  });
  if (!isSigned) return refused(520);
  try {
    const command = parseAtCommand(`AT${signed}`);
    // One signature does for one command.
    return command.authenticated === undefined ? command : refused("error");
  } catch (error) {
    if (isThinglineError(error, "AT_MALFORMED")) return refused("error");
    throw error;
  }
}

/** SubjectPublicKeyInfo of a P-256 key in PEM. @returns undefined when it is none. */
function publicKeyOf(content: string): Uint8Array | undefined {
  const pem = readPem(content);
  const [block] = "blocks" in pem ? pem.blocks : [];
  if (block === undefined) return undefined;
  try {
    const kind = readPublicKeyKind(block.der);
    return kind.kind === "ec" && kind.curve === "P-256" ? block.der : undefined;
  } catch (error) {
    if (isThinglineError(error)) return undefined;
    throw error;
  }
}
