/** Which values a codec of this folder has: for checks, and for tests that make some up. */
export type Domain =
  | { type: "nothing" }
  | { type: "integer"; lowest: number; highest: number }
  | { type: "text"; pattern: RegExp }
  | { type: "choice"; values: readonly (string | number | boolean)[] }
  | { type: "fields"; fields: Readonly<Record<string, { domain: Domain; isOptional: boolean }>> }
  | { type: "list"; of: Domain; lengthMax: number }
  | { type: "optional"; of: Domain };
