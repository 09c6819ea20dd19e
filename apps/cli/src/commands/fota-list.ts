import type { CommandContext } from "../command.js";
import { forEachAtOnce, workersDefault } from "../each.js";
import { iterateOver, jobsSearchedMax, newestJobIds, readFirmwareJob, type FirmwareJob } from "../fota/jobs.js";
import { isAwsError, openFotaPlane, type FotaPlane, type PlaceOptions } from "../fota/plane.js";
import { updateFacts, updateLines } from "../fota/update-list.js";

interface ListOptions extends PlaceOptions {
  limit: number;
}

/** `thingline fota list`: firmware updates, the newest first. */
export async function fotaList(context: CommandContext, options: ListOptions): Promise<void> {
  const { output } = context;
  const plane = await openFotaPlane(context, options);
  const { description } = plane.plane;
  const ids = await newestJobIds(plane);
  let count = 0;
  let isMore = false;
  for await (const job of updatesOf(plane, ids)) {
    isMore = count >= options.limit;
    if (isMore) break;
    count++;
    const [head, rest] = updateLines(job, Date.now());
    output.event({ event: "fotaUpdate", ...updateFacts(job) }, `${head}\n  ${output.wrap(rest, 2)}`);
    await output.drained();
  }
  if (count === 0) output.say(`no firmware updates among the newest jobs of the ${description}`);
  if (isMore) output.say(output.paint.dim("there are older ones: --limit shows more"));
  else if (ids.length >= jobsSearchedMax) {
    output.say(output.paint.dim(`of the ${jobsSearchedMax} jobs that were looked through; there may be older ones`));
  }
}

/** In the order of their ids. Reads some at once, and no further ahead than those. */
export async function* updatesOf(plane: FotaPlane, ids: readonly string[]): AsyncGenerator<FirmwareJob> {
  for (let at = 0; at < ids.length; at += workersDefault) {
    const some = ids.slice(at, at + workersDefault);
    const found = new Map<string, FirmwareJob>();
    await forEachAtOnce(iterateOver(some), async (id) => {
      const job = await readFirmwareJob(plane, id).catch((error: unknown) => {
        // Deleted since it was listed.
        if (isAwsError(error, "ResourceNotFoundException")) return undefined;
        throw error;
      });
      if (job !== undefined) found.set(id, job);
    });
    for (const id of some) {
      const job = found.get(id);
      if (job !== undefined) yield job;
    }
  }
}
