import { fromHex, isThinglineError } from "@thingline/protocol";
import type { AtParameter } from "@thingline/protocol/at";
import { integerAt, secTagMax as applicationSecTagMax, stringAt } from "@thingline/protocol/at";
import type { DistinguishedName } from "@thingline/protocol/x509";
import { parseCertificates, readPem } from "@thingline/protocol/x509";
import { messageIdBytes } from "../../at/messages.js";
import { signAbout, signMessage, type Signer } from "../attestation.js";
import { refusalOfGenerate, refusalOfMoment } from "../credential-rules.js";
import { defaultKeyUsage, keyUsagePattern, makeKeyRequest, parseSubject } from "../key-request.js";
import type { CommandTable, ModemState, Reply } from "./command.js";
import { ok, refused, set, since } from "./command.js";
import { integer, oneOf, optional, secTagMax, text } from "./parameter-rules.js";

const keyTypes = { client: 2, endorsement: 8 } as const;
/** Of `%CMNG`: the public key of the device's owner. */
const ownershipKeyType = 9;
const challengeText = text(/^[0-9A-Fa-f]{32}$/);

/** Keys that are made in the modem and never leave it, and what the modem says about itself. */
export const keyCommands: CommandTable = {
  ...since((profile) => profile.hasKeyGeneration, {
    "%KEYGEN": {
      set: set(
        [integer(0, secTagMax), integer(0, 255), optional(integer(0, 1)), optional(text()), optional(text())],
        generate,
      ),
    },
    "%ATTESTTOKEN": {
      execute: (modem) => attest(modem, undefined),
      set: set([optional(challengeText)], (modem, parameters) => attest(modem, challengeAt(parameters, 0))),
    },
    "%KEYINJECT": { set: set([text()], inject) },
  }),
  ...since((profile) => profile.hasClaimToken, {
    "%CLAIMTOKEN": { set: set([integer(0, applicationSecTagMax), optional(challengeText)], claim) },
  }),
  ...since((profile) => profile.hasCertificateExpiry, {
    "%CERTEXPIRY": { set: set([integer(1, secTagMax), oneOf(0, 1, 10)], expiry) },
  }),
};

async function generate(modem: ModemState, parameters: readonly AtParameter[]): Promise<Reply> {
  const secTag = integerAt(parameters, 0);
  const keyType = integerAt(parameters, 1);
  const content = integerAt(parameters, 2) ?? 0;
  const attributes = stringAt(parameters, 3);
  const keyUsage = stringAt(parameters, 4) ?? defaultKeyUsage;
  if (secTag === undefined || keyType === undefined) return refused("error");
  if (keyType === keyTypes.endorsement) return generateEndorsementKey(modem, secTag, parameters);
  if (keyType !== keyTypes.client) return refused(50);
  const subject = attributes === undefined ? ([["CN", modem.identity.deviceUuid]] as const) : parseSubject(attributes);
  if (subject === undefined || !keyUsagePattern.test(keyUsage)) return refused(50);
  // A bare public key has neither subject nor key usage.
  if (content === 1 && parameters.length > 3) return refused(50);
  const refusal = refusalOfGenerate(secTag, keyTypes.client, modem.situation()) ?? modem.takeInjectedRefusal();
  if (refusal !== undefined) return refused(refusal);

  const key = await makeKey(modem, secTag, keyTypes.client);
  if (key === undefined) return refused(515);
  const body = await describeKey(modem, key.content, content === 0 ? { subject, keyUsage } : undefined);
  if (body === undefined) return refused(50);
  await modem.storage.put(key);
  return attestedKey(modem, secTag, body, content === 0 ? "certificateRequest" : "publicKey");
}

/** What others encrypt for the device by. One that is there already is told again, not renewed. */
async function generateEndorsementKey(
  modem: ModemState,
  secTag: number,
  parameters: readonly AtParameter[],
): Promise<Reply> {
  // It has no request, so neither subject nor key usage.
  if (parameters.length > 3 || integerAt(parameters, 2) === 0) return refused(50);
  const refusal = refusalOfGenerate(secTag, keyTypes.endorsement, modem.situation()) ?? modem.takeInjectedRefusal();
  if (refusal !== undefined) return refused(refusal);
  const existing = modem.storage.get(secTag, keyTypes.endorsement);
  const key = existing ?? (await makeKey(modem, secTag, keyTypes.endorsement));
  if (key === undefined) return refused(515);
  if (existing === undefined) await modem.storage.put(key);
  return attestedKey(modem, secTag, modem.keys.publicKeyOf(key.content), "publicKey");
}

