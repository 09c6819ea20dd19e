import type { KconfigOption } from "./option-types.js";
import { kconfigOptions, type KconfigName, type KconfigValueOf } from "./options.js";
import {
  parseBool,
  parseHex,
  parseInt10,
  parseString,
  type KconfigAssignment,
  type KconfigOrigin,
  type ParsedValue,
} from "./syntax.js";

/** Warnings never keep a configuration from being used. */
export interface KconfigWarning {
  origin: KconfigOrigin;
  name: string;
  message: string;
}

export interface KconfigEntry {
  /** Without `CONFIG_`. */
  name: string;
  /** As written by the file that won. */
  raw: string;
  /** Where it was assigned last. */
  origin: KconfigOrigin;
  /** Earlier assignments of the same symbol, first one first. */
  overridden: readonly KconfigOrigin[];
  /** The table of options has it; otherwise it is kept as it is, for whoever asks. */
  isKnown: boolean;
  /** Nothing changes by it here; see {@link KconfigOption}. */
  withoutEffect?: "build" | "fota";
}

/** The merged options of all fragments. */
export interface Kconfig {
  /** The effective value: what was assigned if its dependencies are met, else the default. */
  get<Name extends KconfigName>(name: Name): KconfigValueOf<Name>;
  /** Where the effective value comes from; undefined: the default, or another option. */
  origin(name: string): KconfigOrigin | undefined;
  /** Every assigned symbol, also those that Thingline has no use for. The winning assignment of each. */
  entries(): readonly KconfigEntry[];
}

/** The last assignment of a symbol, and where the others were. */
export interface Assigned extends KconfigAssignment {
  overridden: KconfigOrigin[];
  /** Which one of all assignments it was; later ones have greater numbers. */
  order: number;
}

type Value = boolean | number | string | undefined;

const options: Readonly<Record<string, KconfigOption>> = kconfigOptions;
const choices = membersByChoice();

export function optionOf(name: string): KconfigOption | undefined {
  return Object.hasOwn(options, name) ? options[name] : undefined;
}

export function originOf({ file, line }: KconfigOrigin): KconfigOrigin {
  return { file, line };
}

/** Works out what is in effect, as Kconfig does: dependencies, choices, `select`, defaults. */
export class KconfigValues implements Kconfig {
  readonly #assigned: ReadonlyMap<string, Assigned>;
  readonly #values = new Map<string, Value>();

  constructor(assigned: ReadonlyMap<string, Assigned>) {
    this.#assigned = assigned;
  }

  get<Name extends KconfigName>(name: Name): KconfigValueOf<Name> {
    return this.#effective(name) as KconfigValueOf<Name>;
  }

  origin(name: string): KconfigOrigin | undefined {
    const assignment = this.#assigned.get(name);
    return assignment && this.#whyIgnored(assignment) === undefined ? originOf(assignment) : undefined;
  }

