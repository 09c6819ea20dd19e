import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createAwsClient, openControlPlane, parseEndpoint } from "./control-plane.js";

/** Nothing of the developer's own AWS configuration may decide a test, and nothing outside this machine be called. */
function setAwsEnvironment(t: TestContext, values: Record<string, string>): void {
  const before = { ...process.env };
  for (const name of Object.keys(process.env)) if (name.startsWith("AWS_")) delete process.env[name];
  Object.assign(process.env, {
    AWS_CONFIG_FILE: "/dev/null",
    AWS_SHARED_CREDENTIALS_FILE: "/dev/null",
    AWS_EC2_METADATA_DISABLED: "true",
    ...values,
  });
  t.after(() => {
    process.env = before;
  });
}

test("the client of --aws has no endpoint of ours: region and credentials are those of AWS's environment", async (t) => {
  setAwsEnvironment(t, {
    AWS_REGION: "eu-north-1",
    AWS_ACCESS_KEY_ID: "AKIDEXAMPLE",
    AWS_SECRET_ACCESS_KEY: "example",
  });
  const client = await createAwsClient();
  t.after(() => client.destroy());
  assert.equal(await client.config.region(), "eu-north-1");
  assert.equal((await client.config.credentials()).accessKeyId, "AKIDEXAMPLE");
  assert.equal(client.config.endpoint, undefined);
  const region = await client.config.region();
  assert.equal(client.config.endpointProvider({ Region: region }).url.href, "https://iot.eu-north-1.amazonaws.com/");
});

test("--aws without a region says which variable is missing", async (t) => {
  setAwsEnvironment(t, {});
  await assert.rejects(openControlPlane({ aws: true, dataDir: "nowhere" }), (error) => {
    return isThinglineError(error, "OPTION_INVALID") && /AWS_REGION/.test(error.message);
  });
});

test("an endpoint is a host, with AWS's port when it names none", () => {
  const cases: [string, { host: string; port: number }][] = [
    ["a1b2-ats.iot.eu-north-1.amazonaws.com", { host: "a1b2-ats.iot.eu-north-1.amazonaws.com", port: 8883 }],
    ["localhost:44023", { host: "localhost", port: 44_023 }],
    ["[::1]:8883", { host: "::1", port: 8883 }],
    ["192.0.2.7:1", { host: "192.0.2.7", port: 1 }],
  ];
  for (const [text, expected] of cases) assert.deepEqual(parseEndpoint(text), expected);
});
