import { ThinglineError } from "../errors.js";
import { nearestName } from "./nearest.js";
import type { KconfigOption } from "./option-types.js";
import type { KconfigName } from "./options.js";
import { kconfigOptions, strictPrefixes } from "./options.js";
import type { KconfigAssignment, KconfigOrigin } from "./syntax.js";
import { kconfigNameCharactersMax, parseKconfigLine } from "./syntax.js";
import {
  KconfigValues,
  optionOf,
  originOf,
  parseValue,
  type Assigned,
  type Kconfig,
  type KconfigWarning,
} from "./values.js";

/** A fragment and the name to blame it by. Command line settings are a fragment of their own. */
export interface KconfigFile {
  file: string;
  text: string;
}

export type KconfigProblemKind =
  | "malformedLine"
  | "unknownName"
  | "wrongType"
  | "wrongValue"
  | "outOfRange"
  | "missing"
  | "tooLarge";

export interface KconfigProblem {
  kind: KconfigProblemKind;
  /** Undefined when no line is to blame, as for a missing option. */
  origin: KconfigOrigin | undefined;
  /** Without `CONFIG_`; undefined for a line that has none. */
  name: string | undefined;
  message: string;
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
/** More are not told: a file with so many lines that say nothing is no configuration. */
export const kconfigWarningsMax = 1000;
/** A name outside of our prefixes so close to one inside is taken for a mistake. */
export const nearMissDistance = 2;
/** Farther away, the nearest name is told as such and not as a guess. */
const suggestionDistance = 8;
/** nRF Connect for Cloud keeps its credentials there. */
const nrfCloudSecTag = 16_842_753;
/** The longest keep alive of AWS IoT. */
const keepAliveSecondsMax = 1200;

const options: Readonly<Record<string, KconfigOption>> = kconfigOptions;
const prefixNames = new Set(strictPrefixes.map((prefix) => prefix.slice(0, -1)));
const ownNames = Object.keys(kconfigOptions).filter((name) => isStrict(name) || prefixNames.has(name));

/**
 * Merges fragments in order, a later assignment over an earlier one, and checks them against the table of options.
 * Everything that is wrong is reported together.
 */
export function parseKconfig(files: readonly KconfigFile[]): KconfigResult {
  const problems: KconfigProblem[] = [];
  const warnings: KconfigWarning[] = [];
  const assigned = new Map<string, Assigned>();
  let order = 0;
  for (const file of files) {
    for (const assignment of readFile(file, problems)) {
      const before = assigned.get(assignment.name);
      if (before?.file === assignment.file && before.raw !== assignment.raw) {
        const message = `CONFIG_${assignment.name} was already set in line ${before.line}; the last one wins`;
        warnings.push({ origin: originOf(assignment), name: assignment.name, message });
      }
      const problem = check(assignment, problems.length < kconfigProblemsMax);
      if (problem) problems.push(problem);
      // A value that cannot be used is reported, not replaced by the one before it.
      const overridden = before?.overridden ?? [];
      if (before) overridden.push(originOf(before));
      assigned.set(assignment.name, { ...assignment, overridden, order: order++ });
    }
  }
  const config = new KconfigValues(assigned);
  warnings.push(...config.warnings(), ...adviceOn(config));
  if (warnings.length > kconfigWarningsMax) warnings.length = kconfigWarningsMax;
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
  // Whoever names the wrong file of a folder of credentials must not read lines of its key in what goes to a log.
  const pemAt = lines.findIndex((line) => line.includes("-----BEGIN ") && !/^(?:CONFIG_|#)/u.test(line));
  if (pemAt >= 0) {
    const message = "this is a PEM or has one, which is no Kconfig fragment; nothing of it is shown";
    problems.push({ kind: "malformedLine", origin: { file, line: pemAt + 1 }, name: undefined, message });
    return;
  }
  for (const [index, content] of lines.entries()) {
    const origin = { file, line: index + 1 };
    const line = parseKconfigLine(content);
    if (line.type === "assignment") yield { ...origin, name: line.name, raw: line.raw };
    if (line.type === "malformed") {
      problems.push({ kind: "malformedLine", origin, name: undefined, message: line.reason });
    }
  }
}

/** @param isTold a problem that is only counted needs no suggestion, which is what takes time. */
function check(assignment: KconfigAssignment, isTold: boolean): KconfigProblem | undefined {
  const { name, raw } = assignment;
  const option = optionOf(name);
  const problem = (kind: KconfigProblemKind, message: string): KconfigProblem => {
    return { kind, origin: originOf(assignment), name, message };
  };
  if (!option) {
    if (!isTold) return isStrict(name) ? problem("unknownName", name) : undefined;
    const hint = suggest(name);
    return hint === undefined ? undefined : problem("unknownName", `there is no option CONFIG_${name}; ${hint}`);
  }
  const parsed = parseValue(option, raw);
  if ("reason" in parsed) return problem("wrongType", `CONFIG_${name} is of type ${option.type}: ${parsed.reason}`);
  if (option.type === "string" && parsed.value !== "") {
    const reason = option.check?.(String(parsed.value));
    if (reason !== undefined) return problem("wrongValue", `CONFIG_${name}: ${reason}`);
  }
  if (option.type !== "int" && option.type !== "hex") return undefined;
  const [lowest, highest] = option.range ?? [-Infinity, Infinity];
  const value = Number(parsed.value);
  if (value >= lowest && value <= highest) return undefined;
  return problem("outOfRange", `CONFIG_${name} must be ${lowest} to ${highest}, got ${value}`);
}

/** Undefined: a name that is not ours and does not look like one. */
function suggest(name: string): string | undefined {
  const close = nearestName(name, ownNames, isStrict(name) ? suggestionDistance : nearMissDistance);
  if (!isStrict(name)) return close && `did you mean CONFIG_${close}?`;
  // A name that was cut short is far from the whole one by letters only.
  const longer = ownNames.filter((other) => other.startsWith(`${name}_`));
  const likely = longer.length === 1 ? longer[0] : close;
  if (likely !== undefined) return `did you mean CONFIG_${likely}?`;
  return `the nearest is CONFIG_${nearestName(name, ownNames, kconfigNameCharactersMax)}`;
}

/** What is valid and probably not meant so. */
function adviceOn(config: KconfigValues): KconfigWarning[] {
  const warnings: KconfigWarning[] = [];
  const advise = (name: KconfigName, message: string) => {
    const origin = config.origin(name);
    if (origin) warnings.push({ origin, name, message });
  };
  const library = config.entries().find(({ name }) => name.startsWith("AWS_IOT_"));
  if (library && !config.get("AWS_IOT")) {
    const message = "CONFIG_AWS_IOT=y is missing: a firmware build would ignore the options of the aws_iot library";
    warnings.push({ origin: library.origin, name: "AWS_IOT", message });
  }
  if (config.get("AWS_IOT_SEC_TAG") === nrfCloudSecTag) {
    advise(
      "AWS_IOT_SEC_TAG",
      `CONFIG_AWS_IOT_SEC_TAG=${nrfCloudSecTag} is the security tag of nRF Cloud's credentials; take another one`,
    );
  }
  if (config.get("AWS_IOT_STATIC_IPV4") && config.get("AWS_IOT_IPV6")) {
    advise("AWS_IOT_IPV6", "CONFIG_AWS_IOT_IPV6=y has no effect: CONFIG_AWS_IOT_STATIC_IPV4_ADDR is the address");
  }
  const keepAlive = config.get("MQTT_KEEPALIVE");
  if (keepAlive === 0 || keepAlive > keepAliveSecondsMax) {
    advise("MQTT_KEEPALIVE", `CONFIG_MQTT_KEEPALIVE=${keepAlive}: AWS IoT goes by ${keepAliveSecondsMax} seconds`);
  }
  return warnings;
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

function isStrict(name: string): boolean {
  return strictPrefixes.some((prefix) => name.startsWith(prefix));
}
