import { isThinglineError } from "@thingline/protocol";
import type { AtParameter } from "@thingline/protocol/at";
import { integerAt, stringAt } from "@thingline/protocol/at";
import { CborTag, encodeCbor } from "@thingline/protocol/cbor";
import type { DistinguishedName } from "@thingline/protocol/x509";
import { parseCertificates } from "@thingline/protocol/x509";
import { encodeBase64Url, hexBytes, signCose, uuidBytes } from "../attestation.js";
import { refusalOfGenerate } from "../credential-rules.js";
import { defaultKeyUsage, keyUsagePattern, makeKeyRequest, parseSubject } from "../key-request.js";
import type { CommandTable, ModemState, Reply } from "./command.js";
import { ok, refused, set } from "./command.js";
import { integer, optional, secTagMax, text } from "./parameter-rules.js";

/** Self-described CBOR, which begins every message. */
const selfDescribed = 55_799;
const nonceBytes = 16;
/** What a message is about: its first item. */
const messageTypes = { deviceIdentity: 1, publicKey: 8, certificateRequest: 9 } as const;

/** Keys that are made in the modem and never leave it, and what the modem says about itself. */
export const keyCommands: CommandTable = {
  "%KEYGEN": {
    set: set(
      [integer(0, secTagMax), integer(0, 255), optional(integer(0, 1)), optional(text()), optional(text())],
      generate,
    ),
  },
  "%ATTESTTOKEN": {
    execute: (modem) => attest(modem, undefined),
    set: set([text(/^[0-9A-Fa-f]{32}$/)], attestWithChallenge),
  },
  // What is injected is encrypted for one real modem by its vendor; nothing of that kind can fit here.
  "%KEYINJECT": { set: set([text()], () => refused(513)) },
  "%CERTEXPIRY": { set: set([integer(0, secTagMax), integer(0, 255)], expiry) },
};

async function generate(modem: ModemState, parameters: readonly AtParameter[]): Promise<Reply> {
  const secTag = integerAt(parameters, 0);
  const keyType = integerAt(parameters, 1);
  const content = integerAt(parameters, 2) ?? 0;
  const attributes = stringAt(parameters, 3);
  const keyUsage = stringAt(parameters, 4) ?? defaultKeyUsage;
  if (secTag === undefined || keyType === undefined) return refused("error");
  // Only client keys; the endorsement key (8) is the vendor's business.
  if (keyType !== 2) return refused(keyType === 8 ? 514 : 50);
  const subject = attributes === undefined ? ([["CN", modem.identity.deviceUuid]] as const) : parseSubject(attributes);
  if (subject === undefined || !keyUsagePattern.test(keyUsage)) return refused(50);
  // A bare public key has neither subject nor key usage.
  if (content === 1 && parameters.length > 3) return refused(50);
  const refusal = refusalOfGenerate(secTag, modem.situation()) ?? modem.takeInjectedRefusal();
  if (refusal !== undefined) return refused(refusal);

  const { privateKeyPem } = await modem.keys.generate("ec-p256");
  const body = await describeKey(modem, privateKeyPem, content === 0 ? { subject, keyUsage } : undefined);
  if (body === undefined) return refused(50);
  await modem.storage.put({ secTag, type: 2, content: privateKeyPem, isGenerated: true });
  const message = encodeCbor(
    new CborTag(selfDescribed, [
      content === 0 ? messageTypes.certificateRequest : messageTypes.publicKey,
      uuidBytes(modem.identity.deviceUuid),
      encodeCbor(secTag),
      modem.keys.sha256(body),
      modem.random.bytes(nonceBytes),
    ]),
  );
  const { identityKey } = modem.identity;
  const signed = await signCose({ keys: modem.keys, identityKey, payload: message, isDetached: false });
  return ok(`%KEYGEN: "${encodeBase64Url(body)}.${encodeBase64Url(signed)}"`);
}

/** @returns a signing request, the public key when none is wanted, undefined for a subject that DER cannot hold. */
async function describeKey(
  { keys }: ModemState,
  privateKeyPem: string,
  request: { subject: DistinguishedName; keyUsage: string } | undefined,
): Promise<Uint8Array | undefined> {
  const publicKey = keys.publicKeyOf(privateKeyPem);
  if (request === undefined) return publicKey;
  try {
    return await makeKeyRequest({ ...request, publicKey, sign: (data) => keys.sign(privateKeyPem, data) });
  } catch (error) {
    if (isThinglineError(error, "OPTION_INVALID")) return undefined;
    throw error;
  }
}

async function attestWithChallenge(modem: ModemState, parameters: readonly AtParameter[]): Promise<Reply> {
  return attest(modem, hexBytes(stringAt(parameters, 0) ?? ""));
}

async function attest(modem: ModemState, challenge: Uint8Array | undefined): Promise<Reply> {
  const { deviceUuid, modemUuid, identityKey } = modem.identity;
  const nonce = challenge ?? modem.random.bytes(nonceBytes);
  const type = modem.profile.attestationDeviceType;
  const payload = encodeCbor(
    new CborTag(selfDescribed, [messageTypes.deviceIdentity, uuidBytes(deviceUuid), type, uuidBytes(modemUuid), nonce]),
  );
  const signed = await signCose({ keys: modem.keys, identityKey, payload, isDetached: true });
  return ok(`%ATTESTTOKEN: "${encodeBase64Url(payload)}.${encodeBase64Url(signed)}"`);
}

function expiry(modem: ModemState, parameters: readonly AtParameter[]): Reply {
  const secTag = integerAt(parameters, 0);
  const type = integerAt(parameters, 1);
  if (!modem.profile.hasDeviceUuid || secTag === undefined || type === undefined) {
    return refused("error");
  }
  const entry = modem.storage.get(secTag, type);
  if (entry === undefined) return refused(513);
  try {
    const [{ serialNumber, notBefore, notAfter }] = parseCertificates(entry.content);
    return ok(`%CERTEXPIRY: ${serialNumber},${compactTime(notBefore)},${compactTime(notAfter)}`);
  } catch (error) {
    if (isThinglineError(error, "CERTIFICATE_INVALID")) return refused(527);
    throw error;
  }
}

/** `yyyymmddhhmmssZ`. */
function compactTime(unixSeconds: number): string {
  return `${new Date(unixSeconds * 1000)
    .toISOString()
    .replaceAll(/[^0-9]/g, "")
    .slice(0, 14)}Z`;
}
