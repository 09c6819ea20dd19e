export { findDelta } from "./delta.js";
export { deltaOf, shadowDocumentBytes, shadowDocumentBytesMax, shadowVersionKeptMs, updateShadow } from "./document.js";
export type { ShadowDocument, ShadowSections } from "./document.js";
export { decodeShadowRejected, describeShadowError, shadowError, shadowFaults } from "./errors.js";
export type { ShadowFault, ShadowRejected } from "./errors.js";
export { isJsonEqual, isJsonObject } from "../json.js";
export type { JsonObject, JsonValue } from "../json.js";
export { mergeSection } from "./merge.js";
export type { Stamped } from "./merge.js";
export {
  composeDeleteAccepted,
  composeDelta,
  composeDocuments,
  composeGetAccepted,
  composeUpdateAccepted,
} from "./messages.js";
export type {
  AnswerFacts,
  ShadowAnswer,
  ShadowDeleteAccepted,
  ShadowDelta,
  ShadowDocuments,
  ShadowGetAccepted,
  ShadowUpdateAccepted,
  ShadowVersioned,
} from "./messages.js";
export { cutMetadata, stampMetadata } from "./metadata.js";
export { copyJson } from "./plain-json.js";
export type { PlainJsonLimits } from "./plain-json.js";
export {
  clientTokenBytesMax,
  decodeShadowGet,
  decodeShadowUpdate,
  findClientToken,
  shadowDepthMax,
  shadowRequestBytesMax,
  shadowSections,
} from "./request.js";
export type { ShadowSection, ShadowUpdate, ShadowUpdateState } from "./request.js";
export {
  checkShadowId,
  parseShadowTopic,
  shadowNameCharactersMax,
  shadowNamePattern,
  shadowRequestFilters,
  shadowRequestTypes,
  shadowTopic,
  shadowTopicTails,
  thingNameCharactersMax,
  thingNamePattern,
} from "./topics.js";
export type { ShadowId, ShadowRequestType, ShadowTopicTail } from "./topics.js";
