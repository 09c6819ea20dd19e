import { Command, CommanderError, Help, Option } from "commander";
import { exitCodes, reportFailure } from "./failure.js";
import { commandLine } from "./invocation.js";
import { optionValues } from "./option-values.js";
import { createOutput, type Output } from "./output.js";
import { addCert } from "./program-cert.js";
import { addFirmware } from "./program-firmware.js";
import { addModemFirmware } from "./program-modem-firmware.js";
import { addCloudLogs, addPolicy, addTag } from "./program-account.js";
import { addCommands } from "./program-commands.js";
import { addConnection, addPublish } from "./program-connection.js";
import { addIndex, addSearch } from "./program-search.js";
import { addPackage } from "./program-package.js";
import { addDeviceCredentials, addRoleAlias } from "./program-role-alias.js";
import { addFota, addGroup } from "./program-fleet.js";
import { addModemCredentials } from "./program-modem-credentials.js";
import { addModemSimulate } from "./program-modem-simulate.js";
import { addAuthorizer, addBillingGroup, addDomain, addThingType } from "./program-registry.js";
import { addRule } from "./program-rules.js";
import { addCa, addClaimVerbs, addProvision, addTemplate } from "./program-provisioning.js";
import {
  awsOption,
  dataDirOption,
  examples,
  modemDirOption,
  refuseInFront,
  verboseText,
  type Action,
  type AddCommand,
  withDoorOptions,
} from "./program-parts.js";
import type { StandardStreams } from "./standard-streams.js";
import { usageText } from "./terminal-text.js";
import { stopExitCodes, watchForStop } from "./stop.js";
import { programVersion } from "./version.js";

/** Runs one command line and tells the exit code: 0 done, 1 failed, 2 wrong usage, 128 and more ended by a signal. */
export async function runProgram(
  words: readonly string[],
  streams: Pick<StandardStreams, "onFailure"> = { onFailure() {} },
): Promise<number> {
  let exitCode: number = exitCodes.done;
  const program = createProgram(streams, (code) => (exitCode = code));
  try {
    await program.parseAsync([...words], { from: "user" });
    return exitCode;
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has printed its message or the help already. Help that nobody asked for means that a word is missing.
    if (error.code === "commander.help") return exitCodes.wrongUsage;
    if (error.exitCode === 0) return exitCodes.done;
    if (words.includes("--json")) {
      const message = error.message.replace(/^error: /, "");
      createOutput({ isJson: true }).event({ event: "error", code: "USAGE", message });
    }
    return exitCodes.wrongUsage;
  }
}

/** The name of a command with those above it, without the program's. */
function fullName(command: Command): string {
  return command.parent?.parent ? `${fullName(command.parent)} ${command.name()}` : command.name();
}

async function runAction<Options>(
  command: Command,
  streams: Pick<StandardStreams, "onFailure">,
  load: () => Promise<Action<Options>>,
): Promise<number> {
  const options = command.opts<Options & { json?: boolean; modemDir?: string }>();
  const output = createOutput({ isJson: options.json === true });
  using stop = watchForStop(streams);
  try {
    const action = await load();
    // Words of a list are words like any other.
    const args = (command.processedArgs as (string | string[])[]).flat();
    return (
      (await action(
        { output, signal: stop.signal, holdStop: (onStop, how) => stop.hold(onStop, how) },
        options,
        ...args,
      )) ?? exitCodes.done
    );
  } catch (error) {
    const { reason } = stop;
    if (reason === undefined) return reportFailure(output, error, fullName(command), options);
    reportStop(output, reason);
    return stopExitCodes[reason];
  } finally {
    output.close();
  }
}

function reportStop(output: Output, reason: keyof typeof stopExitCodes): void {
  // Who reads nothing is told nothing, and why standard output failed was said.
  if (reason === "SIGPIPE" || reason === "outputUnwritable") return;
  const message = `by ${reason}`;
  output.event({ event: "error", code: "ABORTED", message: `stopped ${message}` });
  output.complain({ kind: "stopped", message });
}

