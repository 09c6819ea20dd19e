import { Option, type Command } from "commander";
import { firmwareValues } from "./firmware-values.js";
import { bootloaderRules } from "./bootloader-rules.js";
import { defaultStaleMinutes, optionValues } from "./option-values.js";
import { awsOption, dataDirOption, examples, type AddCommand } from "./program-parts.js";

// Commands for many things at once.

const load = async () => import("./commands/group.js");

const withPlaceOptions = (made: Command) => made.addOption(dataDirOption()).addOption(awsOption());

export function addGroup(group: Command, command: AddCommand): void {
  const { name, list, path } = optionValues;
  const create = command(group, "create", "make a thing group", async () => (await load()).groupCreate)
    .argument("<name>", "name of the group", name)
    .option("--parent <group>", "the group that it stands below, for life", name)
    .option("--query <query>", "a dynamic group: it has the things that this finds, see `search`")
    .option("--description <text>", "what it is for")
    .option("--attribute <name=value>", "an attribute; may be repeated", list);
  examples(
    withPlaceOptions(create),
    "group create fleet",
    "group create north --parent fleet --attribute site=oslo",
    "group create low --query 'shadow.reported.battery<20'",
    "group create fleet --aws",
  );
  const made = command(group, "list", "list thing groups", async () => (await load()).groupList)
    .option("--parent <group>", "only those directly below this one", name)
    .option("--recursive", "with --parent: all below it")
    .option("--prefix <text>", "only those whose names begin so", name);
  examples(withPlaceOptions(made), "group list", "group list --parent fleet --recursive --json");
  const show = command(
    group,
    "show",
    "show a group: its place, its attributes, its policies, its things",
    async () => (await load()).groupShow,
  )
    .argument("<name>", "name of the group", name)
    .option("--recursive", "with the things of all groups below it");
  examples(withPlaceOptions(show), "group show north", "group show fleet --recursive");
  const from = ["--from <file>", "names of things, one a line; - reads standard input"] as const;
  const add = command(group, "add", "put things into a group", async () => (await load()).groupAdd)
    .argument("<name>", "name of the group", name)
    .argument("[things...]", "names of things")
    .option(...from, path);
  examples(withPlaceOptions(add), "group add north pump-7 pump-8", "group add north --from pumps.txt");
  const remove = command(group, "remove", "take things out of a group", async () => (await load()).groupRemove)
    .argument("<name>", "name of the group", name)
    .argument("[things...]", "names of things")
    .option(...from, path);
  examples(withPlaceOptions(remove), "group remove north pump-7", "group remove north --from -");
  const gone = command(group, "delete", "delete a group; its things stay", async () => (await load()).groupDelete)
    .argument("<name>", "name of the group", name)
    .option("--recursive", "with all groups below it");
  examples(withPlaceOptions(gone), "group delete north", "group delete fleet --recursive");
}

const jobText = "id of the job (default: the newest firmware update)";

export function addFota(fota: Command, command: AddCommand): void {
  addDeploy(fota, command);
  const status = command(
    fota,
    "status",
    "show who runs what, and how far an update is",
    async () => (await import("./commands/fota-status.js")).fotaStatus,
  )
    .argument("[job]", jobText)
    .option("--watch", "until it has ended: a live table on a terminal, a line for each change elsewhere")
    .option("--interval <seconds>", "how often to look", optionValues.seconds, 2)
    .option("--limit <devices>", "rows of the table", optionValues.count, 100);
  examples(withPlaceOptions(status), "fota status", "fota status --watch", "fota status JOB --json");
  const list = command(
    fota,
    "list",
    "list firmware updates, the newest first",
    async () => (await import("./commands/fota-list.js")).fotaList,
  ).option("--limit <updates>", "at most so many", optionValues.count, 20);
  examples(withPlaceOptions(list), "fota list", "fota list --limit 100 --json", "fota list --aws");
  const cancel = command(
    fota,
    "cancel",
    "stop an update: devices that have not begun never do",
    async () => (await import("./commands/fota-cancel.js")).fotaCancel,
  )
    .argument("<job>", "id of the job")
    .option("--force", "take it away from devices that have begun as well");
  examples(withPlaceOptions(cancel), "fota cancel JOB", "fota cancel JOB --force");
  addRollback(fota, command);
  const doctor = command(
    fota,
    "doctor",
    "find updates that nobody works on, say why, and repair them on request",
    async () => (await import("./commands/fota-doctor.js")).fotaDoctor,
  )
    .argument("[job]", "id of the job (default: all updates that are not over, or were canceled)")
    .option("--stale <minutes>", "how long a device may say nothing", optionValues.anyMinutes, defaultStaleMinutes)
    .option("--repair", "take executions away that block their devices")
    .option("--retry", "with --repair: the same update once more, for devices that can still take it");
  examples(withPlaceOptions(doctor), "fota doctor", "fota doctor --stale 60 --repair --retry");
}

