import { isThinglineError } from "@thingline/protocol";
import type { Log } from "../../log.js";
import type { Operation } from "../operation.js";
import { areVersionsReported, findPackageVersion } from "../packages/index.js";
import { addressShadow, packageShadowName, type AddressedRequest } from "../shadow/index.js";
import { readDestinations } from "./destinations.js";
import type { ExecutionRecord } from "./model.js";
import { noVersion } from "./package-placeholders.js";
import type { JobsUnit } from "./unit.js";

/** Writes what executions of a unit have installed into the shadows of their things. */
export type ReportPackages = (unit: JobsUnit) => Promise<void>;

/**
 * Where an execution has succeeded, the shadow `$package` of its thing says which versions it has now, in the commit that ends the execution: if
 * the account has that configured.
 *
 * @see AWS IoT developer guide, "Reserved named shadow and package versions"
 */
export function packageReporter({
  updateShadow,
  log,
}: {
  updateShadow: Operation<AddressedRequest, unknown>;
  log: Log;
}): ReportPackages {
  return async (unit) => {
    for (const { execution, operation } of unit.ended) {
      if (operation !== "succeeded") continue;
      const arns = (await unit.job(execution.jobId))?.definition.destinationPackageVersions ?? [];
      // Most jobs install no packages, and cost nothing here.
      if (arns.length === 0 || !(await unit.context.call(areVersionsReported, undefined))) continue;
      try {
        await report(unit, execution, arns, updateShadow);
      } catch (error) {
        if (!isThinglineError(error) || error.code === "STORE_CONFLICT") throw error;
        // The execution has succeeded all the same.
        const { jobId, thingName } = execution;
        log.warn("packageShadowNotUpdated", { jobId, thingName, code: error.code, error: error.message });
      }
    }
  };
}

async function report(
  { context }: JobsUnit,
  { thingName }: ExecutionRecord,
  arns: readonly string[],
  updateShadow: Operation<AddressedRequest, unknown>,
): Promise<void> {
  const reported: Record<string, { version: string } | null> = {};
  for (const { packageName, asked } of readDestinations(context.scope, arns)) {
    if (asked === noVersion) reported[packageName] = null;
    else {
      // AWS reports nothing of a job when one of its versions was deleted meanwhile.
      const { versionName } = await context.call(findPackageVersion, { packageName, versionName: asked });
      reported[packageName] = { version: versionName };
    }
  }
  const payload = new TextEncoder().encode(JSON.stringify({ state: { reported } }));
  await context.call(updateShadow, { shadow: addressShadow({ thingName, shadowName: packageShadowName }), payload });
}
