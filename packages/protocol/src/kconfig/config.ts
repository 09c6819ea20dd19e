import { ThinglineError } from "../errors.js";
import { nearestName } from "./nearest.js";
import type { KconfigName, KconfigOption, KconfigValueOf } from "./options.js";
import { kconfigOptions, strictPrefixes } from "./options.js";
import type { KconfigAssignment, KconfigOrigin, ParsedValue } from "./syntax.js";
import { parseBool, parseHex, parseInt10, parseKconfigLine, parseString } from "./syntax.js";

/** A fragment and the name to blame it by. Command line settings are a fragment of their own. */
export interface KconfigFile {
  file: string;
  text: string;
}

export type KconfigProblemKind = "malformedLine" | "unknownName" | "wrongType" | "outOfRange" | "missing" | "tooLarge";

export interface KconfigProblem {
  kind: KconfigProblemKind;
  /** Undefined when no line is to blame, as for a missing option. */
  origin: KconfigOrigin | undefined;
  /** Without `CONFIG_`; undefined for a line that has none. */
  name: string | undefined;
  message: string;
}

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
  origin: KconfigOrigin;
}

/** The merged options of all fragments. */
export interface Kconfig {
  /** The effective value: what was assigned if its dependencies are met, else the default. */
  get<Name extends KconfigName>(name: Name): KconfigValueOf<Name>;
  /** Where the effective value comes from; undefined: the default. */
  origin(name: string): KconfigOrigin | undefined;
  /** Every assigned symbol by name, also those that Thingline has no use for. The winning assignment of each. */
  entries(): readonly KconfigEntry[];
}

export interface KconfigResult {
  config: Kconfig;
  /** In file and line order, missing options last. Not empty: `config` must not be used. */
  problems: readonly KconfigProblem[];
  warnings: readonly KconfigWarning[];
}

export const kconfigFileCharactersMax = 1024 * 1024;
/** The rest is counted in a last problem. */
export const kconfigProblemsMax = 100;
/** A name outside of our prefixes so close to one inside is taken for a mistake. */
export const nearMissDistance = 2;
const suggestionDistance = 8;

const options: Readonly<Record<string, KconfigOption>> = kconfigOptions;
const ownNames = Object.keys(kconfigOptions).filter(
  (name) => isStrict(name) || name === "AWS_IOT" || name === "AWS_FOTA",
);

/**
 * Merges fragments in order, a later assignment over an earlier one, and checks them against the table of options.
 * Everything that is wrong is reported together.
 */
export function parseKconfig(files: readonly KconfigFile[]): KconfigResult {
  const problems: KconfigProblem[] = [];
  const warnings: KconfigWarning[] = [];
  const assigned = new Map<string, KconfigAssignment>();
  for (const file of files) {
    for (const assignment of readFile(file, problems)) {
      const before = assigned.get(assignment.name);
      if (before?.file === assignment.file && before.raw !== assignment.raw) {
        const message = `CONFIG_${assignment.name} was already set in line ${before.line}; the last one wins`;
        warnings.push({ origin: originOf(assignment), name: assignment.name, message });
      }
      const problem = check(assignment);
      if (problem) problems.push(problem);
      // A value that cannot be used is reported, not replaced by the one before it.
      assigned.set(assignment.name, assignment);
    }
  }
  const config = createConfig(assigned, warnings);
  checkRequired(config, files, problems);
  checkClientId(config, problems);
  if (problems.length > kconfigProblemsMax) {
    const hidden = problems.splice(kconfigProblemsMax).length;
    problems.push({ kind: "tooLarge", origin: undefined, name: undefined, message: `and ${hidden} more` });
  }
  return { config, problems, warnings };
}

/** @throws {ThinglineError} KCONFIG_INVALID with one line per problem: file, line, what is wrong. */
export function loadKconfig(files: readonly KconfigFile[]): { config: Kconfig; warnings: readonly KconfigWarning[] } {
  const { config, problems, warnings } = parseKconfig(files);
  if (problems.length === 0) return { config, warnings };
  const message = problems.map(formatKconfigProblem).join("\n");
  const first = problems.find((problem) => problem.origin !== undefined)?.origin;
  const details = { problems: problems.length, ...(first && { file: first.file, line: first.line }) };
  throw new ThinglineError("KCONFIG_INVALID", message, { details });
}

export function formatKconfigProblem({ origin, message }: Pick<KconfigProblem, "origin" | "message">): string {
  return origin ? `${origin.file}:${origin.line}: ${message}` : message;
}

function* readFile({ file, text }: KconfigFile, problems: KconfigProblem[]): Generator<KconfigAssignment> {
  if (text.length > kconfigFileCharactersMax) {
    const message = `a fragment has at most ${kconfigFileCharactersMax} characters, got ${text.length}`;
    problems.push({ kind: "tooLarge", origin: { file, line: 1 }, name: undefined, message });
    return;
  }
  // A byte order mark is what some editors leave behind; it would spoil the first line for no visible reason.
  const lines = text.replace(/^\uFEFF/u, "").split("\n");
  for (const [index, content] of lines.entries()) {
    const origin = { file, line: index + 1 };
    const line = parseKconfigLine(content);
    if (line.type === "assignment") yield { ...origin, name: line.name, raw: line.raw };
    if (line.type === "malformed") {
      problems.push({ kind: "malformedLine", origin, name: undefined, message: line.reason });
    }
  }
}

