import assert from "node:assert/strict";
import { test } from "node:test";
import { hostHeader, originOf, parseHttpUrl, resolveLocation, urlCharactersMax } from "./url.js";

test("path and query of a URL stay as they are", () => {
  const target = "/a%20b/../c//d?X-Amz-Signature=%2F+a&b=?";
  assert.deepEqual(parseHttpUrl(`https://Bucket.S3.example${target}#part`), {
    isSecure: true,
    host: "bucket.s3.example",
    port: 443,
    target,
  });
  assert.deepEqual(parseHttpUrl("http://h:8080"), { isSecure: false, host: "h", port: 8080, target: "/" });
  assert.equal(parseHttpUrl("http://h?a=1").target, "/?a=1");
});

test("a host header has a port only when it is not the scheme's, and brackets around IPv6", () => {
  assert.equal(hostHeader(parseHttpUrl("https://h:443/")), "h");
  assert.equal(hostHeader(parseHttpUrl("https://h:80/")), "h:80");
  assert.equal(hostHeader(parseHttpUrl("http://[::1]:8080/")), "[::1]:8080");
  assert.equal(parseHttpUrl("http://[::1]:8080/").host, "::1");
  assert.equal(originOf(parseHttpUrl("https://h/secret?signature")), "https://h");
});

test("what is no http URL, or could break a request, is refused without being told", () => {
  for (const url of [
    "",
    "h/path",
    "ftp://h/",
    "https://",
    "https:///path",
    "https://user:password@h/",
    "https://h:0/",
    "https://h:65536/",
    "https://h:x/",
    "https://h/a b",
    "https://h/a\r\nX: 1",
    "https://h/ä",
    "https://h h/",
    `https://${"h".repeat(254)}/`,
  ]) {
    assert.throws(
      () => parseHttpUrl(url),
      (error: { code: string; message: string }) => {
        assert.equal(error.code, "DOWNLOAD_INVALID");
        assert.ok(!error.message.includes("password"));
        return true;
      },
      JSON.stringify(url),
    );
  }
  const padded = (length: number): string => `https://h/${"a".repeat(length - 10)}`;
  assert.equal(parseHttpUrl(padded(urlCharactersMax)).host, "h");
  assert.throws(() => parseHttpUrl(padded(urlCharactersMax + 1)), { code: "DOWNLOAD_INVALID" });
});

test("a redirect leads to an absolute URL, or a path of the same host", () => {
  const from = parseHttpUrl("https://h:8443/a");
  assert.equal(originOf(resolveLocation(from, "/b?c")), "https://h:8443");
  assert.equal(resolveLocation(from, "/b?c").target, "/b?c");
  assert.equal(originOf(resolveLocation(from, "http://other/b")), "http://other");
  assert.equal(originOf(resolveLocation(from, "//other/b")), "https://other");
  assert.throws(() => resolveLocation(from, "b"), { code: "DOWNLOAD_INVALID" });
});
