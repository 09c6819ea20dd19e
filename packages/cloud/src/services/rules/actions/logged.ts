import { decodeText } from "./stand-in.js";
import { textOf, type ActionPerformer } from "./perform.js";

// What CloudWatch would hold goes to the log of the cloud.

export const cloudwatchLogs: ActionPerformer = {
  resourceOf: (fields) => textOf(fields, "logGroupName"),

  perform({ fields, selected, ruleName }, { log }) {
    log.info("ruleLog", {
      rule: ruleName,
      logGroup: textOf(fields, "logGroupName"),
      message: decodeText(selected.payload),
    });
    return Promise.resolve();
  },
};

export const cloudwatchMetric: ActionPerformer = {
  resourceOf: (fields) => textOf(fields, "metricName"),

  perform({ fields, ruleName }, { log }) {
    const { metricNamespace, metricName, metricValue, metricUnit, metricTimestamp } = fields;
    log.info("ruleMetric", { rule: ruleName, metricNamespace, metricName, metricValue, metricUnit, metricTimestamp });
    return Promise.resolve();
  },
};

export const cloudwatchAlarm: ActionPerformer = {
  resourceOf: (fields) => textOf(fields, "alarmName"),

  perform({ fields, ruleName }, { log }) {
    const { alarmName, stateValue, stateReason } = fields;
    log.info("ruleAlarm", { rule: ruleName, alarmName, stateValue, stateReason });
    return Promise.resolve();
  },
};