const paths = optionValues.path;
/** The modules of commands are loaded only when they run, so that `--help` stays fast. */
export function createProgram(
  streams: Pick<StandardStreams, "onFailure">,
  onExitCode: (exitCode: number) => void,
): Command {
  const program = new Command("thingline");
  program
    .description("Everything between a device and AWS IoT Core: a local cloud, simulated nRF91 devices, provisioning.")
    .version(programVersion(), "-V, --version")
    // `--version` behind a command is that command's.
    .enablePositionalOptions()
    .hook("preAction", (_, command) => refuseInFront(command))
    .exitOverride()
    // Of the many commands the list has the names alone; their own help has the arguments.
    .configureHelp({
      subcommandTerm: (made) => (made.parent === program ? made.name() : new Help().subcommandTerm(made)),
    })
    // Commands have it from here.
    .configureOutput({
      outputError: (text, write) => write(usageText(text, process.stderr.isTTY ? process.stderr.columns : undefined)),
    });
  examples(
    program,
    "demo                                  # everything, in seconds",
    "cloud start                           # a local AWS IoT Core",
    "thing create my-thing                 # to connect with",
    "claim create                          # for devices to come",
    "modem write --sec-tag 43 --from claim # into such a device",
    "provision --conf claim/prj.conf       # what it does then",
    "device run --conf my-thing/prj.conf   # and stays connected",
    "modem simulate                        # an nRF91 without a board",
  ).addHelpText(
    "after",
    "\nEvery command has --help and --json. NO_COLOR turns colours off.\nExit codes: 0 done, 1 failed, 2 wrong usage, 141 nobody reads.",
  );

  const command = <Options>(
    parent: Command,
    usage: string,
    description: string,
    load: () => Promise<Action<Options>>,
  ): Command => {
    const made = parent.command(usage).description(description);
    made.showHelpAfterError(`Its options: ${commandLine(`${fullName(made)} --help`)}`);
    return made
      .option("--json", "one JSON object a line on standard output; everything else on standard error")
      .action(async () => onExitCode(await runAction(made, streams, load)));
  };
  const group = (name: string, description: string): Command => {
    const made = program.command(name).description(description);
    return made.showHelpAfterError(`Its commands: ${commandLine(`${name} --help`)}`);
  };

  program.commandsGroup("The local cloud:");
  addDemo(program, command);
  const cloud = group("cloud", "start, status, logs, vending, check, reset, snapshot, restore");
  addCloud(cloud, command);
  addCloudLogs(cloud, command);
  addConnection(group("connection", "who is connected: list, show, delete, send"), command);
  addPublish(program, command);
  addRule(group("rule", "topic rules: create, list, show, enable, disable, delete, test"), command);

  program.commandsGroup("Things and fleets:");
  addThing(group("thing", "things, their certificates and policies: create"), command);
  addThingType(group("thing-type", "create, list, show, update, deprecate, delete"), command);
  addGroup(group("group", "thing groups: create, list, show, add, remove, delete"), command);
  addBillingGroup(group("billing-group", "create, list, show, add, remove, delete"), command);
  addIndex(group("index", "what `search` looks at: on, off"), command);
  addSearch(program, command);
  addTag(group("tag", "tags of resources: list, add, remove"), command);

  program.commandsGroup("Identity and access:");
  addClaim(group("claim", "claim certificates of devices to come: create, temporary, list, revoke"), command);
  addProvision(program, command);
  addTemplate(
    group("template", "fleet provisioning: init, test, create, list, show, update, enable, disable, delete, version"),
    command,
  );
  addCa(group("ca", "CAs of your own: create, code, register, list, issue"), command);
  addCert(group("cert", "certificates: list, show, orphans, rotate, template, revoke"), command);
  addPolicy(group("policy", "what a certificate may do: test"), command);
  addAuthorizer(group("authorizer", "clients without a certificate: create, list, test"), command);
  addDomain(group("domain", "domain configurations: create, list"), command);
  addRoleAlias(group("role-alias", "AWS roles for devices: create, list, show, update, delete"), command);

  program.commandsGroup("Updates and commands:");
  addFota(group("fota", "firmware over the air: deploy, list, status, cancel, rollback, doctor"), command);
  addPackage(group("package", "software packages: create, list, show, publish, deprecate, delete"), command);
  addFirmware(group("firmware", "MCUboot images: keygen, sign, verify, inspect"), command);
  addCommands(group("command", "commands to devices: create, list, start, status, delete"), command);

  program.commandsGroup("Devices and modems:");
  const device = group("device", "a device as a program: run, credentials");
  addDevice(device, command);
  addDeviceCredentials(device, command);
  const modem = group("modem", "nRF91: ports, at, write, verify, list, delete, generate-key, firmware, simulate");
  addModem(modem, command);
  addModemFirmware(modem, command);
  program.commandsGroup("Help:").helpCommand(true);
  program.showHelpAfterError(`The commands: ${commandLine("--help")}`);
  return program;
}

