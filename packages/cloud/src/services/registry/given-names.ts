import { ThinglineError } from "@thingline/protocol";
import type { Scope } from "../operation.js";
import { arnOf } from "./model.js";

// What is given by name, by ARN, or by both when they are of the same.

type GivenName = [name: string | undefined, arn: string | undefined, nameOfArn: string | undefined];

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/** @throws {ThinglineError} REQUEST_INVALID */
export function readThingName(
  scope: Scope,
  { thingName, thingArn }: { thingName?: string | undefined; thingArn?: string | undefined },
): string {
  const prefix = arnOf.thing(scope, "");
  const ofArn = thingArn?.startsWith(prefix) === true ? thingArn.slice(prefix.length) : undefined;
  return readName("thing", arnOf.thing(scope, "<thingName>"), [thingName, thingArn, ofArn]);
}

/** @throws {ThinglineError} REQUEST_INVALID */
export function readName(
  what: "thing" | "thingGroup" | "billingGroup",
  expectedArn: string,
  [name, arn, ofArn]: GivenName,
): string {
  if (arn !== undefined && ofArn === undefined) {
    throw invalid(`Invalid ${what}Arn: expected ${expectedArn}, got ${arn}`);
  }
  if (name !== undefined && ofArn !== undefined && name !== ofArn) {
    throw invalid(`${what}Name and ${what}Arn are of different things: ${name} and ${ofArn}`);
  }
  const found = name ?? ofArn;
  if (found === undefined) throw invalid(`${what}Name or ${what}Arn is missing`);
  return found;
}
