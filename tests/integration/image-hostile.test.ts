// Images that nobody would make, and whole ones that were changed in many places: nothing throws, nothing is read beyond the source, and what
// this library takes, the bootloader takes as well.
import assert from "node:assert/strict";
import { before, test } from "node:test";
import fc from "fast-check";
import {
  type ImageKeyType,
  imageRefusals,
  type ImageSource,
  inspectImage,
  type McubootBuild,
  mcubootVerdict,
  readDependencies,
  readSecurityCounter,
  readTrailer,
  signImage,
  type SignImageOptions,
  type SwapMode,
  tlvTypes,
  trailerLayout,
  verifyImage,
} from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { rawImage, type RawTlv, tlvMaker } from "./image-builder.test.support.js";
import { flagsOf, imageCases } from "./image-cases.test.support.js";
import { fixtureImage, fixtureKey } from "./image-fixtures.test.support.js";

const crypto = createNodeImageCrypto();
const make = tlvMaker(crypto);
const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const runs = (normal: number, long: number): { numRuns: number } => ({ numRuns: isLong ? long : normal });

let pem = "";
before(async () => {
  pem = await fixtureKey("ed25519");
});

/** Reads that could not be of an image that was looked at once or twice. */
const readsMax = 64;

function guarded(bytes: Uint8Array): ImageSource {
  let reads = 0;
  return {
    sizeBytes: bytes.length,
    read: async (offset, length) => {
      assert.ok(Number.isSafeInteger(offset) && Number.isSafeInteger(length) && offset >= 0 && length >= 0);
      assert.ok(offset + length <= bytes.length, `read of ${length} at ${offset} of ${bytes.length}`);
      assert.ok(++reads <= readsMax, "too many reads");
      return bytes.subarray(offset, offset + length);
    },
  };
}

interface Judged {
  isStrict: boolean;
  isBooted: boolean;
}

/** Asks everything that can be asked of bytes. */
async function judge(bytes: Uint8Array, keyType: ImageKeyType, build: McubootBuild = {}): Promise<Judged> {
  const keys = [crypto.publicKeyOf(keyType === "ed25519" ? pem : await fixtureKey(keyType))];
  const strict = await verifyImage(guarded(bytes), { crypto, keys });
  const unsigned = await verifyImage(guarded(bytes), { crypto });
  const booted = await mcubootVerdict(guarded(bytes), { crypto, keys, build: { keyType, ...build } });
  const alone = await mcubootVerdict(guarded(bytes), { crypto, keys: [], build: { hasAllowList: true } });
  for (const verdict of [strict, unsigned, booted, alone]) {
    if (!verdict.isAccepted) assert.ok(Object.hasOwn(imageRefusals, verdict.refusal.code));
  }
  if (strict.isAccepted) assert.ok(unsigned.isAccepted);
  const { header } = await inspectImage(guarded(bytes));
  if (header) {
    await readSecurityCounter(guarded(bytes), header);
    await readDependencies(guarded(bytes), header);
  }
  return { isStrict: strict.isAccepted, isBooted: booted.isAccepted };
}

const bytes = (maxLength: number): fc.Arbitrary<Uint8Array> => fc.uint8Array({ maxLength });
const someTypes = [...Object.values(tlvTypes), 0xa0, 0xffff, 0];
const tlv: fc.Arbitrary<RawTlv> = fc.record({
  type: fc.oneof(fc.constantFrom(...someTypes), fc.integer({ min: 0, max: 0xffff })),
  value: fc.oneof(
    bytes(70),
    fc.constant(new Uint8Array(4)),
    fc.constant(new Uint8Array(32)),
    fc.constant(Uint8Array.of(1)),
  ),
});
const edge = (max: number): fc.Arbitrary<number> =>
  fc.oneof(fc.constantFrom(0, 1, 4, 31, 32, 33, max), fc.integer({ min: 0, max }), fc.integer({ min: 0, max: 200 }));

test("random bytes behind a magic are never an image, and nothing throws", async () => {
  const magic = Uint8Array.of(0x3d, 0xb8, 0xf3, 0x96);
  await fc.assert(
    fc.asyncProperty(bytes(300), fc.boolean(), async (random, hasMagic) => {
      const { isStrict, isBooted } = await judge(hasMagic ? Uint8Array.of(...magic, ...random) : random, "ed25519");
      assert.ok(!isStrict && !isBooted);
    }),
    runs(200, 5_000),
  );
});

