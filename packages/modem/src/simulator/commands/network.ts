import {
  formatMonitor,
  formatRegistration,
  formatSignalQuality,
  integerAt,
  isTimerString,
  registrationStatuses,
  rsrpIndex,
  stringAt,
  timerOff,
} from "@thingline/protocol/at";
import type { CommandTable, ModemState } from "./command.js";
import { ok, refused, set, subscription } from "./command.js";
import { integer, oneOf, optional, reserved, text } from "./parameter-rules.js";

/** Where the simulated network puts the modem: an address of the documentation range (RFC 5737). */
const pdnAddress = "192.0.2.16";

const plmn = text(/^[0-9]{5,6}$/);
const fourBits = text(/^[01]{4}$/);
const timer = text(/^[01]{8}$/);

/** Registration, cell, signal, power saving. */
export const networkCommands: CommandTable = {
  ...subscription("+CEREG", 5, (modem) => {
    const level = modem.subscriptions.get("+CEREG")?.[0] ?? 0;
    const registration = modem.lte.registration();
    // As the real part fills in the fields of a modem that is not registered.
    const shown = registration.status === "notRegistered" ? { ...registration, ...unregisteredFields } : registration;
    return ok(`+CEREG: ${level},${formatRegistration(shown, level)}`);
  }),
  ...subscription("+CSCON", 3, (modem) => {
    const level = modem.subscriptions.get("+CSCON")?.[0] ?? 0;
    return ok(`+CSCON: ${level},${modem.lte.isConnected ? 1 : 0}`);
  }),
  ...subscription("%CESQ", 1),
  "+CESQ": {
    execute: (modem) => {
      const { rsrpDbm, rsrqDb } = modem.lte.conditions.cell;
      const isKnown = hasCell(modem);
      return ok(formatSignalQuality({ rsrpDbm: isKnown ? rsrpDbm : undefined, rsrqDb: isKnown ? rsrqDb : undefined }));
    },
    test: () => ok("+CESQ: (99),(99),(255),(255),(0-34,255),(0-97,255)"),
  },
  "%XMONITOR": { execute: monitor },
  "+COPS": {
    read: (modem) => {
      if (!modem.lte.isRegistered) return ok(`+COPS: ${modem.copsMode}`);
      const { plmn, fullName, shortName, act } = modem.lte.conditions.cell;
      const name = [fullName, shortName, plmn][modem.copsFormat] ?? plmn;
      return ok(`+COPS: ${modem.copsMode},${modem.copsFormat},"${name}",${act}`);
    },
    set: set([integer(0, 3), optional(integer(0, 2)), optional(plmn), optional(oneOf(7, 9))], (modem, parameters) => {
      const mode = integerAt(parameters, 0);
      const format = integerAt(parameters, 1);
      const { cell } = modem.lte.conditions;
      if (mode === 3 && format !== undefined && parameters.length === 2) modem.copsFormat = format;
      else if (mode === 0 && parameters.length === 1) modem.copsMode = 0;
      else if (mode === 1 && format === 2 && stringAt(parameters, 2) === cell.plmn) {
        // There is one network; a wish for another could never be fulfilled.
        if ((integerAt(parameters, 3) ?? cell.act) !== cell.act) return refused("error");
        modem.copsMode = 1;
      } else return refused("error");
      return ok();
    }),
    test: async (modem) => {
      if (modem.functionalMode !== 1 && modem.functionalMode !== 21) return refused("error");
      await modem.clock.sleep(modem.lte.timing.searchMs);
      const { cell, hasCoverage } = modem.lte.conditions;
      return hasCoverage ? ok(`+COPS: (${modem.lte.isRegistered ? 2 : 1},"","","${cell.plmn}",${cell.act})`) : ok();
    },
  },
  "%XCBAND": {
    execute: (modem) => (hasCell(modem) ? ok(`%XCBAND: ${modem.lte.conditions.cell.band}`) : ok("%XCBAND: 0")),
    test: () => ok("%XCBAND: (1,2,3,4,5,8,12,13,18,19,20,25,26,28,66)"),
  },
  "+CGDCONT": {
    set: set([integer(0, 0), text(/^(?:IP|IPV6|IPV4V6|Non-IP)$/), optional(text())], (modem, parameters) => {
      modem.settings.pdn = { type: stringAt(parameters, 1) ?? "IP", apn: stringAt(parameters, 2) ?? "" };
      return ok();
    }),
    read: (modem) => {
      const { type, apn } = modem.settings.pdn;
      const isUp = modem.lte.isRegistered;
      const name = isUp && apn === "" ? "internet" : apn;
      return ok(`+CGDCONT: 0,"${type}","${name}","${isUp ? pdnAddress : ""}",0,0`);
    },
  },
  "+CGACT": { read: (modem) => ok(`+CGACT: 0,${modem.lte.isRegistered ? 1 : 0}`) },
  "+CGPADDR": {
    set: set([integer(0, 0)], (modem) => ok(modem.lte.isRegistered ? `+CGPADDR: 0,"${pdnAddress}"` : "+CGPADDR: 0")),
  },
  "+CPSMS": {
    set: set([optional(integer(0, 1)), reserved, reserved, optional(timer), optional(timer)], (modem, parameters) => {
      const mode = integerAt(parameters, 0);
      if (parameters.length === 0 || (mode === 0 && parameters.length === 1)) {
        modem.settings.psm = null;
        return ok();
      }
      const periodicTau = stringAt(parameters, 3) ?? timerOff;
      const activeTime = stringAt(parameters, 4) ?? timerOff;
      if (mode !== 1 || !isTimerString(periodicTau) || !isTimerString(activeTime)) return refused("error");
      modem.settings.psm = { periodicTau, activeTime };
      return ok();
    }),
    read: ({ settings: { psm } }) =>
      ok(psm === null ? "+CPSMS: 0" : `+CPSMS: 1,,,"${psm.periodicTau}","${psm.activeTime}"`),
    test: () => ok("+CPSMS: (0,1)"),
  },
  "+CEDRXS": {
    set: set([integer(0, 3), optional(oneOf(4, 5)), optional(fourBits)], (modem, parameters) => {
      const mode = integerAt(parameters, 0);
      const technology = integerAt(parameters, 1);
      if ((mode === 3 || mode === 0) && parameters.length === 1) {
        modem.settings.edrx = { 4: null, 5: null };
        return ok();
      }
      const value = stringAt(parameters, 2);
      if ((mode !== 1 && mode !== 2) || (technology !== 4 && technology !== 5) || value === undefined) {
        return refused("error");
      }
      modem.settings.edrx[technology] = value;
      const window = modem.settings.pagingWindow?.[technology] ?? "0011";
      if (mode === 2 && modem.lte.isRegistered)
        modem.notify(`+CEDRXP: ${technology},"${value}","${value}","${window}"`);
      return ok();
    }),
    read: ({ settings: { edrx } }) => {
      const lines = ([4, 5] as const).flatMap((technology) => {
        const value = edrx[technology];
        return value === null ? [] : [`+CEDRXS: ${technology},"${value}"`];
      });
      return ok(...lines);
    },
  },
  "%XPTW": {
    set: set([oneOf(4, 5), fourBits], (modem, parameters) => {
      const technology = integerAt(parameters, 0) === 4 ? 4 : 5;
      modem.settings.pagingWindow = { ...modem.settings.pagingWindow, [technology]: stringAt(parameters, 1) ?? "" };
      return ok();
    }),
  },
  "+CEMODE": { read: () => ok("+CEMODE: 0") },
  ...subscription("+CNEC", [oneOf(0, 8, 16, 24)]),
  ...subscription("+CGEREP", [integer(0, 1), optional(integer(0, 0))], (modem) =>
    ok(`+CGEREP: ${modem.subscriptions.get("+CGEREP")?.[0] ?? 0},0`),
  ),
  ...subscription("+CIND", [integer(0, 1), optional(integer(0, 1)), optional(integer(0, 1))]),
};

const unregisteredFields = { act: 9, causeType: 0, rejectCause: 0 } as const;

const statusNumbers = new Map(Object.entries(registrationStatuses).map(([number, status]) => [status, Number(number)]));

function hasCell(modem: ModemState): boolean {
  return ["attaching", "registered", "denied"].includes(modem.lte.state.name);
}

function monitor(modem: ModemState) {
  const status = statusNumbers.get(modem.lte.registration().status) ?? 0;
  if (!modem.lte.isRegistered) return ok(formatMonitor(status));
  const { cell } = modem.lte.conditions;
  const { psm, edrx } = modem.settings;
  const monitored = {
    ...cell,
    rsrp: rsrpIndex(cell.rsrpDbm),
    snr: Math.round(cell.snrDb + 24),
    edrx: edrx[cell.act === 7 ? 4 : 5] ?? "",
    activeTime: psm?.activeTime ?? timerOff,
    periodicTauExtended: psm?.periodicTau ?? timerOff,
    periodicTau: "01001001",
  };
  return ok(formatMonitor(status, monitored));
}
