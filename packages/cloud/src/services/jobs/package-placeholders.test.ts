import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { parseS3Url } from "../objects/index.js";
import { checkJobDocument } from "./document.js";
import { fillPackages, type PackageDestination } from "./package-placeholders.js";

const app: PackageDestination = {
  packageName: "app",
  asked: "2.1.5",
  version: {
    versionName: "2.1.5",
    status: "PUBLISHED",
    attributes: { url: "https://x/y", sig: 'a"b\\c', "a:b": "colon" },
    artifact: { bucket: "firmware", key: "a b/{app}.bin", version: "v/1" },
  },
};
const boot: PackageDestination = {
  packageName: "boot",
  asked: "$default",
  version: { versionName: "7", status: "DEPRECATED", attributes: {}, artifact: undefined },
};
const old: PackageDestination = { packageName: "old", asked: "$null", version: undefined };
const place = (rest: string) => `\${aws:iot:package:${rest}}`;
const fill = (document: string, destinations = [app]) => fillPackages(document, destinations, { region: "eu-west-1" });

test("attributes become values, escaped as JSON, wherever they stand in a text", () => {
  const document = `{"a":"${place("app:version:2.1.5:attributes:url")}?${place("app:version:2.1.5:attributes:sig")}","n":1.10}`;
  assert.equal(fill(document), '{"a":"https://x/y?a\\"b\\\\c","n":1.10}');
  assert.deepEqual(JSON.parse(fill(document)), { a: 'https://x/y?a"b\\c', n: 1.1 });
  assert.equal(fill(`{"a":"${place("app:version:2.1.5:attributes:a:b")}"}`), '{"a":"colon"}');
  assert.equal(fill(`{"a":"${place(":version::attributes:url")}"}`), '{"a":"https://x/y"}');
  const nested = `{"a":"\${aws:iot:s3-presigned-url:${place("app:version:2.1.5:attributes:url")}}"}`;
  assert.equal(fill(nested), '{"a":"${aws:iot:s3-presigned-url:https://x/y}"}');
});

test("all attributes become an object, in the place of a whole value", () => {
  const { attributes } = app.version!;
  assert.deepEqual(
    JSON.parse(fill(`{"a": "${place("app:version:2.1.5:attributes")}" , "b":["${place(":version::attributes")}"]}`)),
    {
      a: attributes,
      b: [attributes],
    },
  );
  const alone = /has to be a json value by itself/;
  for (const document of [
    `{"a":"x ${place("app:version:2.1.5:attributes")}"}`,
    `{"a":"${place("app:version:2.1.5:attributes")} x"}`,
    `{"${place("app:version:2.1.5:attributes")}":1}`,
    `{"${place("app:version:2.1.5:attributes")}" : 1}`,
    `{"a":"\\"${place("app:version:2.1.5:attributes")}"}`,
    `{"a":"\${aws:iot:x:${place("app:version:2.1.5:attributes")}}"}`,
  ]) {
    assert.throws(() => fill(document), alone, document);
  }
});

test("an artifact becomes the placeholder for a URL of its object", () => {
  for (const form of ["artifact-location", "artifact"]) {
    const filled = fill(`{"a":"${place(`app:version:2.1.5:${form}:s3-presigned-url`)}"}`);
    const [url, ...others] = checkJobDocument(filled).presignedUrls;
    assert.deepEqual(others, []);
    assert.deepEqual(parseS3Url(url!), { bucket: "firmware", key: "a b/{app}.bin", versionId: "v/1" });
    assert.match(url!, /^https:\/\/s3\.eu-west-1\.amazonaws\.com\//);
  }
});

test("what cannot be replaced is refused, with AWS's texts where it has them", () => {
  const refused: [rest: string, why: RegExp, destinations?: PackageDestination[]][] = [
    ["app:version:2.1.6:attributes:url", /is not one of destinationPackageVersions/],
    ["boot:version:7:attributes:url", /is not one of destinationPackageVersions/, [app, boot]],
    ["app:version:2.1.5:attributes:none", /^Package app version 2\.1\.5 has no attribute none\.$/],
    ["app:version:2.1.5:attributes:toString", /has no attribute toString/],
    [
      "boot:version:$default:artifact:s3-presigned-url",
      /^Package boot version 7 does not have an associated artifact to generate an S3 presigned url\.$/,
      [boot],
    ],
    [
      ":version::attributes:url",
      /^Cannot resolve empty package name and version name given multiple elements in destination package versions\.$/,
      [app, boot],
    ],
    [":version::attributes:url", /without destination package versions/, []],
    [":version::attributes:url", /Package old is taken away/, [old]],
    ["app:version::attributes:url", /^Empty package name and version name have to be used in pair\.$/],
    [":version:2.1.5:attributes:url", /^Empty package name and version name have to be used in pair\.$/],
    [
      "old:version:$null:attributes:url",
      /^\$null is not allowed to be referenced as a package version in job documents\.$/,
      [old],
    ],
    ["app:version:2.1.5:recipe", /is none of a package version/],
    ["app:2.1.5:attributes:url", /is none of a package version/],
    ["app:version:2.1.5:attributes:", /is none of a package version/],
  ];
  for (const [rest, why, destinations] of refused) {
    const isRefused = (error: unknown) => isThinglineError(error, "REQUEST_INVALID") && why.test(error.message);
    assert.throws(() => fill(`{"a":"${place(rest)}"}`, destinations), isRefused, rest);
  }
  const nested = `{"a":"\${aws:iot:s3-presigned-url:${place("app:version:2.1.5:artifact:s3-presigned-url")}}"}`;
  assert.throws(() => fill(nested), /cannot be nested inside another placeholder/);
  assert.throws(() => fill('{"a":"${aws:iot:package:app:version:1"}'), /are not terminated/);
});
