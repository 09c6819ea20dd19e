// What is said of images of every kind and damaged at every field: by this library, and by the bootloader that they are for.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import {
  type ImagePolicy,
  type ImageRefusalCode,
  type McubootBuild,
  mcubootVerdict,
  sourceOf,
  tlvTypes,
  verifyImage,
} from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { damaged, rawImage, type RawTlv, tlvMaker, uint32 } from "./image-builder.test.support.js";
import { fixtureImage, fixtureKey } from "./image-fixtures.test.support.js";

const crypto = createNodeImageCrypto();
const make = tlvMaker(crypto);

const pems = { ed: "", other: "", p256: "", p384: "", rsa: "" };

before(async () => {
  pems.ed = await fixtureKey("ed25519");
  pems.p256 = await fixtureKey("ecdsa-p256");
  pems.p384 = await fixtureKey("ecdsa-p384");
  pems.rsa = await fixtureKey("rsa-2048");
  pems.other = (await crypto.generateKey("ed25519")).privateKeyPem;
});

type Code = ImageRefusalCode | "accepted";

interface Vector {
  readonly name: string;
  readonly image: () => Promise<Uint8Array>;
  /** What this library says, and what the bootloader does; the same unless both are named. */
  readonly code: Code;
  readonly bootloader?: Code;
  /** Names of keys. Default the Ed25519 key. */
  readonly keys?: readonly (keyof typeof pems)[];
  readonly build?: McubootBuild;
  readonly policy?: ImagePolicy;
  readonly imageBytesMax?: number;
}

const ed25519: McubootBuild = { keyType: "ed25519" };
const signedByEd = (region: Uint8Array): Promise<RawTlv[]> => make.signed(region, pems.ed);
const plain = () => rawImage({ open: signedByEd });
const counter = (value: number): RawTlv => ({ type: tlvTypes.SEC_CNT, value: uint32(value) });
const dependency = (image: number, major: number): RawTlv => ({
  type: tlvTypes.DEPENDENCY,
  value: Uint8Array.of(image, 0, 0, 0, major, 0, 0, 0, 0, 0, 0, 0),
});
const vendorId = Uint8Array.from({ length: 16 }, (_none, at) => at);
const sealed = (...tlvs: RawTlv[]) => rawImage({ sealed: tlvs, open: signedByEd });

/** Where things lie in {@link full}: a header of 32 bytes, 61 of payload, a protected area of 4 + 8 + 16, an unprotected one. */
const full = () => sealed(counter(5), dependency(1, 2));
const at = {
  payload: 32,
  sealed: 93,
  counter: 97,
  dependency: 105,
  open: 121,
  hash: 125,
  keyHash: 161,
  signature: 197,
};
const end = 265;

const damage = (change: (view: DataView) => void) => async () => damaged(await full(), change);
const cut = (length: number) => async () => (await full()).subarray(0, length);

