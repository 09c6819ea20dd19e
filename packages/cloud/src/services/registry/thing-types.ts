import { ThinglineError } from "@thingline/protocol";
import type { PropagatingAttribute, ThingTypeProperties } from "../../model/types/iot.js";
import { awsOperation } from "../aws-operation.js";
import { answer, type Scope } from "../operation.js";
import { readPage } from "../page.js";
import { hasTags, tagsGone, tagsOfNew } from "../tags/index.js";
import { publishEvents, thingTypeEvent } from "./events.js";
import { arnOf, registryKeys } from "./model.js";
import { recheckType, unchanged } from "./recheck.js";
import {
  connectionAttributes,
  deprecationMs,
  propagatingAttributesMax,
  searchableAttributesMax,
  type ConnectionAttribute,
  type PropagatingAttributeRecord,
  type ThingTypeRecord,
} from "./thing-type-model.js";
import { findThingType, requireThingType } from "./thing-type-of-thing.js";

const invalid = (message: string, details = {}) => new ThinglineError("REQUEST_INVALID", message, { details });

const propertyMembers = [
  "thingTypeProperties.thingTypeDescription",
  "thingTypeProperties.searchableAttributes",
  "thingTypeProperties.mqtt5Configuration.propagatingAttributes.userPropertyKey",
  "thingTypeProperties.mqtt5Configuration.propagatingAttributes.thingAttribute",
  "thingTypeProperties.mqtt5Configuration.propagatingAttributes.connectionAttribute",
] as const;

export const createThingType = awsOperation(
  "iot",
  "CreateThingType",
  ["thingTypeName", ...propertyMembers, "tags.Key", "tags.Value"],
  async (context, { thingTypeName: name, thingTypeProperties, tags }) => {
    const { scope, store, nowMs, random } = context;
    const properties = readProperties(thingTypeProperties);
    const existing = await findThingType(store, scope, name);
    if (existing !== undefined) {
      const isSameType = isSame(existing.value, properties) && (await hasTags(context, existing.key, tags));
      if (!isSameType) throw typeExists(scope, existing.value);
      return answer(describeCreated(scope, existing.value));
    }
    const type: ThingTypeRecord = {
      thingTypeName: name,
      thingTypeId: random.uuid(),
      ...properties,
      createdAtMs: nowMs,
    };
    const key = registryKeys.thingType(scope, name);
    return {
      result: describeCreated(scope, type),
      operations: [{ key, expectedRevision: 0, value: type }, ...tagsOfNew(key, tags)],
      effects: await publishEvents(context, [thingTypeEvent("CREATED", type)]),
    };
  },
);

export const describeThingType = awsOperation("iot", "DescribeThingType", ["thingTypeName"], async (context, input) => {
  const { value: type } = await requireThingType(context, input.thingTypeName);
  return answer({ ...describeCreated(context.scope, type), ...describeContent(type) });
});

/** As at AWS the name is looked for from its beginning, not whole. */
export const listThingTypes = awsOperation(
  "iot",
  "ListThingTypes",
  ["nextToken", "maxResults", "thingTypeName"],
  async ({ scope, store }, input) => {
    const { entries, nextToken } = await readPage<ThingTypeRecord>(store, {
      prefix: registryKeys.thingTypes(scope),
      token: input.nextToken,
      size: input.maxResults,
      namePrefix: input.thingTypeName,
    });
    const thingTypes = entries.map(({ value: type }) => ({
      thingTypeName: type.thingTypeName,
      thingTypeArn: arnOf.thingType(scope, type.thingTypeName),
      ...describeContent(type),
    }));
    return answer({ thingTypes, ...(nextToken !== undefined && { nextToken }) });
  },
);

/** Only `mqtt5Configuration` can change: description and searchable attributes are for life. The live connections of its things hear of it. */
export const updateThingType = awsOperation(
  "iot",
  "UpdateThingType",
  ["thingTypeName", ...propertyMembers],
  async (context, { thingTypeName, thingTypeProperties }) => {
    const { key, value: type, revision } = await requireThingType(context, thingTypeName);
    refuseLasting(type, thingTypeProperties);
    const given = thingTypeProperties?.mqtt5Configuration?.propagatingAttributes;
    if (given === undefined) return answer({});
    const { propagatingAttributes: _before, ...rest } = type;
    const value: ThingTypeRecord = { ...rest, ...readPropagating(given) };
    return {
      result: {},
      operations: [
        { key, expectedRevision: revision, value },
        await unchanged(context, registryKeys.guard(context.scope, "thingType", thingTypeName)),
      ],
      effects: [
        ...(await recheckType(context, thingTypeName)),
        ...(await publishEvents(context, [thingTypeEvent("UPDATED", value)])),
      ],
    };
  },
);

/** No thing can get a deprecated type; those that have it keep it. */
export const deprecateThingType = awsOperation(
  "iot",
  "DeprecateThingType",
  ["thingTypeName", "undoDeprecate"],
  async (context, { thingTypeName, undoDeprecate = false }) => {
    const { key, value: type, revision } = await requireThingType(context, thingTypeName);
    const { deprecatedAtMs, ...valid } = type;
    // Asking twice changes nothing, so that it does not begin the five minutes before the deletion again.
    if ((deprecatedAtMs === undefined) === undoDeprecate) return answer({});
    const value: ThingTypeRecord = undoDeprecate ? valid : { ...valid, deprecatedAtMs: context.nowMs };
    return {
      result: {},
      operations: [{ key, expectedRevision: revision, value }],
      effects: await publishEvents(context, [thingTypeEvent("UPDATED", value)]),
    };
  },
);

