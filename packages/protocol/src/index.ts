export { errorCodes, isThinglineError, ThinglineError } from "./errors.js";
export type { ErrorCode, ThinglineErrorOptions } from "./errors.js";
