import { ThinglineError } from "@thingline/protocol";
import { awsOperation } from "../aws-operation.js";
import { answer } from "../operation.js";
import {
  attachPolicy,
  attachPrincipalPolicy,
  attachThingPrincipal,
  detachPolicy,
  detachPrincipalPolicy,
  detachThingPrincipal,
  listAttachedPolicies,
  listPolicyPrincipals,
  listPrincipalPolicies,
  listPrincipalThings,
  listPrincipalThingsV2,
  listTargetsForPolicy,
  listThingPrincipals,
  listThingPrincipalsV2,
} from "./attachments.js";
import {
  createBillingGroup,
  deleteBillingGroup,
  describeBillingGroup,
  listBillingGroups,
  updateBillingGroup,
} from "./billing-groups.js";
import { addThingToBillingGroup, listThingsInBillingGroup, removeThingFromBillingGroup } from "./billing-membership.js";
import type { CertificateIssuer } from "./certificate-issuer.js";
import {
  createCertificateProvider,
  deleteCertificateProvider,
  describeCertificateProvider,
  listCertificateProviders,
  updateCertificateProvider,
} from "./certificate-providers.js";
import {
  acceptCertificateTransfer,
  cancelCertificateTransfer,
  listOutgoingCertificates,
  rejectCertificateTransfer,
  transferCertificate,
} from "./certificate-transfers.js";
import {
  createCertificateFromCsrOperation,
  createKeysAndCertificateOperation,
  deleteCertificate,
  describeCertificate,
  listCertificates,
  listCertificatesByCa,
  registerCertificateWithoutCa,
  updateCertificate,
} from "./certificates.js";
import { getEffectivePolicies } from "./effective-policies.js";
import { describeEncryptionConfiguration, updateEncryptionConfiguration } from "./encryption-configuration.js";
import { describeEventConfigurations, updateEventConfigurations } from "./event-configurations.js";
import { listThings } from "./list-things.js";
import { listThingGroupsForThing, listThingsInThingGroup, membershipOperations } from "./group-membership.js";
import {
  createPolicyOperation,
  createPolicyVersionOperation,
  deletePolicy,
  deletePolicyVersion,
  getPolicy,
  getPolicyVersion,
  listPolicies,
  listPolicyVersions,
  setDefaultPolicyVersion,
} from "./policies.js";
import { createRequestSigner, type SignRequest } from "./sign-request.js";
import { testAuthorization } from "./test-authorization.js";
import {
  createThingGroup,
  deleteThingGroupOperation,
  describeThingGroup,
  listThingGroups,
  updateThingGroup,
} from "./thing-groups.js";
import {
  createThingType,
  deleteThingType,
  deprecateThingType,
  describeThingType,
  listThingTypes,
  updateThingType,
} from "./thing-types.js";
import { createThing, deleteThingOperation, describeThing, updateThing } from "./things.js";

export interface RegistryDependencies {
  issuer: CertificateIssuer;
  /** Default: by the issuer. */
  signRequest?: SignRequest;
  /** Throws POLICY_MALFORMED for what is no policy document. */
  parsePolicyDocument: (text: string) => unknown;
  /** `host:port` for an endpoint type of DescribeEndpoint, or undefined when there is none. */
  endpointAddress: (endpointType: string) => string | undefined;
  /** Services that hear when a thing joins or leaves a group. Default none. */
  membershipWatchers?: readonly string[];
}

export type Registry = ReturnType<typeof createRegistry>;

/**
 * Things, certificates, policies and what is attached to what. Members are the operations of AWS IoT by their names:
 * `runner.run(scope, registry.createThing, { thingName: "pump-7" })`. Results are the bodies of AWS's answers.
 */
export function createRegistry({
  issuer,
  signRequest = createRequestSigner({ issuer }),
  parsePolicyDocument,
  endpointAddress,
  membershipWatchers: watchers = [],
}: RegistryDependencies) {
  return {
    createThing,
    describeThing,
    updateThing,
    deleteThing: deleteThingOperation(watchers),
    listThings,
    createThingType,
    describeThingType,
    listThingTypes,
    updateThingType,
    deprecateThingType,
    deleteThingType,
    createBillingGroup,
    describeBillingGroup,
    updateBillingGroup,
    deleteBillingGroup,
    listBillingGroups,
    addThingToBillingGroup,
    removeThingFromBillingGroup,
    listThingsInBillingGroup,
    createThingGroup,
    describeThingGroup,
    updateThingGroup,
    deleteThingGroup: deleteThingGroupOperation(watchers),
    listThingGroups,
    ...membershipOperations(watchers),
    listThingsInThingGroup,
    listThingGroupsForThing,
    createKeysAndCertificate: createKeysAndCertificateOperation(issuer),
    createCertificateFromCsr: createCertificateFromCsrOperation(signRequest),
    registerCertificateWithoutCa,
    describeCertificate,
    updateCertificate,
    deleteCertificate,
    listCertificates,
    listCertificatesByCA: listCertificatesByCa,
    transferCertificate,
    cancelCertificateTransfer,
    acceptCertificateTransfer,
    rejectCertificateTransfer,
    listOutgoingCertificates,
    createCertificateProvider,
    describeCertificateProvider,
    updateCertificateProvider,
    deleteCertificateProvider,
    listCertificateProviders,
    createPolicy: createPolicyOperation(parsePolicyDocument),
    getPolicy,
    deletePolicy,
    listPolicies,
    createPolicyVersion: createPolicyVersionOperation(parsePolicyDocument),
    getPolicyVersion,
    listPolicyVersions,
    setDefaultPolicyVersion,
    deletePolicyVersion,
    attachPolicy,
    detachPolicy,
    listAttachedPolicies,
    listTargetsForPolicy,
    getEffectivePolicies,
    attachPrincipalPolicy,
    detachPrincipalPolicy,
    listPrincipalPolicies,
    listPolicyPrincipals,
    attachThingPrincipal,
    detachThingPrincipal,
    listThingPrincipals,
    listThingPrincipalsV2,
    listPrincipalThings,
    listPrincipalThingsV2,
    testAuthorization,
    describeEncryptionConfiguration,
    updateEncryptionConfiguration,
    describeEventConfigurations,
    updateEventConfigurations,
    describeEndpoint: awsOperation("iot", "DescribeEndpoint", ["endpointType"], async (_context, input) => {
      // Without a type AWS still names the old data endpoint.
      const { endpointType = "iot:Data" } = input;
      const address = endpointAddress(endpointType);
      if (address !== undefined) return answer({ endpointAddress: address });
      throw new ThinglineError("REQUEST_INVALID", `Unknown endpoint type: ${endpointType}`);
    }),
  };
}
