import assert from "node:assert/strict";
import { test } from "node:test";
import * as cborg from "cborg";
import fc from "fast-check";
import { encodeCbor } from "../cbor/cbor.js";
import type { MessageFormat } from "../cbor/members.js";
import { isThinglineError } from "../errors.js";
import {
  decodeCreateCertificateFromCsrAnswer,
  decodeCreateCertificateFromCsrRequest,
  decodeCreateKeysAndCertificateAnswer,
  decodeCreateKeysAndCertificateRequest,
  decodeFleetProvisioningRejection,
  decodeRegisterThingAnswer,
  decodeRegisterThingRequest,
  encodeCreateCertificateFromCsrAnswer,
  encodeCreateCertificateFromCsrRequest,
  encodeCreateKeysAndCertificateAnswer,
  encodeCreateKeysAndCertificateRequest,
  encodeFleetProvisioningRejection,
  encodeRegisterThingAnswer,
  encodeRegisterThingRequest,
  certificatePemCharactersMax,
  deviceConfigurationDepthMax,
  fleetProvisioningMessageBytesMax,
  fleetProvisioningRequestFilters,
  fleetProvisioningTopics,
  ownershipTokenCharactersMax,
  parseFleetProvisioningTopic,
  privateKeyPemCharactersMax,
  provisioningParameterNameCharactersMax,
  provisioningParametersMax,
  signingRequestCharactersMax,
  templateNameCharactersMax,
  type ReadFleetProvisioningRequest,
} from "./index.js";

type Decode = (payload: Uint8Array, format: MessageFormat) => ReadFleetProvisioningRequest<unknown>;

const formats: readonly MessageFormat[] = ["json", "cbor"];
const json = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
const write = (value: unknown, format: MessageFormat) =>
  format === "json" ? json(value) : Uint8Array.from(cborg.encode(value));
const read = (bytes: Uint8Array, format: MessageFormat): unknown =>
  format === "json" ? JSON.parse(new TextDecoder().decode(bytes)) : cborg.decode(bytes);

const created = {
  certificateId: "0a".repeat(32),
  certificatePem: "-----BEGIN CERTIFICATE-----",
  privateKey: "-----BEGIN RSA PRIVATE KEY-----",
  certificateOwnershipToken: "t",
};
const { privateKey: _, ...signed } = created;

test("the topics are AWS's, and a service tells of a topic what is asked for", () => {
  const topics = fleetProvisioningTopics({ templateName: "line-1_A", format: "cbor" });
  assert.deepEqual(topics, {
    createKeysAndCertificate: {
      request: "$aws/certificates/create/cbor",
      accepted: "$aws/certificates/create/cbor/accepted",
      rejected: "$aws/certificates/create/cbor/rejected",
    },
    createCertificateFromCsr: {
      request: "$aws/certificates/create-from-csr/cbor",
      accepted: "$aws/certificates/create-from-csr/cbor/accepted",
      rejected: "$aws/certificates/create-from-csr/cbor/rejected",
    },
    registerThing: {
      request: "$aws/provisioning-templates/line-1_A/provision/cbor",
      accepted: "$aws/provisioning-templates/line-1_A/provision/cbor/accepted",
      rejected: "$aws/provisioning-templates/line-1_A/provision/cbor/rejected",
    },
  });
  for (const [operation, all] of Object.entries(topics)) {
    const template = operation === "registerThing" ? { templateName: "line-1_A" } : {};
    assert.deepEqual(parseFleetProvisioningTopic(all.request), { operation, format: "cbor", ...template, ...all });
    assert.equal(parseFleetProvisioningTopic(all.accepted), undefined);
  }
  assert.equal(fleetProvisioningRequestFilters.length, 6);
  for (const topic of ["$aws/certificates/create/xml", "$aws/certificates/create-from-csr", "x", ""])
    assert.equal(parseFleetProvisioningTopic(topic), undefined);
  for (const templateName of ["", "a/b", "+", "a b", "ö", "x".repeat(templateNameCharactersMax + 1)])
    assert.throws(
      () => fleetProvisioningTopics({ templateName, format: "json" }),
      (error) => isThinglineError(error, "OPTION_INVALID"),
    );
  fleetProvisioningTopics({ templateName: "x".repeat(templateNameCharactersMax), format: "json" });
});

