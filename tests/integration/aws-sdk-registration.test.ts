// RegisterThing and bulk registration with the unmodified AWS SDK, and a device that connects with what was registered.
import assert from "node:assert/strict";
import { Agent, get } from "node:https";
import { test } from "node:test";
import {
  CreatePolicyCommand,
  DescribeThingRegistrationTaskCommand,
  InvalidRequestException,
  ListThingRegistrationTasksCommand,
  paginateListThingRegistrationTaskReports,
  RegisterThingCommand,
  ResourceNotFoundException,
  ResourceRegistrationFailureException,
  StartThingRegistrationTaskCommand,
  StopThingRegistrationTaskCommand,
} from "@aws-sdk/client-iot";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { createCertificateRequest } from "@thingline/protocol/x509";
import { createNodeKeys } from "@thingline/transport/node";
import { connectClient, openWorld } from "./cloud-world.test.support.js";

const keys = createNodeKeys();

async function createRequest() {
  const { privateKeyPem } = await keys.generate("ec-p256");
  const publicKey = keys.publicKeyOf(privateKeyPem);
  const sign = (data: Uint8Array) => keys.sign(privateKeyPem, data);
  const { pem } = await createCertificateRequest({ subject: [["CN", "lamp"]], publicKey, sign });
  return { privateKeyPem, pem };
}

const Statement = [{ Effect: "Allow", Action: "iot:*", Resource: "*" }];
const templateBody = JSON.stringify({
  Parameters: { ThingName: { Type: "String" }, CSR: { Type: "String" } },
  Resources: {
    thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "ThingName" } } },
    certificate: { Type: "AWS::IoT::Certificate", Properties: { CertificateSigningRequest: { Ref: "CSR" } } },
    policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "all" } },
  },
});
const roleArn = "arn:aws:iam::123456789012:role/bulk";

test("a device connects with what RegisterThing and a registration task have registered", async (context) => {
  const { started, iot } = await openWorld(context);
  const request = await createRequest();
  const single = { templateBody, parameters: { ThingName: "one", CSR: request.pem } };
  await assert.rejects(
    iot.send(new RegisterThingCommand(single)),
    (error) =>
      error instanceof ResourceRegistrationFailureException &&
      error.message === "Resources.policy.Properties.PolicyName: Policy not found (name=all)",
  );
  await assert.rejects(
    iot.send(new RegisterThingCommand({ templateBody, parameters: { ThingName: "one" } })),
    (error) =>
      error instanceof InvalidRequestException && error.message.endsWith("Cannot resolve reference value: CSR"),
  );
  await iot.send(
    new CreatePolicyCommand({
      policyName: "all",
      policyDocument: JSON.stringify({ Version: "2012-10-17", Statement }),
    }),
  );
  const { certificatePem = "", resourceArns = {} } = await iot.send(new RegisterThingCommand(single));
  assert.equal(resourceArns["thing"], "arn:aws:iot:us-east-1:123456789012:thing/one");
  assert.deepEqual(Object.keys(resourceArns).sort(), ["certificate", "policy", "thing"]);
  const device = await connectClient(
    context,
    started,
    { certificatePem, privateKey: request.privateKeyPem },
    { clientId: "one" },
  );
  await device.endAsync();

  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const endpoint = started.addresses.api;
  const s3 = new S3Client({ endpoint, region: "us-east-1", credentials, forcePathStyle: true, maxAttempts: 1 });
  context.after(() => s3.destroy());
  await s3.send(new CreateBucketCommand({ Bucket: "factory" }));
  const another = await createRequest();
  const lines = [
    { ThingName: "two", CSR: another.pem },
    { ThingName: "three", CSR: "csr" },
  ];
  await s3.send(
    new PutObjectCommand({
      Bucket: "factory",
      Key: "day/1.json",
      Body: lines.map((line) => JSON.stringify(line)).join("\n"),
    }),
  );
  const input = { templateBody, inputFileBucket: "factory", inputFileKey: "day/1.json", roleArn };
  const { taskId = "" } = await iot.send(new StartThingRegistrationTaskCommand(input));
  const describe = () => iot.send(new DescribeThingRegistrationTaskCommand({ taskId }));
  let task = await describe();
  while (task.status === "InProgress") task = await describe();
  assert.deepEqual(
    [task.status, task.successCount, task.failureCount, task.percentageProgress],
    ["Completed", 1, 1, 100],
  );
  assert.ok(task.creationDate instanceof Date && task.lastModifiedDate instanceof Date);
  assert.deepEqual((await iot.send(new ListThingRegistrationTasksCommand({ status: "Completed" }))).taskIds, [taskId]);
  await assert.rejects(iot.send(new StopThingRegistrationTaskCommand({ taskId })), InvalidRequestException);
  await assert.rejects(
    iot.send(new DescribeThingRegistrationTaskCommand({ taskId: "none" })),
    ResourceNotFoundException,
  );

  const agent = new Agent({ ca: started.caPem });
  context.after(() => agent.destroy());
  const download = (url: string) =>
    new Promise<string>((resolve, reject) => {
      get(url, { agent }, (response) => {
        void response.toArray().then((parts) => resolve(Buffer.concat(parts as Buffer[]).toString()), reject);
      }).on("error", reject);
    });
  const report = async (reportType: "RESULTS" | "ERRORS") => {
    const texts: string[] = [];
    for await (const { resourceLinks = [] } of paginateListThingRegistrationTaskReports(
      { client: iot },
      { taskId, reportType },
    )) {
      for (const link of resourceLinks) texts.push(await download(link));
    }
    return JSON.parse(texts.join("")) as Record<string, unknown>;
  };
  const errors = await report("ERRORS");
  assert.deepEqual([errors["lineNumber"], errors["errorCode"]], [2, "ResourceRegistrationFailureException"]);
  const { response } = (await report("RESULTS")) as {
    response: { CertificatePem: string; ResourceArns: Record<string, string> };
  };
  assert.equal(response.ResourceArns["thing"]?.split("/")[1], "two");
  const own = { certificatePem: response.CertificatePem, privateKey: another.privateKeyPem };
  await (await connectClient(context, started, own, { clientId: "two" })).endAsync();
});
