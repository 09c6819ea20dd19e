import { InvalidArgumentError, Option, type Command } from "commander";
import { batchDevicesMax, devicesAtOnceMax } from "./batch/result.js";
import { defaultAtOnce, defaultBatchDir, optionValues } from "./option-values.js";
import {
  awsOption,
  dataDirOption,
  examples,
  modemDirOption,
  verboseText,
  withDoorOptions,
  type AddCommand,
} from "./program-parts.js";
import { connectNames, messageFormats, methodNames } from "./provisioning-method.js";

// Provisioning itself, templates of fleet provisioning, and claims beyond `claim create`.

const withPlaceOptions = (made: Command) => made.addOption(dataDirOption()).addOption(awsOption());

const { templateName } = optionValues;

const typeOption = () =>
  new Option("--type <type>", "fleet: by claim or trusted user; jitp: by certificates of a CA of yours")
    .choices(["fleet", "jitp"])
    .default("fleet");

const uncheckedText = "leave the judgement of the template to the cloud";
const hookText = "ask this function before each device: an ARN; at the local cloud also its name";

export function addTemplate(template: Command, command: AddCommand): void {
  addTemplateFiles(template, command);
  const load = async () => import("./commands/template.js");
  const { path } = optionValues;
  const create = command(template, "create", "make a template known", async () => (await load()).templateCreate)
    .argument("<name>", "name of the template", templateName)
    .argument("<file>", "the template", path)
    .addOption(typeOption())
    .option("--description <text>", "what it is for")
    .option("--disabled", "make it without switching it on")
    .option("--hook <function>", hookText)
    .option("--role-arn <arn>", "with --aws: the role by which AWS IoT makes things")
    .option("--unchecked", uncheckedText);
  examples(
    withPlaceOptions(create),
    "template create fleet template.json",
    "template create fleet template.json --hook may-provision",
    "template create fleet template.json --aws --role-arn ROLE",
  );
  const list = command(template, "list", "list templates", async () => (await load()).templateList);
  examples(withPlaceOptions(list), "template list", "template list --aws --json");
  const show = command(
    template,
    "show",
    "show a template: state, parameters, hook, versions",
    async () => (await import("./commands/template-show.js")).templateShow,
  )
    .argument("<name>", "name of the template", templateName)
    .option("--version <number>", "this version instead of the default one", optionValues.count)
    .option("--body", "only its text, to be written to a file");
  examples(withPlaceOptions(show), "template show fleet", "template show fleet --version 2 --body > fleet-2.json");
  const update = command(template, "update", "change what is around it", async () => (await load()).templateUpdate)
    .argument("<name>", "name of the template", templateName)
    .option("--description <text>", "what it is for")
    .option("--hook <function>", hookText)
    .option("--no-hook", "ask nobody any more")
    .option("--role-arn <arn>", "the role by which AWS IoT makes things")
    .option("--default-version <number>", "the version that devices are provisioned by", optionValues.count);
  examples(
    withPlaceOptions(update),
    "template update fleet --hook may-provision",
    "template update fleet --no-hook",
    "template update fleet --default-version 2",
  );
  for (const [verb, what] of [
    ["enable", "switch a template on"],
    ["disable", "switch a template off: it provisions nobody"],
  ] as const) {
    const made = command(template, verb, what, async () =>
      verb === "enable" ? (await load()).templateEnable : (await load()).templateDisable,
    ).argument("<name>", "name of the template", templateName);
    examples(withPlaceOptions(made), `template ${verb} fleet`);
  }
  const gone = command(
    template,
    "delete",
    "delete a template; what it provisioned stays",
    async () => (await load()).templateDelete,
  ).argument("<name>", "name of the template", templateName);
  examples(withPlaceOptions(gone), "template delete fleet");
  addVersions(template, command);
}

/** What needs no cloud. */
function addTemplateFiles(template: Command, command: AddCommand): void {
  const { path, list, name } = optionValues;
  const init = command(
    template,
    "init",
    "write a template to begin with: thing by serial number, policy, groups",
    async () => (await import("./commands/template-init.js")).templateInit,
  )
    .argument("[file]", "the file to write", path, "template.json")
    .addOption(typeOption())
    .option("--prefix <text>", "before the serial number in the thing's name", "")
    .option("--group <name>", "a thing group of new devices; may be repeated", list)
    .option("--thing-type <name>", "their thing type", name)
    .option("--policy <name>", "an existing policy instead of one that the template makes")
    .option("--force", "replace a file that is there");
  examples(init, "template init", "template init pumps.json --prefix pump- --group north");
  const test = command(
    template,
    "test",
    "say what a template comes to with these parameters, without any cloud",
    async () => (await import("./commands/template-test.js")).templateTest,
  )
    .argument("<file>", "the template", path)
    .addOption(
      new Option("--type <type>", "what it is for; bulk: RegisterThing and bulk registration")
        .choices(["fleet", "jitp", "bulk"])
        .default("fleet"),
    )
    .option("--parameter <name=value>", "a parameter of the device; may be repeated", list);
  examples(test, "template test template.json --parameter SerialNumber=SN-1");
}