function addDemo(program: Command, command: AddCommand): void {
  const made = command(
    program,
    "demo",
    "the whole flow on one machine: local cloud, claim, provision, reconnect, firmware update",
    async () => (await import("./commands/demo.js")).demo,
  )
    .option("--device-id <id>", "client id and thing name of the device", optionValues.deviceId, "nrf-352656100367872")
    .option("--keep <dir>", "keep the cloud's and the modem's folders here, to look at them afterwards", paths)
    .option("--without-claim", "take the claim certificate away first, to see the flow fail with its reason")
    .option("--bad-firmware", "end with an image whose own check fails, to see the device go back by itself")
    .option("--native-tls", "TLS in the application instead of in the modem")
    .option("--bytes", "count what each step costs on air: bytes by layer, and the radio's time with --json")
    .addOption(
      new Option("--method <method>", "how the device is provisioned; fleet needs --native-tls")
        .choices(["split", "fleet", "csr", "modem-key"])
        .default("split"),
    );
  examples(
    made,
    "demo --keep demo",
    "demo --method csr",
    "demo --without-claim",
    "demo --bad-firmware",
    "demo --bytes",
    "demo --json",
  );
}

function addCloud(cloud: Command, command: AddCommand): void {
  const { port, list } = optionValues;
  const start = command(
    cloud,
    "start",
    "start the local AWS IoT Core; it runs until Ctrl-C or SIGTERM",
    async () => (await import("./commands/cloud.js")).cloudStart,
  )
    .addOption(dataDirOption())
    .option("--memory", "keep everything in memory; other commands do not find such a cloud")
    .option("--host <address>", "address to listen on (default: the loopback, 127.0.0.1 and ::1)")
    .option("--mqtts-port <port>", "MQTT over mutual TLS; 0 picks a free port", port, 8883)
    .option("--https-port <port>", "TLS with ALPN or WebSocket; 0 picks a free port", port, 8443)
    .option("--api-port <port>", "HTTP for AWS SDKs and the AWS CLI; 0 picks a free port", port, 4680)
    .option("--objects-port <port>", "HTTPS for firmware and other objects (default: the API port and one)", port)
    .option(
      "--credentials-port <port>",
      "credentials for role aliases, by certificate (default: the API port and two)",
      port,
    )
    .option("--mqtt-port <port>", "plain MQTT on the loopback: anonymous, allow-all; off unless given", port)
    .option("--account <id>", "AWS account id", "123456789012")
    .option("--region <name>", "AWS region", "us-east-1")
    .option("--name <host>", "a further host name for the server certificate; may be repeated", list)
    .option(
      "--rotation-overlap <seconds>",
      "so long a replaced certificate stays ACTIVE (default: 3600)",
      optionValues.overlapSeconds,
    )
    .option("--verbose", "certificate ids whole in the log")
    .option("--no-limits", "AWS quotas off, for load tests")
    .option("--no-sigv4", "take any AWS signature")
    .option("--no-unsigned", "refuse AWS requests without a signature")
    .option("--access-keys <file>", "JSON list of keys; default $THINGLINE_ACCESS_KEYS")
    .option(
      "--function <name=url>",
      "what AWS would call by a Lambda ARN: POST of the event as JSON; may be repeated",
      optionValues.functions,
    )
    .option(
      "--server-certificate <arn=file>",
      "of a domain configuration: PEM of certificate, chain and key; may be repeated (default: the cloud's own CA)",
      optionValues.serverCertificates,
    )
    .option(
      "--vending <who>",
      "who answers devices on certificate/+/create while it runs: off, builtin, function:NAME, or aws-handler, the one that docs/aws.md deploys (default: as it was switched)",
      optionValues.vendingAtStart,
    )
    .addOption(
      new Option(
        "--session-owner <who>",
        "whose a persistent session is: the principal's, or that of whoever has the client id, as AWS is believed to do",
      )
        .choices(["principal", "clientId"])
        .default("principal"),
    )
    .addOption(
      new Option("--durability <kind>", "what an acknowledged change survives: kill -9, or a power cut as well")
        .choices(["process", "disk"])
        .default("process"),
    )
    .addOption(
      new Option("--log-level <level>", "how much to log, on standard error")
        .choices(["debug", "info", "warn", "error"])
        .default("info"),
    );
  examples(start, "cloud start", "cloud start --data-dir my-cloud", "cloud start --memory --mqtts-port 0 --json");
  command(
    cloud,
    "status",
    "say where the running cloud listens, and how it is set",
    async () => (await import("./commands/cloud.js")).cloudStatus,
  ).addOption(dataDirOption());
  const vending = command(
    cloud,
    "vending",
    "say or switch who answers devices that ask on certificate/+/create",
    async () => (await import("./commands/cloud.js")).cloudVending as unknown as Action<object>,
  )
    .argument("[who]", "off, builtin, or function:NAME of `cloud start --function`", optionValues.vending)
    .addOption(dataDirOption());
  examples(vending, "cloud vending", "cloud vending builtin", "cloud vending off --data-dir my-cloud");
  const check = command(
    cloud,
    "check",
    "read everything in a data directory that no cloud has open, and say what is damaged",
    async () => (await import("./commands/cloud.js")).cloudCheck,
  ).addOption(dataDirOption());
  examples(check, "cloud check --data-dir my-cloud", "cloud check --json");
  command(cloud, "reset", "make the running cloud empty", async () => (await import("./commands/cloud.js")).cloudReset)
    .addOption(dataDirOption())
    .option("--yes", "needed: everything is deleted");
  command(
    cloud,
    "snapshot",
    "write the running cloud's state to a file",
    async () => (await import("./commands/cloud.js")).cloudSnapshot,
  )
    .argument("<file>", "the file to write; it holds private keys", paths)
    .addOption(dataDirOption());
  command(
    cloud,
    "restore",
    "replace the running cloud's state by that of a file",
    async () => (await import("./commands/cloud.js")).cloudRestore,
  )
    .argument("<file>", "a file that `cloud snapshot` wrote", paths)
    .addOption(dataDirOption());
}

