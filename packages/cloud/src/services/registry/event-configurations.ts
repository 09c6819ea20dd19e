import type { StoreReader } from "../../store/store.js";
import { awsOperation } from "../aws-operation.js";
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
  answer((await enabledEvents(store, scope))?.[input.eventType] === true);

/** What is on, by type; undefined where nobody has ever switched anything on. */
export async function enabledEvents(
  store: StoreReader,
  scope: Scope,
): Promise<Readonly<Record<string, boolean>> | undefined> {
  const entry = await store.get<EventConfigurationsRecord>(registryKeys.eventConfigurations(scope));
  return entry?.value.enabled;
}

export const describeEventConfigurations = awsOperation(
  "iot",
  "DescribeEventConfigurations",
  [],
  async ({ store, scope }) => {
    const entry = await store.get<EventConfigurationsRecord>(registryKeys.eventConfigurations(scope));
    const states = eventTypes.map((type) => [type, { Enabled: entry?.value.enabled[type] === true }]);
    return answer({
      eventConfigurations: Object.fromEntries(states) as Record<EventType, { Enabled: boolean }>,
      ...(entry !== undefined && {
        creationDate: entry.value.createdAtMs / 1000,
        lastModifiedDate: entry.value.modifiedAtMs / 1000,
      }),
    });
  },
);

/** A type that is not named stays as it is. */
export const updateEventConfigurations = awsOperation(
  "iot",
  "UpdateEventConfigurations",
  ["eventConfigurations"],
  async ({ store, scope, nowMs }, input) => {
    const key = registryKeys.eventConfigurations(scope);
    const entry = await store.get<EventConfigurationsRecord>(key);
    const enabled = { ...entry?.value.enabled };
    for (const [type, configuration] of Object.entries(input.eventConfigurations ?? {})) {
      if (configuration?.Enabled !== undefined) enabled[type] = configuration.Enabled;
    }
    const value: EventConfigurationsRecord = {
      enabled,
      createdAtMs: entry?.value.createdAtMs ?? nowMs,
      modifiedAtMs: nowMs,
    };
    return { result: {}, operations: [{ key, expectedRevision: entry?.revision ?? 0, value }], effects: [] };
  },
);
