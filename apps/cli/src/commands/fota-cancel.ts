import type { CommandContext } from "../command.js";
import { findFirmwareJob, listExecutions } from "../fota/jobs.js";
import { openFotaPlane, type PlaceOptions } from "../fota/plane.js";

interface CancelOptions extends PlaceOptions {
  force?: boolean;
}

/** `thingline fota cancel JOB`: devices that have begun go on, unless `--force`. */
export async function fotaCancel(context: CommandContext, options: CancelOptions, jobId = ""): Promise<void> {
  const { output } = context;
  const plane = await openFotaPlane(context, options);
  const { client, sdk, send } = plane;
  await findFirmwareJob(plane, jobId);
  const force = options.force === true;
  await client.send(
    new sdk.CancelJobCommand({ jobId, force, reasonCode: "CANCELED_BY_OPERATOR", comment: "thingline fota cancel" }),
    send,
  );
  let goOn = 0;
  if (!force) for await (const _execution of listExecutions(plane, jobId, "IN_PROGRESS")) goOn++;
  const rest =
    goOn === 0
      ? ""
      : `; ${goOn} ${goOn === 1 ? "device has" : "devices have"} begun and will finish: --force takes the job away from them`;
  output.event(
    { event: "fotaCanceled", jobId, force, stillInProgress: goOn },
    `${output.paint.green("canceled")} job ${jobId} in the ${plane.plane.description}${rest}`,
  );
}
