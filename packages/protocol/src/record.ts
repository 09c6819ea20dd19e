/** Whether a value, such as parsed JSON, is an object with members, and not null or a list. */
export function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
