import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  checkJobDocument,
  fillParameters,
  fillPresignedUrls,
  jobDocumentCharactersMax,
  jobDocumentDepthMax,
  jobDocumentPlaceholdersMax,
} from "./document.js";

const refuses = (text: string, why: RegExp) =>
  assert.throws(
    () => checkJobDocument(text),
    (error) => isThinglineError(error, "REQUEST_INVALID") && why.test(error.message),
  );
const imageUrl = "https://s3.us-east-1.amazonaws.com/firmware/app%20v2.bin";

describe("a job document", () => {
  test("is a JSON object of up to 32,768 characters", () => {
    assert.deepEqual(checkJobDocument('{"operation":"reboot"}'), { presignedUrls: [] });
    refuses('{"operation":', /not valid JSON/);
    refuses("", /not valid JSON/);
    for (const text of ["[]", "null", "7", '"text"']) refuses(text, /must be a JSON object/);
    const ofLength = (length: number) => JSON.stringify({ text: "é".repeat(length - '{"text":""}'.length) });
    assert.equal(ofLength(jobDocumentCharactersMax).length, jobDocumentCharactersMax);
    checkJobDocument(ofLength(jobDocumentCharactersMax));
    refuses(ofLength(jobDocumentCharactersMax + 1), /has 32769 characters, at most 32768 are allowed/);
  });

  test("may be nested, and not without end", () => {
    const ofDepth = (depth: number) => `{"a":${"[".repeat(depth - 1)}${"]".repeat(depth - 1)}}`;
    checkJobDocument(ofDepth(jobDocumentDepthMax));
    refuses(ofDepth(jobDocumentDepthMax + 1), /nested more than 100 levels deep/);
    refuses(ofDepth(16_000), /nested more than 100 levels deep/);
  });

  test("tells which S3 URLs it wants signed", () => {
    const text = JSON.stringify({
      url: `\${aws:iot:s3-presigned-url:${imageUrl}}`,
      list: [{ again: `see \${aws:iot:s3-presigned-url-v2:${imageUrl}} and \${aws:iot:s3-presigned-url:s3://b/k}` }],
      kept: "${aws:iot:parameter:name} ${other}",
    });
    assert.deepEqual(checkJobDocument(text).presignedUrls, [imageUrl, "s3://b/k"]);
    assert.deepEqual(checkJobDocument(text.replaceAll("/", "\\/")).presignedUrls, [imageUrl, "s3://b/k"]);
  });

  test("with a placeholder that the cloud cannot fill is refused by name", () => {
    const codeSign = "${aws:iot:code-sign-signature:s3://us-east-1.firmware/app.bin@1}";
    refuses(
      JSON.stringify({ signature: codeSign }),
      /'\$\{aws:iot:code-sign-signature:.*' is not supported by the local cloud/,
    );
    refuses(JSON.stringify({ v: "${aws:iot:package:app:version:1:recipe}" }), /is none of a package version/);
    refuses('{"a":"${aws:iot:s3-presigned-url:s3://b","c":"k}"}', /cut by a quote/);
  });

  test("has a bounded number of placeholders", () => {
    const withMany = (count: number) =>
      JSON.stringify(Array.from({ length: count }, (_, at) => `\${aws:iot:s3-presigned-url:s3://b/${at}}`));
    assert.equal(checkJobDocument(`{"a":${withMany(jobDocumentPlaceholdersMax)}}`).presignedUrls.length, 100);
    refuses(`{"a":${withMany(jobDocumentPlaceholdersMax + 1)}}`, /more than 100 placeholders/);
  });
});

describe("what a device gets", () => {
  test("presigned URLs stand in the place of their placeholders, each signed once, the rest untouched", async () => {
    const text = `{ "number": 1.0, "a": "x\${aws:iot:s3-presigned-url:${imageUrl}}y",
      "b": ["\${aws:iot:s3-presigned-url:${imageUrl}}"], "c": "\${aws:iot:s3-presigned-url-v2:s3://b/k}", "d": "\${aws:iot:parameter:p}" }`;
    const asked: string[] = [];
    const filled = await fillPresignedUrls(text, async (url) => {
      asked.push(url);
      return `https://signed/${asked.length}?q="$&`;
    });
    assert.deepEqual(asked, [imageUrl, "s3://b/k"]);
    assert.match(filled, /"number": 1\.0,/);
    assert.deepEqual(JSON.parse(filled), {
      number: 1,
      a: 'xhttps://signed/1?q="$&y',
      b: ['https://signed/1?q="$&'],
      c: 'https://signed/2?q="$&',
      d: "${aws:iot:parameter:p}",
    });
  });

  test("a document without placeholders is the same text", async () => {
    const text = '{"operation":"reboot"}';
    assert.equal(await fillPresignedUrls(text, () => assert.fail("nothing to sign")), text);
  });

  test("parameters of a managed template are filled in as text, one that was left out as nothing", () => {
    const text =
      '{"args":["${aws:iot:parameter:packages}"],"path":"${aws:iot:parameter:pathToHandler}","x":"${aws:iot:other:y}"}';
    const filled = fillParameters(text, { packages: 'a "b" \\ $& c' });
    assert.deepEqual(JSON.parse(filled), { args: ['a "b" \\ $& c'], path: "", x: "${aws:iot:other:y}" });
    assert.equal(fillParameters('{"a":"${aws:iot:parameter:__proto__}"}', {}), '{"a":""}');
  });
});
