import { ThinglineError } from "@thingline/protocol";
import type { IndexedGroup, IndexedShadow, IndexedThing } from "./documents.js";
import type { FieldValue } from "./values.js";

/** What is indexed of things. */
export interface ThingIndexScope {
  readonly hasShadow: boolean;
  readonly namedShadows: readonly string[];
  readonly hasConnectivity: boolean;
  /** Default every group. */
  readonly isGroupSearched?: (thingGroupId: string) => boolean;
}

/** How a field of a document is read. */
export type ReadField<Document> = (document: Document) => FieldValue;

/** The fields of an index. */
export interface IndexFields<Document> {
  /** @throws {ThinglineError} QUERY_INVALID for a field that there is not, REQUEST_INVALID for one that is not indexed */
  read(field: string): ReadField<Document>;
  /** What a term without a field is about. */
  readonly all: ReadField<Document>;
}

const invalidField = (field: string) => new ThinglineError("QUERY_INVALID", `invalid field name, field name: ${field}`);

function notIndexed(what: string): ThinglineError {
  const message = `Query includes one or more constraints for ${what} attribute, but ${what} indexing is not enabled for AWS_Things index`;
  return new ThinglineError("REQUEST_INVALID", message);
}

const own = (members: Readonly<Record<string, unknown>> | undefined, name: string): FieldValue =>
  members !== undefined && Object.hasOwn(members, name) ? members[name] : undefined;

const shadowSections = new Set(["desired", "reported", "delta", "metadata"]);
const connectivityFields = new Set([
  ...["connected", "timestamp", "disconnectReason", "clientId"],
  ...["cleanSession", "keepAliveDuration", "sessionExpiry"],
]);

export function thingFields(scope: ThingIndexScope): IndexFields<IndexedThing> {
  const groupNames: ReadField<IndexedThing> = ({ groups }) => {
    const searched =
      scope.isGroupSearched === undefined ? groups : groups.filter((one) => scope.isGroupSearched!(one.thingGroupId));
    return searched.map(({ thingGroupName }) => thingGroupName);
  };
  const registry: Readonly<Record<string, ReadField<IndexedThing>>> = {
    thingName: ({ thingName }) => thingName,
    thingId: ({ thingId }) => thingId,
    thingTypeName: ({ thingTypeName }) => thingTypeName,
    thingGroupNames: groupNames,
    "registry.thingTypeName": ({ thingTypeName }) => thingTypeName,
    "registry.thingGroupNames": groupNames,
  };
  return {
    read(field) {
      if (Object.hasOwn(registry, field)) return registry[field]!;
      const [head, ...path] = field.split(".");
      if (head === "attributes") return attributeField(field);
      if (head === "shadow") return shadowField(field, path, scope);
      if (head === "connectivity") return connectivityField(field, scope);
      if (head === "deviceDefender" && path.length > 0) throw notIndexed("Devicedefender");
      throw invalidField(field);
    },
    all: (thing) => [
      ...[thing.thingName, thing.thingId, thing.thingTypeName, groupNames(thing)],
      ...Object.values(thing.attributes),
      ...[thing.shadow, ...Object.values(thing.namedShadows ?? {})].map(scalarsOfShadow),
    ],
  };
}

export const groupFields: IndexFields<IndexedGroup> = {
  read(field) {
    if (field.startsWith("attributes.")) return attributeField(field);
    const read = Object.hasOwn(groupReaders, field) ? groupReaders[field] : undefined;
    if (read === undefined) throw invalidField(field);
    return read;
  },
  all: (group) => [
    ...[group.thingGroupName, group.thingGroupId, group.description, ...group.parentGroupNames],
    ...Object.values(group.attributes),
  ],
};

const groupReaders: Readonly<Record<string, ReadField<IndexedGroup>>> = {
  thingGroupName: ({ thingGroupName }) => thingGroupName,
  thingGroupId: ({ thingGroupId }) => thingGroupId,
  description: ({ description }) => description,
  thingGroupDescription: ({ description }) => description,
  parentGroupNames: ({ parentGroupNames }) => parentGroupNames,
};

/** Names of attributes may have dots. */
function attributeField(field: string): ReadField<Pick<IndexedThing, "attributes">> {
  const name = field.slice("attributes.".length);
  if (name === "") throw invalidField(field);
  return ({ attributes }) => own(attributes, name);
}

function connectivityField(field: string, scope: ThingIndexScope): ReadField<IndexedThing> {
  if (!scope.hasConnectivity) throw notIndexed("Connectivity");
  const name = field.slice("connectivity.".length);
  if (!connectivityFields.has(name)) throw invalidField(field);
  return ({ connectivity }) => own(connectivity as Readonly<Record<string, unknown>> | undefined, name);
}

/** `shadow.reported.a.b`, `shadow.hasDelta`, `shadow.name.<name>.reported.a.b` */
function shadowField(field: string, path: readonly string[], scope: ThingIndexScope): ReadField<IndexedThing> {
  const [first, name] = path;
  if (first !== "name") {
    if (!scope.hasShadow) throw notIndexed("Shadow");
    const read = stateField(field, path);
    return ({ shadow }) => read(shadow);
  }
  if (!scope.hasShadow && scope.namedShadows.length === 0) throw notIndexed("Shadow");
  if (name === undefined || !scope.namedShadows.includes(name)) throw invalidField(field);
  const read = stateField(field, path.slice(2));
  return ({ namedShadows }) => read(own(namedShadows, name) as IndexedShadow | undefined);
}

function stateField(field: string, path: readonly string[]): ReadField<IndexedShadow | undefined> {
  const [section = "", ...names] = path;
  if (section === "hasDelta" && names.length === 0) return (shadow) => shadow?.hasDelta;
  if (!shadowSections.has(section) || names.length === 0 || names.includes("")) throw invalidField(field);
  return (shadow) => walk(own(shadow as Readonly<Record<string, unknown>> | undefined, section), names, 0);
}

/** Through a list to what each of its elements has. */
function walk(value: FieldValue, names: readonly string[], at: number): FieldValue {
  if (at === names.length) return value;
  if (Array.isArray(value)) return value.map((one) => walk(one, names, at));
  if (typeof value !== "object" || value === null) return undefined;
  return walk(own(value as Readonly<Record<string, unknown>>, names[at]!), names, at + 1);
}

/** When something was written is no value of a device. */
function scalarsOfShadow(shadow: IndexedShadow | undefined): FieldValue {
  return shadow === undefined ? [] : [scalars(shadow.desired), scalars(shadow.reported)];
}

function scalars(value: FieldValue): FieldValue {
  return typeof value === "object" && value !== null ? Object.values(value).map(scalars) : value;
}
