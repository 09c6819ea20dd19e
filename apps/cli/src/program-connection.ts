import { Option, type Command } from "commander";
import { optionValues } from "./option-values.js";
import { awsOption, dataDirOption, examples, type AddCommand } from "./program-parts.js";

const load = async () => import("./commands/connection.js");

const withPlaceOptions = (made: Command) => made.addOption(dataDirOption()).addOption(awsOption());
const clientArgument = ["<client>", "client id, as in its CONNECT"] as const;

/** A message to whoever subscribes. */
export function addPublish(program: Command, command: AddCommand): void {
  const made = command(
    program,
    "publish",
    "publish a message, as the cloud and not as a device",
    async () => (await load()).publish,
  )
    .argument("<topic>", "topic of the message")
    .argument("[text]", "the message (default: an empty one)")
    .option("--from <file>", "the message is this file", optionValues.path)
    .addOption(new Option("--qos <level>", "quality of service").choices(["0", "1"]).default("1"))
    .option("--retain", "for who subscribes later, too; an empty message ends that")
    .option("--content-type <type>", "told to clients of MQTT 5");
  examples(
    withPlaceOptions(made),
    "publish room/attic/temp '{\"temp\":31}'",
    "publish settings/pump-7 --from settings.json --retain",
  );
}

/** Clients of the broker, one by one. */
export function addConnection(connection: Command, command: AddCommand): void {
  const list = command(
    connection,
    "list",
    "list clients that are connected or have a persistent session; the local cloud's own list, AWS has none",
    async () => (await load()).connectionList,
  );
  examples(withPlaceOptions(list), "connection list", "connection list --json");
  const show = command(
    connection,
    "show",
    "show a client: since when, from where, its session, its subscriptions",
    async () => (await load()).connectionShow,
  ).argument(...clientArgument);
  examples(withPlaceOptions(show), "connection show pump-7", "connection show pump-7 --aws");
  const end = command(connection, "delete", "end a client's connection", async () => (await load()).connectionDelete)
    .argument(...clientArgument)
    .option("--clean-session", "its persistent session too, with subscriptions and queue")
    .option("--no-will", "its last will is not published");
  examples(withPlaceOptions(end), "connection delete pump-7", "connection delete pump-7 --clean-session --no-will");
  const send = command(
    connection,
    "send",
    "send a message to one client that is connected, subscribed or not",
    async () => (await load()).connectionSend,
  )
    .argument(...clientArgument)
    .argument("<topic>", "topic of the message")
    .argument("[text]", "the message (default: an empty one)")
    .option("--from <file>", "the message is this file", optionValues.path)
    .option("--content-type <type>", "told to a client of MQTT 5")
    .option("--confirm", "wait until the client has acknowledged it")
    .option("--timeout <seconds>", "with --confirm: how long, 1 to 15 (default: 5)", optionValues.seconds);
  examples(
    withPlaceOptions(send),
    "connection send pump-7 commands/reboot '{\"delay\":5}' --confirm",
    "connection send pump-7 settings --from settings.json --content-type application/json",
  );
}
