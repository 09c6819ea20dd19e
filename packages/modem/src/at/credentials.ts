import { type CredentialLine, formatCredentialLine, parseCredentialLine } from "@thingline/protocol/at";
import { act, ask, set } from "./entry.js";
import { many, one } from "./answers.js";
import type { Domain } from "./domain.js";
import { bare, bits, choice, hex, integer, optional, text } from "./fields.js";
import { fields, type LineCodec, single } from "./lines.js";
import { compactTime } from "./times.js";

export const credentialOperations = { 0: "write", 1: "list", 2: "read", 3: "delete" } as const;
/** What `AT%KEYGEN` answers with. */
export const keyContents = { 0: "request", 1: "publicKey" } as const;
export const publicKeyOperations = { 0: "write", 1: "delete", 2: "read" } as const;

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

/** Credentials, keys that are made in the modem, and what it signs. */
export const credentialTable = {
  "%CMNG=": set(
    fields({
      operation: choice(credentialOperations),
      ...{ secTag: optional(secTag), type: optional(type), content: optional(text()), password: optional(text()) },
    }),
    many(credentialLine, 4096),
  ),
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
  "%XPRODDONE": act,
};
