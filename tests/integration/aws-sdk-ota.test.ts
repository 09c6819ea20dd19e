// OTA updates of FreeRTOS with the unmodified AWS SDK, and a device that follows the document: over HTTPS and over MQTT.
import assert from "node:assert/strict";
import { Agent, get } from "node:https";
import { test } from "node:test";
import {
  CreateOTAUpdateCommand,
  CreateThingCommand,
  DeleteOTAUpdateCommand,
  GetOTAUpdateCommand,
  InvalidRequestException,
  ListOTAUpdatesCommand,
  ResourceNotFoundException,
} from "@aws-sdk/client-iot";
import { CreateBucketCommand, PutObjectCommand, S3Client } from "@aws-sdk/client-s3";
import { decodeStreamBlock, encodeGetStreamRequest, streamTopic } from "@thingline/protocol/streams";
import { connectClient, createDevice, nextEvent, openWorld } from "./cloud-world.test.support.js";

const roleArn = "arn:aws:iam::123456789012:role/updates";
const content = Uint8Array.from({ length: 4_000 }, (_none, at) => at & 0xff);

interface Started {
  execution?: { jobId: string; jobDocument: { afr_ota: { streamname: string; files: { update_data_url: string }[] } } };
}

test("one call makes the update, and a device fetches its file both ways", async (context) => {
  const { started, iot } = await openWorld(context);
  const credentials = { accessKeyId: "test", secretAccessKey: "test" };
  const endpoint = started.addresses.api;
  const s3 = new S3Client({ endpoint, region: "us-east-1", credentials, forcePathStyle: true, maxAttempts: 1 });
  context.after(() => s3.destroy());
  await s3.send(new CreateBucketCommand({ Bucket: "firmware" }));
  await s3.send(new PutObjectCommand({ Bucket: "firmware", Key: "app.bin", Body: content }));
  const { thingArn = "" } = await iot.send(new CreateThingCommand({ thingName: "pump-7" }));
  const fileLocation = { s3Location: { bucket: "firmware", key: "app.bin" } };
  const update = { otaUpdateId: "v2", targets: [thingArn], roleArn };
  const signer = { fileName: "/app", fileLocation, codeSigning: { awsSignerJobId: "job" } };
  await assert.rejects(
    iot.send(new CreateOTAUpdateCommand({ ...update, files: [signer] })),
    (error) => error instanceof InvalidRequestException && /awsSignerJobId/.test(error.message),
  );
  const inlineDocument = Uint8Array.of(9, 8, 7);
  const codeSigning = {
    customCodeSigning: { signature: { inlineDocument }, hashAlgorithm: "SHA256", signatureAlgorithm: "ECDSA" },
  };
  const files = [{ fileName: "/app", fileLocation, codeSigning }];
  const created = await iot.send(new CreateOTAUpdateCommand({ ...update, files, protocols: ["MQTT", "HTTP"] }));
  assert.equal(created.awsIotJobId, "AFR_OTA-v2");
  const { otaUpdateInfo } = await iot.send(new GetOTAUpdateCommand({ otaUpdateId: "v2" }));
  const signature = otaUpdateInfo?.otaUpdateFiles?.[0]?.codeSigning?.customCodeSigning?.signature?.inlineDocument;
  assert.deepEqual([otaUpdateInfo?.otaUpdateStatus, signature], ["CREATE_COMPLETE", inlineDocument]);
  assert.ok(otaUpdateInfo?.creationDate instanceof Date);
  assert.equal((await iot.send(new ListOTAUpdatesCommand({}))).otaUpdates?.length, 1);

  const device = await connectClient(context, started, await createDevice(iot), { clientId: "pump-7" });
  const received = (): Promise<Uint8Array> =>
    new Promise((resolve) => device.once("message", (_topic, payload) => resolve(Uint8Array.from(payload))));
  const start = received();
  device.publish("$aws/things/pump-7/jobs/start-next", "{}", { qos: 1 });
  const { execution } = JSON.parse(Buffer.from(await start).toString()) as Started;
  const { streamname: streamId = "", files: [file] = [] } = execution?.jobDocument.afr_ota ?? {};

  const { objects } = started.addresses;
  assert.ok(file?.update_data_url.startsWith(`${objects}/firmware/app.bin?X-Amz-Algorithm=`), file?.update_data_url);
  const agent = new Agent({ ca: started.caPem });
  context.after(() => agent.destroy());
  const overHttps = await new Promise<Buffer>((resolve, reject) => {
    get(file?.update_data_url ?? "", { agent }, (response) => {
      void response.toArray().then((parts) => resolve(Buffer.concat(parts as Buffer[])), reject);
    }).on("error", reject);
  });
  assert.equal(overHttps.compare(content), 0);

  const block = received();
  const request = encodeGetStreamRequest({ fileId: 0, blockBytes: 4_096 }, "cbor");
  const topic = streamTopic({ thingName: "pump-7", streamId, type: "get", format: "cbor" });
  device.publish(topic, Buffer.from(request), { qos: 1 });
  assert.equal(Buffer.from(decodeStreamBlock(await block, "cbor").payload).compare(content), 0);

  const deletion = { otaUpdateId: "v2", deleteStream: true };
  await assert.rejects(iot.send(new DeleteOTAUpdateCommand(deletion)), InvalidRequestException);
  await iot.send(new DeleteOTAUpdateCommand({ ...deletion, forceDeleteAWSJob: true }));
  await assert.rejects(iot.send(new GetOTAUpdateCommand({ otaUpdateId: "v2" })), ResourceNotFoundException);
  device.end();
  await nextEvent(device, "close");
});