const withCredentialOptions = (made: Command) =>
  made
    .addOption(dataDirOption())
    .addOption(awsOption())
    .option("--out <dir>", "where to write the credentials (default: a folder of the same name)", paths)
    .option("--force", "write into a folder that is already there");

function addThing(thing: Command, command: AddCommand): void {
  const create = command(
    thing,
    "create",
    "make a thing with key, certificate and policy, and write the files to use them",
    async () => (await import("./commands/thing-create.js")).thingCreate,
  ).argument("<name>", "thing name, also the client id", paths);
  withDoorOptions(withCredentialOptions(create))
    .option("--sec-tag <tag>", "security tag, of the written files and of a board (default: 201)", optionValues.secTag)
    .option("--policy <name>", "attach this existing policy instead of making one")
    .option("--type <name>", "its thing type", optionValues.name)
    .option("--billing-group <name>", "its billing group", optionValues.name)
    .option("--csr", "with a board: the modem makes the key, which never leaves it")
    .option("--replace", "with --csr: also where the security tag holds a key, which is lost then")
    .option("--prove", "with a board: connect through the modem (default: where that is possible)")
    .option("--no-prove", "with a board: do not connect");
  examples(
    create,
    "thing create my-thing",
    "thing create my-thing --aws",
    "thing create my-thing --type pump",
    "thing create my-thing --port /dev/ttyACM0 --sec-tag 42 --csr",
  );
}

