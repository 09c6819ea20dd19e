import { deltaOf, type ShadowDocument } from "@thingline/protocol/shadow";
import type { IndexedConnectivity, IndexedGroup, IndexedShadow, IndexedThing } from "../../fleet-query/documents.js";
import { answer, type Operation, type OperationContext } from "../operation.js";
import {
  findRegisteredGroup,
  findRegisteredThing,
  listRegisteredGroups,
  listRegisteredThings,
  type RegisteredGroup,
  type RegisteredThing,
} from "../registry/index.js";
import { findShadowDocument } from "../shadow/index.js";
import { indexingKeys, type ConnectivityRecord, type ThingIndexing } from "./model.js";

// What is indexed, read from where it stands.

/** Things or groups that are read at once. */
export const readPageMax = 200;

type Reader = Pick<OperationContext, "store" | "scope">;

/** Those that there are, of the things of these names. */
export const readThings: Operation<
  { thingNames: readonly string[]; things: ThingIndexing },
  ReadonlyMap<string, IndexedThing>
> = async (context, { thingNames, things }) => {
  const found = new Map<string, IndexedThing>();
  for (const thingName of thingNames) {
    const thing = await findRegisteredThing(context.store, context.scope, thingName);
    if (thing !== undefined) found.set(thingName, await indexedThing(context, thing, things));
  }
  return answer(found);
};

export const listThings: Operation<
  { after: string | undefined; things: ThingIndexing },
  { found: readonly IndexedThing[]; next: string | undefined }
> = async (context, { after, things }) => {
  const { store, scope } = context;
  const { records, next } = await listRegisteredThings(store, scope, { after, limit: readPageMax });
  const found: IndexedThing[] = [];
  for (const thing of records) found.push(await indexedThing(context, thing, things));
  return answer({ found, next });
};

async function indexedThing(context: Reader, thing: RegisteredThing, of: ThingIndexing): Promise<IndexedThing> {
  const { store, scope } = context;
  const { thingName, thingId, thingTypeName, attributes, version, groups = [] } = thing;
  const shadow =
    of.mode === "REGISTRY_AND_SHADOW"
      ? indexedShadow(await findShadowDocument(store, scope, { thingName }))
      : undefined;
  const namedShadows = of.hasNamedShadows ? await readNamedShadows(context, thingName, of) : undefined;
  const connectivity = of.hasConnectivity ? await readConnectivity(context, thingName) : undefined;
  return {
    ...{ thingName, thingId, attributes, version, groups },
    ...(thingTypeName !== undefined && { thingTypeName }),
    ...(shadow !== undefined && { shadow }),
    ...(namedShadows !== undefined && { namedShadows }),
    ...(connectivity !== undefined && { connectivity }),
  };
}

async function readNamedShadows({ store, scope }: Reader, thingName: string, { namedShadowNames }: ThingIndexing) {
  const found: [name: string, shadow: IndexedShadow][] = [];
  for (const shadowName of namedShadowNames) {
    const shadow = indexedShadow(await findShadowDocument(store, scope, { thingName, shadowName }));
    if (shadow !== undefined) found.push([shadowName, shadow]);
  }
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

function indexedShadow(document: ShadowDocument | undefined): IndexedShadow | undefined {
  if (document === undefined) return undefined;
  const { state, metadata, version } = document;
  const delta = deltaOf(document)?.state;
  return { ...state, ...(delta !== undefined && { delta }), metadata, hasDelta: delta !== undefined, version };
}

/** A thing that never connected is not connected. */
async function readConnectivity({ store, scope }: Reader, thingName: string): Promise<IndexedConnectivity> {
  const record = (await store.get<ConnectivityRecord>(indexingKeys.connectivity(scope, thingName)))?.value;
  if (record === undefined) return { connected: false, timestamp: 0, clientId: thingName };
  const { connected, timestamp, disconnectReason, version } = record;
  return {
    ...{ connected, timestamp, clientId: thingName, version },
    ...(disconnectReason !== undefined && { disconnectReason }),
  };
}

/** What the index has to know of a group, whether groups are searched or not. */
export interface KnownGroup extends IndexedGroup {
  readonly dynamic?: NonNullable<RegisteredGroup["dynamic"]>;
  readonly createdAtMs: number;
}

export const readGroups: Operation<{ names: readonly string[] }, ReadonlyMap<string, KnownGroup>> = async (
  { store, scope },
  { names },
) => {
  const found = new Map<string, KnownGroup>();
  for (const name of names) {
    const group = await findRegisteredGroup(store, scope, name);
    if (group !== undefined) found.set(name, knownGroup(group));
  }
  return answer(found);
};

export const listGroups: Operation<
  { after: string | undefined },
  { found: readonly KnownGroup[]; next: string | undefined }
> = async ({ store, scope }, { after }) => {
  const { records, next } = await listRegisteredGroups(store, scope, { after, limit: readPageMax });
  return answer({ found: records.map(knownGroup), next });
};

function knownGroup(group: RegisteredGroup): KnownGroup {
  const { thingGroupName, thingGroupId, description, attributes, ancestors, version, dynamic, createdAtMs } = group;
  return {
    ...{ thingGroupName, thingGroupId, attributes, version, createdAtMs },
    parentGroupNames: ancestors.map((above) => above.thingGroupName),
    ...(description !== undefined && { description }),
    ...(dynamic !== undefined && { dynamic }),
  };
}
