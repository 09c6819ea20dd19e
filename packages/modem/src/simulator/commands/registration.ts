import {
  formatMonitor,
  formatRegistration,
  integerAt,
  isLteActive,
  registrationNumber,
  rsrpIndex,
  stringAt,
} from "@thingline/protocol/at";
import { grantedEdrx, grantedTimers, networkPeriodicTau } from "../power-saving.js";
import { settingPatterns } from "../settings.js";
import type { CommandHandler, CommandTable, ModemState, Reply } from "./command.js";
import { levelOf, ok, refused, set, subscription } from "./command.js";
import { integer, oneOf, optional, text } from "./parameter-rules.js";

const isOn = integer(0, 1);
const plmn = text(settingPatterns.operator);

/** Registration, operators, the radio connection. */
export const registrationCommands: CommandTable = {
  ...subscription("+CEREG", 5, { read: readRegistration, test: "(0-5)" }),
  ...subscription("+CSCON", [optional(integer(0, 3))], {
    read: (modem) => {
      const level = levelOf(modem, "+CSCON");
      return ok(`+CSCON: ${level},${formatConnection(modem.lte.isConnected, level)}`);
    },
    test: "(0,1,2,3)",
  }),
  "%XMONITOR": { execute: monitor },
  "+COPS": {
    read: (modem) => {
      const mode = modem.settings.operator === undefined ? 0 : 1;
      if (!modem.lte.isRegistered) return ok(`+COPS: ${mode}`);
      const { plmn: number, fullName, shortName, act } = modem.lte.conditions.cell;
      const name = [fullName, shortName, number][modem.copsFormat] ?? number;
      return ok(`+COPS: ${mode},${modem.copsFormat},"${name}",${act}`);
    },
    set: set([integer(0, 3), optional(integer(0, 2)), optional(plmn), optional(oneOf(7, 9))], chooseOperator),
    test: searchOperators("+COPS"),
  },
  // A search that goes before everything else: data waits, and the registration may be lost.
  "%COPS": { test: searchOperators("%COPS") },
  // The modem knows no names beside those that networks tell.
  "+COPN": { execute: () => ok() },
  ...subscription("+CNEC", [optional(oneOf(0, 8, 16, 24))], {
    read: (modem) => ok(`+CNEC: ${levelOf(modem, "+CNEC")}`),
    test: "(0,8,16,24)",
  }),
  "+CEER": { execute: (modem) => ok(`+CEER: "${modem.lastFailure}"`) },
  "+CIND": {
    set: set([optional(isOn), optional(isOn), optional(isOn)], (modem, parameters) => {
      const before = indicatorsOf(modem);
      // An indicator that is left out stays as it is.
      modem.subscriptions.set(
        "+CIND",
        before.map((value, index) => integerAt(parameters, index) ?? value),
      );
      return ok();
    }),
    read: (modem) => ok(`+CIND: ${indicatorsOf(modem).join(",")}`),
    test: () => ok('+CIND: ("service",(0,1)),("roam",(0,1)),("message",(0,1))'),
  },
};

function readRegistration(modem: ModemState): Reply {
  const level = levelOf(modem, "+CEREG");
  const registration = modem.lte.registration();
  // As the real part fills in the fields of a modem that is not registered.
  const shown = registration.status === "notRegistered" ? { ...registration, ...unregisteredFields } : registration;
  return ok(`+CEREG: ${level},${formatRegistration(shown, level)}`);
}

/** Service, roam and message, each off or on. */
function indicatorsOf(modem: ModemState): number[] {
  const [service = 0, roam = 0, message = 0] = modem.subscriptions.get("+CIND") ?? [];
  return [service, roam, message];
}

const unregisteredFields = { act: 9, causeType: 0, rejectCause: 0 } as const;

/** `<mode>`, from level 2 on with the state, E-UTRAN connected, and from 3 on with the access, E-UTRAN FDD. */
export function formatConnection(isConnected: boolean, level: number): string {
  return [isConnected ? 1 : 0, ...(level >= 2 ? [7] : []), ...(level >= 3 ? [4] : [])].join(",");
}

function monitor(modem: ModemState): Reply {
  const status = registrationNumber(modem.lte.registration().status);
  if (!modem.lte.isRegistered) return ok(formatMonitor(status));
  const { settings, profile } = modem;
  const { conditions } = modem.lte;
  const { cell } = conditions;
  const { activeTime, periodicTau } = grantedTimers(settings, conditions);
  const line = formatMonitor(status, {
    ...cell,
    rsrp: rsrpIndex(cell.rsrpDbm),
    snr: Math.round(cell.snrDb + 24),
    edrx: grantedEdrx(settings, conditions)?.cycle ?? "",
    activeTime,
    periodicTauExtended: periodicTau,
    periodicTau: networkPeriodicTau,
  });
  return ok(profile.showsPeriodicTau ? line : line.slice(0, line.lastIndexOf(",")));
}

function chooseOperator(modem: ModemState, parameters: Parameters<CommandHandler>[1]): Reply {
  const mode = integerAt(parameters, 0);
  const format = integerAt(parameters, 1);
  const operator = stringAt(parameters, 2);
  if (mode === 3) {
    if (format === undefined || parameters.length !== 2) return refused("error");
    modem.copsFormat = format;
    return ok();
  }
  if (mode === 0) {
    if (parameters.length !== 1) return refused("error");
    delete modem.settings.operator;
  } else {
    // Only numbers are taken, and the real part looks for the operator before it may refuse.
    if (mode !== 1 || format !== 2 || operator === undefined) return refused("error");
    modem.settings.operator = operator;
  }
  modem.lte.input({ type: "conditionsChanged" });
  return ok();
}

function searchOperators(name: string): CommandHandler {
  return async (modem) => {
    if (!isLteActive(modem.functionalMode)) return refused("error");
    // 516: there is a radio connection.
    if (name === "+COPS" && modem.lte.isConnected) return refused(516);
    await modem.pauses.pass(modem.lte.timing.operatorSearchMs);
    const { cell, hasCoverage, otherNetworks } = modem.lte.conditions;
    const own = hasCoverage ? [{ plmn: cell.plmn, act: cell.act, status: modem.lte.isRegistered ? 2 : 1 }] : [];
    const others = otherNetworks.map((other) => ({ ...other, status: other.isForbidden ? 3 : 1 }));
    const found = [...own, ...others].map(({ status, plmn: number, act }) => `(${status},"","","${number}",${act})`);
    return found.length === 0 ? ok() : ok(`${name}: ${found.join(",")}`);
  };
}
