// MCUboot's own image tool judges our images, and makes some for us. No package of Debian has it: THINGLINE_TEST_IMGTOOL names
// `scripts/imgtool.py` of a checkout of MCUboot, which needs python3-click, -cryptography, -cbor2, -intelhex and -yaml.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { imageKeyTypes, signImage, type ImageKeyType, verifyImage, sourceOf } from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { runThingline, temporaryFolder } from "../integration/cli-process.test.support.js";
import {
  argumentsOf,
  binaryOf,
  flagsOf,
  imageCases,
  isPadded,
  optionsOf,
} from "../integration/image-cases.test.support.js";
import { withoutSignature } from "../integration/image-compare.test.support.js";

const imgtool = process.env["THINGLINE_TEST_IMGTOOL"];
const skip =
  imgtool === undefined ? "no Debian package has imgtool: THINGLINE_TEST_IMGTOOL names a local imgtool.py" : false;

const crypto = createNodeImageCrypto();

function run(...words: string[]): { code: number | null; output: string } {
  const { status, stdout, stderr } = spawnSync("/usr/bin/python3", [imgtool ?? "", ...words], { encoding: "utf8" });
  return { code: status, output: `${stdout}${stderr}` };
}

/** A key file of each type, made by their tool or ours. */
async function keysIn(
  t: TestContext,
  folder: string,
  maker: "imgtool" | "thingline",
): Promise<Record<ImageKeyType, string>> {
  const files: Partial<Record<ImageKeyType, string>> = {};
  for (const type of imageKeyTypes) {
    const file = join(folder, `${maker}-${type}.pem`);
    if (maker === "imgtool") assert.equal(run("keygen", "--key", file, "--type", type).code, 0);
    else assert.equal((await runThingline(t, "firmware", "keygen", file, "--type", type)).code, 0);
    files[type] = file;
  }
  return files as Record<ImageKeyType, string>;
}

for (const maker of ["imgtool", "thingline"] as const) {
  test(`keys of ${maker}: what imgtool signs is accepted here, what is signed here by imgtool`, { skip }, async (t) => {
    const folder = await temporaryFolder(t);
    const keys = await keysIn(t, folder, maker);
    // A key is a key, whoever made it: with ours, one image of each type tells.
    const cases = maker === "imgtool" ? imageCases : imageCases.filter(({ name, key }) => name === key);
    assert.ok(cases.length >= imageKeyTypes.length);
    for (const each of cases) {
      await t.test(each.name, () => compare(folder, each, each.key && keys[each.key]));
    }
  });
}

async function compare(folder: string, each: (typeof imageCases)[number], keyFile: string | undefined): Promise<void> {
  const flags = flagsOf(each);
  const [binaryFile, theirFile, ourFile] = ["in.bin", "theirs.bin", "ours.bin"].map((name) => join(folder, name)) as [
    string,
    string,
    string,
  ];
  await writeFile(binaryFile, binaryOf(each));
  const keyWords = keyFile === undefined ? [] : ["--key", keyFile];
  const made = run("sign", ...argumentsOf(flags), ...keyWords, binaryFile, theirFile);
  assert.equal(made.code, 0, made.output);
  const theirs = new Uint8Array(await readFile(theirFile));
  const privateKeyPem = keyFile === undefined ? undefined : await readFile(keyFile, "utf8");
  const ours = await signImage(binaryOf(each), { ...optionsOf(flags), crypto, privateKeyPem });
  await writeFile(ourFile, ours);
  assert.deepEqual(await withoutSignature(ours, isPadded(flags)), await withoutSignature(theirs, isPadded(flags)));

  const keys = privateKeyPem === undefined ? undefined : [crypto.publicKeyOf(privateKeyPem)];
  const verdict = await verifyImage(sourceOf(theirs), { crypto, keys });
  if (flags["non-bootable"] === true) assert.equal(!verdict.isAccepted && verdict.refusal.code, "IMAGE_NOT_BOOTABLE");
  else assert.ok(verdict.isAccepted, JSON.stringify(verdict));
  const judged = run("verify", ...keyWords, ourFile);
  assert.equal(judged.code, 0, judged.output);
  assert.match(judged.output, /Image was correctly validated/);
}
