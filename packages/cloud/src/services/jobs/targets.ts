import { isThinglineError } from "@thingline/protocol";
import type { OperationContext } from "../operation.js";
import {
  findThing,
  findThingGroup,
  groupsOfThing,
  requireExistingThing,
  requireExistingThingGroup,
  thingsBelowGroup,
} from "../registry/index.js";
import type { GroupCursor, TargetGroup } from "./model.js";

/** What jobs ask the registry. */
export interface JobTargets {
  /** Whether there is such a thing now. */
  hasThing(context: OperationContext, thingName: string): Promise<boolean>;
  /** The id of the thing, undefined where there is none; the commit depends on it. */
  requireThing(context: OperationContext, thingName: string): Promise<string | undefined>;
  /** @throws {ThinglineError} RESOURCE_NOT_FOUND */
  requireGroup(context: OperationContext, thingGroupName: string): Promise<TargetGroup>;
  /** A page of the things of a group and of those below it; nothing for a group that is gone. */
  thingsOf(
    context: OperationContext,
    group: GroupCursor,
    limit: number,
  ): Promise<{ thingNames: readonly string[]; next: string | undefined }>;
  /** Of all groups that a thing is in, those above them included. */
  groupIdsOf(context: OperationContext, thingName: string): Promise<readonly string[]>;
}

export const registryTargets: JobTargets = {
  async hasThing(context, thingName) {
    return (await context.call(findThing, { thingName })) !== undefined;
  },
  async requireThing(context, thingName) {
    try {
      return (await context.call(requireExistingThing, { thingName })).thingId;
    } catch (error) {
      if (isThinglineError(error, "RESOURCE_NOT_FOUND")) return undefined;
      throw error;
    }
  },
  async requireGroup(context, thingGroupName) {
    const { thingGroupId } = await context.call(requireExistingThingGroup, { thingGroupName });
    return { thingGroupName, thingGroupId };
  },
  async thingsOf(context, { thingGroupName, thingGroupId, after }, limit) {
    const found = await context.call(findThingGroup, { thingGroupName });
    if (found?.thingGroupId !== thingGroupId) return { thingNames: [], next: undefined };
    return context.call(thingsBelowGroup, { thingGroupName, limit, ...(after !== undefined && { after }) });
  },
  async groupIdsOf(context, thingName) {
    return (await context.call(groupsOfThing, { thingName })).map(({ thingGroupId }) => thingGroupId);
  },
};
