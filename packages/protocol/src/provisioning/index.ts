export {
  claimClientIdOf,
  claimClientIdPrefix,
  claimedDeviceIdCharactersMax,
  deviceIdOfClient,
  isClaimClientId,
} from "./claim.js";
export {
  classifySplitProvisioningTopic,
  createFilter,
  createFromCsrFilter,
  credentialBytesMax,
  decodeSplitProvisioningRejection,
  deviceIdCharactersMax,
  encodeSplitProvisioningRejection,
  isDeviceId,
  isTransientRejection,
  rejectionBytesMax,
  rejectionTextCharactersMax,
  requestBytesMax,
  sampleDeviceIdCharactersMax,
  splitProvisioningTopics,
} from "./split.js";
export type { SplitProvisioningMessageKind, SplitProvisioningRejection, SplitProvisioningTopics } from "./split.js";
