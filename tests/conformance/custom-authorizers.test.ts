// AWS's own clients against custom authorizers: the control plane by the AWS SDK, devices by AWS's device SDK for JavaScript (v2), unmodified.
import assert from "node:assert/strict";
import { createSign, generateKeyPairSync } from "node:crypto";
import { test, type TestContext } from "node:test";
import {
  CreateAuthorizerCommand,
  DeleteAuthorizerCommand,
  DescribeDefaultAuthorizerCommand,
  IoTClient,
  SetDefaultAuthorizerCommand,
  TestInvokeAuthorizerCommand,
} from "@aws-sdk/client-iot";
import { startCloud } from "@thingline/cloud/node";
import type { iot as iotModule, mqtt as mqttModule } from "aws-iot-device-sdk-v2";

interface Sdk {
  iot: typeof iotModule;
  mqtt: typeof mqttModule;
}

/** The SDK is CommonJS around a native library, which is not there for every platform. */
const sdk = await import("aws-iot-device-sdk-v2").catch(() => undefined);
const skip = sdk === undefined && "needs the native library of aws-crt for this platform";

const pair = generateKeyPairSync("rsa", {
  modulusLength: 2_048,
  publicKeyEncoding: { type: "spki", format: "pem" },
  privateKeyEncoding: { type: "pkcs8", format: "pem" },
});
const token = "a token";
const signature = createSign("sha256").update(token).sign(pair.privateKey, "base64");
const policy = '{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"iot:*","Resource":"*"}]}';

async function open(t: TestContext) {
  const passwords: string[] = [];
  const functions = {
    auth: (event: { protocolData?: { mqtt?: { password?: string } } }) => {
      passwords.push(event.protocolData?.mqtt?.password ?? "");
      return { isAuthenticated: true, principalId: "me", policyDocuments: [policy] };
    },
  };
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0 };
  const cloud = await startCloud({ ...ports, memory: true, keyPoolSize: 0, functions });
  t.after(() => cloud.close());
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const iot = new IoTClient({ endpoint: cloud.addresses.api, region: "us-east-1", credentials });
  t.after(() => iot.destroy());
  await iot.send(
    new CreateAuthorizerCommand({
      ...{ authorizerName: "auth", status: "ACTIVE", tokenKeyName: "token" },
      authorizerFunctionArn: "arn:aws:lambda:us-east-1:123456789012:function:auth",
      tokenSigningPublicKeys: { key: pair.publicKey },
    }),
  );
  const httpsPort = Number(cloud.addresses.https.split(":").at(-1));
  return { cloud, iot, httpsPort, passwords };
}

test("the AWS SDK makes authorizers and tries them", async (t) => {
  const { iot } = await open(t);
  await iot.send(new SetDefaultAuthorizerCommand({ authorizerName: "auth" }));
  const { authorizerDescription } = await iot.send(new DescribeDefaultAuthorizerCommand({}));
  assert.deepEqual([authorizerDescription?.authorizerName, authorizerDescription?.status], ["auth", "ACTIVE"]);
  const tried = { authorizerName: "auth", token, tokenSignature: signature };
  const answer = await iot.send(new TestInvokeAuthorizerCommand(tried));
  assert.deepEqual([answer.principalId, answer.policyDocuments], ["me", [policy]]);
  await assert.rejects(iot.send(new DeleteAuthorizerCommand({ authorizerName: "auth" })), {
    name: "DeleteConflictException",
  });
});

test("AWS IoT Device SDK v2 connects by a custom authorizer", { skip, timeout: 60_000 }, async (t) => {
  const { iot, mqtt } = sdk as Sdk;
  const { cloud, httpsPort, passwords } = await open(t);
  const builders = {
    direct: iot.AwsIotMqttConnectionConfigBuilder.new_default_builder(),
    webSocket: iot.AwsIotMqttConnectionConfigBuilder.new_builder_for_websocket(),
  };
  for (const [door, builder] of Object.entries(builders)) {
    builder
      .with_certificate_authority(cloud.caPem)
      .with_endpoint("localhost")
      .with_client_id(door)
      .with_clean_session(true)
      .with_custom_authorizer("me", "auth", signature, "secret", "token", token)
      .with_port(httpsPort);
    const connection = new mqtt.MqttClient().new_connection(builder.build());
    connection.on("error", () => undefined); // Failures reach the caller of the operation as well.
    t.after(() => connection.disconnect().catch(() => undefined));
    await connection.connect();
    await connection.publish("a", "x", mqtt.QoS.AtLeastOnce);
    assert.equal(passwords.at(-1), btoa("secret"), door);
    await connection.disconnect();
  }
});
