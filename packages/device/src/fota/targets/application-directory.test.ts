import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { type ImageVersion, signImage } from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { createVirtualFiles, createVirtualRandom, type VirtualFiles } from "@thingline/transport/virtual";
import { bootApplication } from "../application/boot.js";
import {
  bundleFileBytesMax,
  bundleFilesMax,
  bundleMagic,
  bundleManifestBytesMax,
  bundlePathCharactersMax,
  packApplication,
  readBundle,
} from "../application/bundle.js";
import { ApplicationFolder, applicationStateBytesMax } from "../application/folder.js";
import { incomingPartBytes } from "../application/incoming.js";
import { type FirmwareTarget, firmwareHeadBytes } from "../target.js";
import {
  type ApplicationTargetOptions,
  createApplicationTarget,
  defaultApplicationBytesMax,
  installApplication,
} from "./application-directory.js";

const crypto = createNodeImageCrypto();
const { privateKeyPem, publicKeyPem } = await crypto.generateKey("ed25519");
const keys = [crypto.publicKeyOf(publicKeyPem)];
const { signal } = new AbortController();
const folder = "/app";
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);

const versionOf = (major: number): ImageVersion => ({ major, minor: 0, revision: 0, build: 0 });

const filesOf = (major: number, extraBytes = 140_000): Record<string, Uint8Array> => ({
  "main.js": encode(`export const version = ${major};`),
  [`lib/v${major}/data.bin`]: createVirtualRandom(`extra-${major}`).bytes(extraBytes),
  // A folder in one version, and a file in the other.
  ...(major % 2 === 0 ? { thing: encode("file") } : { "thing/file.txt": encode("folder") }),
});

const sign = (payload: Uint8Array, major: number): Promise<Uint8Array> =>
  signImage(payload, { crypto, privateKeyPem, version: versionOf(major), headerBytes: 32, padsHeader: true });

const imageOf = (major: number, extraBytes?: number): Promise<Uint8Array> =>
  sign(packApplication(filesOf(major, extraBytes), { main: "main.js", crypto }), major);

const [image1, image2, image3] = await Promise.all([imageOf(1), imageOf(2), imageOf(3)]);

const targetOn = (files: VirtualFiles, more: Partial<ApplicationTargetOptions> = {}): FirmwareTarget =>
  createApplicationTarget({ folder, files, crypto, keys, ...more });

async function installed(): Promise<VirtualFiles> {
  const files = createVirtualFiles();
  assert.equal(await installApplication({ folder, files, crypto, keys }, image1), true);
  assert.equal(await installApplication({ folder, files, crypto, keys }, image2), false);
  return files;
}

async function download(target: FirmwareTarget, image: Uint8Array, from = 0): Promise<void> {
  for (let at = from; at < image.length; at += 50_000) {
    await target.write(at, image.subarray(at, at + 50_000));
    await target.sync();
  }
}

async function update(files: VirtualFiles, image: Uint8Array): Promise<FirmwareTarget> {
  const target = targetOn(files);
  await target.begin({ sizeBytes: image.length }, { signal });
  await download(target, image);
  const verdict = await target.verify({ sizeBytes: image.length }, { signal });
  assert.ok(verdict.isAccepted, JSON.stringify(verdict));
  await target.schedule();
  return target;
}

const boot = async (files: VirtualFiles) => bootApplication(new ApplicationFolder({ folder, files, crypto }));
const contentOf = (files: VirtualFiles, path: string) =>
  files.read(`${folder}/${path}`, { bytesMax: 1_000_000 }).then((bytes) => new TextDecoder().decode(bytes));

test("an image is unpacked beside what runs, tried by the next start, and stays when it is confirmed", async () => {
  const files = await installed();
  assert.ok(targetOn(files).recognises(image2.subarray(0, firmwareHeadBytes)));
  assert.equal(await targetOn(files).capacityBytes(), defaultApplicationBytesMax);
  const target = await update(files, image2);
  assert.deepEqual((await target.state()).isScheduled, true);
  assert.equal((await target.state()).running.version, "1.0.0+0");
  const started = await boot(files);
  assert.deepEqual(
    [started.why, started.application?.version, started.application?.slot, started.application?.isOnTrial],
    ["trial", "2.0.0+0", "b", true],
  );
  const running = targetOn(files);
  assert.equal((await running.state()).running.trial, "onTrial");
  for (const call of [
    () => running.schedule(),
    () => running.discard(),
    () => running.begin({ sizeBytes: 1 }, { signal }),
  ]) {
    await assert.rejects(call(), { code: "FIRMWARE_ON_TRIAL" });
  }
  await running.confirm();
  await running.confirm();
  await running.discard();
  assert.equal((await running.state()).running.trial, "confirmed");
  assert.equal((await boot(files)).application?.version, "2.0.0+0");
  assert.equal(await contentOf(files, "b/thing"), "file");
  // What was confirmed before is kept, for a disk that fails.
  await files.replace(`${folder}/b/main.js`, encode("damaged"));
  const repaired = await boot(files);
  assert.deepEqual([repaired.why, repaired.application?.version], ["repaired", "1.0.0+0"]);
});

