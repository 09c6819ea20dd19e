export { awsIotSettings, shadowTopics } from "./aws-iot.js";
export type { AwsIotSettings, ShadowTopic } from "./aws-iot.js";
export {
  formatKconfigProblem,
  kconfigFileCharactersMax,
  kconfigProblemsMax,
  loadKconfig,
  nearMissDistance,
  parseKconfig,
} from "./config.js";
export type {
  Kconfig,
  KconfigEntry,
  KconfigFile,
  KconfigProblem,
  KconfigProblemKind,
  KconfigResult,
  KconfigWarning,
} from "./config.js";
export { kconfigOptions, strictPrefixes } from "./options.js";
export type {
  BoolOption,
  IsYes,
  KconfigName,
  KconfigOption,
  KconfigValueOf,
  NumberOption,
  NumberOrMissing,
  StringOption,
} from "./options.js";
export { encodeKconfigString, kconfigLineCharactersMax, kconfigNameCharactersMax } from "./syntax.js";
export type { KconfigOrigin } from "./syntax.js";
