import type { StoreReader } from "../../store/store.js";
import { answer, type Operation, type Scope } from "../operation.js";
import { registryKeys } from "./model.js";

/** What can be switched on by UpdateEventConfigurations. */
export const eventTypes = [
  "THING",
  "THING_GROUP",
  "THING_TYPE",
  "THING_GROUP_MEMBERSHIP",
  "THING_GROUP_HIERARCHY",
  "THING_TYPE_ASSOCIATION",
  "JOB",
  "JOB_EXECUTION",
  "POLICY",
  "CERTIFICATE",
  "CA_CERTIFICATE",
] as const;
export type EventType = (typeof eventTypes)[number];

export type EventConfigurationsRecord = {
  /** Types that were ever set; the others are off, as all are in a new account. */
  enabled: { [type: string]: boolean };
  createdAtMs: number;
  modifiedAtMs: number;
};

/** Whether events of a type are published: one read. For other services, by `context.call`. */
export const isEventTypeEnabled: Operation<{ eventType: EventType }, boolean> = async ({ store, scope }, input) =>
  answer(await isEnabled(store, scope, input.eventType));

export async function isEnabled(store: StoreReader, scope: Scope, eventType: EventType): Promise<boolean> {
  const entry = await store.get<EventConfigurationsRecord>(registryKeys.eventConfigurations(scope));
  return entry?.value.enabled[eventType] === true;
}
