import assert from "node:assert/strict";
import { test } from "node:test";
import { fotaUrlLimits, parseFotaUrl } from "./fota-url.js";

test("a URL is taken apart as the application sends it", () => {
  assert.deepEqual(parseFotaUrl("https://files.example:8443/a/b.bin?X-Amz=1%2F2&c", "serialModem"), {
    isSecure: true,
    host: "files.example",
    port: 8443,
    authority: "files.example:8443",
    path: "a/b.bin?X-Amz=1%2F2&c",
  });
  assert.deepEqual(parseFotaUrl("HTTP://[::1]/", "serialModem"), {
    isSecure: false,
    host: "::1",
    port: 80,
    authority: "[::1]",
    path: "",
  });
  assert.equal(parseFotaUrl("https://a/b", "slm-1.x")?.port, 443);
});

test("each part goes to its limit and no further", () => {
  for (const dialect of ["slm-1.x", "slm-2.x", "serialModem"] as const) {
    const { urlBytesMax, hostBytesMax, pathBytesMax } = fotaUrlLimits[dialect];
    const host = "h".repeat(hostBytesMax - "http://".length);
    assert.notEqual(parseFotaUrl(`http://${host}/p`, dialect), undefined, dialect);
    assert.equal(parseFotaUrl(`http://${host}h/p`, dialect), undefined, dialect);
    const path = "p".repeat(pathBytesMax);
    assert.notEqual(parseFotaUrl(`http://h/${path}`, dialect), undefined, dialect);
    assert.equal(parseFotaUrl(`http://h/${path}p`, dialect), undefined, dialect);
    assert.ok(`http://${host}/${path}`.length <= urlBytesMax, dialect);
  }
});
