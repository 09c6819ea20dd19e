import assert from "node:assert/strict";
import { test } from "node:test";
import { encodedKeyBytesMax, encodeKey } from "../store/key-encoding.js";
import { awsLimits, noLimits } from "./limits.js";
import { storeKeys } from "./session-store.js";

for (const [name, limits] of Object.entries({ awsLimits, noLimits })) {
  test(`the longest client id, share name and filter of ${name} fit into a key of the store`, () => {
    const keys = storeKeys({ account: "123456789012", region: "ap-northeast-1" });
    const share = `$share/${"\u{20ac}".repeat(limits.shareNameCharactersMax)}/`;
    const key = keys.subscription("c".repeat(limits.clientIdBytesMax), share + "t".repeat(limits.topicBytesMax));
    assert.ok(encodeKey(key).length <= encodedKeyBytesMax);
  });
}
