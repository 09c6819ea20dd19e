import type { Scope } from "../operation.js";

/**
 * As much as a device needs that is to be provisioned by one template, and nothing else. AWS's guide has `create/*` to be published, which would be
 * answers as well: here they are the requests alone, as in the policy of a claim that lasts.
 */
export function claimPolicy({ account, region }: Scope, templateName: string) {
  const operations = [
    "$aws/certificates/create",
    "$aws/certificates/create-from-csr",
    `$aws/provisioning-templates/${templateName}/provision`,
  ];
  const arns = (kind: string, words: readonly string[]) =>
    operations.flatMap((topic) => words.map((word) => `arn:aws:iot:${region}:${account}:${kind}/${topic}/${word}`));
  return {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "iot:Connect", Resource: `arn:aws:iot:${region}:${account}:client/*` },
      { Effect: "Allow", Action: "iot:Publish", Resource: arns("topic", ["json", "cbor"]) },
      { Effect: "Allow", Action: "iot:Receive", Resource: arns("topic", ["*/accepted", "*/rejected"]) },
      { Effect: "Allow", Action: "iot:Subscribe", Resource: arns("topicfilter", ["*"]) },
    ],
  };
}
