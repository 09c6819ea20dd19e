import { type Command, Option } from "commander";
import { defaultAtOnce, defaultLineDir, optionValues } from "./option-values.js";
import { type AddCommand, examples, withModemOptions } from "./program-parts.js";

const { path: paths, anySecTag } = optionValues;
const forceTag = "also the tag of nRF Cloud, and tags whose TLS a modem trace shows";

const withSources = (made: Command): Command =>
  made
    .option("--sec-tag <tag>", "security tag (default: that of Nordic's .json)", anySecTag)
    .option(
      "--from <path>",
      "folder with ca-cert.pem, client-cert.pem, private-key.pem, or Nordic's certificate .json",
      paths,
    )
    .option("--ca <file>", "CA certificate chain, PEM", paths)
    .option("--cert <file>", "client certificate, PEM", paths)
    .option("--key <file>", "private key, PEM", paths);

/** Credentials of boards and of simulated modems: what is stored under security tags. */
export function addModemCredentials(modem: Command, command: AddCommand): void {
  addWrite(modem, command);
  addVerify(modem, command);
  addLists(modem, command);
  addGenerateKey(modem, command);
  addAt(modem, command);
}

function addWrite(modem: Command, command: AddCommand): void {
  const write = command(
    modem,
    "write",
    "write credentials to a security tag, and compare what is there then",
    async () => (await import("./commands/modem-write.js")).modemWrite,
  );
  withSources(withModemOptions(write))
    .addOption(
      new Option("--line-ends <kind>", "of what is written; the modem's digest is over them (default: lf)").choices([
        "lf",
        "crlf",
      ]),
    )
    .option(
      "--prove <host:port>",
      "connect through the modem with them; what the tag holds stays until that went well",
      optionValues.endpoint,
    )
    .option("--scratch-tag <tag>", "where they wait for their proof (default: 2147483600)", optionValues.secTag)
    .option("--force", `write what no handshake would take: another certificate's key, a CA that is none; ${forceTag}`)
    .option(
      "--ports <list>",
      "many boards at once: paths with commas between them, or all of Nordic's boards",
      optionValues.ports,
    )
    .option("--manifest <file>", "with --ports: .csv or .json of IMEI or serial number, and folder", paths)
    .option(
      "--from-each <pattern>",
      "with --ports: a folder for each board, such as things/{imei}",
      optionValues.eachPattern,
    )
    .option("--report <file>", "with --ports: .csv, .json or .html; may be repeated", optionValues.list)
    .option("--at-once <count>", `with --ports: boards under way (default: ${defaultAtOnce})`, optionValues.count)
    .option("--batch-dir <dir>", `with --ports: where it is kept what was done (default: ${defaultLineDir})`, paths)
    .option("--resume", "with --ports: go on; boards that were done are compared and passed over");
  examples(
    write,
    "modem write --sec-tag 43 --from claim",
    "modem write --port /dev/ttyACM0 --sec-tag 42 --from my-thing",
    "modem write --port /dev/ttyACM0 --from my.json --prove HOST:8883",
    "modem write --ports all --sec-tag 42 --from-each 'things/{imei}'",
  );
}

function addVerify(modem: Command, command: AddCommand): void {
  const verify = command(
    modem,
    "verify",
    "compare what a security tag holds with files, by digest",
    async () => (await import("./commands/modem-verify.js")).modemVerify,
  );
  withSources(withModemOptions(verify));
  examples(verify, "modem verify --port /dev/ttyACM0 --sec-tag 42 --from my-thing");
}

function addLists(modem: Command, command: AddCommand): void {
  const list = command(
    modem,
    "list",
    "list what is stored: security tag, type and SHA-256",
    async () => (await import("./commands/modem-list.js")).modemList,
  ).option("--sec-tag <tag>", "only this security tag", anySecTag);
  examples(withModemOptions(list), "modem list --port /dev/ttyACM0", "modem list --sec-tag 42 --json");
  const remove = command(
    modem,
    "delete",
    "delete the credentials of a security tag",
    async () => (await import("./commands/modem-list.js")).modemDelete,
  )
    .requiredOption("--sec-tag <tag>", "security tag", anySecTag)
    .addOption(
      new Option("--type <type>", "only this one").choices(["ca", "certificate", "privateKey", "psk", "pskIdentity"]),
    )
    .option("--force", forceTag)
    .option("--yes", "needed for a board: nobody can bring a key back");
  examples(
    withModemOptions(remove),
    "modem delete --sec-tag 43",
    "modem delete --port /dev/ttyACM0 --sec-tag 42 --type ca --yes",
  );
}

function addGenerateKey(modem: Command, command: AddCommand): void {
  const generate = command(
    modem,
    "generate-key",
    "have the modem make a key that never leaves it, and give the certificate request",
    async () => (await import("./commands/modem-generate-key.js")).modemGenerateKey,
  )
    .requiredOption("--sec-tag <tag>", "security tag", anySecTag)
    .option(
      "--subject <names>",
      "such as CN=my-thing,O=acme (default: the modem's device UUID)",
      optionValues.subjectText,
    )
    .option(
      "--key-usage <bits>",
      "nine of 0 and 1, digitalSignature first (default: the modem's)",
      optionValues.keyUsage,
    )
    .option("--public-key", "only the public key, instead of a request")
    .option("--out <file>", "write the PEM here instead of to standard output", paths)
    .option("--replace", "delete the key that is there, and the certificate that belonged to it")
    .option("--force", forceTag);
  examples(withModemOptions(generate), "modem generate-key --port /dev/ttyACM0 --sec-tag 42 --out my.csr");
}

function addAt(modem: Command, command: AddCommand): void {
  const at = command(
    modem,
    "at",
    "send AT commands to a modem: those that are named, a script on standard input, or at a prompt",
    async () => (await import("./commands/modem-at.js")).modemAt,
  )
    .argument("[commands...]", "AT commands, one after the other")
    .option("--keep-going", "send the others also when one is answered with an error");
  examples(
    withModemOptions(at),
    "modem at --port /dev/ttyACM0 AT+CGMR AT+CFUN?",
    "modem at 'AT%CMNG=1'",
    "modem at --port /dev/ttyACM0 < script.txt",
  );
}
