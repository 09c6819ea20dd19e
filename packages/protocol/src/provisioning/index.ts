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
  credentialBytesMax,
  decodeSplitProvisioningRejection,
  deviceIdCharactersMax,
  encodeSplitProvisioningRejection,
  isDeviceId,
  isTransientRejection,
  rejectionBytesMax,
  rejectionTextCharactersMax,
  sampleDeviceIdCharactersMax,
  splitProvisioningTopics,
} from "./split.js";
export type { SplitProvisioningMessageKind, SplitProvisioningRejection, SplitProvisioningTopics } from "./split.js";
