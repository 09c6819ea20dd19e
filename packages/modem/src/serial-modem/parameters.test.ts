import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import type { ParameterRule } from "../simulator/commands/parameter-rules.js";
import { makeModemWorld } from "../world.test.support.js";
import { failed, ok, type SerialModemCommand, type SerialModemSetForm } from "./command.js";
import { parseCommand, perform } from "./command-table.js";
import { isSerialModemDialect, type SerialModemDialect, serialModemTraits } from "./dialect.js";
import type { SerialModemServices } from "./feature.js";
import { serialModemFeatures } from "./features.js";
import { makeGeneralCommands } from "./general.js";

/** What the commands say that they take; nothing of this is called. */
async function servicesOf(dialect: SerialModemDialect): Promise<SerialModemServices> {
  const clock = createVirtualClock();
  const { modem } = await makeModemWorld({ clock });
  const random = createVirtualRandom(1);
  const unused = (): never => assert.fail("no handler runs");
  return {
    options: { clock, random, dialect, hasNativeTls: dialect !== "serialModem" },
    traits: serialModemTraits[dialect],
    modem,
    clock,
    random,
    storage: { get: () => undefined, set: unused },
    isInDataMode: false,
    isLineFree: true,
    hasLineRoom: true,
    timeLimitMs: undefined,
    baudRate: 115_200,
    notify: unused,
    setEcho: unused,
    sendRaw: unused,
    refuse: () => failed(),
    leaveDataMode: unused,
    dial: unused,
    restart: unused,
    sleep: unused,
    restartModem: unused,
  };
}

async function commandsIn(dialect: SerialModemDialect): Promise<SerialModemCommand[]> {
  const services = await servicesOf(dialect);
  const all = [makeGeneralCommands(services, () => []), ...serialModemFeatures.map((make) => make(services).commands)];
  return all.flat().filter((command) => command.dialects?.includes(dialect) !== false);
}

const texts = ["host", "text", "48", "GET", "/", "", "0123456789abcdef"];

/** A parameter that the rule takes, as it stands in a command. */
function valid(rule: ParameterRule): string {
  if (rule.type === "integer") return String(rule.values?.[0] ?? rule.lowest);
  if (rule.type !== "text") return "";
  const text = texts.find((candidate) => rule.pattern?.test(candidate) !== false);
  assert.ok(text !== undefined, `a text for ${rule.pattern}`);
  return `"${text}"`;
}

/** Parameters that the rule does not take. */
function invalid(rule: ParameterRule): string[] {
  if (rule.type === "ignored") return [];
  const wrong = rule.type === "integer" ? ['"1"', "1.5", "a", "0x1", "--1"] : ["1", "word", "(1)"];
  if (!rule.isOptional) wrong.push("");
  if (rule.type !== "integer") return wrong;
  wrong.push(String(rule.lowest - 1), String(rule.highest + 1));
  const { values } = rule;
  for (let value = rule.lowest; values !== undefined && value < rule.highest; value++) {
    if (values.includes(value)) continue;
    wrong.push(String(value));
    break;
  }
  return wrong;
}

/** An own look at a list, against which the real one is held. */
function isTaken({ rules }: SerialModemSetForm, parameters: readonly string[]): boolean {
  if (rules === "any") return true;
  if (parameters.length > rules.length) return false;
  return rules.every((rule, index) => {
    const parameter = parameters[index] ?? "";
    if (parameter === "") return rule.isOptional;
    if (rule.type === "ignored") return true;
    if (rule.type === "integer") {
      if (!/^-?[0-9]+$/.test(parameter)) return false;
      const value = Number(parameter);
      return value >= rule.lowest && value <= rule.highest && rule.values?.includes(value) !== false;
    }
    return /^".*"$/s.test(parameter) && (rule.type !== "text" || rule.pattern?.test(parameter.slice(1, -1)) !== false);
  });
}

function* wrongLists(forms: readonly SerialModemSetForm[]): Generator<string[]> {
  for (const { rules } of forms) {
    if (rules === "any") continue;
    const base = rules.map(valid);
    yield [...base, "1"];
    const required = rules.findLastIndex((rule) => !rule.isOptional) + 1;
    for (let count = 0; count < required; count++) yield base.slice(0, count);
    for (const [index, rule] of rules.entries()) {
      for (const wrong of invalid(rule)) yield base.map((one, at) => (at === index ? wrong : one));
    }
  }
}

for (const dialect of Object.keys(serialModemTraits).filter(isSerialModemDialect)) {
  test(`${dialect}: wrong numbers of parameters, types and ranges never reach a command`, async () => {
    let lists = 0;
    for (const { name, forms } of await commandsIn(dialect)) {
      const { set = [] } = forms;
      const all = "rules" in set ? [set] : set;
      const spied = all.map(({ rules }) => ({ rules, handle: () => ok(`reached ${name}`) }));
      for (const parameters of wrongLists(all)) {
        // What one form does not take may be another one's.
        if (all.some((form) => isTaken(form, parameters))) continue;
        lists++;
        const command = parseCommand(`AT${name}=${parameters.join(",")}`);
        const reply = command === undefined ? failed() : await perform({ set: spied }, command);
        assert.deepEqual(reply, failed(), `AT${name}=${parameters.join(",")}`);
      }
      for (const form of all) {
        if (form.rules === "any") continue;
        const command = parseCommand(`AT${name}=${form.rules.map(valid).join(",")}`);
        assert.ok(command, name);
        assert.equal((await perform({ set: spied }, command)).type, "ok", `AT${name}: a list that it takes`);
      }
    }
    assert.ok(lists > 300, `${lists} wrong lists`);
  });
}
