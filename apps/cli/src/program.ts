import { Command, CommanderError, InvalidArgumentError, Option } from "commander";
import { exitCodes, reportFailure } from "./failure.js";
import { createOutput, type Output } from "./output.js";
import { programVersion } from "./version.js";

/** A command's module is loaded only when the command runs, so that `--help` stays fast. */
type Action<Options> = (output: Output, options: Options, ...words: string[]) => Promise<number | void>;

function port(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
  return value;
}

function secTag(text: string): number {
  const value = Number(text);
  if (!/^\d+$/.test(text) || value > 2_147_483_647) {
    throw new InvalidArgumentError("A security tag is a number from 0 to 2147483647.");
  }
  return value;
}

function seconds(text: string): number {
  const value = Number(text);
  if (!/^\d+(\.\d+)?$/.test(text) || value <= 0 || value > 86_400) {
    throw new InvalidArgumentError("A time in seconds, more than 0 and at most 86400.");
  }
  return value;
}

function collect(text: string, before: string[] | undefined): string[] {
  return [...(before ?? []), text];
}

const dataDirOption = () =>
  new Option("--data-dir <dir>", "the local cloud's data directory").default(".thingline").env("THINGLINE_DATA_DIR");
const modemDirOption = () =>
  new Option("--modem-dir <dir>", "the simulated modem's folder")
    .default(".thingline/modem")
    .env("THINGLINE_MODEM_DIR");

