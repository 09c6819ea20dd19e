import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { describe, test } from "node:test";
import { deflateRawSync, inflateRawSync } from "node:zlib";
import { concatBytes, isThinglineError } from "@thingline/protocol";
import { CborTag, encodeCbor } from "@thingline/protocol/cbor";
import { makeSimulatedArchive } from "../simulator/firmware-archive.js";
import { imageSegmentsMax, readFullImage } from "./full-image.js";
import { checkIntelHex } from "./intel-hex.js";
import { readFirmwarePackage } from "./package.js";
import { archiveBytesMax, archiveFileBytesMax, archiveFilesMax, readArchive } from "./zip.js";

const inflate = (bytes: Uint8Array, bytesMax: number): Uint8Array =>
  Uint8Array.from(inflateRawSync(bytes, { maxOutputLength: Math.max(1, bytesMax) }));
const sha256 = (bytes: Uint8Array): Uint8Array => Uint8Array.from(createHash("sha256").update(bytes).digest());
const read = (bytes: Uint8Array, name = "mfw_nrf9160_1.3.7.zip") =>
  readFirmwarePackage(bytes, { name, inflate, sha256 });
const refuses = (run: () => unknown, words: RegExp): void => {
  assert.throws(run, (error) => {
    assert.ok(isThinglineError(error, "FIRMWARE_PACKAGE_INVALID"), String(error));
    assert.match(error.message, words);
    return true;
  });
};
const text = (value: string): Uint8Array => new TextEncoder().encode(value);

/** As Nordic's script makes it: a manifest of version, compatibility, SHA-256 and segments, in a COSE_Sign1; the content behind it. */
function fullImage(
  parts: Partial<{ segments: number[]; content: Uint8Array; digest: Uint8Array; version: number }> = {},
) {
  const { content = Uint8Array.from({ length: 300 }, (_none, at) => at & 0xff), version = 1 } = parts;
  const { segments = [0x2000_0000, 100, 0x5_0000, 150, 0x9_0000, 50], digest = sha256(content) } = parts;
  const manifest = encodeCbor([version, 0, digest, encodeCbor(segments)]);
  const wrapper = new CborTag(18, [encodeCbor(new Map([[1, -37]])), new Map(), manifest, new Uint8Array(256)]);
  return concatBytes([encodeCbor(wrapper), content]);
}

