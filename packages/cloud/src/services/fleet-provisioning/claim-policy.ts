import type { Scope } from "../operation.js";

/** As much as a device needs that is to be provisioned by one template, and nothing else. What may be published and subscribed to is as in AWS's guide. */
export function claimPolicy({ account, region }: Scope, templateName: string) {
  const topics = [
    "$aws/certificates/create/*",
    "$aws/certificates/create-from-csr/*",
    `$aws/provisioning-templates/${templateName}/provision/*`,
  ];
  const arns = (kind: string, names: readonly string[]) =>
    names.map((name) => `arn:aws:iot:${region}:${account}:${kind}/${name}`);
  // Not the requests of others.
  const answers = topics.flatMap((topic) => [`${topic}/accepted`, `${topic}/rejected`]);
  return {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "iot:Connect", Resource: `arn:aws:iot:${region}:${account}:client/*` },
      { Effect: "Allow", Action: "iot:Publish", Resource: arns("topic", topics) },
      { Effect: "Allow", Action: "iot:Receive", Resource: arns("topic", answers) },
      { Effect: "Allow", Action: "iot:Subscribe", Resource: arns("topicfilter", topics) },
    ],
  };
}