test("a start that follows a trial without a confirmation goes back", async () => {
  const files = await installed();
  await update(files, image2);
  assert.equal((await boot(files)).application?.version, "2.0.0+0");
  const back = await boot(files);
  assert.deepEqual([back.why, back.application?.version], ["reverted", "1.0.0+0"]);
  const target = targetOn(files);
  assert.deepEqual((await target.state()).running.trial, "reverted");
  await target.discard();
  await target.discard();
  assert.deepEqual(
    Object.keys(files.snapshot()).filter((path) => path.includes("/b")),
    [],
  );
  assert.equal((await boot(files)).application?.version, "1.0.0+0");
});

test("what is damaged after it was unpacked is not tried", async () => {
  const files = await installed();
  await update(files, image2);
  await files.replace(`${folder}/b/main.js`, encode("damaged"));
  const started = await boot(files);
  assert.deepEqual([started.why, started.application?.version], ["refused", "1.0.0+0"]);
  const { running, isScheduled } = await targetOn(files).state();
  assert.deepEqual([running.trial, isScheduled], ["reverted", false]);
});

test("without anything that is whole nothing is started, and what failed its trial is nothing to go back to", async () => {
  const files = await installed();
  await update(files, image2);
  await boot(files);
  await boot(files);
  await files.replace(`${folder}/a/main.js`, encode("damaged"));
  assert.deepEqual(await boot(files), { application: undefined, why: "nothing" });
});

test("a download goes on behind the parts that are there", async () => {
  const files = await installed();
  const target = targetOn(files);
  const { length: sizeBytes } = image2;
  await target.begin({ sizeBytes }, { signal });
  await target.write(0, image2.subarray(0, incomingPartBytes + 100));
  assert.equal(await target.sync(), incomingPartBytes);
  const again = targetOn(files.restart());
  assert.equal(await again.resume({ sizeBytes, offset: incomingPartBytes }, { signal }), incomingPartBytes);
  await download(again, image2, incomingPartBytes);
  assert.equal(await again.sync(), sizeBytes);
  assert.deepEqual(Buffer.from(await again.read(0, sizeBytes)), Buffer.from(image2));
  assert.equal((await again.read(sizeBytes - 5, 100)).length, 5);
  assert.ok((await again.verify({ sizeBytes }, { signal })).isAccepted);
  await assert.rejects(targetOn(createVirtualFiles()).write(0, image2), { code: "OPTION_INVALID" });
});

async function verdictOf(image: Uint8Array, more: Partial<ApplicationTargetOptions> = {}) {
  const files = await installed();
  const target = targetOn(files, more);
  await target.begin({ sizeBytes: image.length }, { signal });
  await download(target, image);
  const verdict = await target.verify({ sizeBytes: image.length }, { signal });
  if (!verdict.isAccepted && more.downgradePrevention === undefined)
    await assert.rejects(target.schedule(), { code: "IMAGE_INVALID" });
  return verdict.isAccepted ? "accepted" : verdict.reason;
}

test("images that are unfit are refused by name", async () => {
  const flipped = image2.slice();
  flipped[40_000] = (flipped[40_000] ?? 0) ^ 1;
  assert.equal(await verdictOf(flipped), "hashMismatch");
  const stranger = await crypto.generateKey("ed25519");
  const foreign = await signImage(packApplication(filesOf(2), { main: "main.js", crypto }), {
    crypto,
    privateKeyPem: stranger.privateKeyPem,
    version: versionOf(2),
    headerBytes: 32,
    padsHeader: true,
  });
  assert.notEqual(await verdictOf(foreign), "accepted");
  assert.equal(await verdictOf(await sign(encode("not an application"), 2)), "bundleInvalid");
  assert.equal(await verdictOf(image1.slice(0, -300)), "imageTruncated");
  assert.equal(await verdictOf(image2, { downgradePrevention: { by: "version" } }), "accepted");
  assert.equal(await verdictOf(await imageOf(0), { downgradePrevention: { by: "version" } }), "versionLower");
});

const manifest = (files: unknown, main = "main.js"): Uint8Array => {
  const text = encode(JSON.stringify({ version: 1, main, files }));
  const length = new Uint8Array(4);
  new DataView(length.buffer).setUint32(0, text.length, true);
  return Buffer.concat([bundleMagic, length, text]);
};
const file = (path: string, sizeBytes = 0) => ({ path, sizeBytes, sha256: "0".repeat(64) });

