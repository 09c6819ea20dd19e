import type { Clock, Endpoint, Files, Http, Keys, Random } from "@thingline/transport";
import type { Functions } from "../functions/index.js";
import type { Log } from "../log.js";
import { createAuthorizersService, claimAuthorizer, type Authorizers } from "./authorizers/index.js";
import {
  createCertificateAuthoritiesService,
  findCaOfTemplate,
  type CertificateAuthorities,
  type FirstConnections,
} from "./certificate-authorities/index.js";
import type { ClientDirectory } from "./client-directory.js";
import { createCommandsService, type Commands } from "./commands/index.js";
import { createConnectionsService, type Connections } from "./connections/index.js";
import {
  createDomainConfigurationsService,
  findDomainOfAuthorizer,
  type DomainConfigurations,
} from "./domain-configurations/index.js";
import {
  createFleetProvisioningService,
  claimProvisioningTemplate,
  findProvisioningTemplate,
  type FleetProvisioning,
} from "./fleet-provisioning/index.js";
import { createIndexingService, type Indexing } from "./indexing/index.js";
import { createJobTemplateService, type JobTemplates } from "./job-templates/index.js";
import { createJobsService, findJobContent, jobsServiceName, type Jobs } from "./jobs/index.js";
import type { IotLog } from "./iot-log.js";
import { createLoggingService, type Logging } from "./logging/index.js";
import type { MessageLimits } from "./message-limits.js";
import { createMessageService, type Messages } from "./messages/index.js";
import { createObjectsService, type Objects, type ObjectsEndpoint, type SigningKey } from "./objects/index.js";
import { createOtaService, type OtaUpdates } from "./ota/index.js";
import { createPackagesService, type Packages } from "./packages/index.js";
import { createRegistryService, type Registry } from "./registry/index.js";
import { createRoleAliasService, type RoleAliases } from "./role-aliases/index.js";
import type { CloudService } from "./service.js";
import {
  awsShadowLimits,
  createShadowService,
  noShadowLimits,
  type ShadowOptions,
  type Shadows,
} from "./shadow/index.js";
import { createRulesService, type Rules } from "./rules/index.js";
import type { Hash } from "../hashes.js";
import type { StatementGuard } from "../statement-guard.js";
import { createSplitProvisioningService, type SplitProvisioning, type Vending } from "./split-provisioning/index.js";
import { createStreamsService, type Streams } from "./streams/index.js";
import { createTagsService, type Tags } from "./tags/index.js";
import { createThingProvisioningService, type ThingProvisioning } from "./thing-provisioning/index.js";

// The only place that names the services.

export interface ServiceDependencies {
  clock: Clock;
  random: Random;
  /** Makes keys ahead, where it can. */
  keys: Keys;
  files: Files;
  /** What AWS would call by the ARN of a Lambda function. */
  functions: Functions;
  log: Log;
  /** Who is connected, and who was; known when the cloud is open. */
  clients: ClientDirectory;
  /** For HTTP actions of rules; without it they fail. */
  http: Http | undefined;
  /** For statements of rules. */
  hash: Hash;
  statementGuard?: StatementGuard | undefined;
  /** Where this cloud answers REST; undefined where it does not. */
  apiUrl: () => string | undefined;
  /** For files of a service's own. */
  folder: string;
  /** Where devices connect; known when the cloud is open. */
  mqttsEndpoint: () => Endpoint;
  /** Where devices fetch credentials; known when the cloud is open. Default: where they connect. */
  credentialsEndpoint?: () => Endpoint;
  /** Where devices fetch objects; known when the cloud is open. */
  objectsEndpoint: () => ObjectsEndpoint;
  /** What URLs for objects of an account are signed with. @throws {ThinglineError} REQUEST_INVALID */
  signingKey: (account: string) => SigningKey;
}

export interface ServiceOptions {
  messageLimits: MessageLimits;
  /** Quotas of AWS are kept. */
  isLimited: boolean;
  shadowsOfUnknownThings: NonNullable<ShadowOptions["unknownThings"]>;
  vending: Vending | undefined;
  /** Of a rotation of certificates; the registry has a default. */
  rotationOverlapMs?: number | undefined;
}

/** Operations that a program runs by `cloud.run`, by service and by AWS's names. */
export interface NamedOperations {
  readonly registry: Registry;
  /** The Device Shadow service. */
  readonly shadows: Shadows;
  /** Publish and retained messages without MQTT. */
  readonly messages: Messages;
  /** Clients of the broker: who is connected, and what is done with them. */
  readonly connections: Connections;
  /** AWS IoT Jobs: the control plane, and what devices ask over HTTP. */
  readonly jobs: Jobs;
  /** AWS IoT Commands: commands, and what becomes of them. */
  readonly commands: Commands;
  /** Job templates, AWS's managed ones too. */
  readonly jobTemplates: JobTemplates;
  /** Searching things and groups, and the groups that are made of queries. */
  readonly indexing: Indexing;
  /** Buckets and objects. */
  readonly objects: Objects;
  /** Streams of files, for delivery over MQTT. */
  readonly streams: Streams;
  /** OTA updates of FreeRTOS. */
  readonly otaUpdates: OtaUpdates;
  /** What is logged of devices. */
  readonly logging: Logging;
  /** Tags of the resources of all services. */
  readonly tags: Tags;
  /** What provisioning templates ask for: registered things, and the operation that all ways of provisioning end with. */
  readonly thingProvisioning: ThingProvisioning;
  /** CAs of the account, and certificates that they signed. */
  readonly certificateAuthorities: CertificateAuthorities;
  /** Functions that say who a client is, instead of a certificate. */
  readonly authorizers: Authorizers;
  /** What the server names of the endpoint stand for. */
  readonly domainConfigurations: DomainConfigurations;
  /** The built-in vending service, and its switch. */
  readonly splitProvisioning: SplitProvisioning;
  /** Provisioning templates, and claims for them. */
  readonly fleetProvisioning: FleetProvisioning;
  /** The software package catalog. */
  readonly packages: Packages;
  /** Topic rules, and endpoints of their HTTP actions. */
  readonly rules: Rules;
  /** Roles that devices assume by a name. */
  readonly roleAliases: RoleAliases;
}