function addVersions(template: Command, command: AddCommand): void {
  const load = async () => import("./commands/template-version.js");
  const version = template.command("version").description("versions of a template: create, list, default, delete");
  const create = command(version, "create", "a new version of a template", async () => (await load()).versionCreate)
    .argument("<name>", "name of the template", templateName)
    .argument("<file>", "the template", optionValues.path)
    .option("--set-default", "devices are provisioned by it from now on")
    .option("--unchecked", uncheckedText);
  examples(withPlaceOptions(create), "template version create fleet template.json --set-default");
  const list = command(version, "list", "list the versions of a template", async () => (await load()).versionList);
  list.argument("<name>", "name of the template", templateName);
  examples(withPlaceOptions(list), "template version list fleet");
  for (const [verb, what] of [
    ["default", "have devices provisioned by this version"],
    ["delete", "delete a version that is not the default"],
  ] as const) {
    const made = command(version, verb, what, async () =>
      verb === "default" ? (await load()).versionDefault : (await load()).versionDelete,
    )
      .argument("<name>", "name of the template", templateName)
      .argument("<version>", "number of the version");
    examples(withPlaceOptions(made), `template version ${verb} fleet 2`);
  }
}

/** Of `claim`, besides `create`. */
export function addClaimVerbs(claim: Command, command: AddCommand): void {
  const temporary = command(
    claim,
    "temporary",
    "a claim of a few minutes, for a trusted user to provision one device with",
    async () => (await import("./commands/claim.js")).claimTemporary,
  )
    .argument("[name]", "name of the folder to write", optionValues.path, "temporary-claim")
    .requiredOption("--template <name>", "the template that it is for", templateName)
    .option("--sec-tag <tag>", "security tag to name in the written files (default: 43)", optionValues.secTag)
    .option("--out <dir>", "where to write the credentials (default: a folder of the same name)", optionValues.path)
    .option("--force", "write into a folder that is already there");
  examples(withPlaceOptions(temporary), "claim temporary --template fleet", "claim temporary --template fleet --aws");
  const load = async () => import("./commands/claim-list.js");
  const list = command(claim, "list", "list the claims of `claim create`", async () => (await load()).claimList);
  examples(withPlaceOptions(list), "claim list", "claim list --aws --json");
  const revoke = command(
    claim,
    "revoke",
    "end a claim: nobody is provisioned with it any more",
    async () => (await load()).claimRevoke,
  ).argument("<claim>", "id of its certificate, or the beginning of it, or its folder", optionValues.path);
  examples(withPlaceOptions(revoke), "claim revoke claim", "claim revoke 968904719a");
}

/** CAs of one's own, for JITP and JITR. */
export function addCa(ca: Command, command: AddCommand): void {
  const load = async () => import("./commands/ca.js");
  const { path, name, secTag } = optionValues;
  const keyKind = () =>
    new Option("--key-kind <kind>", "kind of the key").choices(["ec-p256", "rsa-2048"]).default("ec-p256");
  const create = command(ca, "create", "make a CA for device certificates", async () => (await load()).caCreate)
    .argument("[folder]", "where to write it", path, "ca")
    .option("--common-name <text>", "its name (default: one of its own)")
    .option("--organization <text>", "whose it is")
    .addOption(keyKind())
    .option("--days <number>", "how long it is valid", numberUpTo(36_500), 3_650)
    .option("--register", "have a cloud know it at once; with the options of `ca register`");
  examples(
    withPlaceOptions(addRegisterOptions(create)),
    "ca create",
    "ca create acme --organization Acme --common-name 'Acme devices'",
    "ca create acme --register --template jitp",
  );
  const register = command(
    ca,
    "register",
    "have a cloud know a CA, and what becomes of devices with its certificates",
    async () => (await load()).caRegister,
  )
    .argument("[folder]", "where it is; with --verification or --sni-only also its certificate", path, "ca")
    .option("--verification <file>", "the proof, signed where the CA's key is: a certificate named by `ca code`", path);
  examples(
    withPlaceOptions(addRegisterOptions(register)),
    "ca register --template jitp",
    "ca register acme --auto-registration",
    "ca register acme --template jitp --aws",
    "ca register root.pem --verification proof.pem",
  );
  const code = command(
    ca,
    "code",
    "the registration code, for a proof that is made elsewhere",
    async () => (await load()).caCode,
  );
  examples(withPlaceOptions(code), "ca code", "ca code --aws");
  const list = command(ca, "list", "list the CAs that a cloud knows", async () => (await load()).caList);
  examples(withPlaceOptions(list), "ca list", "ca list --aws --json");
  const issue = command(
    ca,
    "issue",
    "make a device's key and certificate, as a production line does",
    async () => (await load()).caIssue,
  )
    .argument("<name>", "common name, and client id of the written prj.conf", name)
    .option("--ca <dir>", "folder of the CA", path, "ca")
    .option("--out <dir>", "where to write the credentials (default: a folder of the same name)", path)
    .option("--sec-tag <tag>", "security tag to name in the written files (default: 201)", secTag)
    .option("--organization <text>", "whose device it is")
    .addOption(keyKind())
    .option("--days <number>", "how long it is valid", numberUpTo(36_500), 3_650)
    .option("--csr <file>", "for this request, whose key stays where it is: only the certificate is written", path)
    .option("--force", "write into a folder that is already there");
  examples(withPlaceOptions(issue), "ca issue SN-1", "ca issue SN-1 --ca acme", "ca issue SN-1 --csr SN-1.csr");
}

