import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { customAuthorizer, type CustomAuthorizerOptions } from "./custom-authorizer.js";

const token = { tokenKeyName: "token", tokenValue: "a b", authorizerSignature: "x+/=" };

test("a device's user name carries authorizer, signature and token as AWS's device SDKs write them", () => {
  const username = "me?x-amz-customauthorizer-name=auth&x-amz-customauthorizer-signature=x%2B%2F%3D&token=a%20b";
  assert.deepEqual(customAuthorizer({ authorizerName: "auth", username: "me", ...token }), {
    ...{ username, alpnProtocols: ["mqtt"] },
  });
  const encoded = customAuthorizer({
    authorizerName: "auth",
    username: "me",
    ...token,
    authorizerSignature: "x%2B%2F%3D",
  });
  assert.equal(encoded.username, username);
  assert.deepEqual(customAuthorizer({ password: "p", webSocketPath: "/mqtt" }), {
    ...{ username: "", password: new Uint8Array([112]), webSocket: { path: "/mqtt" } },
  });
});

test("what cannot be right is refused by its name, and nothing of it is told", () => {
  const refused: [string, CustomAuthorizerOptions][] = [
    ["tokenKeyName", { tokenValue: "secret" }],
    ["tokenKeyName", { tokenKeyName: "t" }],
    ["tokenKeyName", { tokenKeyName: "t=", tokenValue: "secret" }],
    ["username", { username: "a?b" }],
    ["authorizerSignature", { ...token, authorizerSignature: "%secret" }],
    ["tokenValue", { tokenKeyName: "t", tokenValue: 7 } as unknown as CustomAuthorizerOptions],
  ];
  for (const [option, options] of refused) {
    assert.throws(
      () => customAuthorizer(options),
      (error) =>
        isThinglineError(error, "OPTION_INVALID") &&
        error.details["option"] === option &&
        !error.message.includes("secret"),
      option,
    );
  }
});
