import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { concatBytes } from "@thingline/protocol";
import { makeZip, type ZippedFile } from "./make-zip.test.support.js";
import { fails, openPackagesWorld } from "./packages-world.test.support.js";
import { sbomFault } from "./sbom-document.js";
import { sbomArchiveBytesMax, sbomFileBytesMax, sbomFilesMax, sbomKeys, sbomValidationsMax } from "./sbom-model.js";
import { scope } from "../world.test.support.js";

const one = { packageName: "app", versionName: "1" };
const spdx = {
  ...{ spdxVersion: "SPDX-2.3", SPDXID: "SPDXRef-DOCUMENT", dataLicense: "CC0-1.0", name: "app" },
  documentNamespace: "https://example.com/app",
  creationInfo: { created: "2026-01-01T00:00:00Z", creators: ["Tool: test"] },
  packages: [{ SPDXID: "SPDXRef-app", name: "app", downloadLocation: "NOASSERTION" }],
};
const cyclone = {
  ...{ bomFormat: "CycloneDX", specVersion: "1.6", version: 1 },
  serialNumber: "urn:uuid:3e671687-395b-41f5-a30f-a58921a69b79",
  components: [{ type: "library", name: "left" }],
};
const json = (value: unknown) => JSON.stringify(value);

async function openWorld() {
  const world = await openPackagesWorld();
  const { run, packages, makeVersion, put, clock, runner } = world;
  await run(packages.createPackage, { packageName: "app" });
  await makeVersion("1", "PUBLISHED");
  const location = (key: string) => ({ bucket: "firmware", key, version: "null" });
  const associate = (key: string, more: object = {}) =>
    run(packages.associateSbomWithPackageVersion, { ...one, sbom: { s3Location: location(key) }, ...more });
  const results = async (more: object = {}) =>
    (await run(packages.listSbomValidationResults, { ...one, ...more })).validationResultSummaries ?? [];
  const status = async () => (await run(packages.getPackageVersion, one)).sbomValidationStatus;
  /** Until nothing is under way: files are unpacked by threads of the platform. */
  const settle = async () => {
    await clock.advance(1);
    for (let turn = 0; turn < 10_000 && (await status()) === "IN_PROGRESS"; turn++) {
      await new Promise((resolve) => setImmediate(resolve));
    }
    await runner.idle();
  };
  const validate = async (archive: Uint8Array) => {
    await put("sbom.zip", archive);
    await associate("sbom.zip");
    await settle();
    return { status: await status(), results: await results() };
  };
  return { ...world, location, associate, results, status, settle, validate };
}