const kinds: readonly Vector[] = [
  { name: "a signed image", image: plain, code: "accepted" },
  { name: "with protected TLVs", image: full, code: "accepted" },
  {
    name: "with 100 bytes behind it",
    image: async () => Buffer.concat([await full(), Buffer.alloc(100)]),
    code: "accepted",
  },
  {
    name: "without a payload",
    image: () => rawImage({ payload: new Uint8Array(), open: signedByEd }),
    code: "accepted",
  },
  {
    name: "with a type of a vendor in the protected area",
    image: () => sealed({ type: 0x1a0, value: new Uint8Array(300) }),
    code: "accepted",
  },
  {
    name: "without a payload and without TLVs",
    image: () => rawImage({ payload: new Uint8Array() }),
    code: "HASH_MISSING",
  },
  {
    name: "not signed, and a key is asked for",
    image: () => rawImage({ open: (region) => [make.hash(region)] }),
    code: "SIGNATURE_MISSING",
  },
  {
    name: "of another key",
    image: () => rawImage({ open: (region) => make.signed(region, pems.other) }),
    code: "KEY_UNKNOWN",
    bootloader: "SIGNATURE_MISSING",
  },
  {
    name: "of a key of another type",
    image: () => rawImage({ open: (region) => make.signed(region, pems.p256) }),
    code: "KEY_UNKNOWN",
    bootloader: "SIGNATURE_MISSING",
  },
  {
    name: "signed with one key, named after another",
    image: () =>
      rawImage({
        open: async (region) => [make.hash(region), make.keyHash(pems.ed), await make.signature(region, pems.other)],
      }),
    code: "SIGNATURE_INVALID",
  },
  {
    name: "with the signature of another image",
    image: async () =>
      rawImage({
        open: async (region) => [
          make.hash(region),
          make.keyHash(pems.ed),
          await make.signature(new Uint8Array(1), pems.ed),
        ],
      }),
    code: "SIGNATURE_INVALID",
  },
  {
    name: "with the signature of one type behind the key of another",
    image: () =>
      rawImage({
        open: async (region) => [make.hash(region), make.keyHash(pems.ed), await make.signature(region, pems.p256)],
      }),
    code: "KEY_TYPE_MISMATCH",
    bootloader: "SIGNATURE_MISSING",
  },
  {
    name: "with a hash that its key does not sign",
    image: () =>
      rawImage({
        open: async (region) => [
          make.hash(region, "sha384"),
          make.keyHash(pems.ed, "sha384"),
          await make.signature(region, pems.ed),
        ],
      }),
    code: "HASH_UNSUITABLE",
    bootloader: "TLV_LENGTH_INVALID",
  },
  {
    name: "with the key itself",
    image: () =>
      rawImage({
        open: async (region) => [make.hash(region), make.publicKey(pems.ed), await make.signature(region, pems.ed)],
      }),
    code: "accepted",
    bootloader: "SIGNATURE_MISSING",
  },
  {
    name: "with another key itself",
    image: () =>
      rawImage({
        open: async (region) => [
          make.hash(region),
          make.publicKey(pems.other),
          await make.signature(region, pems.other),
        ],
      }),
    code: "KEY_UNKNOWN",
    bootloader: "SIGNATURE_MISSING",
  },
  {
    name: "signed as a whole, for a bootloader that expects it",
    image: () => fixtureImage("ed25519-pure"),
    code: "accepted",
    build: { keyType: "ed25519", isPure: true, isSha512: true },
  },
  {
    name: "signed as a whole, for a bootloader that expects the hash",
    image: () => fixtureImage("ed25519-pure"),
    code: "accepted",
    bootloader: "SIGNATURE_INVALID",
    build: { keyType: "ed25519", isSha512: true },
  },
  {
    name: "signed over its hash, for a bootloader that expects the whole",
    image: plain,
    code: "accepted",
    bootloader: "SIGNATURE_PURE_MISMATCH",
    build: { keyType: "ed25519", isPure: true },
  },
  {
    name: "for a bootloader with another hash",
    image: () => fixtureImage("ed25519-sha512"),
    code: "accepted",
    bootloader: "TLV_LENGTH_INVALID",
  },
  {
    name: "not signed, for a bootloader without keys",
    image: () => fixtureImage("unsigned"),
    code: "SIGNATURE_MISSING",
    bootloader: "accepted",
    build: {},
  },
  {
    name: "not signed, with SHA-384, for a bootloader without keys",
    image: () => fixtureImage("unsigned-sha384"),
    code: "SIGNATURE_MISSING",
    bootloader: "HASH_MISSING",
    build: {},
  },
];

/** Made by imgtool: what is refused by name. */
const refusedByName: readonly Vector[] = (
  [
    ["encrypted-p256", "p256", "ecdsa-p256", "IMAGE_ENCRYPTED"],
    ["encrypted-clear", "p256", "ecdsa-p256", "IMAGE_ENCRYPTED"],
    ["encrypted-x25519", "ed", "ed25519", "IMAGE_ENCRYPTED"],
    ["encrypted-rsa", "rsa", "rsa-2048", "IMAGE_ENCRYPTED"],
    ["compressed-lzma2", "ed", "ed25519", "IMAGE_COMPRESSED"],
    ["compressed-lzma2armthumb", "ed", "ed25519", "IMAGE_COMPRESSED"],
  ] as const
).map(([name, key, keyType, code]) => ({
  name,
  image: () => fixtureImage(name),
  code,
  keys: [key],
  build: { keyType },
}));

