import { Option, type Command } from "commander";
import { optionValues } from "./option-values.js";
import { awsOption, dataDirOption, examples, type AddCommand } from "./program-parts.js";

// Commands for topic rules.

const loadRule = async () => import("./commands/rule.js");
const loadTest = async () => import("./commands/rule-test.js");

const withPlaceOptions = (made: Command) => made.addOption(dataDirOption()).addOption(awsOption());
const sqlVersion = () =>
  new Option("--sql-version <version>", "of AWS IoT SQL (default: 2016-03-23)").choices([
    "2015-10-08",
    "2016-03-23",
    "beta",
  ]);

export function addRule(group: Command, command: AddCommand): void {
  const { list, name, path } = optionValues;
  const argument = ["<name>", "name of the rule", name] as const;
  const create = command(group, "create", "make a rule", async () => (await loadRule()).ruleCreate)
    .argument(...argument)
    .option("--sql <statement>", "which messages it selects, and what it makes of them")
    .option("--republish <topic>", "publish that; ${...} in it is filled from the message; may be repeated", list)
    .option(
      "--function <name>",
      "call a function that `cloud start --function` named, or of AWS by its ARN; may be repeated",
      list,
    )
    .option("--http <url>", "post it; may be repeated", list)
    .option("--s3 <bucket/key>", "put it as an object; may be repeated", list)
    .option("--error-republish <topic>", "where it is told that an action failed")
    .option("--role-arn <arn>", "with which AWS acts")
    .option("--description <text>", "what it is for")
    .addOption(sqlVersion())
    .option("--disabled", "it hears nothing before it is enabled")
    .option("--payload <file>", "the whole rule, as CreateTopicRule takes it; any action of AWS", path)
    .option("--replace", "in the place of the rule of that name");
  examples(
    withPlaceOptions(create),
    "rule create warm --sql \"SELECT temp, topic(2) AS room FROM 'room/+/temp' WHERE temp > 30\" --republish 'warm/${topic(2)}'",
    "rule create store --sql \"SELECT * FROM 'raw/#'\" --s3 'readings/${clientid()}/${timestamp()}.json'",
    "rule create mine --payload rule.json --replace",
  );
  const made = command(group, "list", "list rules", async () => (await loadRule()).ruleList).option(
    "--topic <filter>",
    "only those that hear this filter",
  );
  examples(withPlaceOptions(made), "rule list", "rule list --json");
  const verbs = [
    ["show", "show a rule", async () => (await loadRule()).ruleShow],
    ["enable", "let a rule hear messages", async () => (await loadRule()).ruleEnable],
    ["disable", "let a rule hear nothing", async () => (await loadRule()).ruleDisable],
    ["delete", "delete a rule", async () => (await loadRule()).ruleDelete],
  ] as const;
  for (const [verb, text, load] of verbs) {
    examples(withPlaceOptions(command(group, verb, text, load).argument(...argument)), `rule ${verb} warm`);
  }
  const test = command(
    group,
    "test",
    "what a statement makes of a message, without any cloud",
    async () => (await loadTest()).ruleTest,
  )
    .argument("<statement>", "of AWS IoT SQL")
    .option("--topic <topic>", "of the message (default: one that the statement hears)")
    .addOption(new Option("--message <text>", "the message (default: {})").conflicts("from"))
    .option("--from <file>", "the message is this file", path)
    .option("--client-id <id>", "who sends it (default: client)")
    .option("--template <text>", "a text of an action that is filled; may be repeated", list)
    .option(
      "--answer <name=json>",
      "what a function answers that leaves the statement, such as get_thing_shadow; may be repeated",
      list,
    )
    .addOption(sqlVersion());
  examples(
    test,
    "rule test \"SELECT temp * 9 / 5 + 32 AS fahrenheit FROM 'room/+'\" --message '{\"temp\":21.5}'",
    "rule test \"SELECT * FROM 'a/#' WHERE n > 1\" --topic a/b --message '{\"n\":2}' --template 'out/${topic(2)}'",
  );
}