describe("a package of modem firmware", () => {
  test("its parts are found, in order, by the names that Nordic gives them", () => {
    const image = { name: "mfw_nrf9160_1.3.7.cbor", bytes: fullImage() };
    const delta = "mfw_nrf9160_update_from_1.3.6_to_1.3.7.bin";
    const found = read(makeSimulatedArchive({ image, files: { [delta]: Uint8Array.of(1), "license.txt": text("x") } }));
    assert.equal(found.revision, "mfw_nrf9160_1.3.7");
    assert.match(found.bootloader, /ipc_dfu/);
    assert.deepEqual(found.segments, ["firmware.update.image.segments.0.hex", "firmware.update.image.segments.1.hex"]);
    assert.equal(found.fullImage?.firmware.length, 2);
    assert.deepEqual(found.deltas, [{ name: delta, from: "1.3.6", to: "1.3.7" }]);
  });

  test("the version is that of the file's name, else of the image in it, else unknown", () => {
    const image = { name: "mfw_nrf91x1_2.0.2.cbor", bytes: fullImage() };
    assert.equal(read(makeSimulatedArchive({ image }), "download.zip").revision, "mfw_nrf91x1_2.0.2");
    assert.equal(read(makeSimulatedArchive(), "download.zip").revision, undefined);
  });

  test("a file with a name that leads out of where a programmer unpacks it is refused", () => {
    for (const name of ["../x", "a/../../x", "/etc/x", "C:\\x", "a\\..\\x", "..", "x\u001b[2J", "x".repeat(256)]) {
      refuses(() => read(makeSimulatedArchive({ files: { [name]: text("x") } })), /leads out of the folder/);
    }
    assert.ok(read(makeSimulatedArchive({ files: { "doc/a..b/..c": text("x") } })));
  });

  for (const [what, bytes, words] of [
    ["no archive", text("<html>not found</html>"), /no zip archive/],
    ["nothing", new Uint8Array(0), /no zip archive/],
    ["a part of one", makeSimulatedArchive().subarray(0, 4_000), /no zip archive/],
  ] as const) {
    test(`${what} is refused`, () => refuses(() => read(bytes), words));
  }

  test("what is missing, doubled or damaged in it is named", () => {
    const without = (name: string) => makeSimulatedArchive({ files: { [name]: text("") } });
    refuses(() => read(without("firmware.update.image.segments.1.hex")), /segments\.1\.hex is damaged/);
    const second = { "aa.ipc_dfu.signed_1.2.0.ihex": text(":00000001FF\n") };
    refuses(() => read(makeSimulatedArchive({ files: second })), /2 bootloaders/);
    const gap = { "firmware.update.image.segments.3.hex": text(":00000001FF\n") };
    refuses(() => read(makeSimulatedArchive({ files: gap })), /a segment of its firmware is missing/);
    const noBytes = { "firmware.update.image.segments.1.hex": text(":00000001FF\n") };
    refuses(() => read(makeSimulatedArchive({ files: noBytes })), /has no bytes/);
    const images = { "b.cbor": text("b") };
    const image = { name: "a.cbor", bytes: fullImage() };
    refuses(() => read(makeSimulatedArchive({ image, files: images })), /2 images/);
  });

  test("any byte of the archive that changes is noticed, or changes nothing that counts", () => {
    const whole = makeSimulatedArchive({ partBytes: 32 });
    const names = readArchive(whole, inflate).map(({ name }) => name);
    for (let at = 0; at < whole.length; at++) {
      const changed = Uint8Array.from(whole);
      changed[at] = (changed[at] ?? 0) ^ 0x55;
      try {
        const files = readArchive(changed, inflate);
        for (const file of files) file.read();
        const isSame = files.every(({ name }, index) => name === names[index]);
        if (isSame)
          assert.deepEqual(
            files.map((file) => file.read().length),
            readArchive(whole, inflate).map((file) => file.sizeBytes),
          );
      } catch (error) {
        assert.ok(isThinglineError(error, "FIRMWARE_PACKAGE_INVALID"), `byte ${at}: ${String(error)}`);
      }
    }
  });

  test("deflated files are expanded, up to the size that the directory says and no further", () => {
    const content = text("firmware ".repeat(500));
    const packed = repack(makeSimulatedArchive({ files: { "a.txt": content } }), "a.txt", content.length);
    const file = readArchive(packed, inflate).find(({ name }) => name === "a.txt");
    assert.deepEqual(file?.read(), content);
    const bomb = repack(makeSimulatedArchive({ files: { "a.txt": content } }), "a.txt", 10);
    refuses(
      () =>
        readArchive(bomb, inflate)
          .find(({ name }) => name === "a.txt")
          ?.read(),
      /a\.txt is damaged/,
    );
  });

  test("how many files, and how large: archiveFilesMax, archiveFileBytesMax, archiveBytesMax", () => {
    const many = Object.fromEntries(Array.from({ length: archiveFilesMax }, (_none, at) => [`f${at}`, text("x")]));
    refuses(() => readArchive(makeSimulatedArchive({ files: many }), inflate), /more than 256/);
    const claimed = repack(makeSimulatedArchive({ files: { a: text("x") } }), "a", archiveFileBytesMax + 1);
    refuses(
      () =>
        readArchive(claimed, inflate)
          .find(({ name }) => name === "a")
          ?.read(),
      /more than 33554432/,
    );
    const zeros = (_packed: Uint8Array, bytesMax: number) => new Uint8Array(bytesMax);
    const large = repack(makeSimulatedArchive({ files: { a: text("x") } }), "a", archiveFileBytesMax, 0);
    const [file] = readArchive(large, zeros).filter(({ name }) => name === "a");
    const readOften = () => {
      for (let read = 0; read * archiveFileBytesMax <= archiveBytesMax; read++) {
        try {
          file?.read();
        } catch (error) {
          if (isThinglineError(error) && /is damaged/.test(error.message)) continue;
          throw error;
        }
      }
    };
    refuses(readOften, /more than 67108864 bytes/);
  });
});

