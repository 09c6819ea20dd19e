import assert from "node:assert/strict";
import { test } from "node:test";
import { toHex } from "@thingline/protocol";
import { createNodeKeys } from "@thingline/transport/node";
import { algorithm, basicDate, canonicalRequest, signatureOf } from "../signature.js";
import { webSocketSigner, type WebSocketSignatures } from "./web-socket-signature.js";

const keys = createNodeKeys();
const nowMs = Date.UTC(2026, 0, 1, 12);
const accessKey = { accessKeyId: "AKID", secretAccessKey: "secret" };
const host = "localhost:8443";

interface Signing {
  atMs?: number;
  secret?: string;
  keyId?: string;
  region?: string;
  service?: string;
  expires?: number;
  signedHost?: string;
  token?: { value: string; isSigned: boolean };
}

function sign(signing: Signing = {}): string {
  const {
    atMs = nowMs,
    secret = "secret",
    keyId = "AKID",
    region = "us-east-1",
    service = "iotdevicegateway",
  } = signing;
  const { expires, signedHost = host, token } = signing;
  const date = basicDate(atMs);
  const day = date.slice(0, 8);
  const tokenPart = token && `X-Amz-Security-Token=${encodeURIComponent(token.value)}`;
  const parts = [
    `X-Amz-Algorithm=${algorithm}`,
    `X-Amz-Credential=${encodeURIComponent(`${keyId}/${day}/${region}/${service}/aws4_request`)}`,
    `X-Amz-Date=${date}`,
    ...(expires === undefined ? [] : [`X-Amz-Expires=${expires}`]),
    "X-Amz-SignedHeaders=host",
  ];
  const signed = tokenPart !== undefined && token?.isSigned === true ? [...parts, tokenPart] : parts;
  const bodyHash = toHex(keys.sha256(new Uint8Array()));
  const canonical = canonicalRequest({
    ...{ method: "GET", rawPath: "/mqtt", rawQuery: signed.join("&"), headers: { host: signedHost } },
    ...{ signedHeaders: ["host"], bodyHash, pathStyle: "encodedTwice" },
  });
  const signature = signatureOf(canonical, { day, region, service, date, secretAccessKey: secret }, keys);
  const behind = tokenPart !== undefined && token?.isSigned === false ? [tokenPart] : [];
  return `/mqtt?${[...signed, `X-Amz-Signature=${signature}`, ...behind].join("&")}`;
}

const options: WebSocketSignatures = {
  ...{ accessKeys: [accessKey], keys, signatures: "verify", region: "us-east-1" },
  findSessionKey: async ({ accessKeyId, sessionToken }) =>
    sessionToken === "token"
      ? { accessKey: { accessKeyId, secretAccessKey: "of a session" }, roleArn: "r" }
      : { fault: sessionToken === "old" ? "expired" : "invalid" },
};
const ask = (path: string, changes: Partial<WebSocketSignatures> = {}) =>
  webSocketSigner({ path, headers: { host } }, nowMs, { ...options, ...changes });

const taken: readonly [name: string, signing: Signing][] = [
  ["as AWS's clients sign", {}],
  ["with an expiry", { expires: 86_400, atMs: nowMs - 86_000_000 }],
  ["for the data plane", { service: "iotdata" }],
  ["over the host without its port", { signedHost: "localhost" }],
  ["a token beside a known key, behind the signature", { token: { value: "x", isSigned: false } }],
  ["a token beside a known key, signed", { token: { value: "x", isSigned: true } }],
];

for (const [name, signing] of taken) {
  test(`a signature of a WebSocket is taken: ${name}`, () => {
    assert.deepEqual(ask(sign(signing)), { principalId: "AKID" });
  });
}

const refused: readonly [name: string, path: string, fault: RegExp][] = [
  ["a wrong secret", sign({ secret: "other" }), /does not match/],
  ["an unknown key", sign({ keyId: "OTHER" }), /UnrecognizedClientException/],
  ["another service", sign({ service: "iot" }), /iotdevicegateway/],
  ["another region", sign({ region: "eu-west-1" }), /eu-west-1/],
  ["too old", sign({ atMs: nowMs - 16 * 60_000 }), /expired/],
  ["not yet", sign({ atMs: nowMs + 16 * 60_000 }), /not yet current/],
  ["its expiry is over", sign({ expires: 60, atMs: nowMs - 61_000 }), /expired/],
  ["another host", sign({ signedHost: "elsewhere" }), /does not match/],
  ["half of it", "/mqtt?X-Amz-Algorithm=AWS4-HMAC-SHA256", /IncompleteSignatureException/],
  ["a changed query", `${sign()}&x=1`, /does not match/],
];

for (const [name, path, fault] of refused) {
  test(`a signature of a WebSocket is refused: ${name}`, () => {
    const signer = ask(path);
    assert.ok(signer !== undefined && "fault" in signer);
    assert.match(signer.fault, fault);
  });
}

test("a query without a signature is nobody's, and with any signature allowed only its claims count", () => {
  assert.equal(ask("/mqtt"), undefined);
  assert.equal(ask("/mqtt?x-amz-customauthorizer-name=a"), undefined);
  assert.deepEqual(ask(sign({ secret: "other", region: "eu-west-1" }), { signatures: "any" }), { principalId: "AKID" });
});

test("the key of a session is looked up by its token", async () => {
  const session = (value: string) =>
    ask(sign({ keyId: "ASIA", secret: "of a session", token: { value, isSigned: false } }));
  assert.deepEqual(await session("token"), { principalId: "ASIA" });
  for (const [token, fault] of [
    ["old", /ExpiredTokenException/],
    ["other", /UnrecognizedClientException/],
  ] as const) {
    const signer = await session(token);
    assert.ok(signer !== undefined && "fault" in signer);
    assert.match(signer.fault, fault);
  }
});
