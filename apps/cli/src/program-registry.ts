import type { Command } from "commander";
import { optionValues } from "./option-values.js";
import { awsOption, dataDirOption, examples, type AddCommand } from "./program-parts.js";

// Commands for what things may have besides groups.

const loadType = async () => import("./commands/thing-type.js");
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