function check(assignment: KconfigAssignment): KconfigProblem | undefined {
  const { name, raw } = assignment;
  const option = optionOf(name);
  const problem = (kind: KconfigProblemKind, message: string): KconfigProblem => {
    return { kind, origin: originOf(assignment), name, message };
  };
  if (!option) {
    const nearest = nearestName(name, ownNames, isStrict(name) ? suggestionDistance : nearMissDistance);
    if (!nearest && !isStrict(name)) return undefined;
    const hint = nearest ? `; did you mean CONFIG_${nearest}?` : "";
    return problem("unknownName", `there is no option CONFIG_${name}${hint}`);
  }
  const parsed = parseValue(option, raw);
  if ("reason" in parsed) return problem("wrongType", `CONFIG_${name} is of type ${option.type}: ${parsed.reason}`);
  if (option.type !== "int" && option.type !== "hex") return undefined;
  const [lowest, highest] = option.range ?? [-Infinity, Infinity];
  const value = Number(parsed.value);
  if (value >= lowest && value <= highest) return undefined;
  return problem("outOfRange", `CONFIG_${name} must be ${lowest} to ${highest}, got ${value}`);
}

function createConfig(assigned: ReadonlyMap<string, KconfigAssignment>, warnings: KconfigWarning[]): Kconfig {
  const values = new Map<string, boolean | number | string | undefined>();
  const effective = (name: string): boolean | number | string | undefined => {
    if (values.has(name)) return values.get(name);
    const option = optionOf(name);
    const assignment = assigned.get(name);
    if (!option) return assignment?.raw.startsWith("y") ?? false;
    const isVisible = (option.dependsOn ?? []).every((dependency) => effective(dependency) === true);
    const parsed = assignment && isVisible ? parseValue(option, assignment.raw) : undefined;
    const value = parsed && "value" in parsed ? parsed.value : defaultOf(option, (other) => effective(other) === true);
    values.set(name, value);
    return value;
  };
  for (const assignment of assigned.values()) {
    const { name } = assignment;
    const unmet = (optionOf(name)?.dependsOn ?? []).filter((dependency) => effective(dependency) !== true);
    if (unmet.length === 0) continue;
    const message = `CONFIG_${name} has no effect: it needs ${unmet.map((other) => `CONFIG_${other}=y`).join(" and ")}`;
    warnings.push({ origin: originOf(assignment), name, message });
  }
  const library = [...assigned.values()].find(({ name }) => name.startsWith("AWS_IOT_"));
  if (library && effective("AWS_IOT") !== true) {
    const message = "CONFIG_AWS_IOT=y is missing: a firmware build would ignore the options of the aws_iot library";
    warnings.push({ origin: originOf(library), name: "AWS_IOT", message });
  }
  return {
    get<Name extends KconfigName>(name: Name) {
      return effective(name) as KconfigValueOf<Name>;
    },
    origin(name) {
      const assignment = assigned.get(name);
      const unmet = (optionOf(name)?.dependsOn ?? []).some((dependency) => effective(dependency) !== true);
      return assignment && !unmet ? originOf(assignment) : undefined;
    },
    entries() {
      return [...assigned.values()].map((assignment) => {
        return { name: assignment.name, raw: assignment.raw, origin: originOf(assignment) };
      });
    },
  };
}

function parseValue(option: KconfigOption, raw: string): ParsedValue<boolean | number | string> {
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

function defaultOf(option: KconfigOption, isYes: (name: string) => boolean): boolean | number | string | undefined {
  return typeof option.default === "function" ? option.default(isYes) : option.default;
}

function checkRequired(config: Kconfig, files: readonly KconfigFile[], problems: KconfigProblem[]): void {
  for (const [name, option] of Object.entries(options)) {
    if (!option.isRequired) continue;
    // What is set wrongly was reported with its line already.
    if (problems.some((problem) => problem.name === name)) continue;
    if ((option.dependsOn ?? []).some((dependency) => !config.get(dependency as KconfigName))) continue;
    const value: unknown = config.get(name as KconfigName);
    if (value !== undefined && value !== "") continue;
    const origin = config.origin(name);
    const where = files.length > 0 && !origin ? ` in ${files.map(({ file }) => file).join(", ")}` : "";
    const message = origin ? `CONFIG_${name} must not be empty` : `CONFIG_${name} is missing${where}`;
    problems.push({ kind: "missing", origin, name, message });
  }
}

/** The library checks this when it is compiled. */
function checkClientId(config: Kconfig, problems: KconfigProblem[]): void {
  if (config.get("AWS_IOT_CLIENT_ID_APP")) return;
  const name = "AWS_IOT_CLIENT_ID_STATIC";
  if (problems.some((problem) => problem.name === name || problem.name === "AWS_IOT_CLIENT_ID_MAX_LEN")) return;
  const lengthBytes = new TextEncoder().encode(config.get(name)).length;
  const max = config.get("AWS_IOT_CLIENT_ID_MAX_LEN");
  const origin = config.origin(name);
  if (lengthBytes === 0) {
    problems.push({ kind: "missing", origin, name, message: `CONFIG_${name} must not be empty` });
  } else if (lengthBytes > max) {
    const message = `CONFIG_${name} has ${lengthBytes} bytes, more than CONFIG_AWS_IOT_CLIENT_ID_MAX_LEN=${max} allows`;
    problems.push({ kind: "outOfRange", origin, name, message });
  }
}

function optionOf(name: string): KconfigOption | undefined {
  return Object.hasOwn(options, name) ? options[name] : undefined;
}

function isStrict(name: string): boolean {
  return strictPrefixes.some((prefix) => name.startsWith(prefix));
}

function originOf({ file, line }: KconfigOrigin): KconfigOrigin {
  return { file, line };
}
