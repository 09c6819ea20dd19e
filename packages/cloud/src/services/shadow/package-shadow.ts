import { isRecord, ThinglineError } from "@thingline/protocol";
import type { ShadowUpdate } from "@thingline/protocol/shadow";

/** Which versions of which software packages a device has: its name and its members are AWS's. */
export const packageShadowName = "$package";

/**
 * Members of a package's entry are `version` and `attributes`; whatever else an update has is refused.
 *
 * @throws {ThinglineError} SHADOW_DOCUMENT_INVALID
 * @see AWS IoT developer guide, "Reserved named shadow"
 */
export function checkPackageShadow({ state }: Pick<ShadowUpdate, "state">): void {
  for (const section of [state?.desired, state?.reported]) {
    for (const [packageName, entry] of Object.entries(section ?? {})) {
      if (entry === null) continue;
      if (!isRecord(entry)) throw invalid(`the entry of package ${packageName} must be an object`);
      const other = Object.keys(entry).find((name) => name !== "version" && name !== "attributes");
      if (other !== undefined) throw invalid(`the entry of package ${packageName} has '${other}'`);
    }
  }
}

const invalid = (what: string) =>
  new ThinglineError(
    "SHADOW_DOCUMENT_INVALID",
    `The reserved shadow ${packageShadowName} has version and attributes of packages alone: ${what}`,
  );
