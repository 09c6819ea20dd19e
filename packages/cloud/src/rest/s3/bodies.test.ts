import assert from "node:assert/strict";
import { test } from "node:test";
import { chunkLineBytesMax, chunkTrailersMax, decodeAwsChunked } from "./aws-chunked.js";
import { S3Fault } from "./fault.js";
import { readXmlTexts, writeXml } from "./xml.js";

const encoder = new TextEncoder();

async function* cut(text: string, size: number): AsyncGenerator<Uint8Array, void> {
  const bytes = encoder.encode(text);
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function decode(text: string, size: number) {
  const { content, trailers } = decodeAwsChunked(cut(text, size));
  let whole = "";
  for await (const piece of content) whole += new TextDecoder().decode(piece);
  return { whole, trailers: Object.fromEntries(trailers) };
}

const trailers = (count: number) => Array.from({ length: count }, (_none, at) => `t${at}:b\r\n`).join("");

test("aws-chunked is taken apart however it is cut", async () => {
  const text = "5\r\nhello\r\nB;x=1\r\n, world... \r\n0\r\nX-Amz-Checksum-Crc32: AAAAAA==\r\nother:  b \r\n\r\n";
  for (const size of [1, 2, 3, 7, 1_000]) {
    assert.deepEqual(await decode(text, size), {
      whole: "hello, world... ",
      trailers: { "x-amz-checksum-crc32": "AAAAAA==", other: "b" },
    });
  }
  assert.deepEqual(await decode("0\r\n\r\n", 1), { whole: "", trailers: {} });
  assert.equal(
    Object.keys((await decode(`0\r\n${trailers(chunkTrailersMax)}\r\n`, 9)).trailers).length,
    chunkTrailersMax,
  );
  // The line has its end as well.
  assert.equal((await decode(`0;${"x".repeat(chunkLineBytesMax - 3)}\r\n\r\n`, 100)).whole, "");
});

test("what is not well chunked is refused", async () => {
  for (const text of [
    "",
    "5\r\nhell",
    "5\r\nhello",
    "5\r\nhelloX\r\n0\r\n\r\n",
    "5\r\nhello\r\n",
    "x\r\n\r\n",
    "-1\r\n\r\n",
    "123456789\r\n",
    "0\r\n",
    "0\r\nno colon\r\n\r\n",
    "0\r\n\r\nmore",
    `0\r\n${trailers(chunkTrailersMax + 1)}\r\n`,
    "0\r\na:b\r\nA:c\r\n\r\n",
    `0;${"x".repeat(chunkLineBytesMax)}\r\n\r\n`,
  ]) {
    await assert.rejects(
      decode(text, 4),
      (error) => error instanceof S3Fault && error.code === "IncompleteBody",
      text.slice(0, 40),
    );
  }
});

test("XML is written with its references, and elements without a value are left out", () => {
  const written = new TextDecoder().decode(
    writeXml("A", { B: "<&>\"'\u0001", C: [1, { D: true }], E: undefined, F: [] }),
  );
  assert.equal(
    written,
    '<?xml version="1.0" encoding="UTF-8"?>\n<A xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><B>&lt;&amp;&gt;&quot;&apos;&#x1;</B><C>1</C><C><D>true</D></C></A>',
  );
});

test("texts of XML are read, and documents with types or foreign entities are none", () => {
  assert.deepEqual(readXmlTexts('<?xml version="1.0"?><A x="1"><K>a&amp;b&#x41;&#66;</K><K>2</K></A>', "K"), [
    "a&bAB",
    "2",
  ]);
  assert.deepEqual(readXmlTexts("<A/>", "K"), []);
  for (const none of [
    "",
    "text",
    "<!DOCTYPE a [<!ENTITY x 'y'>]><A><K>&x;</K></A>",
    "<A><K>&x;</K></A>",
    "<A><K>&#0;</K></A>",
    "<A><K>a & b</K></A>",
  ])
    assert.equal(readXmlTexts(none, "K"), undefined, none);
});
