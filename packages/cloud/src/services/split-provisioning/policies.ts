/**
 * The two policies of the original sample's cloud half, as they stand there.
 * @see https://github.com/Wickramanayaka/aws-iot-device-credentials-workaround
 */
export const provisionedPolicyName = "split-provisioning-device";
export const claimPolicyName = "split-provisioning-claim";

const allow = (action: string, resource: string, condition?: object) => ({
  Effect: "Allow",
  Action: [action],
  Resource: [resource],
  ...(condition !== undefined && { Condition: condition }),
});
const own = (resource: string) => `arn:aws:iot:*:*:${resource}`;
const document = (...statements: object[]) => JSON.stringify({ Version: "2012-10-17", Statement: statements });

/** For the claim certificate, which all devices of a production share: ask for one's own certificate, nothing else. */
export const claimPolicyDocument = document(
  allow("iot:Connect", own("client/${iot:ClientId}")),
  allow("iot:Receive", "*"),
  allow("iot:Subscribe", own("topicfilter/certificate/${iot:ClientId}/create/*")),
  allow("iot:Publish", own("topic/certificate/${iot:ClientId}/create")),
);

/** For a provisioned device: connect as the thing that its certificate is attached to, and use that thing's topics. */
export const provisionedPolicyDocument = document(
  allow("iot:Connect", own("client/${iot:ClientId}"), { Bool: { "iot:Connection.Thing.IsAttached": [true] } }),
  allow("iot:Receive", "*"),
  allow("iot:Subscribe", own("topicfilter/$aws/things/${iot:ClientId}/*")),
  allow("iot:Publish", own("topic/$aws/things/${iot:ClientId}/*")),
);
