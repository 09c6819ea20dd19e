import { ThinglineError } from "@thingline/protocol";
import type { InputOf } from "../aws-operation.js";
import type { SagaContext } from "../operation.js";
import type { NewJob } from "./create-job.js";
import type { JobsDependencies } from "./operations.js";
import type { JobContent } from "./settings.js";

type Input = InputOf<"iot", "CreateJob">;

/**
 * A request for a job with what its template has, and with its document read from where it is.
 *
 * @throws {ThinglineError} REQUEST_INVALID, RESOURCE_NOT_FOUND
 */
export async function completeJob(run: SagaContext["run"], input: Input, deps: JobsDependencies): Promise<NewJob> {
  const content = await ofTemplate(run, input, deps);
  const { maintenanceWindows, documentBeforeSubstitution, ...settings } = content;
  const isSourceGiven = input.document !== undefined || input.documentSource !== undefined;
  if (input.document !== undefined && input.documentSource !== undefined) {
    throw invalid("Only one of document and documentSource may be given");
  }
  const { document, documentSource } = isSourceGiven ? input : content;
  if (document === undefined && documentSource === undefined) {
    throw invalid("A job needs a document, a documentSource or a jobTemplateArn");
  }
  const schedulingConfig = withWindows(input.schedulingConfig, maintenanceWindows);
  return {
    ...settings,
    ...definedOf(input),
    ...(schedulingConfig !== undefined && { schedulingConfig }),
    documentSource,
    documentBeforeSubstitution: isSourceGiven ? undefined : documentBeforeSubstitution,
    document: document ?? (await deps.documents.read(run, documentSource ?? "")),
  };
}

async function ofTemplate(
  run: SagaContext["run"],
  { jobTemplateArn, documentParameters }: Input,
  { findJobTemplate }: JobsDependencies,
): Promise<JobContent> {
  if (jobTemplateArn !== undefined) return run(findJobTemplate, { jobTemplateArn, documentParameters });
  if (documentParameters === undefined || Object.keys(documentParameters).length === 0) return {};
  throw invalid("documentParameters can only be used with managed job templates");
}

/** Windows of the request go before those of the template. */
function withWindows(
  config: Input["schedulingConfig"],
  windows: JobContent["maintenanceWindows"],
): Input["schedulingConfig"] {
  if (windows === undefined || config?.maintenanceWindows !== undefined) return config;
  return { ...config, maintenanceWindows: windows };
}

function definedOf(input: Input): Input {
  return Object.fromEntries(Object.entries(input).filter(([, value]) => value !== undefined)) as unknown as Input;
}

const invalid = (message: string): ThinglineError => new ThinglineError("REQUEST_INVALID", message);