function addClaim(claim: Command, command: AddCommand): void {
  const create = command(
    claim,
    "create",
    "make a claim certificate with its policy, and write the files to use it",
    async () => (await import("./commands/thing.js")).claimCreate,
  ).argument("[name]", "name of the folder to write", paths, "claim");
  withCredentialOptions(create)
    .option("--sec-tag <tag>", "security tag to name in the written files (default: 43)", optionValues.secTag)
    .addOption(
      new Option("--policies <kind>", "narrow: connects as claim-* only; original: for the sample's own firmware")
        .choices(["narrow", "original"])
        .conflicts("template"),
    )
    .option("--template <name>", "for fleet provisioning by this template instead", optionValues.templateName)
    .option("--no-vending", "leave the built-in vending service as it is");
  examples(create, "claim create", "claim create line-2 --data-dir my-cloud", "claim create --template my-template");
  addClaimVerbs(claim, command);
}

function addDevice(device: Command, command: AddCommand): void {
  const run = command(
    device,
    "run",
    "connect and stay connected; it runs until Ctrl-C or SIGTERM",
    async () => (await import("./commands/device.js")).deviceRun,
  )
    .requiredOption("--conf <file>", "Kconfig fragment; repeat for overlays, later ones win", optionValues.list)
    .addOption(modemDirOption())
    .option("--sec-tag <tag>", "security tag instead of the configuration's", optionValues.secTag)
    .option("--client-id <id>", "client id instead of the configuration's", optionValues.deviceId)
    .option("--native-tls", "TLS in the application, over this machine's network, without modem")
    .option("--certs <dir>", "native TLS: folder with the credentials (default: that of --conf, or certs)", paths)
    .option("--state-dir <dir>", "native TLS: where `provision` keeps credentials (default: device, in modem's)", paths)
    .option("--topic <filter>", "application topic to subscribe to; may be repeated", optionValues.list)
    .option("--shadow", "ask for the device shadow; show documents and deltas")
    .option(
      "--rotation-template <name>",
      "follow jobs of `cert rotate`: ask for new certificates under this template",
      optionValues.templateName,
    )
    .option("--rotation-tag <tag>", "the other security tag (default: the next number)", optionValues.secTag)
    .option("--publish <topic>", "publish the lines of standard input, and stop at its end")
    .option(
      "--board-dir <dir>",
      "with CONFIG_AWS_FOTA: the board's flash and state (default: board, in modem's)",
      paths,
    )
    .option("--firmware-key <file>", "with CONFIG_AWS_FOTA: the bootloader's key, as of `firmware keygen`", paths)
    .option(
      "--firmware <image>",
      "with CONFIG_AWS_FOTA: what a new board runs (default: a 1.0.0 that is made up)",
      paths,
    )
    .option("--verbose", verboseText);
  examples(
    withDoorOptions(run),
    "device run --conf my-thing/prj.conf --shadow --topic my-thing/in",
    "device run --conf my-thing/prj.conf --port /dev/ttyACM0",
    "device run --conf my-thing/prj.conf --native-tls",
    "device run --conf my-thing/prj.conf --rotation-template rotate",
  );
}

function addModem(modem: Command, command: AddCommand): void {
  addModemCredentials(modem, command);
  const ports = command(
    modem,
    "ports",
    "list serial ports, and what is behind those of boards",
    async () => (await import("./commands/modem-ports.js")).modemPorts,
  )
    .argument("[path]", "only this one, and ask what is behind it")
    .option("--all", "ask what is behind every port: bytes that nobody asked for may start something on other devices")
    .option("--no-probe", "send nothing to any port")
    .option("--baud-rate <rate>", "of the serial ports (default: 115200)", optionValues.baudRate)
    .option("--no-flow-control", "for adapters without the wires RTS and CTS");
  examples(ports, "modem ports", "modem ports /dev/ttyACM0 --json");
  addModemSimulate(modem, command);
}