  entries(): readonly KconfigEntry[] {
    return [...this.#assigned.values()].map(({ name, raw, file, line, overridden }) => {
      const option = optionOf(name);
      const withoutEffect = option?.withoutEffect;
      const entry = { name, raw, origin: { file, line }, overridden, isKnown: option !== undefined };
      return withoutEffect === undefined ? entry : { ...entry, withoutEffect };
    });
  }

  /** Assignments that have no effect, and why. */
  warnings(): KconfigWarning[] {
    const warnings: KconfigWarning[] = [];
    for (const assignment of this.#assigned.values()) {
      const { name, raw } = assignment;
      const why = this.#whyIgnored(assignment);
      if (why === undefined) continue;
      const message = `CONFIG_${name}=${raw} has no effect: ${why}`;
      warnings.push({ origin: originOf(assignment), name, message });
    }
    return warnings;
  }

  /** Undefined: the assigned value is the one in effect. */
  #whyIgnored({ name, raw }: KconfigAssignment): string | undefined {
    const option = optionOf(name);
    if (!option) return undefined;
    if (option.hasNoPrompt) return "it follows from other options";
    const parsed = parseValue(option, raw);
    if ("reason" in parsed || parsed.value === this.#effective(name)) {
      // As Kconfig does, which only complains when a dependency changes the outcome.
      return option.type !== "bool" && !this.#isVisible(option) ? this.#whatItNeeds(option) : undefined;
    }
    if (!this.#isVisible(option)) return this.#whatItNeeds(option);
    if (option.type !== "bool") return undefined;
    const selector = this.#selectorOf(option);
    if (selector !== undefined) return `CONFIG_${selector}=y needs it`;
    const chosen = option.choice && this.#chosen(option.choice.name);
    const at = chosen === undefined ? undefined : this.#assigned.get(chosen);
    return `of these options one is y, and that is CONFIG_${chosen}${at ? ` (${at.file}:${at.line})` : ""}`;
  }

  #whatItNeeds(option: KconfigOption): string {
    const unmet = (option.dependsOn ?? []).filter((condition) => !this.#holds(condition));
    return `it needs ${unmet.map(describeCondition).join(" and ")}`;
  }

  #effective(name: string): Value {
    if (this.#values.has(name)) return this.#values.get(name);
    const value = this.#resolve(name);
    this.#values.set(name, value);
    return value;
  }

  #resolve(name: string): Value {
    const option = optionOf(name);
    const assignment = this.#assigned.get(name);
    if (!option) return assignment?.raw.startsWith("y") ?? false;
    const isVisible = this.#isVisible(option);
    if (option.type === "bool") {
      if (this.#selectorOf(option) !== undefined) return true;
      if (!isVisible) return false;
      if (option.choice) return this.#chosen(option.choice.name) === name;
    }
    const parsed = assignment && isVisible && !option.hasNoPrompt ? parseValue(option, assignment.raw) : undefined;
    if (parsed && "value" in parsed) return parsed.value;
    return typeof option.default === "function" ? option.default(this.#isYes) : option.default;
  }

  readonly #isYes = (name: string): boolean => this.#effective(name) === true;

  #isVisible(option: KconfigOption): boolean {
    return (option.dependsOn ?? []).every((condition) => this.#holds(condition));
  }

  #holds(condition: string): boolean {
    const { name, isNot, atLeast } = parseCondition(condition);
    if (atLeast !== undefined) return Number(this.#effective(name) ?? 0) >= atLeast;
    return this.#isYes(name) !== isNot;
  }

  #selectorOf(option: KconfigOption): string | undefined {
    return option.type === "bool" ? option.selectedBy?.find(this.#isYes) : undefined;
  }

  /** The member that is y: the one set last, else the default, else the first that can be. */
  #chosen(choice: string): string | undefined {
    const visible = (choices.get(choice) ?? []).filter(({ option }) => this.#isVisible(option));
    const order = (name: string): number => {
      const assignment = this.#assigned.get(name);
      return assignment?.raw.startsWith("y") ? assignment.order : -1;
    };
    const set = visible.filter(({ name }) => order(name) >= 0).sort((a, b) => order(b.name) - order(a.name));
    return (set[0] ?? visible.find(({ isDefault }) => isDefault) ?? visible[0])?.name;
  }
}

function parseCondition(condition: string): { name: string; isNot: boolean; atLeast: number | undefined } {
  const [left = "", right] = condition.split(">=");
  const isNot = left.startsWith("!");
  return { name: isNot ? left.slice(1) : left, isNot, atLeast: right === undefined ? undefined : Number(right) };
}

function describeCondition(condition: string): string {
  const { name, isNot, atLeast } = parseCondition(condition);
  if (atLeast !== undefined) return `CONFIG_${name} of at least ${atLeast}`;
  return `CONFIG_${name}=${isNot ? "n" : "y"}`;
}

function membersByChoice(): ReadonlyMap<string, { name: string; option: KconfigOption; isDefault: boolean }[]> {
  const members = new Map<string, { name: string; option: KconfigOption; isDefault: boolean }[]>();
  for (const [name, option] of Object.entries(options)) {
    if (option.type !== "bool" || !option.choice) continue;
    const list = members.get(option.choice.name) ?? [];
    list.push({ name, option, isDefault: option.choice.isDefault === true });
    members.set(option.choice.name, list);
  }
  return members;
}

/** What stands after `=`, by the option's type. */
export function parseValue(option: KconfigOption, raw: string): ParsedValue<boolean | number | string> {
  switch (option.type) {
    case "bool":
      return parseBool(raw);
    case "int":
      return parseInt10(raw);
    case "hex":
      return parseHex(raw);
    case "string":
      return parseString(raw);
  }
}