export const deleteThingType = awsOperation("iot", "DeleteThingType", ["thingTypeName"], async (context, input) => {
  const { scope, store, nowMs } = context;
  const { thingTypeName: name } = input;
  const { key, value: type, revision } = await requireThingType(context, name);
  if (type.deprecatedAtMs === undefined) {
    throw invalid(`Cannot delete thing type : ${name}. Please deprecate the thing type first`);
  }
  if (nowMs - type.deprecatedAtMs < deprecationMs) {
    throw invalid(`Cannot delete thing type : ${name}. Please wait for 5 minutes after deprecation and then retry`);
  }
  const [thing] = await store.list(registryKeys.thingsOfType(scope, name), { limit: 1 });
  if (thing !== undefined) throw invalid(`Cannot delete thing type : ${name}. Things are still associated with it`);
  return {
    result: {},
    operations: [
      { key, expectedRevision: revision, delete: true as const },
      { key: registryKeys.guard(scope, "thingType", name), delete: true as const },
      tagsGone(key),
    ],
    effects: await publishEvents(context, [thingTypeEvent("DELETED", type)]),
  };
});

type Properties = Pick<ThingTypeRecord, "description" | "searchableAttributes" | "propagatingAttributes">;

function readProperties(given: ThingTypeProperties | undefined): Properties {
  const { thingTypeDescription: description, searchableAttributes = [], mqtt5Configuration } = given ?? {};
  if (searchableAttributes.length > searchableAttributesMax) {
    const count = searchableAttributes.length;
    throw invalid(`A thing type can have ${searchableAttributesMax} searchable attributes, got ${count}`, { count });
  }
  return {
    ...(description !== undefined && { description }),
    searchableAttributes,
    ...readPropagating(mqtt5Configuration?.propagatingAttributes ?? []),
  };
}

function readPropagating(
  given: readonly PropagatingAttribute[],
): Partial<Pick<ThingTypeRecord, "propagatingAttributes">> {
  if (given.length > propagatingAttributesMax) {
    const count = given.length;
    throw invalid(`A thing type can have ${propagatingAttributesMax} propagating attributes, got ${count}`, { count });
  }
  return given.length === 0 ? {} : { propagatingAttributes: given.map(readPropagatingAttribute) };
}

function readPropagatingAttribute(given: PropagatingAttribute): PropagatingAttributeRecord {
  const { userPropertyKey, thingAttribute, connectionAttribute } = given;
  if (userPropertyKey === undefined || userPropertyKey === "") {
    throw invalid("A propagating attribute needs a userPropertyKey");
  }
  if ((thingAttribute === undefined) === (connectionAttribute === undefined)) {
    throw invalid(
      `The propagating attribute ${userPropertyKey} needs either a thingAttribute or a connectionAttribute, not both`,
    );
  }
  if (thingAttribute !== undefined) return { userPropertyKey, thingAttribute };
  if (isConnectionAttribute(connectionAttribute)) return { userPropertyKey, connectionAttribute };
  const known = connectionAttributes.join(", ");
  throw invalid(`The connectionAttribute of ${userPropertyKey} must be one of ${known}, got ${connectionAttribute}`);
}

function isConnectionAttribute(name: string | undefined): name is ConnectionAttribute {
  return (connectionAttributes as readonly (string | undefined)[]).includes(name);
}

/** Records come from the same readers, so that the order of their members is the same. */
function isSame(type: Properties, other: Properties): boolean {
  const content = ({ description, searchableAttributes, propagatingAttributes }: Properties) =>
    JSON.stringify([description ?? null, searchableAttributes, propagatingAttributes ?? []]);
  return content(type) === content(other);
}

/** What a caller sends back as it got it is no change. */
function refuseLasting(type: ThingTypeRecord, given: ThingTypeProperties | undefined): void {
  const { thingTypeDescription: description = type.description, searchableAttributes = type.searchableAttributes } =
    given ?? {};
  if (isSame(type, { ...type, ...(description !== undefined && { description }), searchableAttributes })) return;
  throw invalid(
    `Only mqtt5Configuration of a thing type can be updated: the description and searchable attributes of ${type.thingTypeName} are for life`,
  );
}

function describeContent(type: ThingTypeRecord) {
  const { description, searchableAttributes, propagatingAttributes, deprecatedAtMs, createdAtMs } = type;
  return {
    thingTypeProperties: {
      ...(description !== undefined && { thingTypeDescription: description }),
      searchableAttributes: [...searchableAttributes],
      ...(propagatingAttributes !== undefined && {
        mqtt5Configuration: { propagatingAttributes: propagatingAttributes.map((one) => ({ ...one })) },
      }),
    },
    thingTypeMetadata: {
      deprecated: deprecatedAtMs !== undefined,
      ...(deprecatedAtMs !== undefined && { deprecationDate: deprecatedAtMs / 1000 }),
      creationDate: createdAtMs / 1000,
    },
  };
}

function describeCreated(scope: Scope, { thingTypeName, thingTypeId }: ThingTypeRecord) {
  return { thingTypeName, thingTypeArn: arnOf.thingType(scope, thingTypeName), thingTypeId };
}

function typeExists(scope: Scope, { thingTypeName: name, thingTypeId }: ThingTypeRecord): ThinglineError {
  const details = { resourceId: thingTypeId, resourceArn: arnOf.thingType(scope, name) };
  const message = `Thing Type ${name} already exists in current account with different properties`;
  return new ThinglineError("RESOURCE_EXISTS", message, { details });
}