const header: readonly Vector[] = [
  { name: "magic", image: damage((view) => view.setUint8(0, 0x3f)), code: "IMAGE_MAGIC_INVALID" },
  { name: "the first format's magic", image: damage((view) => view.setUint8(0, 0x3c)), code: "IMAGE_MAGIC_OBSOLETE" },
  { name: "erased magic", image: damage((view) => view.setUint32(0, 0xffff_ffff)), code: "IMAGE_ABSENT" },
  { name: "load address", image: damage((view) => view.setUint8(5, 1)), code: "HASH_MISMATCH" },
  { name: "header size one more", image: damage((view) => view.setUint8(8, 33)), code: "TLV_PROTECTED_MISSING" },
  {
    name: "header size 31",
    image: damage((view) => view.setUint8(8, 31)),
    code: "HEADER_SIZE_INVALID",
    bootloader: "TLV_PROTECTED_MISSING",
  },
  {
    name: "header size 0",
    image: () => rawImage({ header: { headerBytes: 0 }, open: signedByEd }),
    code: "HEADER_SIZE_INVALID",
    bootloader: "TLV_INFO_INVALID",
  },
  {
    name: "header size 65535",
    image: damage((view) => view.setUint16(8, 0xffff)),
    code: "IMAGE_TRUNCATED",
    bootloader: "IMAGE_TOO_LARGE",
  },
  {
    name: "protected size one more",
    image: damage((view) => view.setUint8(10, 29)),
    code: "TLV_PROTECTED_SIZE_MISMATCH",
  },
  { name: "protected size 0", image: damage((view) => view.setUint8(10, 0)), code: "TLV_PROTECTED_SIZE_MISMATCH" },
  {
    name: "a protected size, and no such area",
    image: () => rawImage({ header: { protectedTlvBytes: 8 }, open: signedByEd }),
    code: "TLV_PROTECTED_MISSING",
  },
  { name: "payload one byte less", image: damage((view) => view.setUint8(12, 60)), code: "TLV_PROTECTED_MISSING" },
  {
    name: "payload of 4 GiB",
    image: damage((view) => view.setUint32(12, 0xffff_ffff)),
    code: "IMAGE_TRUNCATED",
    bootloader: "IMAGE_TOO_LARGE",
  },
  { name: "flag NON_BOOTABLE", image: damage((view) => view.setUint8(16, 0x10)), code: "IMAGE_NOT_BOOTABLE" },
  { name: "flag of AES-128", image: damage((view) => view.setUint8(16, 4)), code: "IMAGE_ENCRYPTED" },
  { name: "flags of both ciphers", image: damage((view) => view.setUint8(16, 0xc)), code: "IMAGE_ENCRYPTED" },
  { name: "flag of LZMA2", image: damage((view) => view.setUint8(17, 4)), code: "IMAGE_COMPRESSED" },
  { name: "flag of the ARM Thumb filter", image: damage((view) => view.setUint8(17, 8)), code: "IMAGE_COMPRESSED" },
  { name: "a flag that nobody knows", image: damage((view) => view.setUint8(19, 0x40)), code: "HASH_MISMATCH" },
  { name: "version", image: damage((view) => view.setUint8(20, 9)), code: "HASH_MISMATCH" },
  { name: "build number", image: damage((view) => view.setUint8(27, 9)), code: "HASH_MISMATCH" },
  { name: "padding of the header", image: damage((view) => view.setUint8(31, 1)), code: "HASH_MISMATCH" },
];

