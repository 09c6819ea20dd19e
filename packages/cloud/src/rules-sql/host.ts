import type { PublishProperties } from "@thingline/protocol/mqtt";
import type { SqlVersion } from "./ast.js";
import type { SqlValue } from "./values.js";

/** What a statement can ask of the message that it is about. */
export interface RuleMessage {
  /** Without `$aws/rules/NAME/`, where it came by Basic Ingest. */
  readonly topic: string;
  readonly payload: Uint8Array;
  /** `n/a` for a message that no client has sent. */
  readonly clientId: string;
  /** Certificate id, or what stands for one. */
  readonly principal: string | undefined;
  readonly sourceIp: string | undefined;
  /** Undefined for a message that did not come over MQTT. */
  readonly traceId: string | undefined;
  /** Unix time in milliseconds. */
  readonly timestampMs: number;
  readonly properties: PublishProperties | undefined;
}

export type HashName = "md2" | "md5" | "sha1" | "sha224" | "sha256" | "sha384" | "sha512";

/** A call that leaves the statement: of a function, a shadow, the registry, a table, a secret. */
export interface ExternalCall {
  readonly name:
    | "aws_lambda"
    | "get_thing_shadow"
    | "get_registry_data"
    | "get_dynamodb"
    | "get_secret"
    | "machinelearning_predict";
  readonly args: readonly SqlValue[];
}

/** All that an evaluation takes from outside. */
export interface MessageHost {
  readonly message: RuleMessage;
  readonly accountId: string;
  readonly sqlVersion: SqlVersion;
  /** The same for the same place of a statement, however often it is evaluated for one message. */
  newUuid(): string;
  /** From 0 to 1. */
  random(): number;
  hash(name: HashName, bytes: Uint8Array): Uint8Array;
  /** @throws {ThinglineError} RULE_SQL_FAILED; {@link ExternalNeeded} when the answer is not there yet */
  external(call: ExternalCall): SqlValue;
}

/** The evaluation stops here until somebody has made the call, and begins again. */
export class ExternalNeeded extends Error {
  readonly call: ExternalCall;

  constructor(call: ExternalCall) {
    super(`${call.name}() was not called yet`);
    this.call = call;
  }
}
