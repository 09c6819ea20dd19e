import assert from "node:assert/strict";
import { createHash, createHmac } from "node:crypto";
import { test, type TestContext } from "node:test";
import { IoTClient, ListThingsCommand } from "@aws-sdk/client-iot";
import { SignatureV4 } from "@smithy/signature-v4";
import type { AccessKey } from "@thingline/cloud";
import { startCloud } from "@thingline/cloud/node";

const accessKey: AccessKey = { accessKeyId: "AKIDLINE3", secretAccessKey: "a secret of line 3" };

async function openCloud(context: TestContext) {
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0 };
  const options = {
    memory: true,
    keyPoolSize: 0,
    accessKeys: [accessKey],
    unsignedRequests: "refused",
    ...ports,
  } as const;
  const cloud = await startCloud(options);
  context.after(() => cloud.close());
  return cloud.addresses.api;
}

const escaped = (text: string) =>
  encodeURIComponent(text).replace(/[!'()*]/g, (sign) => `%${sign.charCodeAt(0).toString(16).toUpperCase()}`);
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex");
const basic = (ms: number) => new Date(ms).toISOString().replace(/[-:]|\.\d{3}/g, "");

interface Presign {
  method?: string;
  path?: string;
  body?: string;
  secret?: string;
  atMs?: number;
  changes?: Readonly<Record<string, string | undefined>>;
}

/** A signer of our own, by the rules of Signature Version 4 for queries. */
function presign(
  api: string,
  { method = "GET", path = "/things", body = "", secret, atMs = Date.now(), changes = {} }: Presign,
): string {
  const date = basic(atMs);
  const scope = `${date.slice(0, 8)}/us-east-1/iot/aws4_request`;
  const query: Record<string, string | undefined> = {
    "X-Amz-Algorithm": "AWS4-HMAC-SHA256",
    "X-Amz-Credential": `${accessKey.accessKeyId}/${scope}`,
    "X-Amz-Date": date,
    "X-Amz-Expires": "60",
    "X-Amz-SignedHeaders": "host",
    ...changes,
  };
  const pairs = Object.entries(query).flatMap(([name, value]) =>
    value === undefined ? [] : [`${escaped(name)}=${escaped(value)}`],
  );
  const canonicalQuery = pairs.sort().join("&");
  const canonical = [method, path, canonicalQuery, `host:${new URL(api).host}\n`, "host", sha256(body)].join("\n");
  const text = ["AWS4-HMAC-SHA256", date, scope, sha256(canonical)].join("\n");
  const start = `AWS4${secret ?? accessKey.secretAccessKey}`;
  const key = scope
    .split("/")
    .reduce<Buffer | string>((mac, part) => createHmac("sha256", mac).update(part).digest(), start);
  return `${api}${path}?${canonicalQuery}&X-Amz-Signature=${createHmac("sha256", key).update(text).digest("hex")}`;
}

const typeOf = async (url: string, init: RequestInit = {}) => {
  const answer = await fetch(url, init);
  await answer.arrayBuffer();
  return `${answer.status} ${answer.headers.get("x-amzn-errortype") ?? ""}`.trim();
};

test("presigned URLs are verified like the header form", async (context) => {
  const api = await openCloud(context);
  assert.equal(await typeOf(presign(api, {})), "200");
  assert.equal(await typeOf(presign(api, { atMs: Date.now() - 50_000 })), "200");
  assert.equal(await typeOf(presign(api, { changes: { "X-Amz-Security-Token": "a/b+c=" } })), "200");
  const body = '{"attributePayload":{"attributes":{"a":"b"}}}';
  const create = { method: "POST", path: "/things/pump-7", body };
  assert.equal(await typeOf(presign(api, create), { method: "POST", body }), "200");
  const cases: [url: string, expected: string, init?: RequestInit][] = [
    [presign(api, { secret: "another" }), "403 InvalidSignatureException"],
    [`${presign(api, {})}&maxResults=1`, "403 InvalidSignatureException"],
    [presign(api, create), "403 InvalidSignatureException", { method: "POST", body: "{}" }],
    [presign(api, {}).replace("/things?", "/policies?"), "403 InvalidSignatureException"],
    [presign(api, { atMs: Date.now() - 61_000 }), "403 InvalidSignatureException"],
    [presign(api, { atMs: Date.now() + 16 * 60_000 }), "403 InvalidSignatureException"],
    [presign(api, { atMs: Date.UTC(2020, 0, 1) }), "403 InvalidSignatureException"],
    [presign(api, {}).replace("AKIDLINE3", "AKIDOTHER"), "403 UnrecognizedClientException"],
    [presign(api, { changes: { "X-Amz-SignedHeaders": "x-amz-date" } }), "403 InvalidSignatureException"],
    [`${presign(api, {})}&X-Amz-Expires=604800`, "403 IncompleteSignatureException"],
    [`${presign(api, {})}&x-amz-signature=00`, "403 InvalidSignatureException"],
    [`${api}/things?X-Amz-Signature=00`, "403 IncompleteSignatureException"],
    [`${api}/things?x-amz-credential=a`, "403 IncompleteSignatureException"],
    [`${api}/things?X%2DAmz%2DAlgorithm=AWS4-HMAC-SHA256`, "403 IncompleteSignatureException"],
    [`${api}/things`, "403 MissingAuthenticationTokenException"],
    [
      presign(api, {}),
      "403 InvalidSignatureException",
      { headers: { authorization: "AWS4-HMAC-SHA256 Credential=a" } },
    ],
  ];
  for (const name of ["X-Amz-Algorithm", "X-Amz-Credential", "X-Amz-Date", "X-Amz-Expires", "X-Amz-SignedHeaders"])
    cases.push([presign(api, { changes: { [name]: undefined } }), "403 IncompleteSignatureException"]);
  for (const expires of ["0", "604801", "-1", "1e3", "", "60 "])
    cases.push([presign(api, { changes: { "X-Amz-Expires": expires } }), "403 IncompleteSignatureException"]);
  for (const [url, expected, init] of cases) assert.equal(await typeOf(url, init), expected, url.slice(0, 600));
});

test("what the SDK's signer presigns is taken until it ends", async (context) => {
  const api = await openCloud(context);
  const { hostname, port, host } = new URL(api);
  const signer = new SignatureV4({
    credentials: accessKey,
    region: "us-east-1",
    service: "iot",
    sha256: class {
      readonly #hash;
      constructor(secret?: string | Uint8Array) {
        this.#hash = secret === undefined ? createHash("sha256") : createHmac("sha256", secret);
      }
      update(bytes: Uint8Array): void {
        this.#hash.update(bytes);
      }
      async digest(): Promise<Uint8Array> {
        return this.#hash.digest();
      }
    } as never,
  });
  const urlOf = async (signingDate: Date, path: string) => {
    const request = {
      method: "GET",
      protocol: "http:",
      hostname,
      port: Number(port),
      path,
      query: { maxResults: "5" },
      headers: { host },
    };
    const { query } = await signer.presign(request, { expiresIn: 60, signingDate });
    return `${api}${path}?${Object.entries(query ?? {})
      .map(([name, value]) => `${escaped(name)}=${escaped(String(value))}`)
      .join("&")}`;
  };
  assert.equal(await typeOf(await urlOf(new Date(), "/things")), "200");
  assert.equal(await typeOf(await urlOf(new Date(), "/things/a%3Ab")), "404 ResourceNotFoundException");
  assert.equal(await typeOf(await urlOf(new Date(Date.now() - 70_000), "/things")), "403 InvalidSignatureException");
});

test("the SDK's requests are taken by the given keys alone", async (context) => {
  const api = await openCloud(context);
  const list = async (credentials: AccessKey) => {
    const client = new IoTClient({ endpoint: api, region: "us-east-1", credentials, maxAttempts: 1 });
    try {
      return (await client.send(new ListThingsCommand({}))).things;
    } finally {
      client.destroy();
    }
  };
  assert.deepEqual(await list(accessKey), []);
  await assert.rejects(list({ accessKeyId: "test", secretAccessKey: "test" }), { name: "UnrecognizedClientException" });
  await assert.rejects(list({ ...accessKey, secretAccessKey: "x" }), { name: "InvalidSignatureException" });
});

test("keys and words that are none are refused by name, and no secret is told", async () => {
  const base = { memory: true, mqttsPort: 0, httpsPort: 0, apiPort: 0 } as const;
  const secretAccessKey = "do not tell";
  for (const accessKeys of [
    [],
    [{ accessKeyId: "a" }],
    [{ accessKeyId: "a b", secretAccessKey }],
    [{ ...accessKey, account: "1" }],
    [accessKey, accessKey],
  ])
    await assert.rejects(
      startCloud({ ...base, accessKeys: accessKeys as AccessKey[] }),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, "OPTION_INVALID");
        assert.match(error.message, /^accessKeys/);
        assert.ok(!error.message.includes("do not tell") && !error.message.includes(accessKey.secretAccessKey));
        return true;
      },
    );
  await assert.rejects(startCloud({ ...base, unsignedRequests: "refuse" as "refused" }), { code: "OPTION_INVALID" });
});
