import assert from "node:assert/strict";
import test from "node:test";
import { parseTemplate, resolveTemplate } from "./index.js";

test("a fleet template becomes a plan", () => {
  const template = parseTemplate(
    JSON.stringify({
      Parameters: { SerialNumber: { Type: "String" }, Location: { Type: "String", Default: "Seattle" } },
      Mappings: { LocationTable: { Seattle: { LocationUrl: "https://example.aws" } } },
      Resources: {
        thing: {
          Type: "AWS::IoT::Thing",
          Properties: { ThingName: { "Fn::Join": ["-", ["dev", { Ref: "SerialNumber" }]] } },
        },
        certificate: {
          Type: "AWS::IoT::Certificate",
          Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "Active" },
        },
      },
      DeviceConfiguration: { url: { "Fn::FindInMap": ["LocationTable", { Ref: "Location" }, "LocationUrl"] } },
    }),
    { kind: "fleet" },
  );
  const certificateId = "a".repeat(64);
  const plan = resolveTemplate(template, {
    parameters: { SerialNumber: "7" },
    certificate: { "AWS::IoT::Certificate::Id": certificateId },
  });
  assert.equal(plan.thing?.thingName, "dev-7");
  assert.deepEqual(plan.certificate?.source, { type: "id", certificateId });
  assert.equal(plan.certificate?.status, "ACTIVE");
  assert.deepEqual(plan.deviceConfiguration, { url: "https://example.aws" });
});
