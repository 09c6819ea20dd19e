// What the tests of REST share: the API over the services in virtual time. Every answer is held against AWS's model.
import { ThinglineError } from "@thingline/protocol";
import type { HttpRequest, HttpResponse } from "@thingline/transport";
import type { Functions } from "../functions/index.js";
import { answerFaults } from "../model/answers.test.support.js";
import { loadModel, type Model, type ModelOperation } from "../model/model.js";
import type { ServedOperation } from "../services/aws-operation.js";
import { createDestinations } from "../services/rules/destinations.js";
import { RuleSet } from "../services/rules/rule-set.js";
import { createTopicRules } from "../services/rules/service.js";
import { createAuthorizers } from "../services/authorizers/service.js";
import { findDomainOfAuthorizer } from "../services/domain-configurations/index.js";
import { createDomainConfigurations } from "../services/domain-configurations/service.js";
import type { FindTemplate } from "../services/certificate-authorities/index.js";
import { createAuthorities } from "../services/certificate-authorities/service.js";
import { createCommands } from "../services/commands/service.js";
import { createFleetProvisioning } from "../services/fleet-provisioning/service.js";
import { findJobContent } from "../services/jobs/index.js";
import { createJobs, servedJobOperations } from "../services/jobs/service.js";
import { registryTargets } from "../services/jobs/targets.js";
import { createLogging } from "../services/logging/service.js";
import type { MessageLimits } from "../services/message-limits.js";
import { createJobTemplates, findJobTemplate } from "../services/job-templates/service.js";
import { createConnectionsService } from "../services/connections/index.js";
import { createMessages } from "../services/messages/service.js";
import { headObject } from "../services/objects/read.js";
import { FleetIndexes } from "../services/indexing/indexes.js";
import { createIndexing } from "../services/indexing/service.js";
import { dynamicGroupOperations } from "../services/registry/dynamic-groups.js";
import { createShadows, servedShadowOperations } from "../services/shadow/service.js";
import { createPackages } from "../services/packages/service.js";
import { createOtaUpdates } from "../services/ota/service.js";
import { createStreamsControl } from "../services/streams/control.js";
import { registryKeys } from "../services/registry/model.js";
import { taggable } from "../services/taggable.js";
import { createTags } from "../services/tags/service.js";
import { createRoleAliases } from "../services/role-aliases/service.js";
import { createThingProvisioningService } from "../services/thing-provisioning/index.js";
import { openObjects } from "../services/thing-provisioning/provisioning-world.test.support.js";
import { openServiceWorld, scope, type ServiceWorld } from "../services/world.test.support.js";
import { createRestApi, type RestApi, type RestApiOptions } from "./rest-api.js";

export interface RestAnswer {
  status: number;
  headers: Readonly<Record<string, string>>;
  body: Record<string, unknown>;
}

export interface RestWorld extends ServiceWorld {
  api: RestApi;
  model: Model;
  operations: readonly ServedOperation[];
  send: (method: string, target: string, request?: Partial<HttpRequest>) => Promise<RestAnswer>;
}

/** Those of AWS. */
const messageLimits: MessageLimits = {
  topicBytesMax: 256,
  topicSlashesMax: 7,
  payloadBytesMax: 131_072,
  contentTypeBytesMax: 256,
  correlationDataBytesMax: 8_192,
  userPropertiesBytesMax: 8_192,
  messageExpirySecondsMin: 1,
  messageExpirySecondsMax: 604_800,
};

/** Says which API a request is for, where its path alone does not; of use where any signature is taken. */
export function claimFor({ api }: ModelOperation): Record<string, string> {
  if (api !== "iot-jobs-data") return {};
  const credential = `test/20260101/${scope.region}/${api}/aws4_request`;
  return { authorization: `AWS4-HMAC-SHA256 Credential=${credential}, SignedHeaders=host;x-amz-date, Signature=00` };
}

const jobDependencies = {
  targets: registryTargets,
  documents: { read: () => Promise.resolve("{}"), presign: (_scope: unknown, url: string) => url },
  findJobTemplate,
  isLimited: true,
};

const noFunctions: Functions = {
  has: () => false,
  invoke: (name) => Promise.reject(new ThinglineError("FUNCTION_UNKNOWN", `no function ${name}`)),
};

