import type { Clock, Endpoint, Files, Keys, Random } from "@thingline/transport";
import type { Functions } from "../../functions/index.js";
import type { Log } from "../../log.js";
import { parsePolicyDocument } from "../../policy/document.js";
import type { LifecycleEvent } from "../lifecycle.js";
import type { OperationRunner } from "../operation.js";
import type { CloudService } from "../service.js";
import { taggable } from "../taggable.js";
import { dynamicGroupOperations, type DynamicGroupOperations } from "./dynamic-groups.js";
import { createCertificateIssuer, openDeviceAuthority, type CertificateIssuer } from "./certificate-issuer.js";
import { endpointAddressOf } from "./endpoints.js";
import { registryKeys, registryServiceName, rotationOverlapDefaultMs } from "./model.js";
import { recordConnection, type ConnectionNews } from "./proofs.js";
import { createRegistry, type Registry } from "./service.js";
import { createRequestSigner, type SignRequest } from "./sign-request.js";
import { registryWake } from "./wake.js";

// What other services may know of this one: operations to call, and the words of AWS for its names.
export { explainCertificate, requireRegisteredStatus } from "./certificates.js";
export { isOfThing, listCertificateLives } from "./certificate-lives.js";
export type { CertificateLife, CertificateLivesPage } from "./certificate-lives.js";
export { addCertificate, countPending, discardCertificate } from "./issued-certificates.js";
export type { AddCertificateInput } from "./issued-certificates.js";
export { arnOf, findCertificate } from "./model.js";
export type { CertificateOrigin, CertificateSource, CertificateStatus } from "./model.js";
export type { CertificateIssuer, IssuedCertificate } from "./certificate-issuer.js";
export type { RequestToSign, SignedRequest, SignRequest } from "./sign-request.js";
export type { Registry } from "./service.js";
export { isThing, requireExistingThing } from "./thing-directory.js";
export {
  findThing,
  findThingGroup,
  groupsOfThing,
  requireExistingThingGroup,
  thingsBelowGroup,
  thingsPerPageMax,
} from "./group-directory.js";
export type { FoundThing, FoundThingGroup, GroupOfThing, ThingsBelowGroup, ThingsPage } from "./group-directory.js";
export { completeDynamicGroup, createDynamicGroup, hasDynamicGroups, updateDynamicGroup } from "./dynamic-groups.js";
export type { DynamicGroupOperations, FollowedThing } from "./dynamic-groups.js";
export {
  findRegisteredGroup,
  findRegisteredThing,
  listRegisteredGroups,
  listRegisteredThings,
  registeredIn,
} from "./for-index.js";
export type { RegisteredGroup, RegisteredThing } from "./for-index.js";
export { isEventTypeEnabled } from "./event-configurations.js";
export type { EventType } from "./event-configurations.js";
export { membershipWakeName, thingOfMembershipWake } from "./membership-watchers.js";

export interface RegistryServiceDependencies {
  clock: Clock;
  random: Random;
  keys: Keys;
  files: Files;
  /** Where the CA is kept that issues device certificates. */
  folder: string;
  /** Where certificate providers are. Default: there is none. */
  functions?: Functions;
  log: Log;
  /** Both certificates of a rotation are ACTIVE for so long after the new one was proved. Default {@link rotationOverlapDefaultMs}. */
  rotationOverlapMs?: number | undefined;
  /** Where devices connect: asked for when somebody asks for an endpoint. */
  mqttsEndpoint: () => Endpoint;
  /** Where devices fetch credentials. Default: {@link mqttsEndpoint}. */
  credentialsEndpoint?: () => Endpoint;
  /**
   * Names of services that hear when a thing joins or leaves a group, also by the deletion of either: their `wake` is called with
   * {@link membershipWakeName}. It is stored with the change, may come twice, and tells nothing but that there is something to look at.
   */
  membershipWatchers: readonly string[];
}

export interface RegistryService extends CloudService<Registry> {
  /** For whoever searches: which things are in which dynamic groups. */
  readonly dynamicGroups: DynamicGroupOperations;
  /** For sagas of other services that add a certificate in a commit of their own. */
  readonly issuer: CertificateIssuer;
  /** For sagas that have a request of a device signed. */
  readonly signRequest: SignRequest;
}

/** Things, certificates, policies, and what is attached to what. */
export function createRegistryService(deps: RegistryServiceDependencies): RegistryService {
  const { clock, random, keys, files, folder, functions, log, mqttsEndpoint, membershipWatchers } = deps;
  const { credentialsEndpoint = mqttsEndpoint } = deps;
  const { rotationOverlapMs = rotationOverlapDefaultMs } = deps;
  const storage = { files, folder };
  const authority = openDeviceAuthority({ storage, keys, random, nowMs: () => clock.unixMs() });
  const issuer = createCertificateIssuer({ keys, random, authority });
  const signRequest = createRequestSigner({ issuer, functions });
  const operations = createRegistry({
    issuer,
    signRequest,
    parsePolicyDocument,
    endpointAddress: (type) => endpointAddressOf(type, { mqttsEndpoint, credentialsEndpoint }),
    membershipWatchers,
  });
  const wake = registryWake(membershipWatchers);
  return {
    name: registryServiceName,
    operations,
    rest: Object.values(operations),
    taggable: [
      taggable("thinggroup", registryKeys.thingGroup),
      taggable("thingtype", registryKeys.thingType),
      taggable("billinggroup", registryKeys.billingGroup),
      taggable("policy", registryKeys.policy),
      { resource: /^certificateprovider:([\w=,@-]{1,128})$/, keyOf: registryKeys.certificateProvider },
    ],
    dynamicGroups: dynamicGroupOperations(membershipWatchers),
    issuer,
    signRequest,
    wake,
    /** Costs one read, but for the first connection of a certificate, and one a day. */
    async onLifecycle({ eventType, scope, certificateId, timestamp }: LifecycleEvent, runner: OperationRunner) {
      if (eventType !== "connected" || certificateId === undefined) return;
      const input = { certificateId, connectedAtMs: timestamp, rotationOverlapMs };
      tellNews(log, certificateId, await runner.run(scope, recordConnection, input));
    },
  };
}

function tellNews(log: Log, certificateId: string, news: ConnectionNews): void {
  if (news.type === "withdrawn") {
    log.warn("certificateReplacementUndone", { certificateId, by: news.successorId });
  } else if (news.type === "proved") {
    log.info("certificateProved", { certificateId });
    if (news.replaced === undefined) return;
    const { oldCertificateId, inactiveAtMs } = news.replaced;
    const inactiveAt = new Date(inactiveAtMs).toISOString();
    log.info("certificateReplaced", { certificateId: oldCertificateId, by: certificateId, inactiveAt });
  }
}
