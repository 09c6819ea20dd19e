import { decodeCbor, encodeCbor, type CborValue, type DecodeCborOptions } from "./cbor.js";

/** How the members of a message are written: AWS has a topic for each. */
export type MessageFormat = "json" | "cbor";

/** A message, by the names of its members. In JSON what is within a member is as JSON has it, in CBOR maps are maps. */
export type Members = ReadonlyMap<string, unknown>;

const encoder = new TextEncoder();

/** @param options with `isAnswer`, CBOR comes without its length, as AWS writes its answers */
export function writeMembers(
  members: { readonly [name: string]: CborValue | undefined },
  format: MessageFormat,
  { isAnswer = false }: { isAnswer?: boolean } = {},
): Uint8Array {
  return format === "json" ? encoder.encode(JSON.stringify(members)) : encodeCbor(members, { isIndefinite: isAnswer });
}

/** Members that are null are as good as absent. @returns undefined for what is no map in this format. */
export function readMembers(
  payload: Uint8Array,
  format: MessageFormat,
  options: DecodeCborOptions = {},
): Members | undefined {
  const whole = format === "json" ? parseJson(payload) : decodeCbor(payload, options);
  if (whole instanceof Map) return withoutNull(whole as Members);
  const isObject = format === "json" && typeof whole === "object" && whole !== null && !Array.isArray(whole);
  return isObject ? withoutNull(Object.entries(whole)) : undefined;
}

const withoutNull = (members: Iterable<[string, unknown]>): Members =>
  new Map([...members].filter(([, value]) => value !== null));

function parseJson(payload: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(payload));
  } catch {
    return undefined;
  }
}
