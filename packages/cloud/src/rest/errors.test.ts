import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError, type ErrorCode } from "@thingline/protocol";
import { toWireError } from "./errors.js";

const told = (code: ErrorCode, errors: Readonly<Record<string, number>>) => {
  const operation = { api: "iot" as const, errors: new Map(Object.entries(errors)) };
  const { status, code: name, isDefect } = toWireError(new ThinglineError(code, "why"), operation);
  return [status, name, isDefect === true];
};

test("an error has the name that the operation's own list has for it", () => {
  const newer = { ValidationException: 400, ServiceQuotaExceededException: 402, InternalServerException: 500 };
  assert.deepEqual(told("REQUEST_INVALID", newer), [400, "ValidationException", false]);
  assert.deepEqual(told("QUOTA_EXCEEDED", newer), [402, "ServiceQuotaExceededException", false]);
  assert.deepEqual(told("ADAPTER_FAILED", newer), [500, "InternalServerException", true]);
  const both = { ...newer, InvalidRequestException: 400 };
  assert.deepEqual(told("REQUEST_INVALID", both), [400, "InvalidRequestException", false]);
  assert.deepEqual(told("REQUEST_INVALID", {}), [400, "InvalidRequestException", false]);
  assert.deepEqual(told("QUOTA_EXCEEDED", {}), [410, "LimitExceededException", false]);
});