/** Runs one command line and tells the exit code: 0 done, 1 failed, 2 wrong usage. */
export async function runProgram(words: readonly string[]): Promise<number> {
  let exitCode: number = exitCodes.done;
  const program = new Command("thingline");
  program
    .description("Everything between a device and AWS IoT Core: a local cloud, simulated nRF91 devices, provisioning.")
    .version(programVersion(), "-V, --version")
    .showHelpAfterError("(run the command with --help for its options)")
    .exitOverride();

  const command = <Options>(
    parent: Command,
    usage: string,
    description: string,
    load: () => Promise<Action<Options>>,
  ) =>
    parent
      .command(usage)
      .description(description)
      .option("--json", "one JSON object a line on standard output; everything else on standard error")
      .action(async (...args: unknown[]) => {
        const self = args.pop() as Command;
        const options = self.opts<Options & { json?: boolean }>();
        const output = createOutput({ isJson: options.json === true });
        try {
          const action = await load();
          exitCode = (await action(output, options, ...(args.slice(0, -1) as string[]))) ?? exitCodes.done;
        } catch (error) {
          exitCode = reportFailure(output, error);
        }
      });

  command(program, "demo", "the whole flow on one machine: local cloud, claim, provision, reconnect", async () => {
    return (await import("./commands/demo.js")).demo;
  })
    .option("--device-id <id>", "client id and thing name of the device", "nrf-352656100367872")
    .option("--keep <dir>", "keep the cloud's and the modem's folders here, to look at them afterwards")
    .option("--without-claim", "take the claim certificate away first, to see the flow fail with its reason")
    .option("--native-tls", "provision with TLS in the application instead of in the modem");

  const cloud = program.command("cloud").description("the local AWS IoT Core");
  command(cloud, "start", "start the local AWS IoT Core and run until it is stopped", async () => {
    return (await import("./commands/cloud.js")).cloudStart;
  })
    .addOption(dataDirOption())
    .option("--memory", "keep everything in memory instead of in the data directory")
    .option("--host <address>", "address to listen on (default: the loopback, 127.0.0.1 and ::1)")
    .option("--mqtts-port <port>", "MQTT over mutual TLS; 0 picks a free port", port, 8883)
    .option("--https-port <port>", "TLS with ALPN or WebSocket; 0 picks a free port", port, 8443)
    .option("--api-port <port>", "HTTP for AWS SDKs and the AWS CLI; 0 picks a free port", port, 4680)
    .option("--mqtt-port <port>", "plain MQTT on the loopback: anonymous, allow-all; off unless given", port)
    .option("--account <id>", "AWS account id", "123456789012")
    .option("--region <name>", "AWS region", "us-east-1")
    .option("--name <host>", "a further host name for the server certificate; may be repeated", collect)
    .option("--no-limits", "AWS quotas off, for load tests")
    .option("--no-sigv4", "take any AWS signature")
    .addOption(
      new Option("--durability <kind>", "what an acknowledged change survives")
        .choices(["process", "disk"])
        .default("process"),
    )
    .addOption(
      new Option("--log-level <level>", "how much to log").choices(["debug", "info", "warn", "error"]).default("info"),
    );
  command(cloud, "reset", "back to empty, while it runs", async () => (await import("./commands/cloud.js")).cloudReset)
    .addOption(dataDirOption())
    .option("--yes", "do it without asking");
  command(cloud, "snapshot", "write the running cloud's state to a file", async () => {
    return (await import("./commands/cloud.js")).cloudSnapshot;
  })
    .argument("<file>", "the file to write; it will hold private keys of the cloud")
    .addOption(dataDirOption());
  command(cloud, "restore", "replace the running cloud's state by that of a file", async () => {
    return (await import("./commands/cloud.js")).cloudRestore;
  })
    .argument("<file>", "a file that `cloud snapshot` wrote")
    .addOption(dataDirOption());

  const withAws = (built: Command) =>
    built
      .addOption(dataDirOption())
      .option("--aws", "a real AWS account instead of the local cloud (standard AWS environment, profile and region)")
      .option("--out <dir>", "where to write the credentials (default: a folder of the same name)")
      .option("--sec-tag <tag>", "security tag to name in the written files", secTag)
      .option("--force", "write over a folder that is already there");
  const thing = program.command("thing").description("things, their certificates and policies");
  withAws(
    command(thing, "create", "a thing with key, certificate and policy, and the files to use them", async () => {
      return (await import("./commands/thing.js")).thingCreate;
    })
      .argument("<name>", "thing name, also the client id")
      .option("--policy <name>", "attach this existing policy instead of making one"),
  );
  const claim = program.command("claim").description("claim certificates, shared by devices that are not provisioned");
  withAws(
    command(claim, "create", "a claim certificate with the claim policy, and the files to use it", async () => {
      return (await import("./commands/thing.js")).claimCreate;
    }).argument("[name]", "name of the folder to write", "claim"),
  );

  command(program, "provision", "the provisioning flow for one device", async () => {
    return (await import("./commands/provision.js")).provision;
  })
    .requiredOption("--conf <file>", "Kconfig fragment; repeat for overlays, later ones win", collect)
    .addOption(modemDirOption())
    .option("--ca <file>", "CA certificate for the new security tag (default: the claim tag's, else Amazon Root CA 1)")
    .option("--native-tls", "TLS in the application instead of in the modem")
    .option("--certs <dir>", "native TLS: folder with ca-cert.pem, client-cert.pem and private-key.pem", "certs")
    .option("--state-dir <dir>", "progress and native TLS credentials (default: beside the modem's folder)")
    .option("--client-id <id>", "client id when the configuration leaves it to the application")
    .option("--timeout <seconds>", "how long to wait for the cloud's answer", seconds, 60)
    .option("--reset", "forget earlier progress of this device and provision again");

  const modem = program.command("modem").description("nRF91 modem tooling, for the simulated modem");
  const withModem = (built: Command) => built.addOption(modemDirOption());
  withModem(
    command(modem, "write", "write credentials to a security tag", async () => {
      return (await import("./commands/modem.js")).modemWrite;
    }),
  )
    .requiredOption("--sec-tag <tag>", "security tag", secTag)
    .option(
      "--from <dir>",
      "folder with ca-cert.pem, client-cert.pem and private-key.pem, or Nordic's certificate JSON",
    )
    .option("--ca <file>", "CA certificate chain, PEM")
    .option("--cert <file>", "client certificate, PEM")
    .option("--key <file>", "private key, PEM")
    .option("--force", "write even though key and certificate do not belong together");
  withModem(
    command(modem, "list", "what is stored under which security tag", async () => {
      return (await import("./commands/modem.js")).modemList;
    }),
  ).option("--sec-tag <tag>", "only this security tag", secTag);
  withModem(
    command(modem, "delete", "delete the credentials of a security tag", async () => {
      return (await import("./commands/modem.js")).modemDelete;
    }),
  )
    .requiredOption("--sec-tag <tag>", "security tag", secTag)
    .addOption(
      new Option("--type <type>", "only this one").choices(["ca", "certificate", "privateKey", "psk", "pskIdentity"]),
    );
  withModem(
    command(modem, "at", "send one AT command to the simulated modem", async () => {
      return (await import("./commands/modem.js")).modemAt;
    }),
  ).argument("<command>", "for example 'AT%CMNG=1'");

  try {
    await program.parseAsync([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    // Commander has printed its message or the help already; help and --version are no failures.
    if (error.exitCode === 0 || error.code === "commander.help" || error.code === "commander.helpDisplayed") {
      return error.code === "commander.help" ? exitCodes.wrongUsage : exitCodes.done;
    }
    if (words.includes("--json")) {
      createOutput({ isJson: true }).event({
        event: "error",
        code: "USAGE",
        message: error.message.replace(/^error: /, ""),
      });
    }
    return exitCodes.wrongUsage;
  }
  return exitCode;
}
