import { createHash } from "node:crypto";
import {
  ExternalNeeded,
  readStatement,
  runStatement,
  type MessageHost,
  type RuleMessage,
  type SqlVersion,
} from "./index.js";

const encoder = new TextEncoder();

export const testMessage: RuleMessage = {
  topic: "a/b",
  payload: new Uint8Array(),
  clientId: "client-1",
  principal: "p".repeat(64),
  sourceIp: "127.0.0.1",
  traceId: "00000000-0000-4000-8000-000000000000",
  timestampMs: 1_700_000_000_123,
  properties: undefined,
};

export function hostOf(message: Partial<RuleMessage> = {}, host: Partial<MessageHost> = {}): MessageHost {
  return {
    message: { ...testMessage, ...message },
    accountId: "123456789012",
    sqlVersion: "2016-03-23",
    newUuid: () => "11111111-1111-4111-8111-111111111111",
    random: () => 0.5,
    hash: (name, bytes) => new Uint8Array(createHash(name).update(bytes).digest()),
    external(call) {
      throw new ExternalNeeded(call);
    },
    ...host,
  };
}

/** What a statement makes of a payload, as text; undefined: it is not selected. */
export function select(
  sql: string,
  payload: string | Uint8Array | object = {},
  { version = "2016-03-23", ...message }: Partial<RuleMessage> & { version?: SqlVersion } = {},
  host: Partial<MessageHost> = {},
): string | undefined {
  const text = typeof payload === "string" || payload instanceof Uint8Array ? payload : JSON.stringify(payload);
  const bytes = typeof text === "string" ? encoder.encode(text) : text;
  const selected = runStatement(readStatement(sql, version), hostOf({ ...message, payload: bytes }, host));
  return selected && new TextDecoder().decode(selected.payload);
}

/** The value of one expression over a payload. */
export function valueOf(
  expression: string,
  payload: string | object = {},
  message: Partial<RuleMessage> = {},
): unknown {
  const text = select(`SELECT ${expression} AS v FROM 'a'`, payload, message);
  return text === undefined ? undefined : (JSON.parse(text) as { v?: unknown }).v;
}