const body: readonly Vector[] = [
  {
    name: "first byte of the payload",
    image: damage((view) => view.setUint8(at.payload, 0xee)),
    code: "HASH_MISMATCH",
  },
  {
    name: "last byte of the payload",
    image: damage((view) => view.setUint8(at.sealed - 1, 0xee)),
    code: "HASH_MISMATCH",
  },
  {
    name: "protected area's magic",
    image: damage((view) => view.setUint8(at.sealed, 0x09)),
    code: "TLV_PROTECTED_MISSING",
  },
  {
    name: "protected area that says it is not",
    image: damage((view) => view.setUint8(at.sealed, 0x07)),
    code: "TLV_PROTECTED_MISSING",
  },
  {
    name: "protected area's size",
    image: damage((view) => view.setUint8(at.sealed + 2, 27)),
    code: "TLV_PROTECTED_SIZE_MISMATCH",
  },
  {
    name: "type in the protected area",
    image: damage((view) => view.setUint8(at.counter, 0x51)),
    code: "HASH_MISMATCH",
  },
  {
    name: "length in the protected area",
    image: damage((view) => view.setUint8(at.counter + 2, 5)),
    code: "TLV_OVERRUN",
  },
  {
    name: "value in the protected area",
    image: damage((view) => view.setUint8(at.counter + 4, 6)),
    code: "HASH_MISMATCH",
  },
  {
    name: "the last TLV of the protected area",
    image: damage((view) => view.setUint8(at.open - 1, 6)),
    code: "HASH_MISMATCH",
  },
  { name: "unprotected area's magic", image: damage((view) => view.setUint8(at.open, 0x17)), code: "TLV_INFO_INVALID" },
  {
    name: "unprotected area's size one less",
    image: damage((view) => view.setUint8(at.open + 2, 143)),
    code: "TLV_OVERRUN",
  },
  {
    name: "unprotected area's size one more",
    image: async () =>
      Buffer.concat([await damage((view) => view.setUint8(at.open + 2, 145))(), Buffer.alloc(9, 0xff)]),
    code: "TLV_OVERRUN",
  },
  {
    name: "unprotected area of 0 bytes",
    image: damage((view) => view.setUint16(at.open + 2, 0)),
    code: "TLV_OVERRUN",
    bootloader: "HASH_MISSING",
  },
  {
    name: "type of the hash",
    image: damage((view) => view.setUint8(at.hash, 0x90)),
    code: "TLV_NOT_ALLOWED",
    bootloader: "HASH_MISSING",
  },
  {
    name: "type of the hash: SHA-512's",
    image: damage((view) => view.setUint8(at.hash, 0x12)),
    code: "TLV_LENGTH_INVALID",
    bootloader: "HASH_MISSING",
  },
  {
    name: "length of the hash",
    image: damage((view) => view.setUint8(at.hash + 2, 31)),
    code: "TLV_OVERRUN",
    bootloader: "TLV_LENGTH_INVALID",
  },
  {
    name: "value of the hash",
    image: damage((view) => view.setUint8(at.hash + 4, view.getUint8(at.hash + 4) ^ 1)),
    code: "HASH_MISMATCH",
  },
  {
    name: "type of the key",
    image: damage((view) => view.setUint8(at.keyHash, 0x03)),
    code: "TLV_NOT_ALLOWED",
    bootloader: "SIGNATURE_MISSING",
  },
  {
    name: "value of the key",
    image: damage((view) => view.setUint8(at.keyHash + 35, view.getUint8(at.keyHash + 35) ^ 1)),
    code: "KEY_UNKNOWN",
    bootloader: "SIGNATURE_MISSING",
  },
  {
    name: "type of the signature",
    image: damage((view) => view.setUint8(at.signature + 1, 0x01)),
    code: "TLV_MISPLACED",
    bootloader: "SIGNATURE_MISSING",
  },
  {
    name: "length of the signature",
    image: damage((view) => view.setUint8(at.signature + 2, 63)),
    code: "TLV_OVERRUN",
    bootloader: "TLV_LENGTH_INVALID",
  },
  {
    name: "first byte of the signature",
    image: damage((view) => view.setUint8(at.signature + 4, view.getUint8(at.signature + 4) ^ 1)),
    code: "SIGNATURE_INVALID",
  },
  {
    name: "last byte of the signature",
    image: damage((view) => view.setUint8(end - 1, view.getUint8(end - 1) ^ 0x80)),
    code: "SIGNATURE_INVALID",
  },
  { name: "nothing at all", image: cut(0), code: "IMAGE_TRUNCATED" },
  { name: "cut in the header", image: cut(31), code: "IMAGE_TRUNCATED" },
  { name: "cut behind the header", image: cut(32), code: "IMAGE_TRUNCATED", bootloader: "IMAGE_TOO_LARGE" },
  { name: "cut in the payload", image: cut(60), code: "IMAGE_TRUNCATED", bootloader: "IMAGE_TOO_LARGE" },
  {
    name: "cut in the protected area",
    image: cut(at.counter + 2),
    code: "IMAGE_TRUNCATED",
    bootloader: "IMAGE_TOO_LARGE",
  },
  {
    name: "cut before the unprotected area",
    image: cut(at.open),
    code: "IMAGE_TRUNCATED",
    bootloader: "IMAGE_TOO_LARGE",
  },
  { name: "cut in the unprotected area", image: cut(at.open + 3), code: "IMAGE_TRUNCATED" },
  { name: "cut by one byte", image: cut(end - 1), code: "IMAGE_TRUNCATED" },
];

