// The provisioning template by which devices rotate. Pure.

/** As the hook of every local cloud names it: see `rotationThingParameter` of the cloud. */
const thingParameter = "ThingName";
const certificateParameter = "AWS::IoT::Certificate::Id";

/** The hook that every local cloud has. */
export const rotationHook = "thingline-rotation";

/** What a device has to be allowed to ask. The hook sees to it that it gets a certificate of its own thing. */
export function rotationStatements(templateName: string): object[] {
  const operations = ["$aws/certificates/create-from-csr", `$aws/provisioning-templates/${templateName}/provision`];
  const arns = (type: string, end: string) => operations.map((topic) => `arn:aws:iot:*:*:${type}/${topic}/${end}`);
  const requests = ["json", "cbor"].flatMap((format) => arns("topic", format));
  return [
    { Effect: "Allow", Action: "iot:Publish", Resource: requests },
    { Effect: "Allow", Action: "iot:Subscribe", Resource: arns("topicfilter", "*") },
    { Effect: "Allow", Action: "iot:Receive", Resource: arns("topic", "*") },
  ];
}

export function rotationPolicy(templateName: string): string {
  return JSON.stringify({ Version: "2012-10-17", Statement: rotationStatements(templateName) });
}

/** The thing is there already, and stays as it is; the new certificate gets the same policies as the one before. */
export function rotationTemplate(policyNames: readonly string[]): object {
  const policies = policyNames.map((name, at) => [
    `policy${at + 1}`,
    { Type: "AWS::IoT::Policy", Properties: { PolicyName: name } },
  ]);
  const kept = "DO_NOTHING";
  return {
    Parameters: { [thingParameter]: { Type: "String" }, [certificateParameter]: { Type: "String" } },
    Resources: {
      thing: {
        Type: "AWS::IoT::Thing",
        Properties: { ThingName: { Ref: thingParameter } },
        OverrideSettings: { AttributePayload: kept, ThingTypeName: kept, ThingGroups: kept },
      },
      certificate: {
        Type: "AWS::IoT::Certificate",
        Properties: { CertificateId: { Ref: certificateParameter }, Status: "Active" },
      },
      ...(Object.fromEntries(policies) as Record<string, object>),
    },
  };
}
