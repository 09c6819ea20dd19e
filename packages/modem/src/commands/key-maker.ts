import { checkOptionTypes, type OptionTypes, optionInvalid } from "@thingline/protocol";
import type { DistinguishedName } from "@thingline/protocol/x509";
import { type KeyMaker, type KeyRequestOptions, type Keys, keysOption, type MadeKey } from "@thingline/transport";
import { type ModemSession, sessionOption } from "../session.js";
import type { KeyAttestation } from "./attestation.js";
import { keyByCommand, keyUsagePattern, publicKeyByCommand } from "./key-command.js";
import { checkSecTag, runWithReasons } from "./reasons.js";

export interface ModemKeyMakerOptions {
  keys: Keys;
  /**
   * Nine of `0` and `1` in X.509's order, from digitalSignature to decipherOnly. Default: the modem's own, `111010000`. TLS needs the first.
   */
  keyUsage?: string;
  /** SubjectPublicKeyInfo DER of the modem's identity key: attestations have to be signed by it. Default: nobody's signature is checked. */
  identityKey?: Uint8Array;
}

export interface ModemMadeKey extends MadeKey {
  attestation: KeyAttestation;
}

/** Makes keys inside a modem, by `AT%KEYGEN`: P-256, and nobody ever reads them. */
export interface ModemKeyMaker extends KeyMaker {
  makeKey(secTag: number, options: KeyRequestOptions): Promise<ModemMadeKey>;
  /** A key without a certificate request: for whoever makes certificates from bare keys. */
  makePublicKey(secTag: number): Promise<{ publicKey: Uint8Array; attestation: KeyAttestation }>;
}

const optionTypes = {
  keys: keysOption,
  keyUsage: "string",
  identityKey: "bytes",
} as const satisfies OptionTypes<ModemKeyMakerOptions>;

/**
 * The modem has to be offline, with modem firmware 1.3.0 or later. Refusals are CREDENTIAL_REFUSED with its number in `details.cme`: 518 while
 * it is active, 519 where the tag holds a key, 515, 523, 528.
 *
 * @throws {ThinglineError} OPTION_INVALID
 */
export function createModemKeyMaker(session: ModemSession, options: ModemKeyMakerOptions): ModemKeyMaker {
  const of = "createModemKeyMaker()";
  checkOptionTypes({ session }, { session: sessionOption }, { of, required: ["session"] });
  checkOptionTypes(options, optionTypes, { of, required: ["keys"] });
  const { keyUsage, ...trust } = options;
  if (keyUsage !== undefined && !keyUsagePattern.test(keyUsage)) {
    throw optionInvalid("keyUsage", "nine of 0 and 1", keyUsage);
  }
  const runOn = (secTag: number) => (line: string) =>
    runWithReasons(session, "generate", { secTag, type: "privateKey" }, line);
  return {
    makeKey: async (secTag, { subject }) => {
      checkSecTag(secTag);
      const command = { secTag, attributes: subjectText(subject), keyUsage, ...trust };
      const { requestPem, publicKey, attestation } = await keyByCommand(runOn(secTag), command);
      return { requestPem, publicKey, attestation };
    },
    makePublicKey: async (secTag) => {
      checkSecTag(secTag);
      return publicKeyByCommand(runOn(secTag), { secTag, ...trust });
    },
  };
}

/** The modem takes a subject as one text, and no way is known to write what separates its parts within one. */
function subjectText(subject: DistinguishedName): string {
  return subject
    .map(([type, value]) => {
      if (value !== "" && !/[,="\p{Cc}]/u.test(value)) return `${type}=${value}`;
      throw optionInvalid(
        "subject",
        `a value of ${type} without comma, equals sign, quote and control characters`,
        value,
      );
    })
    .join(",");
}
