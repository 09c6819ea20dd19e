import { claimClientIdPrefix } from "@thingline/protocol/provisioning";

// Every policy here is one of AWS as it stands: `policies.test.ts` holds each against what AWS forbids.

/** One policy serves all devices that were provisioned with a claim: it names nothing but the thing that its holder is. */
export const provisionedPolicyName = "thingline-provisioned";

type Texts = string | readonly string[];
const allow = (Sid: string, Action: Texts, Resource: Texts, Condition?: object) => ({
  ...{ Sid, Effect: "Allow", Action, Resource },
  ...(Condition !== undefined && { Condition }),
});
const arn = (resource: string) => `arn:aws:iot:*:*:${resource}`;
const document = (...statements: object[]) => JSON.stringify({ Version: "2012-10-17", Statement: statements });

const clientId = "${iot:ClientId}";
/** Unlike the client id it is there only where the certificate is attached to that thing, so that nobody can call himself so. */
const thingName = "${iot:Connection.Thing.ThingName}";

const requestTopics = (name: string) => [
  arn(`topic/certificate/${name}/create`),
  arn(`topic/certificate/${name}/create-from-csr`),
];

/**
 * For a claim certificate, which all devices of a production share. Its holder connects under a claim's client id, which is no device's name,
 * asks for credentials under that id, and hears the answers to it, `rejected` too. It leaves no session and no last will behind.
 */
export const claimPolicyDocument = document(
  allow("ConnectAsClaim", "iot:Connect", arn(`client/${claimClientIdPrefix}*`)),
  {
    ...{ Sid: "LeaveNothingBehind", Effect: "Deny", Action: "iot:Connect", Resource: "*" },
    Condition: { "ForAnyValue:StringEquals": { "iot:ConnectAttributes": ["PersistentConnect", "LastWill"] } },
  },
  allow("Ask", "iot:Publish", requestTopics(clientId)),
  allow("SubscribeToAnswers", "iot:Subscribe", arn(`topicfilter/certificate/${clientId}/create/*`)),
  allow("HearAnswers", "iot:Receive", arn(`topic/certificate/${clientId}/create/*`)),
);

/** For a device that was provisioned: it connects as its thing, uses that thing's topics, and may ask for what will replace its certificate. */
export const provisionedPolicyDocument = document(
  allow("ConnectAsItself", "iot:Connect", arn(`client/${thingName}`)),
  allow("UseOwnTopics", "iot:Publish", [arn(`topic/$aws/things/${thingName}/*`), ...requestTopics(thingName)]),
  allow("SubscribeToOwnTopics", "iot:Subscribe", [
    arn(`topicfilter/$aws/things/${thingName}/*`),
    arn(`topicfilter/certificate/${thingName}/create/*`),
  ]),
  allow("HearOwnTopics", "iot:Receive", [
    arn(`topic/$aws/things/${thingName}/*`),
    arn(`topic/certificate/${thingName}/create/*`),
  ]),
);

/**
 * For a claim of AWS's fleet provisioning by one template. Exactly the requests may be published: whoever could publish their answers could
 * hand others a certificate of his own. AWS sends answers to nobody but the client that asked.
 */
export function fleetClaimPolicyDocument(templateName: string): string {
  const operations = [
    "$aws/certificates/create",
    "$aws/certificates/create-from-csr",
    `$aws/provisioning-templates/${templateName}/provision`,
  ];
  const requests = operations.flatMap((topic) => ["json", "cbor"].map((format) => arn(`topic/${topic}/${format}`)));
  const below = (type: string) => operations.map((topic) => arn(`${type}/${topic}/*`));
  return document(
    allow("ConnectAsClaim", "iot:Connect", arn(`client/${claimClientIdPrefix}*`)),
    allow("Ask", "iot:Publish", requests),
    allow("SubscribeToAnswers", "iot:Subscribe", below("topicfilter")),
    allow("HearAnswers", "iot:Receive", below("topic")),
  );
}

const own = (action: string, resource: string, condition?: object) => ({
  ...{ Effect: "Allow", Action: [action], Resource: [resource] },
  ...(condition !== undefined && { Condition: condition }),
});

/**
 * The claim policy of the original sample's cloud half, as it stands there. Whoever has the claim connects as any device, hears every topic,
 * and with the client id `+` subscribes to the answers of all devices, private keys included.
 *
 * @see https://github.com/Wickramanayaka/aws-iot-device-credentials-workaround
 */
export const originalClaimPolicyDocument = document(
  own("iot:Connect", arn(`client/${clientId}`)),
  own("iot:Receive", "*"),
  own("iot:Subscribe", arn(`topicfilter/certificate/${clientId}/create/*`)),
  own("iot:Publish", arn(`topic/certificate/${clientId}/create`)),
);

/** The original's policy for a provisioned device, as it stands there. Nothing of ours attaches it. */
export const originalProvisionedPolicyDocument = document(
  own("iot:Connect", arn(`client/${clientId}`), { Bool: { "iot:Connection.Thing.IsAttached": [true] } }),
  own("iot:Receive", "*"),
  own("iot:Subscribe", arn(`topicfilter/$aws/things/${clientId}/*`)),
  own("iot:Publish", arn(`topic/$aws/things/${clientId}/*`)),
);