/** Another size, and its content deflated, for one file of an archive. */
function repack(archive: Uint8Array, wanted: string, sizeBytes: number, crc?: number): Uint8Array {
  const view = new DataView(archive.buffer, archive.byteOffset, archive.byteLength);
  const end = archive.length - 22;
  const local: Uint8Array[] = [];
  const central: Uint8Array[] = [];
  let at = view.getUint32(end + 16, true);
  let offset = 0;
  while (at < end) {
    const nameBytes = view.getUint16(at + 28, true);
    const entry = archive.slice(at, at + 46 + nameBytes);
    const from = view.getUint32(at + 42, true);
    const size = view.getUint32(at + 20, true);
    let content: Uint8Array = archive.slice(from, from + 30 + nameBytes + size);
    const facts = new DataView(entry.buffer);
    if (new TextDecoder().decode(entry.subarray(46)) === wanted) {
      const packed = Uint8Array.from(deflateRawSync(content.subarray(30 + nameBytes)));
      content = concatBytes([content.subarray(0, 30 + nameBytes), packed]);
      facts.setUint16(10, 8, true);
      if (crc !== undefined) facts.setUint32(16, crc, true);
      facts.setUint32(20, packed.length, true);
      facts.setUint32(24, sizeBytes, true);
    }
    facts.setUint32(42, offset, true);
    local.push(content);
    central.push(entry);
    offset += content.length;
    at += 46 + nameBytes;
  }
  const tail = archive.slice(end);
  new DataView(tail.buffer).setUint32(16, offset, true);
  return concatBytes([...local, ...central, tail]);
}

describe("Intel HEX", () => {
  for (const [what, lines, line] of [
    ["a sum that is wrong", ":0100000001FF\n:00000001FF\n", 1],
    ["a length that is wrong", ":0200000001FD\n:00000001FF\n", 1],
    ["no colon", "0100000001FE\n:00000001FF\n", 1],
    ["a digit that is none", ":01000000G1FE\n:00000001FF\n", 1],
    ["a type that is not known", ":0100000601F8\n:00000001FF\n", 1],
    ["something behind the end", ":00000001FF\n:0100000001FE\n", 2],
    ["no end", ":0100000001FE\n", 1],
  ] as const) {
    test(`${what} is found in its line`, () => assert.deepEqual(checkIntelHex(text(lines)), { type: "damaged", line }));
  }

  test("lines may end with CR LF, and the last one without", () => {
    assert.deepEqual(checkIntelHex(text(":0100000001FE\r\n\r\n:00000001FF")), { type: "whole", dataBytes: 1 });
  });
});

describe("an image for a serial line", () => {
  test("it is cut into the bootloader and the segments of the firmware", () => {
    const image = readFullImage(fullImage(), sha256);
    assert.deepEqual(
      [image.bootloader.address, image.bootloader.bytes.length, image.sizeBytes],
      [0x2000_0000, 100, 300],
    );
    assert.deepEqual(
      image.firmware.map(({ address, bytes }) => [address, bytes.length, bytes[0]]),
      [
        [0x5_0000, 150, 100],
        [0x9_0000, 50, 250],
      ],
    );
  });

  for (const [what, bytes, words] of [
    ["something else", text("something else"), /does not begin/],
    ["the beginning of one", fullImage().subarray(0, 200), /cut off/],
    ["content that was changed", fullImage({ digest: new Uint8Array(32) }), /SHA-256/],
    ["another version", fullImage({ version: 2 }), /another version/],
    ["segments that do not add up", fullImage({ segments: [0, 100, 5, 100] }), /belong to no segment/],
    ["a segment beyond the end", fullImage({ segments: [0, 100, 5, 300] }), /list of segments/],
    ["a segment without bytes", fullImage({ segments: [0, 0, 5, 300] }), /list of segments/],
    ["no firmware", fullImage({ segments: [0, 300] }), /no segments of firmware/],
    ["an address without a length", fullImage({ segments: [0, 100, 5] }), /list of segments/],
    [
      `more than imageSegmentsMax (${imageSegmentsMax}) segments`,
      fullImage({ segments: Array.from({ length: 2 * imageSegmentsMax + 2 }, () => 1) }),
      /list of segments/,
    ],
  ] as const) {
    test(`${what} is refused`, () => refuses(() => readFullImage(bytes, sha256), words));
  }

  test("cut off anywhere, it is refused", () => {
    const whole = fullImage();
    for (let length = 0; length < whole.length; length++)
      refuses(() => readFullImage(whole.subarray(0, length), sha256), /./);
  });
});
