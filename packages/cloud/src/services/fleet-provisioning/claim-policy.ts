import type { Scope } from "../operation.js";

/** As much as a device needs that is to be provisioned by one template, and nothing else. The shape is that of AWS's guide. */
export function claimPolicy({ account, region }: Scope, templateName: string) {
  const topics = [
    "$aws/certificates/create/*",
    "$aws/certificates/create-from-csr/*",
    `$aws/provisioning-templates/${templateName}/provision/*`,
  ];
  const arns = (kind: string) => topics.map((topic) => `arn:aws:iot:${region}:${account}:${kind}/${topic}`);
  return {
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "iot:Connect", Resource: `arn:aws:iot:${region}:${account}:client/*` },
      { Effect: "Allow", Action: ["iot:Publish", "iot:Receive"], Resource: arns("topic") },
      { Effect: "Allow", Action: "iot:Subscribe", Resource: arns("topicfilter") },
    ],
  };
}