describe("an SBOM", () => {
  test("is looked at after it was associated, file by file", async () => {
    const { validate, associate, settle, status, results, put, run, packages, location, store } = await openWorld();
    const files: ZippedFile[] = [
      { name: "folder/", content: "", method: 0 },
      { name: "folder/app.spdx.json", content: json(spdx) },
      { name: "app.cdx.json", content: json(cyclone), method: 0 },
    ];
    const good = (fileName: string) => ({ fileName, validationResult: "SUCCEEDED" });
    assert.deepEqual(await validate(makeZip(files)), {
      status: "SUCCEEDED",
      results: [good("folder/app.spdx.json"), good("app.cdx.json")],
    });
    assert.deepEqual((await run(packages.getPackageVersion, one)).sbom, { s3Location: location("sbom.zip") });
    await put(
      "other.zip",
      makeZip([
        { name: "a.json", content: "{}" },
        { name: "b.json", content: json(spdx) },
      ]),
    );
    const named = { ...one, sbom: { s3Location: location("other.zip") } };
    assert.deepEqual(await associate("other.zip"), { ...named, sbomValidationStatus: "IN_PROGRESS" });
    assert.deepEqual([await status(), await results()], ["IN_PROGRESS", []]);
    await settle();
    const why = {
      errorCode: "INCOMPATIBLE_FORMAT",
      errorMessage: "it is neither SPDX (spdxVersion) nor CycloneDX (bomFormat)",
    };
    const bad = { fileName: "a.json", validationResult: "FAILED", ...why };
    assert.deepEqual([await status(), await results()], ["FAILED", [bad, good("b.json")]]);
    assert.deepEqual(await results({ validationResult: "FAILED" }), [bad]);
    const page = await run(packages.listSbomValidationResults, { ...one, maxResults: 1 });
    assert.deepEqual(await results({ maxResults: 1, nextToken: page.nextToken }), [good("b.json")]);
    await run(packages.disassociateSbomFromPackageVersion, one);
    assert.deepEqual([await status(), await results()], [undefined, []]);
    await assert.rejects(run(packages.disassociateSbomFromPackageVersion, one), fails("RESOURCE_NOT_FOUND", /no SBOM/));
    await associate("sbom.zip");
    await settle();
    await run(packages.deletePackageVersion, one);
    assert.deepEqual(await store.list(sbomKeys.results(scope, "app", "1"), { limit: 1 }), []);
    await assert.rejects(results(), fails("RESOURCE_NOT_FOUND"));
  });

  test("is refused with AWS's texts when it cannot be had", async () => {
    const { run, packages, associate, put } = await openWorld();
    const refused: [sbom: object, why: RegExp][] = [
      [{}, /^Associate request needs to include SBOM reference$/],
      [{ s3Location: { key: "k", version: "v" } }, /^S3 bucket name for SBOM cannot be null$/],
      [{ s3Location: { bucket: "b", version: "v" } }, /^S3 key name for SBOM cannot be null$/],
      [{ s3Location: { bucket: "b", key: "k" } }, /^S3 object version for SBOM cannot be null$/],
      [
        { s3Location: { bucket: "b".repeat(64), key: "k", version: "v" } },
        /^S3 bucket name for SBOM is illegal\. String length exceeds limit$/,
      ],
      [{ s3Location: { bucket: "nowhere", key: "k", version: "v" } }, /make sure the bucket exists/],
      [{ s3Location: { bucket: "firmware", key: "none", version: "v" } }, /make sure the bucket\/key\/version exists/],
      [
        { s3Location: { bucket: "firmware", key: "app.bin", version: "v9" } },
        /make sure the bucket\/key\/version exists/,
      ],
    ];
    for (const [sbom, why] of refused) {
      await assert.rejects(
        run(packages.associateSbomWithPackageVersion, { ...one, sbom }),
        fails("REQUEST_INVALID", why),
      );
    }
    await put("large.zip", new Uint8Array(sbomArchiveBytesMax + 1));
    await assert.rejects(associate("large.zip"), fails("REQUEST_INVALID", /^S3 object file size exceeds limit$/));
    await put("whole.zip", new Uint8Array(sbomArchiveBytesMax));
    await associate("whole.zip");
  });

  test("is validated with at most so many others, and once for a token", async () => {
    const { run, packages, associate, makeVersion, put, settle, location, status } = await openWorld();
    await put("sbom.zip", makeZip([{ name: "a.json", content: json(spdx) }]));
    const clientToken = "1".repeat(36);
    const first = await associate("sbom.zip", { clientToken });
    for (let name = 2; name <= sbomValidationsMax; name++) {
      await makeVersion(`${name}`);
      await associate("sbom.zip", { versionName: `${name}` });
    }
    await makeVersion("more");
    const more = () => associate("sbom.zip", { versionName: "more" });
    await assert.rejects(more(), fails("QUOTA_EXCEEDED", /^Too many ongoing SBOM validation workflows/));
    assert.deepEqual(await associate("sbom.zip", { clientToken }), first);
    await settle();
    assert.equal(await status(), "SUCCEEDED");
    await more();
    const again = await run(packages.associateSbomWithPackageVersion, {
      ...{ ...one, clientToken, sbom: { s3Location: location("sbom.zip") } },
    });
    assert.equal(again.sbomValidationStatus, "SUCCEEDED");
  });

  test("that is no archive, damaged, encrypted or too large fails by name", async () => {
    const { validate } = await openWorld();
    const good = json(spdx);
    const zip = (...files: ZippedFile[]) => makeZip(files);
    const cut = zip({ name: "a.json", content: good }).slice();
    cut[80] = cut[80]! ^ 0xff;
    const large = json({ ...spdx, name: "x".repeat(sbomFileBytesMax) });
    const many = Array.from({ length: sbomFilesMax + 1 }, (_none, at) => ({ name: `${at}.json`, content: good }));
    const cases: [archive: Uint8Array, why: RegExp, code?: string][] = [
      [new Uint8Array(0), /no ZIP archive/],
      [new TextEncoder().encode(good), /no ZIP archive/],
      [zip(), /has no files/],
      [zip({ name: "a.txt", content: good }), /not called \.json/],
      [zip({ name: "a.json", content: good, method: 12 }), /method 12/],
      [zip({ name: "a.json", content: good, says: { flags: 1 } }), /encrypted/],
      [zip({ name: "a.json", content: good, says: { crc: 1 } }), /damaged/],
      [zip({ name: "a.json", content: good, says: { bytes: 1 } }), /damaged/],
      [zip({ name: "a.json", content: large }), /more than 5242880 bytes/, "FILE_SIZE_LIMIT_EXCEEDED"],
      [
        zip({ name: "a.json", content: large, says: { bytes: 10 } }),
        /more than 5242880 bytes/,
        "FILE_SIZE_LIMIT_EXCEEDED",
      ],
      [zip(...many), /more than 100 files/],
      [cut, /damaged|unpacked/],
      [concatBytes([zip({ name: "a.json", content: "[]" })]), /no JSON object/],
    ];
    for (const [archive, why, code = "INCOMPATIBLE_FORMAT"] of cases) {
      const { status, results } = await validate(archive);
      assert.equal(status, "FAILED", String(why));
      assert.match(results[0]?.errorMessage ?? "", why);
      assert.equal(results[0]?.errorCode, code);
    }
    const { status } = await validate(zip(...many.slice(1)));
    assert.equal(status, "SUCCEEDED");
  });
});

