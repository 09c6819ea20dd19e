import type { ExternalCall } from "../host.js";
import { encodeBase64 } from "@thingline/protocol/x509";
import { readJson } from "../json.js";
import { isBytes } from "../values.js";
import { functionsOf, type SqlFunction } from "./function.js";

const external =
  (name: ExternalCall["name"]): SqlFunction["run"] =>
  (args, host) =>
    host.external({ name, args });

const newer = { isNewer: true } as const;

/** `*` is the whole message: JSON where it is that. */
const lambda: SqlFunction["run"] = ([arn, input], host) => {
  const event = isBytes(input) ? (readJson(input)?.value ?? encodeBase64(input)) : input;
  return host.external({ name: "aws_lambda", args: [arn, event] });
};

/** What leaves the statement. What fails ends it, unless `get_or_default` stands around it. */
export const externalFunctions = functionsOf({
  aws_lambda: [2, 2, lambda, { ...newer, starAt: 1 }],
  get_dynamodb: [4, 6, external("get_dynamodb"), newer],
  get_registry_data: [3, 3, external("get_registry_data"), newer],
  get_secret: [3, 4, external("get_secret"), newer],
  get_thing_shadow: [2, 3, external("get_thing_shadow"), newer],
  machinelearning_predict: [3, 3, external("machinelearning_predict")],
});
