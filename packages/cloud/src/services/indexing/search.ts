import { ThinglineError } from "@thingline/protocol";
import type { Keys } from "@thingline/transport";
import { compileQuery } from "../../fleet-query/compile.js";
import type { IndexedGroup, IndexedShadow, IndexedThing } from "../../fleet-query/documents.js";
import { groupFields } from "../../fleet-query/fields.js";
import { queryVersion } from "../../fleet-query/query.js";
import { awsSaga, type OutputOf } from "../aws-operation.js";
import type { Scope } from "../operation.js";
import { schemaOf } from "./configuration.js";
import type { FleetIndexes } from "./indexes.js";
import { compileThings, type LiveIndex } from "./live-index.js";
import { groupsIndex, indexingServiceName, thingsIndex } from "./model.js";

export const searchPageDefault = 100;
export const searchPageMax = 500;

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

export interface Asked {
  readonly indexName?: string | undefined;
  readonly queryString: string;
  readonly queryVersion?: string | undefined;
}

/** What a query is asked of. */
export type AskedIndex =
  | { readonly kind: "things"; readonly index: LiveIndex; readonly matches: (thing: IndexedThing) => boolean }
  | { readonly kind: "groups"; readonly index: LiveIndex; readonly matches: (group: IndexedGroup) => boolean };

export function kindOfIndex(indexName: string): "things" | "groups" {
  if (indexName === thingsIndex) return "things";
  if (indexName === groupsIndex) return "groups";
  throw invalid(`Unrecognized indexName ${indexName}`);
}

/** @throws {ThinglineError} REQUEST_INVALID, RESOURCE_NOT_FOUND, QUERY_INVALID, INDEX_NOT_READY, in the order in which AWS looks. */
export async function askIndex(indexes: FleetIndexes, scope: Scope, asked: Asked): Promise<AskedIndex> {
  const { indexName = thingsIndex, queryString } = asked;
  if (asked.queryVersion !== undefined && asked.queryVersion !== queryVersion) {
    throw invalid(`Invalid queryVersion. Expected one of: [${queryVersion}]`);
  }
  const kind = kindOfIndex(indexName);
  const index = await indexes.of(scope);
  if (index === undefined) throw new ThinglineError("CLOSED", "the cloud is closing");
  if (schemaOf(index.configuration, kind) === undefined) {
    if (index.status !== "ACTIVE") throw notReady(indexName, "is being built");
    const message = `Index ${indexName} does not exist. Please enable index by calling UpdateIndexingConfiguration`;
    throw new ThinglineError("RESOURCE_NOT_FOUND", message);
  }
  const found: AskedIndex =
    kind === "things"
      ? { kind, index, matches: compileThings(queryString, index.configuration) }
      : { kind, index, matches: compileQuery(queryString, groupFields) };
  if (index.status !== "ACTIVE") throw notReady(indexName, "is being built");
  if (kind === "things" && index.things.isFull) {
    throw notReady(indexName, `holds ${index.things.size} things, and there are more than the local cloud can index`);
  }
  return found;
}

const notReady = (indexName: string, why: string) => new ThinglineError("INDEX_NOT_READY", `Index ${indexName} ${why}`);

export function searchOperation(indexes: FleetIndexes) {
  return awsSaga(
    indexingServiceName,
    ["iot", "SearchIndex"],
    ["indexName", "queryString", "nextToken", "maxResults", "queryVersion"],
    async ({ scope, keys }, input): Promise<OutputOf<"iot", "SearchIndex">> => {
      const asked = await askIndex(indexes, scope, input);
      const size = Math.min(input.maxResults ?? searchPageDefault, searchPageMax);
      const request = digestOf(keys, input);
      const after = input.nextToken === undefined ? undefined : readToken(input.nextToken, request);
      const page = asked.kind === "things" ? thingPage(asked, after, size) : groupPage(asked, after, size);
      const { last, ...found } = page;
      return { ...found, ...(last !== undefined && { nextToken: btoa(JSON.stringify([request, last])) }) };
    },
  );
}

/** The names of a page, and the last of them where there is another page. */
function pageOfNames(names: Iterable<string>, matches: (name: string) => boolean, { after, size }: PageBounds) {
  const found: string[] = [];
  for (const name of names) {
    if ((after !== undefined && name <= after) || !matches(name)) continue;
    if (found.length === size) return { found, last: found.at(-1) };
    found.push(name);
  }
  return { found, last: undefined };
}

interface PageBounds {
  after: string | undefined;
  size: number;
}

function thingPage(
  { index, matches }: Extract<AskedIndex, { kind: "things" }>,
  after: string | undefined,
  size: number,
) {
  const { things } = index;
  const { found, last } = pageOfNames(things.names(), (name) => matches(things.get(name)!), { after, size });
  return { things: found.map((name) => describeThing(things.get(name)!)), last };
}

function groupPage(
  { index, matches }: Extract<AskedIndex, { kind: "groups" }>,
  after: string | undefined,
  size: number,
) {
  const { groups } = index;
  const names = [...groups.keys()].sort();
  const { found, last } = pageOfNames(names, (name) => matches(groups.get(name)!), { after, size });
  return { thingGroups: found.map((name) => describeGroup(groups.get(name)!)), last };
}

function describeThing(thing: IndexedThing) {
  const { thingName, thingId, thingTypeName, groups, attributes, shadow, namedShadows, connectivity } = thing;
  const { version: _version, ...connection } = connectivity ?? {};
  return {
    ...{ thingName, thingId },
    ...(thingTypeName !== undefined && { thingTypeName }),
    ...(groups.length > 0 && { thingGroupNames: groups.map(({ thingGroupName }) => thingGroupName) }),
    ...(Object.keys(attributes).length > 0 && { attributes }),
    ...((shadow ?? namedShadows) !== undefined && { shadow: describeShadows(shadow, namedShadows) }),
    ...(connectivity !== undefined && { connectivity: connection }),
  };
}

/** AWS has it as text. */
function describeShadows(shadow: IndexedShadow | undefined, named: IndexedThing["namedShadows"]): string {
  return JSON.stringify({ ...shadow, ...(named !== undefined && { name: named }) });
}

function describeGroup({ thingGroupName, thingGroupId, description, attributes, parentGroupNames }: IndexedGroup) {
  return {
    ...{ thingGroupName, thingGroupId },
    ...(description !== undefined && { thingGroupDescription: description }),
    ...(Object.keys(attributes).length > 0 && { attributes }),
    ...(parentGroupNames.length > 0 && { parentGroupNames: [...parentGroupNames] }),
  };
}

/** A token goes on with the request that it is of. */
function digestOf(keys: Keys, { indexName, queryString, queryVersion: version }: Asked): string {
  const text = JSON.stringify([indexName ?? null, queryString, version ?? null]);
  const digest = keys.sha256(new TextEncoder().encode(text)).subarray(0, 9);
  return btoa(String.fromCharCode(...digest));
}

function readToken(token: string, request: string): string {
  let read: unknown;
  try {
    read = JSON.parse(atob(token));
  } catch {
    throw invalid("Invalid nextToken");
  }
  const [of, after] = Array.isArray(read) ? (read as unknown[]) : [];
  if (typeof of !== "string" || typeof after !== "string") throw invalid("Invalid nextToken");
  if (of !== request) throw invalid("nextToken was from a request with different parameters");
  return after;
}
