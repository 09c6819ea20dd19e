/** Tells whether a bool symbol is y, whatever file or default says so. */
export type IsYes = (name: string) => boolean;

export interface OptionBase {
  /**
   * Conditions that must all hold: `NAME` is y, `!NAME` is not, `NAME>=number` for an int. Otherwise an assigned value
   * has no effect, which is reported as a warning, and a bool is n.
   */
  dependsOn?: readonly string[];
  /** An empty or missing value is an error, unless a dependency is not met. */
  isRequired?: true;
  /** It follows from other options: an assignment is ignored with a warning. */
  hasNoPrompt?: true;
  /**
   * Why the value changes nothing here: `build` means something to a firmware build only, `fota` bounds or shapes the firmware updates of
   * the original, where ours have bounds of their own. Undefined: it takes effect.
   */
  withoutEffect?: "build" | "fota";
}
export interface BoolOption extends OptionBase {
  type: "bool";
  default: boolean | ((isYes: IsYes) => boolean);
  /** Bool symbols any of which forces y. */
  selectedBy?: readonly string[];
  /** Of the members of one choice exactly one is y: the last that was set, else the default. */
  choice?: { name: string; isDefault?: true };
}
export interface NumberOption extends OptionBase {
  type: "int" | "hex";
  default?: number | ((isYes: IsYes) => number);
  /** Inclusive. */
  range?: readonly [lowest: number, highest: number];
}
export interface StringOption extends OptionBase {
  type: "string";
  default?: string;
  /** What is wrong with a value; undefined: nothing. */
  check?: (value: string) => string | undefined;
}
export type KconfigOption = BoolOption | NumberOption | StringOption;

export const off = { type: "bool", default: false } as const satisfies BoolOption;
export const on = { type: "bool", default: true } as const satisfies BoolOption;
/** For symbols that only a firmware build cares for. */
export const buildOff = { ...off, withoutEffect: "build" } as const satisfies BoolOption;

export const logLevels = ["OFF", "ERR", "WRN", "INF", "DBG", "DEFAULT"] as const;
export type LogLevel = (typeof logLevels)[number];

/** Zephyr's log template: a choice of six bools. */
export function logLevelOptions<const Prefix extends string>(
  prefix: Prefix,
): Record<`${Prefix}_LOG_LEVEL_${LogLevel}`, BoolOption> {
  const option = (level: LogLevel): BoolOption => {
    const choice = { name: `${prefix}_LOG_LEVEL`, ...(level === "DEFAULT" && { isDefault: true as const }) };
    return { ...buildOff, choice };
  };
  return Object.fromEntries(logLevels.map((level) => [`${prefix}_LOG_LEVEL_${level}`, option(level)])) as Record<
    `${Prefix}_LOG_LEVEL_${LogLevel}`,
    BoolOption
  >;
}
