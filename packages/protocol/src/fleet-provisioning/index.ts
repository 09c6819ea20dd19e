export {
  decodeCreateCertificateFromCsrAnswer,
  decodeCreateKeysAndCertificateAnswer,
  decodeRegisterThingAnswer,
  encodeCreateCertificateFromCsrAnswer,
  encodeCreateKeysAndCertificateAnswer,
  encodeRegisterThingAnswer,
} from "./answers.js";
export type { CreateCertificateFromCsrAnswer, CreateKeysAndCertificateAnswer, RegisterThingAnswer } from "./answers.js";
export type { JsonObject, JsonValue } from "../json.js";
export {
  certificatePemCharactersMax,
  deviceConfigurationDepthMax,
  fleetProvisioningMessageBytesMax,
  ownershipTokenCharactersMax,
  privateKeyPemCharactersMax,
  provisioningParameterNameCharactersMax,
  provisioningParametersMax,
  signingRequestCharactersMax,
} from "./limits.js";
export { decodeFleetProvisioningRejection, encodeFleetProvisioningRejection } from "./rejection.js";
export type { FleetProvisioningRejection } from "./rejection.js";
export {
  decodeCreateCertificateFromCsrRequest,
  decodeCreateKeysAndCertificateRequest,
  decodeRegisterThingRequest,
  encodeCreateCertificateFromCsrRequest,
  encodeCreateKeysAndCertificateRequest,
  encodeRegisterThingRequest,
} from "./requests.js";
export type {
  CreateCertificateFromCsrRequest,
  ReadFleetProvisioningRequest,
  RegisterThingRequest,
} from "./requests.js";
export {
  fleetProvisioningRequestFilters,
  fleetProvisioningTopics,
  isTemplateName,
  parseFleetProvisioningTopic,
  templateNameCharactersMax,
} from "./topics.js";
export type { FleetProvisioningOperation, FleetProvisioningRequestTopic, FleetProvisioningTopics } from "./topics.js";
