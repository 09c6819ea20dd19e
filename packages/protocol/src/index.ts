export { BoundedMap } from "./bounded-map.js";
export { MapFront } from "./map-front.js";
export { bytesEqual, concatBytes, fromHex, isBytes, toHex } from "./bytes.js";
export { crc32 } from "./crc32.js";
export { errorCodes, isThinglineError, ThinglineError } from "./errors.js";
export type { ErrorCode, ThinglineErrorOptions } from "./errors.js";
export {
  checkOptionNames,
  checkOptionTypes,
  copyOptions,
  kindOf,
  methodsOf,
  optionInvalid,
  readOptions,
  unknownOption,
  unreadableOption,
} from "./options.js";
export type { JsonObject, JsonValue } from "./json.js";
export { isRecord } from "./record.js";
export type {
  OptionCheck,
  OptionGroup,
  OptionInterface,
  OptionNames,
  OptionTable,
  OptionType,
  OptionTypes,
  SimpleOptionType,
} from "./options.js";