const addRegisterOptions = (made: Command) =>
  made
    .option("--template <name>", "JITP: provision devices by this template when they first connect", templateName)
    .option("--auto-registration", "JITR: register devices when they first connect, and tell by an event")
    .option("--sni-only", "without proof that one has its key; devices have to send the server's name")
    .option("--inactive", "register it without switching it on")
    .option("--role-arn <arn>", "with --template: another role than the template's");

export function addProvision(program: Command, command: AddCommand): void {
  const { path, list, deviceId, secTag, seconds, count } = optionValues;
  const made = command(
    program,
    "provision",
    "take a simulated device, or a board behind a port, from its claim to credentials of its own",
    async () => (await import("./commands/provision.js")).provision,
  )
    .requiredOption("--conf <file>", "Kconfig fragment; repeat for overlays, later ones win", list)
    .addOption(modemDirOption())
    .addOption(
      new Option(
        "--method <method>",
        "split messages; fleet: the cloud makes the key; csr, split-csr: the device does; modem-key, split-modem-key: its modem does; own-certificate: JITP, JITR",
      )
        .choices(methodNames)
        .default("split"),
    )
    .option("--template <name>", "fleet, csr, modem-key: the provisioning template", templateName)
    .option("--parameter <name=value>", "for the template: {name} and {imei} are the device's; may be repeated", list)
    .addOption(new Option("--format <format>", "how messages are written (default: cbor)").choices(messageFormats))
    .addOption(
      new Option("--key-kind <kind>", "csr, split-csr: the key (default: ec-p256)").choices(["ec-p256", "rsa-2048"]),
    )
    .addOption(
      new Option("--connect-as <name>", "client id afterwards (default: thing, as the template names it)").choices(
        connectNames,
      ),
    )
    .option("--claim <dir>", "a claim to write to its tag first, as of `claim temporary`", path)
    .addOption(
      new Option("--claim-client-id <id>", "prefix: claim-NAME; device: its own, as the original does").choices([
        "prefix",
        "device",
      ]),
    )
    .option("--client-id <id>", "client id instead of the configuration's", deviceId)
    .option("--device-tag <tag>", "security tag for its own credentials (default: 50)", secTag)
    .option("--ca <file>", "CA for the new security tag (default: the claim tag's, else Amazon Root CA 1)", path)
    .option("--native-tls", "TLS in the application instead of in the modem")
    .option("--certs <dir>", "native TLS, batch: folder with the claim (default: that of --conf, or certs)", path)
    .option("--state-dir <dir>", "progress and native TLS credentials (default: device, in the modem's folder)", path)
    .option("--timeout <seconds>", "how long to wait for key and certificate", seconds, 60)
    .option("--attempts <number>", "how often to try to connect, with either tag", count, 5)
    .option("--reset", "forget what was done before and provision again")
    .option(
      "--count <number>",
      "so many devices, each with a modem of its own, named <client id>-0001 and on",
      batchCount,
    )
    .option("--at-once <number>", `with --count: so many at a time (default: ${defaultAtOnce})`, atOnce)
    .option(
      "--rate <devices>",
      "with --count: at most so many begin in a second (default: 8, as AWS takes; split: any)",
      numberUpTo(1_000),
    )
    .option("--batch-dir <dir>", `with --count: where they are kept (default: ${defaultBatchDir})`, path)
    .option("--resume", "with --count: go on with the batch that is there")
    .option("--report <file>", "with --count: a .csv, .json or .html file; may be repeated", list)
    .option("--verbose", verboseText);
  examples(
    withDoorOptions(made),
    "provision --conf claim/prj.conf",
    "provision --conf claim/prj.conf --port /dev/ttyACM0",
    "provision --conf claim/prj.conf --native-tls",
    "provision --conf claim/prj.conf --method csr --template fleet",
    "provision --conf claim/prj.conf --claim temporary-claim",
    "provision --conf claim/prj.conf --count 9 --report all.html",
  );
}

const numberUpTo = (most: number) => (text: string) => {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value < 1 || value > most) throw new InvalidArgumentError(`A number from 1 to ${most}.`);
  return value;
};

const batchCount = numberUpTo(batchDevicesMax);
const atOnce = numberUpTo(devicesAtOnceMax);
