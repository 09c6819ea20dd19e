// What Lambda runs as the hook of fleet provisioning.
import { createFleetHook } from "./fleet-hook.js";
import { createLambdaCloud, lambdaLog } from "./lambda-cloud.js";
import { readAdmission } from "./settings.js";

export const handler = createFleetHook(
  { registry: createLambdaCloud(), log: lambdaLog, unixMs: Date.now },
  readAdmission(process.env),
);
