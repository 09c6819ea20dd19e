import { readFileSync } from "node:fs";

/** What operations of AWS take: named as AWS names it, checked by AWS's model, and documented by AWS. One that takes nothing has no name of its own. */
function requestsOf(api) {
  const file = `src/model/types/${api}.ts`;
  const text = readFileSync(new URL(file, import.meta.url), "utf8");
  return [...text.matchAll(/^export (?:interface|type) (\w+Request)\b(?! = Readonly<Record<never, never>>)/gm)].map(
    ([, name]) => `${file}:${name}`,
  );
}

export default {
  intentionallyNotExported: [
    ...requestsOf("iot"),
    ...requestsOf("iot-data"),
    ...requestsOf("iot-jobs-data"),
    // The structures of AWS's answers about jobs.
    ...["Job", "JobExecution", "JobExecutionSummary", "JobSummary"].map((name) => `src/model/types/iot.ts:${name}`),
    // And about commands, searches and what a policy allows.
    ...[
      "AuthInfo",
      "DescribeFleetMetricResponse",
      "GetCommandExecutionResponse",
      "GetCommandResponse",
      "SearchIndexResponse",
    ].map((name) => `src/model/types/iot.ts:${name}`),
    ...["FieldType", "Statistics"].map((name) => `src/fleet-query/aggregate.ts:${name}`),
    "src/fleet-query/geo.ts:PlaceOrder",
    "src/services/indexing/live-index.ts:IndexStatus",
    "src/services/indexing/model.ts:IndexField",
    "src/model/types/iot-data.ts:GetConnectionResponse",
    "src/broker/disconnect-reasons.ts:DisconnectRule",
    "src/model/deviations.ts:DeviatingOutputs",
    "src/model/types/operations.ts:BuiltOperations",
    "src/model/validate.ts:ActedMembers",
    // What a template was read into; to be handed on to resolveTemplate().
    ...["CertificateResource", "PolicyResource", "ThingResource"].map(
      (name) => `src/provisioning-template/template.ts:${name}`,
    ),
    "src/provisioning-template/expression.ts:TextExpression",
    "src/rest/rest-api.ts:RestCaller",
    "src/services/aws-operation.ts:Api",
    "src/services/aws-operation.ts:LeafPath",
    "src/services/aws-operation.ts:Name",
    "src/services/aws-operation.ts:Shapes",
    "src/gateway/domains.ts:ServerPair",
    "src/model/types/iot.ts:DescribeDomainConfigurationResponse",
    "src/policy/authorizer.ts:AttendedConnection",
    "src/policy/authorizer.ts:PresentedCredentials",
    "src/rest/rest-api.ts:Publishers",
    "src/services/authorizers/answer.ts:AuthorizerAnswer",
    "src/services/fleet-provisioning/model.ts:HookRecord",
    "src/services/fleet-provisioning/model.ts:TemplateType",
    "src/services/job-templates/managed.ts:ManagedParameter",
    "src/services/jobs/create-job.ts:NewJob",
    ...["EventLevel", "FirstLoggingOptionsRecord", "LogLevel", "TargetType"].map(
      (name) => `src/services/logging/model.ts:${name}`,
    ),
    "src/services/messages/service.ts:RetainedMessage",
    ...["ObjectLocation", "PackageVersionStatus"].map((name) => `src/services/packages/model.ts:${name}`),
    "src/services/packages/sbom-model.ts:SbomResult",
    "src/services/split-provisioning/service.ts:createSplitProvisioning",
    "src/services/thing-provisioning/model.ts:RegistrationStatus",
    "src/services/thing-provisioning/provision-thing.ts:ProvisionThing",
  ],
};
