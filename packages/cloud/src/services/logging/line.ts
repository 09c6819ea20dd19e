import type { IotLogEntry } from "../iot-log.js";

/** Longer texts of an entry are cut: client ids and topics are short, explanations and user-given names need not be. */
export const logTextCharactersMax = 1_000;

export interface LineFacts {
  nowMs: number;
  traceId: string;
  accountId: string;
}

/**
 * An entry as AWS IoT writes it to CloudWatch: one JSON object in one line.
 *
 * @see AWS IoT developer guide, "CloudWatch Logs AWS IoT log entries"
 */
export function formatLine(entry: IotLogEntry, { nowMs, traceId, accountId }: LineFacts): string {
  const { level, eventType, isFailure = false, more, reason, details, ...who } = entry;
  const line: Record<string, unknown> = {
    timestamp: formatTime(nowMs),
    ...{ logLevel: level, traceId, accountId, status: isFailure ? "Failure" : "Success", eventType },
    ...{ protocol: who.protocol, topicName: who.topicName, clientId: who.clientId, principalId: who.principalId },
    ...{ sourceIp: who.sourceIp, sourcePort: who.sourcePort, ...more, reason, details },
  };
  return `${JSON.stringify(line, (_name, value: unknown) => (typeof value === "string" ? cut(value) : value))}\n`;
}

/** `2017-08-10 15:37:23.476`, UTC. */
export function formatTime(unixMs: number): string {
  return new Date(unixMs).toISOString().replace("T", " ").replace("Z", "");
}

function cut(text: string): string {
  return text.length <= logTextCharactersMax ? text : `${text.slice(0, logTextCharactersMax)}...`;
}
