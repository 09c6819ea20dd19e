import { ThinglineError } from "@thingline/protocol";
import { awsOperation, type InputOf } from "../aws-operation.js";
import { answer, type OperationContext } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { arnOf, registryKeys, type ThingRecord } from "./model.js";

export const listThings = awsOperation(
  "iot",
  "ListThings",
  ["nextToken", "maxResults", "attributeName", "attributeValue", "thingTypeName", "usePrefixAttributeValue"],
  async (context, input) => {
    refuseCombinations(input);
    const { things, nextToken } = await readThings(context, input);
    return answer({
      things: things.map((thing) => ({
        thingName: thing.thingName,
        ...(thing.thingTypeName !== undefined && { thingTypeName: thing.thingTypeName }),
        thingArn: arnOf.thing(context.scope, thing.thingName),
        attributes: thing.attributes,
        version: thing.version,
      })),
      ...(nextToken !== undefined && { nextToken }),
    });
  },
);

async function readThings({ store, scope }: OperationContext, input: InputOf<"iot", "ListThings">) {
  const { thingTypeName, nextToken: token, maxResults: size } = input;
  if (thingTypeName === undefined) {
    const { entries, nextToken } = await readPage<ThingRecord>(store, {
      ...{ prefix: registryKeys.things(scope), token, size },
      matches: ({ value }) => isListed(value, input),
    });
    return { things: entries.map(({ value }) => value), nextToken };
  }
  // The list of the type, so that pages are full however few of all things are of it.
  const { entries, nextToken } = await readPage(store, {
    ...{ prefix: registryKeys.thingsOfType(scope, thingTypeName), token, size },
  });
  const things: ThingRecord[] = [];
  for (const { key } of entries) {
    const thing = await store.get<ThingRecord>(registryKeys.thing(scope, lastName(key)));
    if (thing !== undefined) things.push(thing.value);
  }
  return { things, nextToken };
}

type ListFilter = Omit<InputOf<"iot", "ListThings">, "nextToken" | "maxResults">;

/** AWS refuses attribute and thing type together; a value says nothing without its name, nor a prefix without a value. */
function refuseCombinations({ attributeName: name, attributeValue: value, ...rest }: ListFilter): void {
  const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);
  if (rest.thingTypeName !== undefined && (name !== undefined || value !== undefined)) {
    throw invalid("Listing things by the combination of attribute and thing type is not supported");
  }
  if (value !== undefined && name === undefined) throw invalid("attributeValue is given without attributeName");
  if (rest.usePrefixAttributeValue === true && value === undefined) {
    throw invalid("usePrefixAttributeValue is given without attributeValue");
  }
}

function isListed(thing: ThingRecord, filter: ListFilter): boolean {
  if (filter.attributeName === undefined) return true;
  const value = Object.hasOwn(thing.attributes, filter.attributeName)
    ? thing.attributes[filter.attributeName]
    : undefined;
  if (value === undefined || filter.attributeValue === undefined) return value !== undefined;
  return filter.usePrefixAttributeValue === true
    ? value.startsWith(filter.attributeValue)
    : value === filter.attributeValue;
}