function addRollback(fota: Command, command: AddCommand): void {
  const { path } = optionValues;
  const rollback = command(
    fota,
    "rollback",
    "back to the image before, for every device that took an update",
    async () => (await import("./commands/fota-rollback.js")).fotaRollback,
  )
    .argument("[job]", "id of the job to go back from (default: the newest update that is not a rollback)")
    .option("--to <image>", "the image to go back to (default: what each device had before)", path)
    .option("--fw-version <version>", "with --to: its version, where it does not say it itself")
    .addOption(
      new Option("--bootloader <rule>", "what the bootloader compares to keep old images away")
        .choices(bootloaderRules)
        .default("unknown"),
    )
    .option("--key <file>", "where it would refuse: sign the old image again, under a higher version", path)
    .option("--as-version <version>", "with --key: that version (default: one above what runs)", firmwareValues.version)
    .option("--partial", "leave out devices whose bootloader would refuse")
    .option("--dry-run", "only list who would go back");
  withRollout(rollback)
    .option("--bucket <name>", "where images are kept (default: that of the job)")
    .option("--role-arn <arn>", "with --aws: the role by which URLs are signed (default: that of the job)");
  examples(
    withPlaceOptions(rollback),
    "fota rollback --dry-run",
    "fota rollback JOB --bootloader none",
    "fota rollback JOB --key key.pem",
  );
}

export const withRollout = (made: Command) =>
  made
    .option("--rate <devices>", "at most so many begin in a minute (1 to 1000)", optionValues.count)
    .option("--abort-above <percent>", "stop when more than this part fails", optionValues.percent)
    .option("--abort-after <devices>", "but not before so many have ended", optionValues.count, 5)
    .option("--timeout <minutes>", "what takes a device longer has failed", optionValues.minutes, 60)
    .option("--retries <number>", "how often a device that failed tries again", optionValues.retries);

function addDeploy(fota: Command, command: AddCommand): void {
  const { list, name, path } = optionValues;
  const deploy = command(
    fota,
    "deploy",
    "verify an image, upload it, and have devices update to it",
    async () => (await import("./commands/fota-deploy.js")).fotaDeploy,
  )
    .argument("<image>", "the signed image", path)
    .option("--things <names...>", "the devices, by name")
    .option("--from <file>", "names of the devices, one a line; - reads standard input", path)
    .option("--group <name>", "all devices of a thing group, and of the groups below it", name)
    .option("--continuous", "with --group: also those that join it later")
    .option("--key <file>", "a key that must have signed the image; may be repeated", list)
    .option("--fw-version <version>", "the version that devices will tell (default: the image's own)")
    .option("--unchecked", "take what is no MCUboot image as it is");
  withRollout(deploy)
    .option("--job <id>", "id of the job (default: made of version, hash and time)", optionValues.jobId)
    .option("--bucket <name>", "where the image is kept (the local cloud has one by itself; --aws needs it)")
    .option("--role-arn <arn>", "with --aws: the role by which URLs are signed")
    .option(
      "--package <name[:version]>",
      "what is installed is this version of a package (default: the image's version)",
    );
  examples(
    withPlaceOptions(deploy),
    "fota deploy app.signed.bin --group north --package app",
    "fota deploy app.signed.bin --things pump-7 --key key.pem",
    "fota deploy app.signed.bin --group north --rate 10 --abort-above 20",
    "fota deploy app.signed.bin --group north --aws --bucket my-bucket --role-arn ROLE",
  );
}
