import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { awsError, secret } from "./account.test.support.js";
import { attemptsMax, createAwsVendingCloud, principalsMax, requestTimeoutMs, retryMinMs } from "./aws-cloud.js";

const certificateId = "a".repeat(64);
const certificateArn = `arn:aws:iot:eu-west-1:123456789012:cert/${certificateId}`;
const made = { certificateId, certificateArn, certificatePem: "certificate", keyPair: { PrivateKey: secret } };

type Answer = object | Error;

/** Clients that give these answers in turn, and the commands that they were sent. */
function openCloud(...answers: Answer[]) {
  const sent: [name: string, input: unknown][] = [];
  const waits: number[] = [];
  const signals: AbortSignal[] = [];
  const send = (command: { input: unknown }, { abortSignal }: { abortSignal: AbortSignal }) => {
    sent.push([command.constructor.name, command.input]);
    signals.push(abortSignal);
    const answer = answers.shift() ?? {};
    return answer instanceof Error ? Promise.reject(answer) : Promise.resolve(answer);
  };
  const client = { send } as never;
  const wait = (delayMs: number) => (waits.push(delayMs), Promise.resolve());
  const cloud = createAwsVendingCloud({ iot: client, iotData: client, wait, random: () => 0.5 });
  return { cloud, sent, waits, signals };
}

test("each operation is the SDK's command of its name, and has a time of its own", async () => {
  const { cloud, sent, signals } = openCloud({}, {}, {}, made, made);
  assert.equal(await cloud.hasThing("pump-7"), true);
  await cloud.createThing("pump-7");
  await cloud.deleteThing("pump-7");
  const issued = { certificateId, certificateArn, certificatePem: "certificate" };
  assert.deepEqual(await cloud.createKeysAndCertificate(), { ...issued, privateKeyPem: secret });
  assert.deepEqual(await cloud.createCertificateFromCsr("request"), issued);
  await cloud.updateCertificate(certificateId, "INACTIVE");
  await cloud.deleteCertificate(certificateId);
  await cloud.attachPolicy("devices", certificateArn);
  await cloud.detachPolicy("devices", certificateArn);
  await cloud.attachThingPrincipal("pump-7", certificateArn);
  await cloud.detachThingPrincipal("pump-7", certificateArn);
  await cloud.publish("t", new Uint8Array([1]));
  assert.deepEqual(sent, [
    ["DescribeThingCommand", { thingName: "pump-7" }],
    ["CreateThingCommand", { thingName: "pump-7" }],
    ["DeleteThingCommand", { thingName: "pump-7" }],
    ["CreateKeysAndCertificateCommand", { setAsActive: false }],
    ["CreateCertificateFromCsrCommand", { certificateSigningRequest: "request", setAsActive: false }],
    ["UpdateCertificateCommand", { certificateId, newStatus: "INACTIVE" }],
    ["DeleteCertificateCommand", { certificateId }],
    ["AttachPolicyCommand", { policyName: "devices", target: certificateArn }],
    ["DetachPolicyCommand", { policyName: "devices", target: certificateArn }],
    ["AttachThingPrincipalCommand", { thingName: "pump-7", principal: certificateArn }],
    ["DetachThingPrincipalCommand", { thingName: "pump-7", principal: certificateArn }],
    ["PublishCommand", { topic: "t", payload: new Uint8Array([1]), qos: 1 }],
  ]);
  assert.equal(new Set(signals).size, sent.length);
  assert.ok(requestTimeoutMs * (attemptsMax + 1) < 20_000);
});

test("what may happen twice is asked again while AWS is busy, and what makes a certificate is not", async () => {
  const busy = awsError("ThrottlingException", 400);
  const again = openCloud(busy, awsError("InternalFailureException", 500), {});
  await again.cloud.createThing("pump-7");
  assert.deepEqual(again.waits, [retryMinMs * 1.5, 2 * retryMinMs * 1.5]);
  const exhausted = openCloud(...Array.from({ length: attemptsMax }, () => awsError("TimeoutError")));
  await assert.rejects(exhausted.cloud.publish("t", new Uint8Array()), { name: "TimeoutError" });
  assert.equal(exhausted.sent.length, attemptsMax);
  const refused = openCloud(awsError("UnauthorizedException", 401));
  await assert.rejects(refused.cloud.createThing("pump-7"), { name: "UnauthorizedException" });
  assert.equal(refused.sent.length, 1);
  for (const make of ["createKeysAndCertificate", "createCertificateFromCsr"] as const) {
    const once = openCloud(busy, made);
    await assert.rejects(once.cloud[make]("request"), { name: "ThrottlingException" });
    assert.equal(once.sent.length, 1);
  }
});

test("a deletion waits until AWS has detached, and a thing that is not there is no failure", async () => {
  const certificate = openCloud(awsError("DeleteConflictException", 409), {});
  await certificate.cloud.deleteCertificate(certificateId);
  const thing = openCloud(awsError("InvalidRequestException", 400), {});
  await thing.cloud.deleteThing("pump-7");
  assert.deepEqual([certificate.sent.length, thing.sent.length], [2, 2]);
  assert.equal(await openCloud(awsError("ResourceNotFoundException", 404)).cloud.hasThing("pump-7"), false);
  await assert.rejects(openCloud(awsError("UnauthorizedException", 401)).cloud.hasThing("pump-7"));
});

test("certificates of a thing come with their age, other principals are none, and one of unknown age counts as new", async () => {
  const other = certificateArn.replace("a/", "b/").replace(/a{64}/, "b".repeat(64));
  const principals = [certificateArn, "eu-west-1:cognito-identity", other];
  const dated = { certificateDescription: { creationDate: new Date(1_000) } };
  const { cloud, sent } = openCloud({ principals }, dated, {});
  assert.deepEqual(await cloud.listThingCertificates("pump-7"), [
    { certificateId, createdAtMs: 1_000 },
    { certificateId: "b".repeat(64), createdAtMs: Infinity },
  ]);
  assert.deepEqual(sent[0], ["ListThingPrincipalsCommand", { thingName: "pump-7", maxResults: principalsMax }]);
});

test("an answer that lacks a part is a failure, not half a certificate", async () => {
  const isFailure = (error: unknown) => isThinglineError(error, "INTERNAL_FAILURE");
  await assert.rejects(openCloud({ ...made, keyPair: {} }).cloud.createKeysAndCertificate(), isFailure);
  await assert.rejects(openCloud({ certificateId }).cloud.createCertificateFromCsr("request"), isFailure);
});