for (const format of formats) {
  test(`in ${format}, another implementation reads what is written, and what it writes is read`, () => {
    const request = { certificateOwnershipToken: "t", parameters: { SerialNumber: "1", __proto__x: "y" } };
    assert.deepEqual(read(encodeRegisterThingRequest(request, format), format), request);
    assert.deepEqual(decodeRegisterThingRequest(write(request, format), format), { request });
    const csr = { certificateSigningRequest: "pem" };
    assert.deepEqual(read(encodeCreateCertificateFromCsrRequest(csr, format), format), csr);
    assert.deepEqual(decodeCreateCertificateFromCsrRequest(write(csr, format), format), { request: csr });
    assert.deepEqual(read(encodeCreateKeysAndCertificateRequest(format), format), {});
    for (const payload of [new Uint8Array(), write({}, format), write({ any: 1 }, format)])
      assert.deepEqual(decodeCreateKeysAndCertificateRequest(payload, format), { request: {} });

    assert.deepEqual(read(encodeCreateKeysAndCertificateAnswer(created, format), format), created);
    assert.deepEqual(decodeCreateKeysAndCertificateAnswer(write({ ...created, more: 1 }, format), format), created);
    assert.deepEqual(read(encodeCreateCertificateFromCsrAnswer(created, format), format), signed);
    assert.deepEqual(decodeCreateCertificateFromCsrAnswer(write(signed, format), format), signed);
    const registered = { deviceConfiguration: { url: "u", count: 2, ratio: 0.5, on: true }, thingName: "pump-7" };
    assert.deepEqual(read(encodeRegisterThingAnswer(registered, format), format), registered);
    assert.deepEqual(decodeRegisterThingAnswer(write(registered, format), format), registered);
    assert.deepEqual(read(encodeRegisterThingAnswer({ deviceConfiguration: {} }, format), format), {
      deviceConfiguration: {},
    });
    const nested = { a: [{ b: null }] };
    assert.deepEqual(decodeRegisterThingAnswer(write({ thingName: "", deviceConfiguration: nested }, format), format), {
      deviceConfiguration: nested,
    });
    assert.deepEqual(decodeRegisterThingAnswer(write({ thingName: null }, format), format), {
      deviceConfiguration: {},
    });
    const rejection = { statusCode: 400, errorCode: "InvalidPayload", errorMessage: "Message cannot be parsed" };
    assert.deepEqual(read(encodeFleetProvisioningRejection(rejection, format), format), rejection);
    assert.deepEqual(decodeFleetProvisioningRejection(write(rejection, format), format), rejection);
    const odd = decodeFleetProvisioningRejection(write({ statusCode: "x", errorMessage: "out\nof" }, format), format);
    assert.deepEqual([odd.statusCode, odd.errorCode, odd.errorMessage], [500, "Unknown", "out of"]);
    assert.equal(decodeFleetProvisioningRejection(Uint8Array.of(0x5b), format).errorCode, "Unknown");
  });

  test(`in ${format}, what a service cannot take is refused in AWS's words`, () => {
    const token = { certificateOwnershipToken: "t" };
    const refusal = (request: unknown, decode: Decode = decodeRegisterThingRequest) => {
      const result = decode(request instanceof Uint8Array ? request : write(request, format), format);
      return "rejection" in result ? result.rejection.errorCode : undefined;
    };
    const unparsable = [
      ...[new Uint8Array(), Uint8Array.of(0x7b), write([], format), write("x", format), write(null, format)],
      ...[{ certificateOwnershipToken: 1 }, { ...token, parameters: [] }, { ...token, parameters: "x" }],
      ...[
        { ...token, parameters: { a: 1 } },
        { ...token, parameters: { a: { b: "c" } } },
      ],
      new Uint8Array(fleetProvisioningMessageBytesMax + 1),
    ];
    for (const request of unparsable) assert.equal(refusal(request), "InvalidPayload", JSON.stringify(request));
    const named = Object.fromEntries(Array.from({ length: provisioningParametersMax }, (_, at) => [`p${at}`, ""]));
    assert.equal(refusal({ ...token, parameters: named }), undefined);
    assert.equal(refusal({ ...token, parameters: { ...named, more: "" } }), "InvalidParameters");
    const longName = "x".repeat(provisioningParameterNameCharactersMax);
    assert.equal(refusal({ ...token, parameters: { [longName]: "" } }), undefined);
    assert.equal(refusal({ ...token, parameters: { [`${longName}x`]: "" } }), "InvalidParameters");
    const longToken = "x".repeat(ownershipTokenCharactersMax);
    assert.equal(refusal({ certificateOwnershipToken: longToken }), undefined);
    for (const request of [{}, { certificateOwnershipToken: "" }, { certificateOwnershipToken: `${longToken}x` }])
      assert.equal(refusal(request), "InvalidCertificateOwnershipToken");
    const empty = decodeRegisterThingRequest(write({ parameters: {} }, format), format);
    assert.deepEqual(empty, {
      rejection: {
        statusCode: 400,
        errorCode: "InvalidCertificateOwnershipToken",
        errorMessage: "Certificate ownership token cannot be empty.",
      },
    });
    const csr = "x".repeat(signingRequestCharactersMax);
    const fromCsr = decodeCreateCertificateFromCsrRequest;
    assert.equal(refusal({ certificateSigningRequest: csr }, fromCsr), undefined);
    assert.equal(refusal({ certificateSigningRequest: `${csr}x` }, fromCsr), "InvalidCSR");
    assert.equal(refusal({}, fromCsr), "InvalidCSR");
    assert.equal(refusal({ certificateSigningRequest: [] }, fromCsr), "InvalidPayload");
    assert.equal(refusal(Uint8Array.of(1, 2, 3), decodeCreateKeysAndCertificateRequest), "InvalidPayload");
  });

  test(`in ${format}, a device refuses an answer that is not as AWS sends it, and says why without its content`, () => {
    const pem = (length: number) => "x".repeat(length);
    const cases: [answer: unknown, why: RegExp][] = [
      [new Uint8Array(), /no object/],
      [[], /no object/],
      [new Uint8Array(fleetProvisioningMessageBytesMax + 1), /131073 bytes/],
      [{ ...created, privateKey: undefined }, /privateKey is missing/],
      [{ ...created, certificatePem: "" }, /certificatePem is missing/],
      [{ ...created, certificatePem: 1 }, /certificatePem is no text/],
      [{ ...created, certificateId: "../x" }, /certificateId/],
      [{ ...created, certificateOwnershipToken: pem(ownershipTokenCharactersMax + 1) }, /4097/],
      [{ ...created, privateKey: pem(privateKeyPemCharactersMax + 1) }, /16385/],
      [{ ...created, certificatePem: pem(certificatePemCharactersMax + 1) }, /65537/],
    ];
    for (const [answer, why] of cases) {
      const payload = answer instanceof Uint8Array ? answer : write(JSON.parse(JSON.stringify(answer)), format);
      assert.throws(
        () => decodeCreateKeysAndCertificateAnswer(payload, format),
        (error) => isThinglineError(error, "PROVISIONING_ANSWER_INVALID") && why.test(error.message),
        String(why),
      );
    }
    const largest = { ...created, privateKey: pem(privateKeyPemCharactersMax) };
    assert.equal(decodeCreateKeysAndCertificateAnswer(write(largest, format), format).privateKey.length, 16_384);
    const deep = (depth: number): unknown => (depth === 0 ? 1 : { a: deep(depth - 1) });
    const configuration = (depth: number) => write({ deviceConfiguration: deep(depth) }, format);
    // CBOR's own bound counts the message itself.
    const depthMax = format === "json" ? deviceConfigurationDepthMax : deviceConfigurationDepthMax - 1;
    decodeRegisterThingAnswer(configuration(depthMax), format);
    for (const payload of [configuration(depthMax + 1), write({ thingName: 1 }, format), configuration(0)])
      assert.throws(() => decodeRegisterThingAnswer(payload, format), { code: "PROVISIONING_ANSWER_INVALID" });
  });
}

