import { CborTag, decodeCbor, encodeCbor, type CborWritable } from "@thingline/protocol/cbor";

/** What a modem says and signs with its identity key. */
export type ModemMessage =
  /** `%ATTESTTOKEN`: which part it is. */
  | {
      type: "identity";
      deviceUuid: Uint8Array;
      /** 1 to 3 nRF9160, 4 nRF9161, 5 nRF9131, 6 nRF9151. */
      deviceType: number;
      firmwareUuid: Uint8Array;
      /** Its own, or the challenge of the command. */
      nonce: Uint8Array;
    }
  /** `%KEYGEN`: a key that it has made, and what stands before the dot is about. */
  | {
      type: "publicKey" | "certificateRequest";
      deviceUuid: Uint8Array;
      secTag: number;
      /** SHA-256 of what stands before the dot. */
      sha256: Uint8Array;
      nonce: Uint8Array;
    }
  /** `%CLAIMTOKEN`: whose it is. How its parts are ordered is known, which number it has is not. */
  | {
      type: "claim";
      deviceUuid: Uint8Array;
      deviceType: number;
      firmwareUuid: Uint8Array;
      /** SHA-256 of the ownership public key. */
      ownershipSha256: Uint8Array;
      nonce: Uint8Array;
    };

/** The first item of a message. That of a claim is made up. */
export const messageNumbers = { identity: 1, claim: 4, publicKey: 8, certificateRequest: 9 } as const;
/** Of a UUID, and of a nonce. */
export const messageIdBytes = 16;
const sha256Bytes = 32;

/** CBOR's tag for CBOR, and the three bytes that it makes. */
const selfDescribed = 55_799;
const selfDescribedBytes = Uint8Array.of(0xd9, 0xd9, 0xf7);

export function encodeModemMessage(message: ModemMessage): Uint8Array {
  return encodeCbor(new CborTag(selfDescribed, [messageNumbers[message.type], ...itemsOf(message)]));
}

function itemsOf(message: ModemMessage): CborWritable[] {
  switch (message.type) {
    case "identity":
      return [message.deviceUuid, message.deviceType, message.firmwareUuid, message.nonce];
    case "claim":
      return [message.deviceUuid, message.deviceType, message.firmwareUuid, message.ownershipSha256, message.nonce];
    case "publicKey":
    case "certificateRequest":
      return [message.deviceUuid, encodeCbor(message.secTag), message.sha256, message.nonce];
  }
}

/** @returns undefined for anything that a modem's documentation does not have. */
export function decodeModemMessage(bytes: Uint8Array): ModemMessage | undefined {
  if (!selfDescribedBytes.every((byte, at) => bytes[at] === byte)) return undefined;
  const value = decodeCbor(bytes.subarray(selfDescribedBytes.length));
  if (!Array.isArray(value)) return undefined;
  const [number, deviceUuid, ...items] = value as unknown[];
  if (!isBytes(deviceUuid, messageIdBytes)) return undefined;
  switch (number) {
    case messageNumbers.identity:
      return readIdentity(deviceUuid, items);
    case messageNumbers.publicKey:
      return readKey("publicKey", deviceUuid, items);
    case messageNumbers.certificateRequest:
      return readKey("certificateRequest", deviceUuid, items);
    default:
      // Whichever number it has: nothing else has a digest behind two UUIDs.
      return typeof number === "number" ? readClaim(deviceUuid, items) : undefined;
  }
}

function readIdentity(deviceUuid: Uint8Array, items: readonly unknown[]): ModemMessage | undefined {
  const [deviceType, firmwareUuid, nonce] = items;
  if (items.length !== 3 || typeof deviceType !== "number") return undefined;
  if (!isBytes(firmwareUuid, messageIdBytes) || !isBytes(nonce, messageIdBytes)) return undefined;
  return { type: "identity", deviceUuid, deviceType, firmwareUuid, nonce };
}

function readKey(
  type: "publicKey" | "certificateRequest",
  deviceUuid: Uint8Array,
  items: readonly unknown[],
): ModemMessage | undefined {
  const [tag, sha256, nonce] = items;
  const secTag = tag instanceof Uint8Array ? decodeCbor(tag) : undefined;
  if (items.length !== 3 || typeof secTag !== "number") return undefined;
  if (!isBytes(sha256, sha256Bytes) || !isBytes(nonce, messageIdBytes)) return undefined;
  return { type, deviceUuid, secTag, sha256, nonce };
}

function readClaim(deviceUuid: Uint8Array, items: readonly unknown[]): ModemMessage | undefined {
  const [deviceType, firmwareUuid, ownershipSha256, nonce] = items;
  if (items.length !== 4 || typeof deviceType !== "number" || !isBytes(firmwareUuid, messageIdBytes)) return undefined;
  if (!isBytes(ownershipSha256, sha256Bytes) || !isBytes(nonce, messageIdBytes)) return undefined;
  return { type: "claim", deviceUuid, deviceType, firmwareUuid, ownershipSha256, nonce };
}

function isBytes(value: unknown, length: number): value is Uint8Array {
  return value instanceof Uint8Array && value.length === length;
}
