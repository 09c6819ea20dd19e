export { decodeRestJsonError, encodeRestJson, encodeRestJsonError, errorTypeHeader, requestIdHeader } from "./error.js";
export type { RestJsonAnswer, RestJsonError } from "./error.js";
export { buildPath, decodePercent, encodePercent, matchPath, parsePathTemplate } from "./path.js";
export type { Labels, PathSegment, PathTemplate } from "./path.js";
export { bindTexts, buildQuery, epochSeconds, parseQuery, parseTimestamp, queryParametersMax } from "./query.js";
export type { TextBinding, TextBindings } from "./query.js";