test("answers in CBOR come without their length, as AWS sends them, and requests with it", () => {
  const answer = encodeRegisterThingAnswer({ deviceConfiguration: {}, thingName: "a" }, "cbor");
  assert.deepEqual([answer[0], answer.at(-1)], [0xbf, 0xff]);
  assert.equal(encodeCreateKeysAndCertificateRequest("cbor")[0], 0xa0);
  const indefinite = encodeCbor({ certificateOwnershipToken: "t" }, { isIndefinite: true });
  assert.ok("request" in decodeRegisterThingRequest(indefinite, "cbor"));
});

test("whatever bytes come, each end answers or refuses by name", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc.json().map((text) => new TextEncoder().encode(text)),
    fc
      .dictionary(fc.constantFrom("certificateOwnershipToken", "parameters", "deviceConfiguration"), fc.anything())
      .map((value) => {
        try {
          return Uint8Array.from(cborg.encode(value));
        } catch {
          return Uint8Array.of(0xbf);
        }
      }),
  );
  fc.assert(
    fc.property(bytes, fc.constantFrom(...formats), (payload, format) => {
      for (const decode of [
        decodeRegisterThingRequest,
        decodeCreateCertificateFromCsrRequest,
        decodeCreateKeysAndCertificateRequest,
      ])
        decode(payload, format);
      decodeFleetProvisioningRejection(payload, format);
      for (const decode of [decodeCreateKeysAndCertificateAnswer, decodeRegisterThingAnswer]) {
        try {
          decode(payload, format);
        } catch (error) {
          assert.ok(isThinglineError(error, "PROVISIONING_ANSWER_INVALID"), String(error));
        }
      }
    }),
    { numRuns: 1_000 },
  );
});