const withOpen =
  (...tlvs: ((region: Uint8Array) => RawTlv | Promise<RawTlv>)[]) =>
  () =>
    rawImage({ open: (region) => Promise.all(tlvs.map(async (tlv) => tlv(region))) });
const hash = (region: Uint8Array): RawTlv => make.hash(region);
const key = (): RawTlv => make.keyHash(pems.ed);
const signature = (region: Uint8Array): Promise<RawTlv> => make.signature(region, pems.ed);
const otherKey = (): RawTlv => make.keyHash(pems.other);
const otherSignature = (region: Uint8Array): Promise<RawTlv> => make.signature(region, pems.other);
const wrongSignature = (): Promise<RawTlv> => make.signature(new Uint8Array(), pems.ed);
const of =
  (type: number, ...value: number[]) =>
  (): RawTlv => ({ type, value: Uint8Array.from(value) });
const shortKey = (bytes: number) => (): RawTlv => ({ type: tlvTypes.KEYHASH, value: key().value.subarray(0, bytes) });
const pairs = (count: number) => Array.from({ length: count }, () => [key, signature]).flat();

const areas: readonly Vector[] = [
  { name: "two hashes", image: withOpen(hash, hash, key, signature), code: "TLV_DUPLICATE", bootloader: "accepted" },
  {
    name: "two kinds of hash",
    image: withOpen(hash, (region) => make.hash(region, "sha512"), key, signature),
    code: "TLV_DUPLICATE",
    bootloader: "accepted",
  },
  { name: "the hash last", image: withOpen(key, signature, hash), code: "accepted" },
  {
    name: "a type of a vendor in the unprotected area",
    image: withOpen(hash, of(0xa0, 1), key, signature),
    code: "TLV_NOT_ALLOWED",
    bootloader: "accepted",
  },
  {
    name: "a type of a vendor in the unprotected area, and a bootloader with an allow list",
    image: withOpen(hash, of(0xa0, 1), key, signature),
    code: "TLV_NOT_ALLOWED",
    build: { ...ed25519, hasAllowList: true },
  },
  {
    name: "a security counter in the unprotected area",
    image: withOpen(hash, of(0x50, 9, 0, 0, 0), key, signature),
    code: "TLV_NOT_ALLOWED",
    bootloader: "accepted",
  },
  {
    name: "the key of a cipher",
    image: withOpen(hash, key, signature, of(0x32, 1)),
    code: "IMAGE_ENCRYPTED",
    bootloader: "accepted",
  },
  {
    name: "a key without a signature",
    image: withOpen(hash, key, signature, key),
    code: "TLV_MISPLACED",
    bootloader: "accepted",
  },
  {
    name: "a signature without a key",
    image: withOpen(hash, signature),
    code: "TLV_MISPLACED",
    bootloader: "SIGNATURE_MISSING",
  },
  {
    name: "something between key and signature",
    image: withOpen(key, hash, signature),
    code: "TLV_MISPLACED",
    bootloader: "accepted",
  },
  { name: "two signatures of one key", image: withOpen(hash, key, signature, key, signature), code: "accepted" },
  {
    name: "two signatures of known keys",
    image: withOpen(hash, key, signature, otherKey, otherSignature),
    code: "accepted",
    keys: ["ed", "other"],
  },
  {
    name: "a second signature of an unknown key",
    image: withOpen(hash, key, signature, otherKey, otherSignature),
    code: "KEY_UNKNOWN",
    bootloader: "accepted",
  },
  {
    name: "a wrong signature, then a right one",
    image: withOpen(hash, key, wrongSignature, key, signature),
    code: "SIGNATURE_INVALID",
    bootloader: "accepted",
  },
  {
    name: "a right signature, then a wrong one",
    image: withOpen(hash, key, signature, key, wrongSignature),
    code: "SIGNATURE_INVALID",
  },
  { name: "8 signatures", image: withOpen(hash, ...pairs(8)), code: "accepted" },
  { name: "9 signatures", image: withOpen(hash, ...pairs(9)), code: "SIGNATURES_TOO_MANY" },
  {
    name: "SIG_PURE of 0",
    image: withOpen(hash, of(0x25, 0), key, signature),
    code: "TLV_VALUE_INVALID",
    bootloader: "accepted",
  },
  {
    name: "SIG_PURE of two bytes",
    image: withOpen(hash, of(0x25, 1, 1), key, signature),
    code: "TLV_LENGTH_INVALID",
    bootloader: "accepted",
  },
  {
    name: "SIG_PURE where the hash was signed",
    image: withOpen(hash, of(0x25, 1), key, signature),
    code: "SIGNATURE_INVALID",
    bootloader: "accepted",
  },
  {
    name: "the first 8 bytes of a key's hash",
    image: withOpen(hash, shortKey(8), signature),
    code: "TLV_LENGTH_INVALID",
    bootloader: "accepted",
  },
  {
    name: "nothing of a key's hash",
    image: withOpen(hash, shortKey(0), signature),
    code: "TLV_LENGTH_INVALID",
    bootloader: "accepted",
  },
  {
    name: "a key's hash of 33 bytes",
    image: withOpen(hash, of(1, ...Array<number>(33).fill(0)), signature),
    code: "TLV_LENGTH_INVALID",
  },
  {
    name: "an empty TLV that ends the protected area",
    image: () => sealed({ type: 0xa0, value: new Uint8Array() }),
    code: "TLV_MISPLACED",
    bootloader: "accepted",
  },
  {
    name: "an empty TLV that ends the protected area, and a bootloader with an allow list",
    image: () => sealed({ type: 0xa0, value: new Uint8Array() }),
    code: "TLV_MISPLACED",
    bootloader: "TLV_NOT_ALLOWED",
    build: { ...ed25519, hasAllowList: true },
  },
  {
    name: "hash, key and signature in the protected area",
    image: () => rawImage({ sealed: [key()], open: async (region) => [hash(region), await signature(region)] }),
    code: "TLV_MISPLACED",
    bootloader: "accepted",
  },
  {
    name: "a protected TLV that reaches into the unprotected area",
    image: async () => {
      // The last TLV of the protected area takes the info header of the next one for its own value.
      const vendor: RawTlv = { type: 0xa0, value: Uint8Array.of(1) };
      const image = await rawImage({ sealed: [vendor], open: (region) => signedByEd(damaged(region, longer)) });
      return damaged(image, longer);
    },
    code: "TLV_OVERRUN",
    bootloader: "accepted",
  },
  {
    name: "two security counters",
    image: () => sealed(counter(1), counter(2)),
    code: "TLV_DUPLICATE",
    bootloader: "accepted",
  },
  {
    name: "a security counter of 8 bytes",
    image: () => sealed({ type: 0x50, value: new Uint8Array(8) }),
    code: "TLV_LENGTH_INVALID",
    bootloader: "accepted",
  },
];