/** Nobody is connected. */
const { rest: connectionOperations = [] } = createConnectionsService({
  ...{ clients: () => undefined, messageLimits, isLimited: true },
});

const findTemplate: FindTemplate = (_context, { templateName }) => {
  throw new ThinglineError("RESOURCE_NOT_FOUND", `no template ${templateName}`);
};

/** @param replaced operations that take the place of those of the same name */
export async function openRestWorld(
  options: Partial<RestApiOptions> = {},
  replaced: readonly ServedOperation[] = [],
): Promise<RestWorld> {
  const world = await openServiceWorld();
  const model = await loadModel();
  const nameOf = ({ aws }: ServedOperation) => `${aws.api}:${aws.name}`;
  const names = new Set(replaced.map(nameOf));
  const jobs = createJobs(jobDependencies);
  const streams = createStreamsControl({ headObject }, true);
  const dynamicGroups = dynamicGroupOperations([]);
  const indexes = new FleetIndexes({ ...world, dynamicGroups });
  indexes.opened({ scope, runner: world.runner, isAlone: true });
  const built: readonly ServedOperation[] = [
    ...Object.values(world.registry),
    ...Object.values(createAuthorities({ claimTemplate: findTemplate })),
    ...Object.values(createAuthorizers({ functions: noFunctions, findDomainOfAuthorizer })),
    ...Object.values(
      createDomainConfigurations({
        claimAuthorizer: async () => ({ result: {}, operations: [], effects: [] }),
        endpointHost: () => "localhost",
      }),
    ),
    ...servedShadowOperations(createShadows()),
    ...Object.values(createIndexing(indexes, dynamicGroups)),
    ...servedJobOperations(jobs),
    ...Object.values(createCommands({ isLimited: true })),
    ...Object.values(createMessages(messageLimits)),
    ...connectionOperations,
    ...Object.values(createJobTemplates(findJobContent)),
    ...Object.values(streams.served),
    ...Object.values(createFleetProvisioning(world, { isLimited: true })),
    ...(createThingProvisioningService({ ...world, objects: openObjects(world.keys) }).rest ?? []),
    ...Object.values(createLogging({ applied: async () => undefined })),
    ...Object.values(createTags([taggable("thinggroup", registryKeys.thingGroup)])),
    ...Object.values(createPackages({ objects: { headObject } }, { isLimited: true })),
    ...Object.values(createRoleAliases({ isLimited: true })),
    ...Object.values(createTopicRules(new RuleSet(world.log))),
    ...Object.values(createDestinations({ http: undefined, log: world.log, apiUrl: () => undefined })),
    ...Object.values(createOtaUpdates({ jobs, streams, objects: { headObject } })),
  ];
  const operations = [...built.filter((operation) => !names.has(nameOf(operation))), ...replaced];
  const run = world.runner.run.bind(world.runner);
  const api = createRestApi({ ...world, operations, run }, { scope, ...options });
  const send = async (method: string, target: string, request: Partial<HttpRequest> = {}): Promise<RestAnswer> => {
    const answer = await api.handle({ method, url: `http://localhost:4680${target}`, ...request });
    checkAnswer(model, { method, target, headers: request.headers ?? {} }, answer);
    const text = new TextDecoder().decode(answer.body);
    return { ...answer, body: JSON.parse(text === "" ? "{}" : text) as Record<string, unknown> };
  };
  return { ...world, api, model, operations, send };
}

/** @throws {Error} for an answer that AWS would not give */
function checkAnswer(
  model: Model,
  { method, target, headers }: { method: string; target: string; headers: Readonly<Record<string, string>> },
  answer: HttpResponse,
): void {
  const [, signingName] = /Credential=[^/]*\/\d+\/[^/]*\/([^/]*)\//.exec(headers["authorization"] ?? "") ?? [];
  const [rawPath = ""] = target.split("?");
  const route = model.route({ method, rawPath, target: headers["x-amz-target"] }, signingName);
  const faults = route === undefined ? [] : answerFaults(route.operation, answer);
  if (faults.length > 0) throw new Error(`${method} ${target.slice(0, 200)}: ${faults.join("; ")}`);
}
