import { Option, type Command } from "commander";
import { optionValues } from "./option-values.js";
import { awsOption, dataDirOption, examples, type AddCommand } from "./program-parts.js";

// Commands for what things may have besides groups.

const loadType = async () => import("./commands/thing-type.js");
const loadAuthorizer = async () => import("./commands/authorizer.js");
const loadBilling = async () => import("./commands/billing-group.js");

const withPlaceOptions = (made: Command) => made.addOption(dataDirOption()).addOption(awsOption());
const propagateFlags = "--propagate <key=attribute>";

export function addThingType(group: Command, command: AddCommand): void {
  const { list, name } = optionValues;
  const argument = ["<name>", "name of the type", name] as const;
  const create = command(group, "create", "make a thing type", async () => (await loadType()).thingTypeCreate)
    .argument(...argument)
    .option("--description <text>", "what it is, for life")
    .option("--searchable <attribute>", "an attribute to search by, for life; may be given three times", list)
    .option(
      propagateFlags,
      "messages of its things get this MQTT 5 user property from an attribute, iot:ClientId or iot:Thing.ThingName; may be repeated",
      list,
    );
  examples(
    withPlaceOptions(create),
    "thing-type create pump --description 'pumps of the plant'",
    "thing-type create pump --propagate site --propagate id=iot:ClientId",
  );
  const made = command(group, "list", "list thing types", async () => (await loadType()).thingTypeList).option(
    "--prefix <text>",
    "only those whose names begin so",
    name,
  );
  examples(withPlaceOptions(made), "thing-type list", "thing-type list --prefix pu --json");
  const show = command(
    group,
    "show",
    "show a type and its things",
    async () => (await loadType()).thingTypeShow,
  ).argument(...argument);
  examples(withPlaceOptions(show), "thing-type show pump");
  const update = command(
    group,
    "update",
    "change what messages of its things get; connected things too",
    async () => (await loadType()).thingTypeUpdate,
  )
    .argument(...argument)
    .option(propagateFlags, "as with create; takes the place of all before", list)
    .option("--no-propagate", "nothing any more");
  examples(
    withPlaceOptions(update),
    "thing-type update pump --propagate site",
    "thing-type update pump --no-propagate",
  );
  const deprecate = command(
    group,
    "deprecate",
    "no thing gets the type any more; those that have it keep it",
    async () => (await loadType()).thingTypeDeprecate,
  )
    .argument(...argument)
    .option("--undo", "make it valid again");
  examples(withPlaceOptions(deprecate), "thing-type deprecate pump", "thing-type deprecate pump --undo");
  const gone = command(
    group,
    "delete",
    "delete a type, five minutes after it was deprecated",
    async () => (await loadType()).thingTypeDelete,
  ).argument(...argument);
  examples(withPlaceOptions(gone), "thing-type delete pump");
}

export function addBillingGroup(group: Command, command: AddCommand): void {
  const { name, path } = optionValues;
  const argument = ["<name>", "name of the billing group", name] as const;
  const create = command(group, "create", "make a billing group", async () => (await loadBilling()).billingGroupCreate)
    .argument(...argument)
    .option("--description <text>", "what it is for");
  examples(withPlaceOptions(create), "billing-group create north");
  const made = command(group, "list", "list billing groups", async () => (await loadBilling()).billingGroupList).option(
    "--prefix <text>",
    "only those whose names begin so",
    name,
  );
  examples(withPlaceOptions(made), "billing-group list", "billing-group list --prefix no --json");
  const show = command(
    group,
    "show",
    "show a billing group and its things",
    async () => (await loadBilling()).billingGroupShow,
  ).argument(...argument);
  examples(withPlaceOptions(show), "billing-group show north");
  const from = ["--from <file>", "names of things, one a line; - reads standard input"] as const;
  const add = command(
    group,
    "add",
    "put things into it; a thing is in one",
    async () => (await loadBilling()).billingGroupAdd,
  )
    .argument(...argument)
    .argument("[things...]", "names of things")
    .option(...from, path);
  examples(withPlaceOptions(add), "billing-group add north pump-7 pump-8", "billing-group add north --from pumps.txt");
  const remove = command(group, "remove", "take things out of it", async () => (await loadBilling()).billingGroupRemove)
    .argument(...argument)
    .argument("[things...]", "names of things")
    .option(...from, path);
  examples(withPlaceOptions(remove), "billing-group remove north pump-7");
  const gone = command(
    group,
    "delete",
    "delete a billing group; its things stay",
    async () => (await loadBilling()).billingGroupDelete,
  ).argument(...argument);
  examples(withPlaceOptions(gone), "billing-group delete north");
}

export function addAuthorizer(group: Command, command: AddCommand): void {
  const { path } = optionValues;
  const argument = ["<name>", "name of the authorizer"] as const;
  const create = command(group, "create", "make an authorizer", async () => (await loadAuthorizer()).authorizerCreate)
    .argument(...argument)
    .requiredOption("--function <arn>", "ARN of the function that is asked; see cloud start --function")
    .option("--token-key <name>", "the name under which clients send their token")
    .option("--public-key <file>", "RSA public key, PEM, that tokens are checked with", path)
    .option("--no-signing", "tokens are not signed")
    .option("--default", "clients that name none are asked by it");
  examples(
    withPlaceOptions(create),
    "authorizer create tokens --function auth --token-key token --public-key token.pub.pem",
    "authorizer create passwords --function auth --no-signing --default",
  );
  const list = command(group, "list", "list authorizers", async () => (await loadAuthorizer()).authorizerList);
  examples(withPlaceOptions(list), "authorizer list", "authorizer list --json");
  const tried = command(
    group,
    "test",
    "ask an authorizer's function",
    async () => (await loadAuthorizer()).authorizerTest,
  )
    .argument(...argument)
    .option("--token <text>", "the client's token")
    .option("--signature <base64>", "of the token: RSA, SHA-256")
    .option("--username <text>", "of the MQTT CONNECT")
    .option("--password <text>", "of the MQTT CONNECT")
    .option("--client-id <id>", "of the MQTT CONNECT");
  examples(withPlaceOptions(tried), "authorizer test passwords --username me --password secret");
}

export function addDomain(group: Command, command: AddCommand): void {
  const create = command(
    group,
    "create",
    "make a domain configuration",
    async () => (await loadAuthorizer()).domainCreate,
  )
    .argument("<name>", "name of the configuration")
    .option("--domain <host>", "its server name; default: one of AWS's")
    .option("--certificate-arn <arn>", "server certificate; default: one of the local cloud's CA")
    .option("--authorizer <name>", "its default authorizer")
    .addOption(
      new Option("--authentication <type>", "what clients have to show").choices([
        "AWS_X509",
        "CUSTOM_AUTH",
        "CUSTOM_AUTH_X509",
        "DEFAULT",
      ]),
    )
    .addOption(
      new Option("--protocol <name>", "what clients speak").choices(["SECURE_MQTT", "MQTT_WSS", "HTTPS", "DEFAULT"]),
    )
    .option("--security-policy <name>", "TLS versions and ciphers, by AWS's name");
  examples(
    withPlaceOptions(create),
    "domain create tokens --domain iot.example.com --authentication CUSTOM_AUTH --protocol SECURE_MQTT --authorizer tokens",
  );
  const list = command(group, "list", "list domain configurations", async () => (await loadAuthorizer()).domainList);
  examples(withPlaceOptions(list), "domain list", "domain list --json");
}