/** Of the vendor's TLV behind the payload of {@link rawImage}. */
const longer = (view: DataView): void => view.setUint8(at.counter + 2, 5);

const ecdsaImage = (change: (signature: Uint8Array) => Uint8Array) => () =>
  rawImage({
    open: async (region) => {
      const made = await make.signature(region, pems.p256);
      return [hash(region), make.keyHash(pems.p256), { type: made.type, value: change(made.value) }];
    },
  });
const filled =
  (bytes: number, last = 0) =>
  (value: Uint8Array): Uint8Array => {
    const padded = new Uint8Array(bytes);
    padded.set(value);
    padded[bytes - 1] = last;
    return padded;
  };
/** The same numbers with another zero before r. */
const notShortest = (value: Uint8Array): Uint8Array => {
  const [tag = 0, length = 0, integer = 0, bytes = 0, ...rest] = value;
  return Uint8Array.of(tag, length + 1, integer, bytes + 1, 0, ...rest);
};
const p256 = { keys: ["p256"], build: { keyType: "ecdsa-p256" } } as const;

const encodings: readonly Vector[] = [
  { name: "an ECDSA signature", image: ecdsaImage((value) => value), code: "accepted", ...p256 },
  // Shorter than 72 bytes by one at the least, or there is nothing to fill.
  {
    name: "filled up with zeros to 73 bytes",
    image: ecdsaImage(filled(73)),
    code: "SIGNATURE_INVALID",
    bootloader: "accepted",
    ...p256,
  },
  {
    name: "filled up with something else",
    image: ecdsaImage(filled(74, 1)),
    code: "SIGNATURE_INVALID",
    bootloader: "accepted",
    ...p256,
  },
  {
    name: "with a number that is not in its shortest form",
    image: ecdsaImage(notShortest),
    code: "SIGNATURE_INVALID",
    bootloader: "accepted",
    ...p256,
  },
  {
    name: "an ECDSA signature of 129 bytes",
    image: ecdsaImage(filled(129)),
    code: "SIGNATURE_INVALID",
    bootloader: "TLV_LENGTH_INVALID",
    ...p256,
  },
  {
    name: "an ECDSA signature of no bytes",
    image: ecdsaImage(() => new Uint8Array()),
    code: "SIGNATURE_INVALID",
    ...p256,
  },
  {
    name: "an ECDSA signature that is not DER",
    image: ecdsaImage((value) => Uint8Array.from(value, () => 0x30)),
    code: "SIGNATURE_INVALID",
    ...p256,
  },
  {
    name: "filled up to 72 bytes by imgtool",
    image: () => fixtureImage("ecdsa-p256-padded-signature"),
    code: "accepted",
    ...p256,
  },
  {
    name: "P-384",
    image: () => fixtureImage("ecdsa-p384"),
    code: "accepted",
    keys: ["p384"],
    build: { keyType: "ecdsa-p384" },
  },
  {
    name: "RSA-2048",
    image: () => fixtureImage("rsa-2048"),
    code: "accepted",
    keys: ["rsa"],
    build: { keyType: "rsa-2048" },
  },
  {
    name: "RSA-2048 for a bootloader with RSA-3072",
    image: () => fixtureImage("rsa-2048"),
    code: "accepted",
    bootloader: "SIGNATURE_MISSING",
    keys: ["rsa"],
    build: { keyType: "rsa-3072" },
  },
];

