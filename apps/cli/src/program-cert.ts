import { Option, type Command } from "commander";
import { durationWord, optionValues, orphanAgeMs } from "./option-values.js";
import { withRollout } from "./program-fleet.js";
import { awsOption, dataDirOption, examples, type AddCommand } from "./program-parts.js";

const withPlaceOptions = (made: Command) => made.addOption(dataDirOption()).addOption(awsOption());
const idText = "id of the certificate, 64 hexadecimal digits, as `cert list` prints it";

/** Certificates: which there are, which nobody uses, and new ones for devices. */
export function addCert(cert: Command, command: AddCommand): void {
  const { certificateId, count, duration, name } = optionValues;
  const load = async () => import("./commands/cert.js");
  const list = command(cert, "list", "list certificates, those that end first", async () => (await load()).certList)
    .argument("[thing]", "those of one thing", name)
    .option("--expires-within <time>", "only what has ended by then, such as 30d or 12h", duration)
    .addOption(
      new Option("--status <status>", "only these").choices(["ACTIVE", "INACTIVE", "REVOKED", "PENDING_ACTIVATION"]),
    )
    .option("--limit <certificates>", "at most so many", count, 100);
  examples(withPlaceOptions(list), "cert list", "cert list --expires-within 30d --json", "cert list pump-7 --aws");
  const show = command(cert, "show", "show what is known of a certificate", async () => (await load()).certShow);
  examples(withPlaceOptions(show.argument("<id>", idText, certificateId)), "cert show ID", "cert show ID --aws --json");
  const orphans = command(
    cert,
    "orphans",
    "find certificates that devices asked for and never connected with",
    async () => (await load()).certOrphans,
  )
    .addOption(
      new Option("--older-than <time>", "made before so long, such as 90m or 2d")
        .argParser(duration)
        .default(orphanAgeMs, durationWord(orphanAgeMs)),
    )
    .option("--all", "also those that were made for devices to come, as by `thing create`")
    .option("--delete", "take them away");
  examples(withPlaceOptions(orphans), "cert orphans", "cert orphans --older-than 2d --delete", "cert orphans --aws");
  const revoke = command(cert, "revoke", "end a certificate for good", async () => (await load()).certRevoke)
    .argument("<id>", idText, certificateId)
    .option("--delete", "and delete it, with all its attachments");
  examples(withPlaceOptions(revoke), "cert revoke ID", "cert revoke ID --delete --aws");
  addRotate(cert, command);
  addRotationTemplate(cert, command);
}

function addRotationTemplate(cert: Command, command: AddCommand): void {
  const { list, path, templateName } = optionValues;
  const template = command(
    cert,
    "template",
    "make the template by which devices rotate, and the policy that lets them ask",
    async () => (await import("./commands/cert-template.js")).certTemplate,
  )
    .argument("<name>", "name of the template", templateName)
    .option("--policy <name>", "an existing policy that new certificates get; may be repeated", list)
    .option("--hook <arn>", "with --aws: a Lambda function that names the thing (docs/rotation.md)")
    .option("--role-arn <arn>", "with --aws: the role by which AWS IoT makes things")
    .option("--out <file>", "also write the template into a file", path);
  examples(withPlaceOptions(template), "cert template rotate --policy thingline-thing-narrow");
}

function addRotate(cert: Command, command: AddCommand): void {
  const { duration, name, overlapSeconds, seconds } = optionValues;
  const rotate = command(
    cert,
    "rotate",
    "have devices ask for new certificates, by a job",
    async () => (await import("./commands/cert-rotate.js")).certRotate,
  )
    .argument("[things...]", "the devices, by name")
    .option("--group <name>", "all devices of a thing group, and of the groups below it", name)
    .option("--expires-within <time>", "all whose certificate has ended by then, such as 30d", duration)
    .option("--overlap <seconds>", "so long a device can go back to what it had", overlapSeconds, 3_600)
    .option("--wait", "until all have ended, and the certificates before are INACTIVE")
    .option("--interval <seconds>", "how often to look", seconds, 2)
    .option("--finish [job]", "set the certificates INACTIVE that were replaced (default: by the newest rotation)");
  withRollout(rotate);
  examples(
    withPlaceOptions(rotate),
    "cert rotate pump-7 --wait",
    "cert rotate --group north --rate 10",
    "cert rotate --expires-within 30d --aws",
    "cert rotate --finish JOB --aws",
  );
}
