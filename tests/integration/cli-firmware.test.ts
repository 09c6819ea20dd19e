import assert from "node:assert/strict";
import { copyFile, readFile, stat, truncate, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { type ImageKeyType, imageKeyTypes } from "@thingline/protocol/image";
import { eventsOf, type Finished, runThinglineIn, temporaryFolder } from "./cli-process.test.support.js";
import { binaryOf, flagsOf, type ImageCase, imageCases, type ImageFlags } from "./image-cases.test.support.js";
import { fixtureImage } from "./image-fixtures.test.support.js";

const fixtures = fileURLToPath(new URL("../../fixtures/mcuboot/", import.meta.url));

interface Workplace {
  folder: string;
  run: (line: string, ...more: string[]) => Promise<Finished>;
}

/** A folder with the fixture keys as `<type>.pem` and a binary, where commands run. */
async function workplace(t: TestContext): Promise<Workplace> {
  const folder = await temporaryFolder(t);
  for (const type of imageKeyTypes) await copyFile(join(fixtures, `${type}.pem`), join(folder, `${type}.pem`));
  await writeFile(join(folder, "app.bin"), binaryOf({ name: "any" }));
  const run: Workplace["run"] = (line, ...more) =>
    runThinglineIn(t, { cwd: folder }, "firmware", ...line.split(" "), ...more);
  return { folder, run };
}

const shape = "--version 1.2.3+4 --header-size 0x40 --slot-size 0x8000 --pad-header";

test("keygen writes keys that sign and verify, for their owner only, and never over another", async (t) => {
  const { folder, run } = await workplace(t);
  for (const type of ["rsa-2048", "ecdsa-p256", "ecdsa-p384", "ed25519"] satisfies ImageKeyType[]) {
    const [key, pub] = [`new-${type}.pem`, `new-${type}.pub`];
    const made = await run(`keygen ${key} --type ${type} --public ${pub} --json`);
    assert.equal(made.code, 0, made.stderr);
    assert.deepEqual(
      eventsOf(made).map(({ event, type }) => [event, type]),
      [["keyWritten", type]],
    );
    assert.equal((await stat(join(folder, key))).mode & 0o777, 0o600);
    assert.match(await readFile(join(folder, key), "utf8"), /^-----BEGIN PRIVATE KEY-----\n/);
    assert.equal((await run(`sign app.bin out.bin --key ${key} ${shape}`)).code, 0);
    assert.equal((await run(`verify out.bin --key ${pub}`)).code, 0);
    assert.equal((await run(`verify out.bin --key ${type}.pem`)).code, 1);
  }
  const before = await readFile(join(folder, "new-ed25519.pem"));
  for (const line of ["keygen new-ed25519.pem --type ed25519", "keygen fresh.pem --type ed25519 --public app.bin"]) {
    const again = await run(`${line} --json`);
    assert.deepEqual([again.code, eventsOf(again)[0]?.["code"]], [1, "FILE_EXISTS"]);
  }
  assert.deepEqual(await readFile(join(folder, "new-ed25519.pem")), before);
  await assert.rejects(stat(join(folder, "fresh.pem")));
  assert.equal((await run("keygen other.pem --type rsa-4096")).code, 2);
  assert.equal((await run("keygen missing/folder/key.pem --type ed25519")).code, 1);
});

/** The flags of MCUboot's tool as this command has them. */
function ourWords(flags: ImageFlags): string[] {
  return Object.entries(flags).flatMap(([name, value]) => {
    if (name === "dependencies") return ["--dependency", String(value)];
    if (Array.isArray(value)) return [`--${name}`, value.join("=")];
    return value === true ? [`--${name}`] : [`--${name}`, String(value)];
  });
}

/** Ed25519 has no random numbers: what is signed again is the same to the last byte. */
const isRepeatable = ({ key }: ImageCase): boolean => key === undefined || key === "ed25519";

test("sign takes the flags of MCUboot's tool, and writes the same bytes", async (t) => {
  const { folder, run } = await workplace(t);
  for (const each of imageCases.filter(isRepeatable)) {
    await writeFile(join(folder, "in.bin"), binaryOf(each));
    const words = [...ourWords(flagsOf(each)), ...(each.key ? ["--key", `${each.key}.pem`] : [])];
    const { code, stderr } = await run("sign in.bin out.bin", ...words);
    assert.equal(code, 0, `${each.name}: ${stderr}`);
    assert.deepEqual(new Uint8Array(await readFile(join(folder, "out.bin"))), await fixtureImage(each.name), each.name);
  }
});

test("sign tells what it wrote, and replaces an image that is there", async (t) => {
  const { folder, run } = await workplace(t);
  await writeFile(join(folder, "out.bin"), "something else");
  const signed = await run(`sign app.bin out.bin --key ed25519.pem ${shape} --json`);
  const [event] = eventsOf(signed);
  const image = await readFile(join(folder, "out.bin"));
  assert.deepEqual(
    [event?.event, event?.["file"], event?.["version"], event?.["keyType"], event?.["bytes"]],
    ["imageSigned", "out.bin", "1.2.3+4", "ed25519", image.length],
  );
  assert.equal((await stat(join(folder, "out.bin"))).mode & 0o777, 0o644);
  const people = await run(`sign app.bin out.bin ${shape}`);
  assert.match(
    people.stdout,
    /^signed {2}out\.bin {2}version 1\.2\.3\+4, \d+ bytes, without a key: it has a hash only\n/,
  );
});

test("an image within an image is made as it was asked for, with a warning", async (t) => {
  const { folder, run } = await workplace(t);
  assert.equal((await run(`sign app.bin first.bin ${shape}`)).code, 0);
  const second = await run(`sign first.bin second.bin ${shape} --json`);
  assert.deepEqual([second.code, eventsOf(second).map(({ event }) => event)], [0, ["warning", "imageSigned"]]);
  assert.match(second.stderr, /is an MCUboot image already/);
  assert.ok((await stat(join(folder, "second.bin"))).size > (await stat(join(folder, "first.bin"))).size);
});

const signFailures: readonly [line: string, exitCode: number, code: string, message: RegExp][] = [
  [`sign app.bin app.bin ${shape}`, 2, "USAGE", /over the binary, app\.bin/],
  [`sign app.bin ./ed25519.pem --key ed25519.pem ${shape}`, 2, "USAGE", /over the key, ed25519\.pem/],
  [`sign app.hex out.bin ${shape}`, 2, "USAGE", /Intel HEX is not supported/],
  [`sign app.bin out.bin ${shape} --cid pump`, 2, "USAGE", /--cid: expected a UUID/],
  ["sign app.bin out.bin --version 1.2.3.4 --header-size 64 --slot-size 0", 2, "USAGE", /A version is/],
  ["sign app.bin out.bin --version 1 --header-size 64", 2, "USAGE", /--slot-size/],
  [`sign app.bin out.bin ${shape} --dependency 1`, 2, "USAGE", /least version/],
  [`sign app.bin out.bin ${shape} --custom-tlv 0x50=1`, 2, "USAGE", /0xa0 to 0xfffe/],
  [`sign app.bin out.bin ${shape} --custom-tlv 0xa0=0x1`, 2, "USAGE", /0xa0 to 0xfffe/],
  [`sign app.bin out.bin ${shape} --custom-tlv 0xa0=1 --custom-tlv 160=2`, 1, "OPTION_INVALID", /each type once/],
  [`sign app.bin out.bin ${shape} --security-counter 4294967296`, 2, "USAGE", /4294967295/],
  [`sign app.bin out.bin ${shape} --header-size 31`, 1, "OPTION_INVALID", /headerBytes/],
  [`sign app.bin out.bin ${shape} --slot-size 0 --pad`, 1, "OPTION_INVALID", /slotBytes/],
  [`sign app.bin out.bin ${shape} --slot-size 0x200`, 1, "IMAGE_INVALID", /more than the 512 of the slot/],
  [`sign app.bin out.bin ${shape} --boot-record thirteenchars`, 1, "OPTION_INVALID", /12 characters/],
  [`sign app.bin out.bin ${shape} --load-addr 1 --rom-fixed 1`, 1, "OPTION_INVALID", /fixedAddress/],
  [`sign app.bin out.bin ${shape} --pure`, 1, "OPTION_INVALID", /isPure/],
  [`sign app.bin out.bin ${shape} --pure --key rsa-2048.pem`, 1, "OPTION_INVALID", /isPure/],
  [`sign app.bin out.bin ${shape} --sha 512 --key ecdsa-p256.pem`, 1, "OPTION_INVALID", /hash/],
  [`sign app.bin out.bin ${shape} --key app.bin`, 1, "KEY_INVALID", /PEM/],
  [`sign app.bin out.bin ${shape} --key public.pem`, 1, "KEY_INVALID", /public key cannot sign/],
  [`sign app.bin out.bin ${shape} --key nobody.pem`, 1, "FILE_NOT_FOUND", /nobody\.pem/],
  ["sign app.bin out.bin --version 1 --header-size 64 --slot-size 0", 1, "IMAGE_INVALID", /byte 1 is not/],
  ["sign short.bin out.bin --version 1 --header-size 64 --slot-size 0", 1, "IMAGE_INVALID", /64 zeros/],
  [`sign missing.bin out.bin ${shape}`, 1, "FILE_NOT_FOUND", /missing\.bin/],
  [`sign huge.bin out.bin ${shape}`, 1, "FILE_TOO_LARGE", /134217728/],
  [`sign app.bin out.bin ${shape} --key huge.bin`, 1, "FILE_TOO_LARGE", /65536/],
];

test("sign refuses by name what it cannot do, and writes nothing", async (t) => {
  const { folder, run } = await workplace(t);
  // One more than signedFileBytesMax, and than keyFileBytesMax; nothing of it is on the disk.
  await writeFile(join(folder, "huge.bin"), "");
  await truncate(join(folder, "huge.bin"), 128 * 1024 * 1024 + 1);
  await writeFile(join(folder, "short.bin"), new Uint8Array(63));
  const made = await run("keygen another.pem --type ed25519 --public public.pem");
  assert.equal(made.code, 0);
  for (const [line, exitCode, code, message] of signFailures) {
    const finished = await run(`${line} --json`);
    const [failure] = eventsOf(finished);
    assert.deepEqual([finished.code, failure?.["code"]], [exitCode, code], `${line}: ${finished.stdout}`);
    assert.match(String(failure?.["message"]), message, line);
  }
  await assert.rejects(stat(join(folder, "out.bin")));
});

const verdicts: readonly [line: string, exitCode: number, reason: string | undefined][] = [
  ["verify good.bin --key ed25519.pem", 0, undefined],
  ["verify good.bin --key rsa-2048.pem --key ed25519.pem", 0, undefined],
  ["verify good.bin", 0, undefined],
  ["verify good.bin --key rsa-2048.pem", 1, "KEY_UNKNOWN"],
  ["verify damaged.bin --key ed25519.pem", 1, "HASH_MISMATCH"],
  ["verify damaged.bin", 1, "HASH_MISMATCH"],
  ["verify app.bin", 1, "IMAGE_MAGIC_INVALID"],
  ["verify empty.bin", 1, "IMAGE_TRUNCATED"],
  ["verify good.bin --key ed25519.pem --running-version 1.2.4", 1, "VERSION_LOWER"],
  ["verify good.bin --key ed25519.pem --min-counter 1", 1, "SECURITY_COUNTER_MISSING"],
  ["verify good.bin --key ed25519.pem --max-size 400", 1, "IMAGE_TOO_LARGE"],
  ["verify good.bin --bootloader --key ed25519.pem", 0, undefined],
  ["verify good.bin --bootloader --key rsa-2048.pem", 1, "SIGNATURE_MISSING"],
  ["verify good.bin --bootloader --key ed25519.pem --pure", 1, "SIGNATURE_PURE_MISMATCH"],
  ["verify good.bin --bootloader --key ed25519.pem --sha 512", 1, "HASH_MISSING"],
];

test("verify says what is so by its exit code, and the reason with its code", async (t) => {
  const { folder, run } = await workplace(t);
  const good = await fixtureImage("ed25519");
  await writeFile(join(folder, "good.bin"), good);
  await writeFile(
    join(folder, "damaged.bin"),
    good.map((byte, at) => (at === 200 ? byte ^ 1 : byte)),
  );
  await writeFile(join(folder, "empty.bin"), "");
  for (const [line, exitCode, reason] of verdicts) {
    const finished = await run(`${line} --json`);
    const [event] = eventsOf(finished);
    assert.deepEqual([finished.code, event?.["reason"]], [exitCode, reason], `${line}: ${finished.stdout}`);
    assert.equal(event?.event, exitCode === 0 ? "imageVerified" : "imageRefused");
  }
  const people = await run("verify damaged.bin --key ed25519.pem");
  assert.match(people.stdout, /^refused {2}damaged\.bin {2}the image's sha256 is [\da-f]{64}.*\(HASH_MISMATCH\)\n$/s);
  const unchecked = await run("verify good.bin");
  assert.match(unchecked.stderr, /warning: nobody's signature was checked/);
  assert.equal((await run("verify good.bin --bootloader --key ed25519.pem --key rsa-2048.pem")).code, 2);
  assert.equal((await run("verify missing.bin")).code, 1);
});

test("inspect shows header, TLVs and trailer, and what is wrong with the rest", async (t) => {
  const { folder, run } = await workplace(t);
  await writeFile(join(folder, "all.bin"), await fixtureImage("everything-protected"));
  await writeFile(join(folder, "slot.bin"), await fixtureImage("confirmed-align-16"));
  await writeFile(join(folder, "cut.bin"), (await fixtureImage("ed25519")).subarray(0, 400));
  await writeFile(
    join(folder, "delta.bin"),
    Buffer.from(`00000000${Buffer.from("meDu").toString("hex")}`.padEnd(80, "0"), "hex"),
  );
  const all = await run("inspect all.bin");
  assert.equal(all.code, 0);
  for (const line of [/^kind +MCUboot image$/m, /^version +1\.2\.3\+4$/m, /^ {2}SEC_CNT +4294967295$/m]) {
    assert.match(all.stdout, line);
  }
  assert.match(all.stdout, /^ {2}DEPENDENCY +image 1 in 1\.2\.0 or newer$/m);
  const [shown] = eventsOf(await run("inspect all.bin --json"));
  const tlvs = shown?.["tlvs"] as { name: string; isProtected: boolean }[];
  assert.deepEqual(
    tlvs.map(({ name }) => name),
    ["SEC_CNT", "BOOT_RECORD", "DEPENDENCY", "UUID_VID", "UUID_CID", "0x01a0", "SHA256", "KEYHASH", "RSA2048"],
  );
  const [slot] = eventsOf(await run("inspect slot.bin --json"));
  assert.deepEqual(slot?.["trailer"], {
    alignBytes: 16,
    magic: "good",
    imageOk: "good",
    copyDone: "unset",
    swapType: "none",
    imageNumber: 0,
  });
  const cut = await run("inspect cut.bin --json");
  assert.deepEqual([cut.code, eventsOf(cut).map(({ event }) => event)], [1, ["image", "imageRefused"]]);
  const delta = await run("inspect delta.bin");
  assert.equal(delta.code, 0);
  assert.match(delta.stdout, /delta of modem firmware/);
  assert.equal((await run("inspect app.bin")).code, 1);
});

test("every firmware command has help with examples", async (t) => {
  const { run } = await workplace(t);
  for (const command of ["keygen", "sign", "verify", "inspect"]) {
    const { code, stdout } = await run(`${command} --help`);
    assert.equal(code, 0);
    assert.match(stdout, new RegExp(`Examples:\\n {2}thingline firmware ${command} `));
    assert.match(stdout, /--json/);
  }
});