const badBundles: [string, Uint8Array][] = [
  ["a path out of its folder", manifest([file("main.js"), file("../x")])],
  ["an absolute path", manifest([file("main.js"), file("/etc/passwd")])],
  ["a path with a back slash", manifest([file("main.js"), file("a\\b")])],
  ["an empty name", manifest([file("main.js"), file("a//b")])],
  ["a path twice", manifest([file("main.js"), file("Main.js")])],
  ["a file that is a folder", manifest([file("main.js"), file("a"), file("a/b")])],
  ["no main file", manifest([file("other.js")])],
  ["a size below zero", manifest([file("main.js", -1)])],
  ["a file that is too large", manifest([file("main.js", bundleFileBytesMax + 1)])],
  ["too long a path", manifest([file("main.js"), file("x".repeat(bundlePathCharactersMax + 1))])],
  [
    "too many files",
    manifest(Array.from({ length: bundleFilesMax + 1 }, (_, at) => file(at === 0 ? "main.js" : `f${at}`))),
  ],
  ["bytes that no file has", Buffer.concat([manifest([file("main.js")]), encode("x")])],
  ["a manifest that is not JSON", Buffer.concat([bundleMagic, Uint8Array.of(1, 0, 0, 0), encode("{")])],
  ["a manifest that is longer than the rest", Buffer.concat([bundleMagic, Uint8Array.of(9, 0, 0, 0), encode("{")])],
  ["a manifest beyond its bound", Buffer.concat([bundleMagic, Uint8Array.of(255, 255, 255, 255), new Uint8Array(10)])],
  ["a head that is cut", bundleMagic],
];
for (const [what, bytes] of badBundles) {
  test(`a bundle with ${what} is none`, async () => {
    const read = await readBundle({
      sizeBytes: bytes.length,
      read: async (at, length) => bytes.subarray(at, at + length),
    });
    assert.equal(typeof read, "string");
  });
}

test("a manifest has at most bundleManifestBytesMax bytes, and what is packed is safe", () => {
  assert.equal(bundleManifestBytesMax, 2 * 1024 * 1024);
  assert.equal(applicationStateBytesMax, 4_096);
  const content = new Uint8Array(1);
  const bad: Record<string, Uint8Array>[] = [{ "../x": content }, { a: content, "a/b": content }, {}];
  for (const files of bad) {
    assert.throws(() => packApplication(files, { main: "a", crypto }), { code: "APPLICATION_BUNDLE_INVALID" });
  }
});

test("power may be cut before every write of an update: what starts is whole, and the update can be made again", async () => {
  const options = { powerLossBeforeWrite: Infinity };
  const rehearsal = (await installed()).restart(options);
  await wholeUpdate(rehearsal);
  const writes = rehearsal.writeCount;
  // Each of them in the long run.
  const stride = process.env["THINGLINE_TEST_LONG"] === "1" ? 1 : 3;
  for (let cut = 1; cut <= writes; cut += stride) {
    const files = (await installed()).restart({ powerLossBeforeWrite: cut });
    await assert.rejects(wholeUpdate(files), ThinglineError, `cut ${cut}`);
    let disk = files.restart();
    const { application } = await boot(disk);
    assert.ok(application !== undefined, `cut ${cut}: nothing starts`);
    assert.match(application.version, /^[123]\.0\.0\+0$/);
    assert.equal(
      await contentOf(disk, `${application.slot}/main.js`),
      `export const version = ${application.version[0]};`,
    );
    disk = disk.restart();
    await boot(disk);
    const { running } = await targetOn(disk).state();
    if (running.trial === "onTrial") await targetOn(disk).confirm();
    await update(disk, image3);
    assert.equal((await boot(disk)).application?.version, "3.0.0+0", `cut ${cut}`);
    await targetOn(disk).confirm();
    assert.equal((await boot(disk)).application?.version, "3.0.0+0", `cut ${cut}`);
  }
  assert.ok(writes > 60, `${writes} cuts`);
});

test("a cut while an application takes the place of another one leaves no file that nobody knows of", async () => {
  // Slot a has version 1, with a folder where version 4 has a file.
  const before = await installed();
  await update(before, image2);
  await boot(before);
  await targetOn(before).confirm();
  const image4 = await imageOf(4);
  const rehearsal = before.restart({});
  await update(rehearsal, image4);
  const wanted = namesIn(rehearsal, "a");
  const writes = rehearsal.writeCount;
  for (let cut = 1; cut <= writes; cut += 1) {
    const files = before.restart({ powerLossBeforeWrite: cut });
    await assert.rejects(update(files, image4), ThinglineError, `cut ${cut}`);
    const disk = files.restart();
    await update(disk, image4);
    assert.deepEqual(namesIn(disk, "a"), wanted, `cut ${cut}`);
  }
});

const namesIn = (files: VirtualFiles, slot: string): string[] =>
  Object.keys(files.snapshot())
    .filter((path) => path.startsWith(`${folder}/${slot}/`))
    .sort();

/** To version 2, confirmed; then to version 3, which fails. */
async function wholeUpdate(files: VirtualFiles): Promise<void> {
  await update(files, image2);
  await boot(files);
  await targetOn(files).confirm();
  await targetOn(files).discard();
  await update(files, image3);
  await boot(files);
  await boot(files);
  await targetOn(files).discard();
}

test("a folder without an application, and one whose state cannot be read", async () => {
  const files = createVirtualFiles();
  await assert.rejects(targetOn(files).state(), (error) => isThinglineError(error, "FILE_NOT_FOUND"));
  await files.replace(`${folder}/state.json`, encode("{"));
  await assert.rejects(targetOn(files).state(), { code: "STORE_CORRUPT" });
  assert.throws(() => createApplicationTarget({ folder, files } as never), { code: "OPTION_INVALID" });
});