const running = { major: 1, minor: 2, revision: 3, build: 9 };
const of2 = (major: number) => ({ major, minor: 0, revision: 0, build: 0 });

const policies: readonly Vector[] = [
  { name: "room to the byte", image: plain, code: "accepted", imageBytesMax: 237 },
  { name: "one byte too large", image: plain, code: "IMAGE_TOO_LARGE", imageBytesMax: 236 },
  { name: "as large as the room without its TLVs", image: plain, code: "IMAGE_TOO_LARGE", imageBytesMax: 93 },
  {
    name: "the running version, by build older",
    image: plain,
    code: "accepted",
    policy: { runningVersion: running },
    build: ed25519,
  },
  {
    name: "an older build, where builds count",
    image: plain,
    code: "VERSION_LOWER",
    bootloader: "accepted",
    policy: { runningVersion: running, comparesBuild: true },
  },
  {
    name: "an older version",
    image: plain,
    code: "VERSION_LOWER",
    bootloader: "accepted",
    policy: { runningVersion: { ...running, minor: 3 } },
  },
  {
    name: "the stored counter",
    image: full,
    code: "accepted",
    policy: { securityCounterMin: 5 },
    build: { ...ed25519, securityCounter: 5 },
  },
  {
    name: "a lower counter",
    image: full,
    code: "SECURITY_COUNTER_LOWER",
    policy: { securityCounterMin: 6 },
    build: { ...ed25519, securityCounter: 6 },
  },
  {
    name: "no counter",
    image: plain,
    code: "SECURITY_COUNTER_MISSING",
    policy: { securityCounterMin: 0 },
    build: { ...ed25519, securityCounter: 0 },
  },
  {
    name: "a counter in the unprotected area alone",
    image: withOpen(hash, of(0x50, 9, 0, 0, 0), key, signature),
    code: "TLV_NOT_ALLOWED",
    bootloader: "accepted",
    policy: { securityCounterMin: 9 },
    build: { ...ed25519, securityCounter: 9 },
  },
  { name: "a dependency that is met", image: full, code: "accepted", policy: { imageVersions: [running, of2(2)] } },
  {
    name: "a dependency that is not met",
    image: full,
    code: "DEPENDENCY_UNMET",
    bootloader: "accepted",
    policy: { imageVersions: [running, of2(1)] },
  },
  {
    name: "a dependency on an image that is not there",
    image: full,
    code: "DEPENDENCY_INVALID",
    bootloader: "accepted",
    policy: { imageVersions: [running] },
  },
  {
    name: "of its vendor",
    image: () => sealed({ type: 0x74, value: vendorId }),
    code: "accepted",
    policy: { vendorId },
    build: { ...ed25519, vendorId },
  },
  {
    name: "of no vendor",
    image: plain,
    code: "VENDOR_MISMATCH",
    policy: { vendorId },
    build: { ...ed25519, vendorId },
  },
  {
    name: "of another class",
    image: () => sealed({ type: 0x75, value: vendorId.toReversed() }),
    code: "CLASS_MISMATCH",
    policy: { classId: vendorId },
    build: { ...ed25519, classId: vendorId },
  },
  {
    name: "of no class",
    image: plain,
    code: "CLASS_MISMATCH",
    policy: { classId: vendorId },
    build: { ...ed25519, classId: vendorId },
  },
];

for (const [group, vectors] of Object.entries({ kinds, refusedByName, header, body, areas, encodings, policies })) {
  for (const vector of vectors) {
    const { name, code, bootloader = code } = vector;
    test(`${group}: ${name}: ${code}${bootloader === code ? "" : `, the bootloader ${bootloader}`}`, async () => {
      const { keys = ["ed"], build = ed25519, policy, imageBytesMax } = vector;
      const source = sourceOf(await vector.image());
      const options = { crypto, keys: keys.map((each) => crypto.publicKeyOf(pems[each])), imageBytesMax };
      const strict = await verifyImage(source, { ...options, policy });
      const boot = await mcubootVerdict(source, { ...options, build });
      const codeOf = (verdict: typeof strict | typeof boot) => (verdict.isAccepted ? "accepted" : verdict.refusal.code);
      assert.deepEqual([codeOf(strict), codeOf(boot)], [code, bootloader], JSON.stringify([strict, boot]));
      if (!strict.isAccepted) assert.ok(strict.refusal.message.length > 10);
    });
  }
}

test("there are 60 vectors or more", () => {
  assert.ok([kinds, refusedByName, header, body, areas, encodings, policies].flat().length >= 60);
});
