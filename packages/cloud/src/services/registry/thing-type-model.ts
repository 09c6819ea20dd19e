import type { UserProperties } from "@thingline/protocol/mqtt";
import type { ThingRecord } from "./model.js";

/** What messages of things of the type are enriched with: a user property from an attribute of the thing, or from the connection. */
export type PropagatingAttributeRecord = {
  userPropertyKey: string;
  /** One of the two is there. */
  thingAttribute?: string;
  connectionAttribute?: ConnectionAttribute;
};

export const connectionAttributes = ["iot:ClientId", "iot:Thing.ThingName"] as const;
export type ConnectionAttribute = (typeof connectionAttributes)[number];

export type ThingTypeRecord = {
  thingTypeName: string;
  thingTypeId: string;
  description?: string;
  searchableAttributes: readonly string[];
  /** Absent for a type that enriches nothing. */
  propagatingAttributes?: readonly PropagatingAttributeRecord[];
  createdAtMs: number;
  /** Absent for a type that is not deprecated. */
  deprecatedAtMs?: number;
};

/** @see AWS CloudFormation, AWS::IoT::ThingType: at most three */
export const searchableAttributesMax = 3;
/** Of one thing type. AWS publishes no number; this is as many as a thing can have attributes. */
export const propagatingAttributesMax = 50;
/** A thing type is deleted no earlier than so long after it was deprecated. */
export const deprecationMs = 300_000;

/**
 * The user properties that a connection's messages get, undefined when there are none. An attribute that the thing does not have adds
 * none.
 */
export function enrichmentOf(
  type: Pick<ThingTypeRecord, "propagatingAttributes">,
  thing: Pick<ThingRecord, "thingName" | "attributes">,
  clientId: string,
): UserProperties | undefined {
  const properties: [string, string][] = [];
  for (const { userPropertyKey, thingAttribute, connectionAttribute } of type.propagatingAttributes ?? []) {
    const value =
      thingAttribute === undefined
        ? connectionAttribute === "iot:ClientId"
          ? clientId
          : thing.thingName
        : attributeOf(thing, thingAttribute);
    if (value !== undefined) properties.push([userPropertyKey, value]);
  }
  return properties.length === 0 ? undefined : properties;
}

function attributeOf({ attributes }: Pick<ThingRecord, "attributes">, name: string): string | undefined {
  return Object.hasOwn(attributes, name) ? attributes[name] : undefined;
}
