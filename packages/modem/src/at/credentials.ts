import { type CredentialLine, formatCredentialLine, parseCredentialLine } from "@thingline/protocol/at";
import { act, ask, set } from "./entry.js";
import { anyLines, many, one, oneOrNone } from "./answers.js";
import type { Domain } from "./domain.js";
import { bare, bits, choice, flag, hex, integer, optional, text } from "./fields.js";
import { fields, type LineCodec, single, supported } from "./lines.js";
import { compactTime } from "./times.js";

export const credentialOperations = { 0: "write", 1: "list", 2: "read", 3: "delete" } as const;
/** What `AT%KEYGEN` answers with. */
export const keyContents = { 0: "request", 1: "publicKey" } as const;
/** `AT%XPMNG`: the key that authenticated commands are signed with. `AT%CMNG` deletes it. */
export const commandKeyOperations = { 0: "write", 2: "read" } as const;

const secTag = integer(0, 4_294_967_295);
const type = integer(0, 255);
/** Two parts in base64url: what is said, and the signature of the modem's identity key. */
const signedText = text(/^[\w-]+\.[\w-]+$/);
const content: Domain = { type: "optional", of: { type: "text", pattern: /^[A-Za-z0-9+/=\r\n-]{0,80}$/ } };

const credentialLine: LineCodec<CredentialLine> = {
  parse: (line) => parseCredentialLine(`%CMNG: ${line}`),
  format: (line) => formatCredentialLine(line).slice("%CMNG: ".length),
  domain: {
    type: "fields",
    fields: {
      secTag: { domain: secTag.domain, isOptional: false },
      type: { domain: type.domain, isOptional: false },
      sha256: { domain: { type: "text", pattern: /^[0-9A-F]{64}$/ }, isOptional: false },
      content: { domain: content, isOptional: false },
    },
  },
};

/** One of several keys for authenticated commands. */
const keySlot = integer(0, 9);

/** A command that is signed, for a modem that takes it from nobody else. */
export interface AuthenticatedCommand {
  /** Characters of the command that are signed; those behind them the modem ignores. */
  length: number;
  /** ECDSA with SHA-256, DER, in base64. */
  signature: string;
  slot?: number | undefined;
  /** Without its `AT`. */
  command: string;
}

const signature = fields({
  length: integer(1, 4096),
  signature: text(/^[A-Za-z0-9+/]{1,512}={0,2}$/),
  slot: optional(keySlot),
});

const authenticated: LineCodec<AuthenticatedCommand> = {
  parse: (line, isOpen) => {
    const end = line.indexOf(";");
    const signed = end < 0 ? undefined : signature.parse(line.slice(0, end), isOpen);
    const command = line.slice(end + 1);
    return signed === undefined || signed.length > command.length ? undefined : { ...signed, command };
  },
  format: ({ command, ...signed }) => `${signature.format(signed)};${command}`,
  domain: {
    type: "fields",
    fields: {
      length: { domain: { type: "integer", lowest: 1, highest: 8 }, isOptional: false },
      signature: { domain: { type: "text", pattern: /^[A-Za-z0-9+/]{1,96}={0,2}$/ }, isOptional: false },
      slot: { domain: keySlot.domain, isOptional: true },
      command: { domain: { type: "text", pattern: /^[+%][A-Z]{7,12}=[0-9],"[a-z;,]{0,12}"$/ }, isOptional: false },
    },
  },
};

/** Credentials, keys that are made in the modem, and what it signs. */
export const credentialTable = {
  "%CMNG=": set(
    fields({
      operation: choice(credentialOperations),
      ...{ secTag: optional(secTag), type: optional(type), content: optional(text()), password: optional(text()) },
    }),
    many(credentialLine, 4096),
  ),
  "%CMNG=?": ask(one(supported)),
  "%KEYGEN=": set(
    fields({
      secTag,
      keyType: type,
      content: optional(choice(keyContents)),
      ...{ attributes: optional(text()), keyUsage: optional(bits(9)) },
    }),
    one(single(signedText)),
  ),
  "%KEYINJECT=": set(fields({ message: signedText }), one(single(text(/^[\w-]+$/)))),
  "%ATTESTTOKEN": ask(one(single(signedText))),
  "%ATTESTTOKEN=": set(fields({ challenge: hex(32) }), one(single(signedText))),
  "%CLAIMTOKEN=": set(fields({ secTag, challenge: optional(hex(32)) }), one(single(signedText))),
  "%CERTEXPIRY=": set(
    fields({ secTag, type }),
    one(fields({ serialNumber: bare(/^[0-9A-Fa-f]{1,64}$/), notBefore: compactTime, notAfter: compactTime })),
  ),
  "%XPMNG=": set(
    fields({ operation: choice(commandKeyOperations), content: optional(text()), slot: optional(keySlot) }),
    oneOrNone(single(text())),
  ),
  "%XSUDO=": set(authenticated, anyLines),
  "%XPRODDONE": act,
  "%XPRODDONE=": set(fields({ keepsRadioTest: flag })),
};
