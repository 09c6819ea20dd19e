import type { CloudService } from "../service.js";
import type { TaggableKind } from "../taggable.js";
import { createTags, type Tags } from "./service.js";

// What a service needs whose resources may have tags; it lists their kinds in `taggable`.
export { hasTags, tagsGone, tagsOfNew } from "./of-resources.js";
export type { GivenTags } from "./model.js";
export type { Tags } from "./service.js";

/** Tags of resources of all services. @param kinds what they list in `taggable` */
export function createTagsService(kinds: readonly TaggableKind[]): CloudService<Tags> {
  const operations = createTags(kinds);
  return { name: "tags", operations, rest: Object.values(operations) };
}
