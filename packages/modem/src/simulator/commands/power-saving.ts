import type { AtParameter } from "@thingline/protocol/at";
import { integerAt, isLteActive, stringAt, timerOff } from "@thingline/protocol/at";
import { type EdrxTechnology, edrxTechnologyOf, grantedEdrx } from "../power-saving.js";
import { settingPatterns } from "../settings.js";
import type { CommandTable, ModemState, Reply } from "./command.js";
import { isSubscribed, ok, refused, set, since } from "./command.js";
import { integer, oneOf, optional, type ParameterRule, reserved, text } from "./parameter-rules.js";

const fourBits = text(settingPatterns.fourBits);
const timer = text(settingPatterns.timer);
/** Cycle that is asked for when none is named. */
const defaultCycle = "1001";
const defaultWindow = "0011";

/** PSM, eDRX, and how the modem tells that it sleeps. */
export const powerSavingCommands: CommandTable = {
  "+CPSMS": {
    set: set([optional(integer(0, 1)), reserved, reserved, optional(timer), optional(timer)], (modem, parameters) => {
      const mode = integerAt(parameters, 0);
      if (parameters.length === 0 || (mode === 0 && parameters.length === 1)) {
        modem.settings.psm = null;
        return ok();
      }
      if (mode !== 1) return refused("error");
      const periodicTau = stringAt(parameters, 3) ?? timerOff;
      modem.settings.psm = { periodicTau, activeTime: stringAt(parameters, 4) ?? timerOff };
      return ok();
    }),
    read: ({ settings: { psm } }) =>
      ok(psm === null ? "+CPSMS: 0" : `+CPSMS: 1,,,"${psm.periodicTau}","${psm.activeTime}"`),
  },
  "+CEDRXS": {
    set: set([optional(integer(0, 3)), optional(oneOf(4, 5)), optional(fourBits)], requestEdrx),
    read: ({ settings: { edrx } }) =>
      ok(
        ...technologies.flatMap((technology) => {
          const value = edrx[technology];
          return value === null ? [] : [`+CEDRXS: ${technology},"${value}"`];
        }),
      ),
    test: () => ok('+CEDRXS: (0-3),(4-5),("0000"-"1111")'),
  },
  "+CEDRXRDP": { execute: (modem) => ok(`+CEDRXRDP: ${edrxValues(modem) ?? "0"}`) },
  "%XPTW": {
    set: set([oneOf(4, 5), optional(fourBits)], (modem, parameters) => {
      const technology = integerAt(parameters, 0) === 4 ? 4 : 5;
      const window = stringAt(parameters, 1) ?? defaultWindow;
      modem.settings.pagingWindow = { ...modem.settings.pagingWindow, [technology]: window };
      return ok();
    }),
    read: ({ settings: { pagingWindow } }) =>
      ok(
        ...technologies.flatMap((technology) => {
          const window = pagingWindow?.[technology];
          return window === undefined ? [] : [`%XPTW: ${technology},"${window}"`];
        }),
      ),
  },
  ...since((profile) => profile.hasModemEvents, {
    ...sleepSubscription("%XMODEMSLEEP", [0, [500, 3_600_000]], [10_240, 3_456_000_000], (modem) => {
      // A modem that is off says so at once.
      if (!isLteActive(modem.functionalMode)) modem.notify("%XMODEMSLEEP: 4");
    }),
    ...sleepSubscription("%XT3412", [0, [2_000, 10_800_000]], [0, 35_712_000_000], () => undefined),
  }),
};

const technologies: readonly EdrxTechnology[] = [4, 5];

function requestEdrx(modem: ModemState, parameters: readonly AtParameter[]): Reply {
  const mode = integerAt(parameters, 0) ?? 0;
  const technology = integerAt(parameters, 1);
  const value = stringAt(parameters, 2);
  const { settings } = modem;
  if (mode === 0 || mode === 3) {
    if (parameters.length > 1 && mode === 3) return refused("error");
    if (value !== undefined) return refused("error");
    for (const each of technologies) if (technology === undefined || technology === each) settings.edrx[each] = null;
    if (mode === 3) delete settings.pagingWindow;
    modem.subscriptions.delete("+CEDRXP");
    return ok();
  }
  if (technology !== 4 && technology !== 5) return refused("error");
  settings.edrx[technology] = value ?? settings.edrx[technology] ?? defaultCycle;
  // A new cycle goes with the window of the manufacturer.
  if (settings.pagingWindow !== undefined) delete settings.pagingWindow[technology];
  modem.subscriptions.set("+CEDRXP", [mode === 2 ? 1 : 0]);
  if (modem.lte.isRegistered && edrxTechnologyOf(modem.lte.conditions) === technology) notifyEdrx(modem);
  return ok();
}

/** What was asked for and what the network gave. */
function edrxValues({ settings, lte }: ModemState): string | undefined {
  if (!lte.isRegistered) return undefined;
  const granted = grantedEdrx(settings, lte.conditions);
  const technology = edrxTechnologyOf(lte.conditions);
  const requested = settings.edrx[technology];
  if (granted === undefined || requested === null) return undefined;
  return `${technology},"${requested}","${granted.cycle}","${granted.pagingWindow}"`;
}

/** `+CEDRXP`, for those who asked with `AT+CEDRXS=2`. */
export function notifyEdrx(modem: ModemState): void {
  if (!isSubscribed(modem, "+CEDRXP")) return;
  const technology = edrxTechnologyOf(modem.lte.conditions);
  // The access technology alone: eDRX is not used.
  modem.notify(`+CEDRXP: ${edrxValues(modem) ?? technology}`);
}

/**
 * A subscription with how long before the event, and from which duration on; both are needed to switch it on.
 *
 * @param warning Zero for none, or a range; in milliseconds.
 */
function sleepSubscription(
  name: string,
  [none, [warningLowest, warningHighest]]: readonly [number, readonly [number, number]],
  [lowest, highest]: readonly [number, number],
  onSubscribed: (modem: ModemState) => void,
): CommandTable {
  const warning: ParameterRule = optional(integer(none, warningHighest));
  return {
    [name]: {
      set: set([integer(0, 1), warning, optional(integer(lowest, highest))], (modem, parameters) => {
        const isOn = integerAt(parameters, 0) === 1;
        const warningMs = integerAt(parameters, 1);
        const thresholdMs = integerAt(parameters, 2);
        if (!isOn) {
          modem.subscriptions.set(name, [0]);
          return ok();
        }
        if (warningMs === undefined || thresholdMs === undefined) return refused("error");
        if (warningMs !== none && warningMs < warningLowest) return refused("error");
        modem.subscriptions.set(name, [1, warningMs, thresholdMs]);
        onSubscribed(modem);
        return ok();
      }),
    },
  };
}
