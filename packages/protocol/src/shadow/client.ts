// What a client needs of shadows, without the service's half: a device loads that much less. `@thingline/protocol/shadow` has all of it.
export { decodeShadowRejected } from "./errors.js";
export { isJsonEqual, isJsonObject } from "../json.js";
export type { JsonObject, JsonValue } from "../json.js";
export { copyJson } from "./plain-json.js";
export { shadowDepthMax, shadowSections } from "./request.js";
export { checkShadowId, shadowTopic, shadowTopicTails } from "./topics.js";
export type { ShadowId, ShadowTopicTail } from "./topics.js";
