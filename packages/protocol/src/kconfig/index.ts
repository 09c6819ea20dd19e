export { awsIotSettings, shadowTopics } from "./aws-iot.js";
export type { AwsIotSettings, FotaSettings, ShadowTopic } from "./aws-iot.js";
export {
  formatKconfigProblem,
  kconfigFileCharactersMax,
  kconfigProblemsMax,
  loadKconfig,
  nearMissDistance,
  parseKconfig,
} from "./config.js";
export type { KconfigFile, KconfigProblem, KconfigProblemKind, KconfigResult } from "./config.js";
export type { BoolOption, IsYes, KconfigOption, NumberOption, OptionBase, StringOption } from "./option-types.js";
export { awsIotOptions } from "./options-aws-iot.js";
export { fotaOptions } from "./options-fota.js";
export { kconfigOptions, platformOptions, strictPrefixes } from "./options.js";
export type { KconfigName, KconfigValueOf, NumberOrMissing, OptionValueOf } from "./options.js";
export { encodeKconfigString, kconfigLineCharactersMax, kconfigNameCharactersMax } from "./syntax.js";
export type { KconfigOrigin } from "./syntax.js";
export type { Kconfig, KconfigEntry, KconfigWarning } from "./values.js";