test("headers and TLVs of any kind are judged without an error, and the strict verdict implies the bootloader's", async () => {
  // Half of each is as it should be, or nothing at all would be accepted.
  const odd = <Value>(usual: Value, other: fc.Arbitrary<Value>): fc.Arbitrary<Value> =>
    fc.oneof(fc.constant(usual), other);
  const wild = fc.record(
    {
      headerBytes: edge(0xffff),
      protectedTlvBytes: edge(0xffff),
      payloadBytes: edge(0xffff_ffff),
      flags: fc.oneof(fc.constant(0), fc.integer({ min: 0, max: 0xffff_ffff })),
    },
    { requiredKeys: [] },
  );
  const shape = fc.record({
    header: odd({}, wild),
    payload: bytes(40),
    sealed: odd([], fc.array(tlv, { maxLength: 3 })),
    before: odd([], fc.array(tlv, { maxLength: 2 })),
    after: odd([], fc.array(tlv, { maxLength: 2 })),
    isSigned: odd(true, fc.boolean()),
    openSizeOff: odd(0, fc.integer({ min: -4, max: 8 })),
    tail: bytes(20),
  });
  let accepted = 0;
  await fc.assert(
    fc.asyncProperty(shape, async ({ before, after, isSigned, tail, ...raw }) => {
      const open = async (region: Uint8Array) => [
        ...before,
        ...(isSigned ? await make.signed(region, pem) : []),
        ...after,
      ];
      const image = Buffer.concat([await rawImage({ ...raw, open }), tail]);
      const { isStrict, isBooted } = await judge(new Uint8Array(image), "ed25519");
      if (isStrict) accepted++;
      assert.ok(!isStrict || isBooted);
    }),
    runs(250, 6_000),
  );
  assert.ok(accepted > 0, "nothing was accepted: the shapes are too wild to say much");
});

type Change = (image: Uint8Array) => Uint8Array;

/** Damage of flash, of downloads, and of attackers. */
const change: fc.Arbitrary<Change> = fc.oneof(
  fc.tuple(fc.nat(), fc.nat(255)).map(
    ([at, byte]): Change =>
      (image) =>
        image.map((old, index) => (index === at % image.length ? byte : old)),
  ),
  fc.nat().map(
    (at): Change =>
      (image) =>
        image.subarray(0, at % (image.length + 1)),
  ),
  fc.tuple(fc.nat(), fc.nat(), fc.nat()).map(([from, length, to]): Change => (image) => {
    const copy = Uint8Array.from(image);
    const start = from % image.length;
    copy.set(
      image.subarray(start, Math.min(start + (length % 40), image.length - (to % image.length))),
      to % image.length,
    );
    return copy;
  }),
  fc.tuple(fc.nat(), bytes(8)).map(([at, more]): Change => (image) => {
    const place = at % (image.length + 1);
    return new Uint8Array(Buffer.concat([image.subarray(0, place), more, image.subarray(place)]));
  }),
  fc.tuple(fc.nat(), fc.nat(3)).map(([at, value]): Change => (image) => {
    // Sixteen bits, as of sizes and lengths.
    const copy = Uint8Array.from(image);
    if (image.length < 2) return copy;
    new DataView(copy.buffer).setUint16((at % (image.length - 1)) & ~1, [0, 0xffff, 0x6907, 0x6908][value] ?? 0, true);
    return copy;
  }),
);

const signedCases = imageCases.filter(
  ({ key, flags = {} }) => (key === "ed25519" || key === "ecdsa-p256") && flags["non-bootable"] !== true,
);

test("a signed image that was changed anywhere within it is not accepted", async () => {
  const images = await Promise.all(signedCases.map(async (each) => ({ each, image: await fixtureImage(each.name) })));
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom(...images),
      fc.array(change, { minLength: 1, maxLength: 3 }),
      async ({ each, image }, changes) => {
        const changed = changes.reduce((result, next) => next(result), image);
        const { isPure, isSha512 } = {
          isPure: flagsOf(each)["pure"] === true,
          isSha512: flagsOf(each)["sha"] === "512",
        };
        const build = { isPure, isSha512: isPure || isSha512 };
        const { isStrict, isBooted } = await judge(changed, each.key ?? "ed25519", build);
        const imageBytes = (await inspectImage(guarded(image))).imageBytes ?? 0;
        const isWhole = Buffer.from(changed.subarray(0, imageBytes)).equals(image.subarray(0, imageBytes));
        assert.equal(isStrict, isWhole, each.name);
        // A bootloader takes no key that the image brings.
        if (isStrict && flagsOf(each)["public-key-format"] !== "full") assert.ok(isBooted, each.name);
      },
    ),
    runs(250, 5_000),
  );
});