test("documents lack nothing that every SPDX and CycloneDX document has", () => {
  const fault = (value: unknown) => sbomFault(new TextEncoder().encode(json(value)));
  assert.equal(fault(spdx), undefined);
  assert.equal(fault(cyclone), undefined);
  assert.equal(fault({ bomFormat: "CycloneDX", specVersion: "1.2" }), undefined);
  const wrong: [document: object, why: RegExp][] = [
    [{ ...spdx, spdxVersion: "SPDX-3.0" }, /spdxVersion/],
    [{ ...spdx, SPDXID: "x" }, /SPDXID/],
    [{ ...spdx, dataLicense: "MIT" }, /dataLicense/],
    [{ ...spdx, name: "" }, /name/],
    [{ ...spdx, documentNamespace: undefined }, /documentNamespace/],
    [{ ...spdx, creationInfo: {} }, /created/],
    [{ ...spdx, creationInfo: { ...spdx.creationInfo, creators: [] } }, /creators/],
    [{ ...spdx, packages: {} }, /packages is no list/],
    [{ ...spdx, packages: [1] }, /packages\[0\] is no object/],
    [{ ...spdx, packages: [{ SPDXID: "a", name: "b" }] }, /packages\[0\] has no downloadLocation/],
    [{ ...spdx, files: [{ SPDXID: "a" }] }, /files\[0\] has no fileName/],
    [{ ...cyclone, bomFormat: "x" }, /bomFormat/],
    [{ ...cyclone, specVersion: "1.7" }, /specVersion/],
    [{ ...cyclone, version: 0 }, /version/],
    [{ ...cyclone, serialNumber: "1" }, /serialNumber/],
    [{ ...cyclone, components: [{ type: "library" }] }, /components\[0\] has no name/],
    [{ ...cyclone, components: [{ type: "thing", name: "a" }] }, /components\[0\]\.type/],
  ];
  for (const [document, why] of wrong) assert.match(fault(document) ?? "", why, json(document));
  assert.match(sbomFault(Uint8Array.of(0xff)) ?? "", /not JSON/);
});
