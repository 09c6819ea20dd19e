import { ThinglineError } from "@thingline/protocol";
import type { Scope } from "../operation.js";

// AWS's managed job templates: for each its name, its parameters and the one action of its document. Names, parameters and the shape of the
// documents are AWS's, as the handlers on devices read them; the descriptions are ours.

export interface ManagedParameter {
  readonly key: string;
  readonly description: string;
  /** What the whole value has to match. */
  readonly regex: string;
  readonly example: string;
  readonly optional: boolean;
}

export interface ManagedTemplate {
  readonly templateName: string;
  readonly templateVersion: string;
  readonly description: string;
  readonly environments: readonly string[];
  readonly documentParameters: readonly ManagedParameter[];
  /** With `${aws:iot:parameter:<key>}` for each parameter. */
  readonly document: string;
}

const version = "1.0";
const placeholder = (key: string) => `\${aws:iot:parameter:${key}}`;

const runAsUser: ManagedParameter = {
  key: "runAsUser",
  description: "The user that runs the action; without one it is the user of the device's software.",
  regex: "(.){0,256}",
  example: "user1",
  optional: true,
};
const pathToHandler: ManagedParameter = {
  key: "pathToHandler",
  description: "The folder of the handler on the device; without one it is where the device's software runs.",
  regex: "(.){0,4096}",
  example: "/path/to/handler/script",
  optional: true,
};

const required = (key: string, description: string, example: string): ManagedParameter => ({
  ...{ key, description, example },
  regex: "(.*?)",
  optional: false,
});

function template(
  action: string,
  description: string,
  input: Readonly<Record<string, unknown>>,
  { type, parameters }: { type: "runHandler" | "runCommand"; parameters: readonly ManagedParameter[] },
): ManagedTemplate {
  const step = { action: { name: action, type, input, runAsUser: placeholder("runAsUser") } };
  return {
    templateName: `AWS-${action}`,
    templateVersion: version,
    description,
    environments: ["LINUX"],
    documentParameters: parameters,
    document: JSON.stringify({ version, steps: [step] }),
  };
}

/** A template whose action a script on the device handles. */
function handled(
  action: string,
  description: string,
  { handler, args }: { handler: string; args: readonly ManagedParameter[] },
): ManagedTemplate {
  const given = args.length === 0 ? {} : { args: args.map(({ key }) => placeholder(key)) };
  const input = { handler, ...given, path: placeholder("pathToHandler") };
  return template(action, description, input, { type: "runHandler", parameters: [...args, runAsUser, pathToHandler] });
}

const packages = (what: string) => [required("packages", `Packages to ${what}, with a blank between two.`, "tree jq")];
const services = (what: string) => [required("services", `Services to ${what}, with a blank between two.`, "nginx")];

/** In the order of their names. */
export const managedTemplates: readonly ManagedTemplate[] = [
  handled("Download-File", "Downloads a file to the device.", {
    handler: "download-file.sh",
    args: [
      required("downloadUrl", "Where the file is downloaded from.", "http://www.example.com/index.html"),
      required("filePath", "Where on the device the file is written.", "/path/to/file"),
    ],
  }),
  handled("Install-Application", "Installs applications on the device.", {
    handler: "install-packages.sh",
    args: packages("install"),
  }),
  handled("Reboot", "Reboots the device.", { handler: "reboot.sh", args: [] }),
  handled("Remove-Application", "Removes applications from the device.", {
    handler: "remove-packages.sh",
    args: packages("remove"),
  }),
  handled("Restart-Application", "Stops services of the device and starts them again.", {
    handler: "restart-services.sh",
    args: services("restart"),
  }),
  template(
    "Run-Command",
    "Runs a command on the device.",
    { command: placeholder("command") },
    {
      type: "runCommand",
      parameters: [
        required("command", "The command and its arguments, with commas between them.", "echo,hello"),
        runAsUser,
      ],
    },
  ),
  handled("Start-Application", "Starts services of the device.", {
    handler: "start-services.sh",
    args: services("start"),
  }),
  handled("Stop-Application", "Stops services of the device.", { handler: "stop-services.sh", args: services("stop") }),
];

/** Managed templates belong to no account. */
export function managedTemplateArn({ region }: Scope, { templateName, templateVersion }: ManagedTemplate): string {
  return `arn:aws:iot:${region}::jobtemplate/${templateName}:${templateVersion}`;
}

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export function requireManagedTemplate(name: string, version?: string): ManagedTemplate {
  const found = managedTemplates.find(({ templateName }) => templateName === name);
  if (found !== undefined && (version === undefined || version === found.templateVersion)) return found;
  const which = version === undefined ? name : `${name}:${version}`;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `Managed job template ${which} not found`);
}

/**
 * What is wrong with the parameters of a job that is made from the template.
 *
 * @throws {ThinglineError} REQUEST_INVALID
 */
export function checkParameters(
  { templateName, documentParameters }: ManagedTemplate,
  given: Readonly<Record<string, string>>,
): void {
  const known = new Set(documentParameters.map(({ key }) => key));
  const unknown = Object.keys(given).find((key) => !known.has(key));
  if (unknown !== undefined) throw invalid(`${templateName} has no document parameter '${unknown}'`);
  for (const { key, regex, optional } of documentParameters) {
    const value = Object.hasOwn(given, key) ? given[key] : undefined;
    if (value === undefined) {
      if (!optional) throw invalid(`${templateName} needs the document parameter '${key}'`);
    } else if (!new RegExp(`^(?:${regex})$`, "u").test(value)) {
      throw invalid(`The document parameter '${key}' of ${templateName} must match ${regex}`);
    }
  }
}

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);
