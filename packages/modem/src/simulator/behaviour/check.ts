import { isRecord, optionInvalid } from "@thingline/protocol";
import { cmeErrors } from "@thingline/protocol/at";
import { cellRules, conditionRules, storageBytesRule, timeMsMax, timingRules } from "../surroundings.js";
import {
  anyOf,
  checkedCopy,
  checkValues,
  matching,
  type RulesOf,
  truth,
  type ValueRules,
  wholeNumber,
} from "../value-rules.js";
import {
  behaviourCountMax,
  behaviourStepsMax,
  type CommandFault,
  type CommandStep,
  type ModemBehaviour,
  type ModemEvent,
  type ModemSurroundings,
  type TimedStep,
  type WriteStep,
} from "./behaviour.js";

const time = wholeNumber(0, timeMsMax);
const count = wholeNumber(1, behaviourCountMax);
const cme = anyOf(...Object.keys(cmeErrors).map(Number));

const events: Readonly<Record<ModemEvent, true>> = {
  unplug: true,
  cutPower: true,
  reset: true,
  resetLoop: true,
  overheated: true,
  batteryLow: true,
  garbage: true,
};

const faults: Readonly<Record<CommandFault, true>> = {
  loseAnswer: true,
  loseCommand: true,
  garbage: true,
  slow: true,
  refuse: true,
  cutPower: true,
  unplug: true,
  reset: true,
};

const surroundingsRules: RulesOf<ModemSurroundings> = {
  ...conditionRules,
  cell: { type: "group", rules: cellRules },
  timing: { type: "group", rules: timingRules },
  supplyMv: wholeNumber(0, 10_000),
  temperatureC: wholeNumber(-273, 1_000),
  isPowerFailing: truth,
  writeMs: time,
  storageBytesMax: storageBytesRule,
  networkTimeOffsetMs: wholeNumber(-8_640_000_000_000, 8_640_000_000_000),
};
const set = { type: "group", rules: surroundingsRules } as const;

const timedRules: RulesOf<TimedStep> = {
  atMs: time,
  everyMs: wholeNumber(1, timeMsMax),
  count,
  jitterMs: time,
  set,
  do: anyOf(...Object.keys(events)),
};

const commandRules: RulesOf<CommandStep> = {
  onCommand: matching(/^(?:\*|AT|[+%#][A-Z0-9_]{1,32})$/u, "a command's name such as %CMNG, AT, or *"),
  form: anyOf("execute", "set", "read", "test"),
  operation: wholeNumber(0, timeMsMax),
  skip: wholeNumber(0, behaviourCountMax),
  count,
  do: anyOf(...Object.keys(faults)),
  delayMs: time,
  cme,
  phase: anyOf("before", "after"),
};

const writeRules: RulesOf<WriteStep> = {
  onWrite: count,
  count,
  do: anyOf("cutPower", "fail"),
  cme,
  phase: anyOf("before", "during", "after"),
};

/** Which kind of step a member makes of it. */
const kinds = [
  { trigger: "atMs", rules: timedRules },
  { trigger: "onCommand", rules: commandRules },
  { trigger: "onWrite", rules: writeRules },
] as const satisfies readonly { trigger: string; rules: ValueRules }[];

/** Which members mean something with which `do`. */
const onlyWith: readonly { member: string; trigger: string; actions: readonly string[] }[] = [
  { member: "delayMs", trigger: "onCommand", actions: ["slow"] },
  { member: "cme", trigger: "onCommand", actions: ["refuse"] },
  { member: "phase", trigger: "onCommand", actions: ["cutPower", "unplug", "reset"] },
  { member: "cme", trigger: "onWrite", actions: ["fail"] },
  { member: "phase", trigger: "onWrite", actions: ["cutPower"] },
];

/**
 * Checks a document from outside, whole, before any of it is used.
 *
 * @param prefix Goes before the names of members in errors. Default none.
 * @returns a copy.
 * @throws {ThinglineError} OPTION_INVALID with the member in `details.option`: `steps[2].onCommand`.
 */
export function checkModemBehaviour(document: unknown, prefix = ""): ModemBehaviour {
  const name = prefix.replace(/[.: ]+$/u, "") || "behaviour";
  return checkedCopy(document, name, (each) => checkDocument(each, prefix)) as ModemBehaviour;
}

function checkDocument(document: unknown, prefix: string): void {
  const of = "a modem behaviour";
  const name = (member: string): string => `${prefix}${member}`;
  // Steps have rules by their kind.
  const { steps, ...rest } = isRecord(document) ? document : { steps: undefined };
  checkValues(isRecord(document) ? rest : document, { seed: wholeNumber(0, 0xffff_ffff), set }, { of, prefix });
  if (steps === undefined) return;
  if (!Array.isArray(steps)) throw optionInvalid(name("steps"), "a list of steps", typeof steps);
  if (steps.length > behaviourStepsMax) {
    throw optionInvalid(name("steps"), `at most ${behaviourStepsMax} steps`, steps.length);
  }
  for (const [index, step] of steps.entries()) checkStep(step, name(`steps[${index}]`));
}

function checkStep(step: unknown, name: string): void {
  const triggers = kinds.map(({ trigger }) => trigger).join(", ");
  const found = isRecord(step) ? kinds.filter(({ trigger }) => step[trigger] !== undefined) : [];
  const [kind] = found;
  if (!isRecord(step) || kind === undefined || found.length > 1) {
    const got = found.length > 1 ? found.map(({ trigger }) => trigger).join(" and ") : "none";
    throw optionInvalid(name, `a step with one of ${triggers}`, got);
  }
  checkValues(step, kind.rules, { of: `a step with ${kind.trigger}`, prefix: `${name}.` });
  if (kind.trigger === "atMs") {
    if (step["set"] === undefined && step["do"] === undefined) throw optionInvalid(name, "set or do", "neither");
    if (step["everyMs"] === undefined && (step["count"] ?? 1) !== 1) {
      throw optionInvalid(`${name}.count`, "1 without everyMs", Number(step["count"]));
    }
    return;
  }
  const action = step["do"];
  if (typeof action !== "string") throw optionInvalid(`${name}.do`, "what happens", "nothing");
  for (const { member, trigger, actions } of onlyWith) {
    if (trigger !== kind.trigger || step[member] === undefined || actions.includes(action)) continue;
    throw optionInvalid(`${name}.${member}`, `do to be ${actions.join(" or ")}`, action);
  }
}