export interface Services {
  all: readonly CloudService[];
  named: NamedOperations;
  /** For the gateway: what certificates come to that are not ACTIVE. */
  firstConnections: FirstConnections;
  /** The log of the account; undefined: it keeps none. */
  iotLog?: IotLog;
}

/** What the original's device waits for its answer. */
const vendingTimeoutMs = 60_000;

/** Services that act when a thing joins or leaves a group. */
const membershipWatchers: readonly string[] = [jobsServiceName];

/** Makes every service of the cloud, once for its whole life. */
export function createServices(deps: ServiceDependencies, options: ServiceOptions): Services {
  const logging = createLoggingService(deps);
  const { iotLog } = logging;
  const { messageLimits, isLimited, shadowsOfUnknownThings: unknownThings } = options;
  const registry = createRegistryService({ ...deps, membershipWatchers, rotationOverlapMs: options.rotationOverlapMs });
  const shadows = createShadowService(
    { ...deps, iotLog },
    { unknownThings, limits: isLimited ? awsShadowLimits : noShadowLimits },
  );
  const messages = createMessageService({ limits: messageLimits });
  const connections = createConnectionsService({ clients: deps.clients, messageLimits, isLimited });
  const objects = createObjectsService({ ...deps, endpoint: deps.objectsEndpoint });
  const packages = createPackagesService({ objects: objects.operations }, { isLimited });
  const indexing = createIndexingService({ ...deps, dynamicGroups: registry.dynamicGroups });
  const jobTemplates = createJobTemplateService({ findJobContent });
  const jobs = createJobsService(
    {
      ...{ ...deps, iotLog, objects, findJobTemplate: jobTemplates.findJobTemplate },
      updateShadow: shadows.operations.addressed.update,
    },
    { isLimited },
  );
  const commands = createCommandsService(deps, { isLimited });
  const streams = createStreamsService({ ...deps, objects: objects.operations }, { isLimited });
  const otaUpdates = createOtaService({
    ...{ jobs: jobs.operations, objects: objects.operations, streams: streams.ofUpdates },
  });
  const thingProvisioning = createThingProvisioningService({
    ...{ ...deps, objects, issuer: registry.issuer, registry: registry.operations },
  });
  const fleetProvisioning = createFleetProvisioningService(
    {
      ...{ ...deps, issuer: registry.issuer, signRequest: registry.signRequest },
      ...{ provisionThing: thingProvisioning.operations.provisionThing, findCaOfTemplate, iotLog },
    },
    { isLimited },
  );
  const certificateAuthorities = createCertificateAuthoritiesService(
    {
      ...deps,
      iotLog,
      provisionThing: thingProvisioning.operations.provisionThing,
      findTemplate: findProvisioningTemplate,
      claimTemplate: claimProvisioningTemplate,
    },
    { isLimited },
  );
  const authorizers = createAuthorizersService({ ...deps, findDomainOfAuthorizer });
  const domainConfigurations = createDomainConfigurationsService({
    claimAuthorizer,
    endpointHost: () => deps.mqttsEndpoint().host,
  });
  const splitProvisioning = createSplitProvisioningService(
    {
      ...deps,
      issuer: registry.issuer,
      signRequest: registry.signRequest,
      registry: registry.operations,
      callFunction: (name, event) => deps.functions.invoke(name, event, { timeoutMs: vendingTimeoutMs }),
    },
    { vending: options.vending, isLimited },
  );
  const roleAliases = createRoleAliasService({ isLimited });
  const rules = createRulesService({
    ...{ ...deps, iotLog, objects: objects.operations, registry: registry.operations, shadows: shadows.operations },
    messageLimits,
  });
  const owners: CloudService[] = [
    registry,
    shadows,
    indexing,
    messages,
    connections,
    objects,
    packages,
    jobTemplates,
    jobs,
    commands,
    streams,
    otaUpdates,
    thingProvisioning,
    certificateAuthorities,
    authorizers,
    domainConfigurations,
    fleetProvisioning,
    splitProvisioning,
    roleAliases,
    rules,
  ];
  const tags = createTagsService(owners.flatMap((service) => service.taggable ?? []));
  return {
    all: [...owners, tags, logging],
    named: {
      registry: registry.operations,
      shadows: shadows.operations,
      messages: messages.operations,
      connections: connections.operations,
      indexing: indexing.operations,
      objects: objects.operations,
      packages: packages.operations,
      jobTemplates: jobTemplates.operations,
      jobs: jobs.operations,
      commands: commands.operations,
      streams: streams.operations,
      otaUpdates: otaUpdates.operations,
      rules: rules.operations,
      tags: tags.operations,
      logging: logging.operations,
      thingProvisioning: thingProvisioning.operations,
      certificateAuthorities: certificateAuthorities.operations,
      authorizers: authorizers.operations,
      domainConfigurations: domainConfigurations.operations,
      splitProvisioning: splitProvisioning.operations,
      fleetProvisioning: fleetProvisioning.operations,
      roleAliases: roleAliases.operations,
    },
    firstConnections: certificateAuthorities.firstConnections,
    iotLog,
  };
}