/** A key to be stored. @returns undefined when there is no room for it. */
async function makeKey({ keys, storage }: ModemState, secTag: number, type: number) {
  const { privateKeyPem } = await keys.generate("ec-p256");
  const key = { secTag, type, content: privateKeyPem, isGenerated: true };
  return storage.hasRoomFor(key) ? key : undefined;
}

/** The request or public key, and the modem's word that the key is its own. */
async function attestedKey(
  modem: ModemState,
  secTag: number,
  body: Uint8Array,
  type: "certificateRequest" | "publicKey",
): Promise<Reply> {
  const deviceUuid = idBytes(modem.identity.deviceUuid);
  const nonce = modem.random.bytes(messageIdBytes);
  const message = { type, deviceUuid, secTag, sha256: modem.keys.sha256(body), nonce };
  return ok(`%KEYGEN: "${await signAbout(body, message, signerOf(modem))}"`);
}

function signerOf({ keys, identity }: ModemState): Signer {
  return { keys, identityKey: identity.identityKey };
}

/** What every token says: which device it is, and what it runs. */
function deviceFacts({ identity, profile }: ModemState) {
  return {
    deviceUuid: idBytes(identity.deviceUuid),
    deviceType: profile.attestationDeviceType,
    firmwareUuid: idBytes(identity.modemUuid),
  };
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

function challengeAt(parameters: readonly AtParameter[], index: number): Uint8Array | undefined {
  const challenge = stringAt(parameters, index);
  return challenge === undefined ? undefined : idBytes(challenge);
}

/** A UUID or a challenge, whose digits were checked. */
function idBytes(digits: string): Uint8Array {
  return fromHex(digits.replaceAll("-", "")) ?? new Uint8Array(0);
}

async function attest(modem: ModemState, challenge: Uint8Array | undefined): Promise<Reply> {
  const nonce = challenge ?? modem.random.bytes(messageIdBytes);
  const message = { type: "identity", ...deviceFacts(modem), nonce } as const;
  return ok(`%ATTESTTOKEN: "${await signMessage(message, signerOf(modem))}"`);
}

/** Which owner the device belongs to: the digest of the owner's public key, signed by the device. */
async function claim(modem: ModemState, parameters: readonly AtParameter[]): Promise<Reply> {
  const owner = modem.storage.get(integerAt(parameters, 0) ?? 0, ownershipKeyType);
  if (owner === undefined) return refused(529);
  const ownershipSha256 = modem.keys.sha256(publicKeyBytes(owner.content));
  const nonce = challengeAt(parameters, 1) ?? modem.random.bytes(messageIdBytes);
  const message = { type: "claim", ...deviceFacts(modem), ownershipSha256, nonce } as const;
  return ok(`%CLAIMTOKEN: "${await signMessage(message, signerOf(modem))}"`);
}

/** What is injected is encrypted for one real modem by its vendor: the key for it is not here. */
function inject(modem: ModemState, parameters: readonly AtParameter[]): Reply {
  if (!/^[\w-]+\.[\w-]+$/.test(stringAt(parameters, 0) ?? "")) return refused(50);
  return refused(refusalOfMoment(modem.situation()) ?? 513);
}

/** DER of a public key in PEM; any other text as it stands. */
function publicKeyBytes(content: string): Uint8Array {
  const pem = readPem(content);
  const [block] = "blocks" in pem ? pem.blocks : [];
  return block?.der ?? new TextEncoder().encode(content);
}

function expiry(modem: ModemState, parameters: readonly AtParameter[]): Reply {
  const secTag = integerAt(parameters, 0);
  const type = integerAt(parameters, 1);
  if (secTag === undefined || type === undefined) return refused("error");
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
