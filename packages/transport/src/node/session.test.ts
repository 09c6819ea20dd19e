import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeSession, encodeSession } from "./session.js";

test("a session and its certificate come back as they were", () => {
  const nodeSession = Uint8Array.of(1, 2, 3);
  for (const peerCertificate of [undefined, Uint8Array.of(9), new Uint8Array(1_500).fill(7)]) {
    const decoded = decodeSession(encodeSession({ peerCertificate, nodeSession }));
    assert.deepEqual(decoded, { peerCertificate, nodeSession });
  }
});

test("bytes that are no session are none", () => {
  for (const bytes of [[], [4], [4, 0], [4, 5, 1], [0x30, 1, 1, 1], [4, 0x84, 1, 1, 1, 1, 1]]) {
    assert.equal(decodeSession(Uint8Array.from(bytes)), undefined);
  }
});
