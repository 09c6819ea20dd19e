import { actionKinds, type ActionKind } from "../prepared.js";
import { http } from "./http.js";
import { lambda } from "./lambda.js";
import { cloudwatchAlarm, cloudwatchLogs, cloudwatchMetric } from "./logged.js";
import type { ActionPerformer } from "./perform.js";
import { republish } from "./republish.js";
import { s3 } from "./s3.js";
import { standIn } from "./stand-in.js";

const own: Partial<Record<ActionKind, ActionPerformer>> = {
  ...{ republish, lambda, http, s3 },
  ...{ cloudwatchLogs, cloudwatchMetric, cloudwatchAlarm },
};

/** Each kind of action, and how it is done. */
export const performers: Readonly<Record<ActionKind, ActionPerformer>> = Object.fromEntries(
  (Object.keys(actionKinds) as ActionKind[]).map((kind) => [kind, own[kind] ?? standIn(kind)]),
) as Record<ActionKind, ActionPerformer>;
