import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isThinglineError } from "../errors.js";
import {
  classifySplitProvisioningTopic,
  decodeSplitProvisioningRejection,
  encodeSplitProvisioningRejection,
  isTransientRejection,
  rejectionBytesMax,
  rejectionTextCharactersMax,
  requestBytesMax,
  splitProvisioningTopics,
} from "./split.js";

const topics = splitProvisioningTopics("pump-7");
const bytes = (text: string) => new TextEncoder().encode(text);

test("the topics are those of the sample and of its cloud half, plus one for refusals and one for keys of the device's own", () => {
  assert.deepEqual(topics, {
    create: "certificate/pump-7/create",
    createFromCsr: "certificate/pump-7/create-from-csr",
    acceptedFilter: "certificate/pump-7/create/accepted/+",
    key: "certificate/pump-7/create/accepted/key",
    certificate: "certificate/pump-7/create/accepted/cert",
    rejected: "certificate/pump-7/create/rejected",
  });
});

test("a certificate request has room for a key of 4,096 bits, and both are less than a message of AWS IoT", () => {
  assert.ok(requestBytesMax >= 1_900 && requestBytesMax <= 128 * 1024);
});

test("an id that would change the topic or is no thing name is refused", () => {
  for (const id of ["", "a/b", "a+", "#", "ö", "a b", "a\0", "$aws", "x".repeat(129)]) {
    assert.throws(
      () => splitProvisioningTopics(id),
      (error) => isThinglineError(error, "OPTION_INVALID"),
    );
  }
  assert.equal(splitProvisioningTopics("x".repeat(128)).create.length, 128 + 19);
});

test("messages are told apart by their whole topic", () => {
  assert.equal(classifySplitProvisioningTopic(topics, "certificate/pump-7/create/accepted/key"), "key");
  assert.equal(classifySplitProvisioningTopic(topics, "certificate/pump-7/create/accepted/cert"), "certificate");
  assert.equal(classifySplitProvisioningTopic(topics, "certificate/pump-7/create/rejected"), "rejected");
  for (const topic of [
    "accepted/foo",
    "accepted/keyring",
    "accepted/key/x",
    "accepted",
    "rejected/x",
    "accepted/KEY",
  ]) {
    assert.equal(classifySplitProvisioningTopic(topics, `certificate/pump-7/create/${topic}`), "unknown", topic);
  }
  for (const topic of ["certificate/pump-8/create/accepted/key", "certificate/pump-7/create", "x", ""]) {
    assert.equal(classifySplitProvisioningTopic(topics, topic), undefined, topic);
  }
});

test("a refusal reads back as it was, and anything else becomes its message", () => {
  const rejection = { statusCode: 403, errorCode: "NotAllowed", errorMessage: "the limit of certificates is reached" };
  assert.deepEqual(decodeSplitProvisioningRejection(encodeSplitProvisioningRejection(rejection)), rejection);
  const unknown = { statusCode: 500, errorCode: "Unknown" };
  const cases: [payload: string, errorMessage: string][] = [
    ["", "no reason was given"],
    ["out of\r\norder", "out of order"],
    ["[]", "[]"],
    ["null", "null"],
    ['{"errorCode":7}', '{"errorCode":7}'],
    ["x".repeat(rejectionBytesMax + 1), "x".repeat(rejectionTextCharactersMax)],
  ];
  for (const [payload, errorMessage] of cases) {
    assert.deepEqual(
      decodeSplitProvisioningRejection(bytes(payload)),
      { ...unknown, errorMessage },
      payload.slice(0, 20),
    );
  }
  fc.assert(fc.property(fc.uint8Array({ maxLength: 80 }), (payload) => void decodeSplitProvisioningRejection(payload)));
});

test("only a busy or failing service is worth asking again", () => {
  const transient = (statusCode: number) => isTransientRejection({ statusCode, errorCode: "", errorMessage: "" });
  assert.deepEqual([400, 403, 404, 409, 429, 500, 503].map(transient), [false, false, false, false, true, true, true]);
});
