// Credentials for a role over real TLS: the device library's provider, and the unmodified AWS SDKs that sign with what it gives.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { DescribeEndpointCommand, DescribeThingCommand, IoTClient } from "@aws-sdk/client-iot";
import { CreateBucketCommand, GetObjectCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { startCloud, type CreatedThing, type StartedCloud } from "@thingline/cloud/node";
import { createRoleCredentials, type RoleCredentialsProvider } from "@thingline/device/credentials";
import { createNodeClock, createNodeHttp } from "@thingline/transport/node";

let cloud: StartedCloud;
let thing: CreatedThing;
const clock = createNodeClock();
const http = createNodeHttp({ clock });

before(async () => {
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 };
  cloud = await startCloud({ memory: true, ...ports, unsignedRequests: "refused" });
  thing = await cloud.createThing("pump-7", { keyType: "ec-p256" });
  const { registry, roleAliases } = cloud.cloud;
  const roleArn = "arn:aws:iam::123456789012:role/device";
  const { roleAliasArn } = await cloud.cloud.run(roleAliases.createRoleAlias, { roleAlias: "door", roleArn });
  const statement = { Effect: "Allow", Action: "iot:AssumeRoleWithCertificate", Resource: roleAliasArn };
  const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
  await cloud.cloud.run(registry.createPolicy, { policyName: "assume", policyDocument });
  await cloud.cloud.run(registry.attachPolicy, { policyName: "assume", target: thing.certificateArn });
});

after(() => cloud.close());

const providerFor = (roleAlias: string, thingName = "pump-7"): RoleCredentialsProvider =>
  createRoleCredentials({
    ...{ endpoint: cloud.addresses.credentials, roleAlias, thingName, tls: thing.tls, http, clock },
  });

test("the AWS SDKs take the provider as it is, and are served", async () => {
  const credentials = providerFor("door");
  const common = { endpoint: cloud.addresses.api, region: "us-east-1", credentials, maxAttempts: 1 };
  const iot = new IoTClient(common);
  const s3 = new S3Client({ ...common, forcePathStyle: true });
  try {
    const { endpointAddress } = await iot.send(new DescribeEndpointCommand({ endpointType: "iot:CredentialProvider" }));
    assert.equal(endpointAddress, cloud.addresses.credentials);
    const { thingName } = await iot.send(new DescribeThingCommand({ thingName: "pump-7" }));
    assert.equal(thingName, "pump-7");
    await s3.send(new CreateBucketCommand({ Bucket: "logs" }));
    await s3.send(new PutObjectCommand({ Bucket: "logs", Key: "a", Body: "text" }));
    const { Body } = await s3.send(new GetObjectCommand({ Bucket: "logs", Key: "a" }));
    assert.equal(await Body?.transformToString(), "text");
    const { sessionToken: _left, ...keyAlone } = await credentials();
    const without = new IoTClient({ ...common, credentials: keyAlone });
    await assert.rejects(without.send(new DescribeThingCommand({ thingName: "pump-7" })), {
      name: "UnrecognizedClientException",
    });
    without.destroy();
  } finally {
    iot.destroy();
    s3.destroy();
  }
});

test("a refusal reaches the device, and who shows no certificate gets nothing", async () => {
  const refused = (status: number) => (error: unknown) =>
    error instanceof Error && "details" in error && (error.details as { status?: number }).status === status;
  await assert.rejects(providerFor("none")(), refused(403));
  await assert.rejects(providerFor("door", "pump-8")(), refused(403));
  const url = `https://${cloud.addresses.credentials}/role-aliases/door/credentials`;
  const { status, body } = await http.request({ method: "GET", url }, { tls: { ca: cloud.caPem } });
  assert.deepEqual(
    [status, new TextDecoder().decode(body)],
    [403, '{"message":"Certificate is invalid on this endpoint"}'],
  );
});
