import { thingPolicyDocument } from "@thingline/cloud/issue";

export interface StartingTemplate {
  /** For JITP what the device is comes with its certificate. */
  kind: "fleet" | "jitp";
  /** Before the serial number in the name of the thing. */
  prefix: string;
  groups: readonly string[];
  thingType?: string | undefined;
  /** An existing policy instead of one that the template makes. */
  policy?: string | undefined;
}

/**
 * A template to begin with: a thing named by its serial number, in its groups; a certificate that is active; a policy that lets a device
 * connect under its thing's name and use its own topics. The policy has variables, so all devices share one.
 */
export function startingTemplate({ kind, prefix, groups, thingType, policy }: StartingTemplate): string {
  const serial = kind === "fleet" ? "SerialNumber" : "AWS::IoT::Certificate::CommonName";
  const document: unknown = JSON.parse(thingPolicyDocument);
  const template = {
    Parameters: {
      [serial]: { Type: "String" },
      "AWS::IoT::Certificate::Id": { Type: "String" },
    },
    Resources: {
      thing: {
        Type: "AWS::IoT::Thing",
        Properties: {
          ThingName: prefix === "" ? { Ref: serial } : { "Fn::Join": ["", [prefix, { Ref: serial }]] },
          AttributePayload: { serialNumber: { Ref: serial } },
          ...(thingType !== undefined && { ThingTypeName: thingType }),
          ...(groups.length > 0 && { ThingGroups: groups }),
        },
        // A device that is provisioned once more keeps what was set meanwhile.
        OverrideSettings: {
          AttributePayload: "MERGE",
          ThingTypeName: "DO_NOTHING",
          ThingGroups: "DO_NOTHING",
        },
      },
      certificate: {
        Type: "AWS::IoT::Certificate",
        Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
      },
      policy: {
        Type: "AWS::IoT::Policy",
        // As text for JITP: that is how AWS documents it.
        Properties:
          policy === undefined
            ? { PolicyDocument: kind === "fleet" ? document : JSON.stringify(document) }
            : { PolicyName: policy },
      },
    },
    ...(kind === "fleet" && { DeviceConfiguration: {} }),
  };
  return `${JSON.stringify(template, null, 2)}\n`;
}