const version = fc.record(
  { major: fc.nat(255), minor: fc.nat(255), revision: fc.nat(65_535), build: fc.nat(0xffff_ffff) },
  { noNullPrototype: true },
);
const dependency = fc.record({ imageNumber: fc.nat(255), version }, { noNullPrototype: true });
const optional = <Value>(value: fc.Arbitrary<Value>): fc.Arbitrary<Value | undefined> =>
  fc.option(value, { nil: undefined });
const id = fc.uint8Array({ minLength: 16, maxLength: 16 });
const customTlv = fc.record(
  { type: fc.integer({ min: 0xa0, max: 0xfffe }), value: bytes(50) },
  { noNullPrototype: true },
);
const custom = fc.uniqueArray(customTlv, {
  selector: ({ type }) => type,
  maxLength: 3,
});
const options = fc.record({
  version,
  headerBytes: fc.integer({ min: 32, max: 300 }),
  securityCounter: optional(fc.oneof(fc.constant("auto" as const), fc.nat(0xffff_ffff))),
  dependencies: fc.array(dependency, { maxLength: 3 }),
  bootRecord: optional(fc.string({ maxLength: 12 })),
  vendorId: optional(id),
  classId: optional(id),
  // An empty one that ends the area is taken for unprotected by MCUboot.
  customTlvs: custom.filter((tlvs) => tlvs.at(-1)?.value.length !== 0),
  hash: fc.constantFrom("sha256", "sha512"),
  publicKeyFormat: fc.constantFrom("hash", "full"),
}) satisfies fc.Arbitrary<Omit<SignImageOptions, "crypto">>;

test("whatever is signed is accepted, and says of itself what it was told", async () => {
  await fc.assert(
    fc.asyncProperty(options, bytes(200), fc.boolean(), async (chosen, payload, isPadded) => {
      const slotBytes = isPadded ? 0x1000 : 0;
      const image = await signImage(payload, {
        ...chosen,
        ...{ crypto, privateKeyPem: pem, padsHeader: true, slotBytes, sectorsMax: 4 },
        pad: isPadded ? "test" : undefined,
      });
      assert.ok(!isPadded || image.length === slotBytes);
      const judged = await judge(image, "ed25519", { isSha512: chosen.hash === "sha512", hasAllowList: true });
      assert.deepEqual(judged, { isStrict: true, isBooted: chosen.publicKeyFormat === "hash" });
      const { facts } = await inspectImage(guarded(image));
      const { major, minor, revision } = chosen.version;
      const auto = (major * 256 + minor) * 65_536 + revision;
      assert.equal(facts?.securityCounter, chosen.securityCounter === "auto" ? auto : chosen.securityCounter);
      assert.deepEqual(
        [facts?.header.version, facts?.dependencies, facts?.vendorId, facts?.classId, facts?.hash?.algorithm],
        [chosen.version, chosen.dependencies, chosen.vendorId, chosen.classId, chosen.hash],
      );
      const custom = facts?.tlvs.filter(({ type, isProtected }) => isProtected && type >= 0xa0);
      assert.deepEqual(
        custom?.map(({ type, value }) => ({ type, value })),
        chosen.customTlvs,
      );
    }),
    runs(100, 1_250),
  );
});

test("a trailer of any bytes reads", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.uint8Array({ minLength: 4096, maxLength: 4096 }),
      fc.constantFrom<SwapMode[]>("move", "scratch", "offset", "overwrite"),
      fc.constantFrom(1, 2, 4, 8, 16, 32),
      async (area, mode, writeBytes) => {
        const layout = trailerLayout({ areaBytes: area.length, mode, writeBytes, sectorsMax: 8 });
        const { magic, swapType } = await readTrailer(guarded(area), layout);
        assert.equal(magic, "bad");
        assert.ok(["none", "test", "permanent", "revert"].includes(swapType));
      },
    ),
    runs(50, 1_000),
  );
});
