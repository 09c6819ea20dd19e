import { ThinglineError, toHex } from "@thingline/protocol";
import { awsOperation } from "../aws-operation.js";
import { answer } from "../operation.js";
import { caKeys, type RegistrationCodeRecord } from "./model.js";

/** The same until it is deleted: it stands in verification certificates. */
export const getRegistrationCode = awsOperation("iot", "GetRegistrationCode", [], async ({ scope, store, random }) => {
  const key = caKeys.registrationCode(scope);
  const existing = await store.get<RegistrationCodeRecord>(key);
  if (existing !== undefined) return answer({ registrationCode: existing.value.registrationCode });
  const value: RegistrationCodeRecord = { registrationCode: toHex(random.bytes(32)) };
  return { result: { ...value }, operations: [{ key, expectedRevision: 0, value }], effects: [] };
});

export const deleteRegistrationCode = awsOperation("iot", "DeleteRegistrationCode", [], async ({ scope, store }) => {
  const key = caKeys.registrationCode(scope);
  const existing = await store.get(key);
  if (existing === undefined) {
    throw new ThinglineError("RESOURCE_NOT_FOUND", "The registration code does not exist");
  }
  const operation = { key, expectedRevision: existing.revision, delete: true as const };
  return { result: {}, operations: [operation], effects: [] };
});
