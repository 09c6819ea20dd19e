import { formatSignalQuality, integerAt, isLteActive, rsrpIndex, rsrqIndex } from "@thingline/protocol/at";
import { settingPatterns } from "../settings.js";
import type { CommandTable, ModemState, Reply } from "./command.js";
import { ok, refused, set, since, subscription } from "./command.js";
import { integer, optional, text } from "./parameter-rules.js";

/** Longest path loss that a cell is told with. */
const transmitPowerDbm = 23;
const bands = {
  nRF9160: [1, 2, 3, 4, 5, 8, 12, 13, 18, 19, 20, 25, 26, 28, 66],
  nRF91x1: [1, 2, 3, 4, 5, 8, 12, 13, 18, 19, 20, 25, 26, 28, 65, 66, 85],
} as const;

/** Signal, bands, cells. */
export const signalCommands: CommandTable = {
  "+CESQ": {
    execute: (modem) => {
      const { rsrpDbm, rsrqDb } = modem.lte.conditions.cell;
      const isKnown = hasCell(modem);
      return ok(formatSignalQuality({ rsrpDbm: isKnown ? rsrpDbm : undefined, rsrqDb: isKnown ? rsrqDb : undefined }));
    },
    test: () => ok("+CESQ: (99),(99),(255),(255),(0-34,255),(0-97,255)"),
  },
  // There is neither 2G nor 3G.
  "+CSQ": { execute: () => ok("+CSQ: 99,99"), test: () => ok("+CSQ: (99),(99)") },
  ...subscription("%CESQ", 1),
  ...subscription("%XSNRSQ", 1, { read: (modem) => ok(`%XSNRSQ: ${snrIndex(modem)},${levelIndex(modem)},0`) }),
  "%XCBAND": {
    execute: (modem) => ok(`%XCBAND: ${hasCell(modem) ? modem.lte.conditions.cell.band : 0}`),
    test: (modem) => ok(`%XCBAND: (${bandsOf(modem).join(",")})`),
  },
  "%XBANDLOCK": {
    set: set([integer(0, 2), optional(text(settingPatterns.bandLock))], lockBands),
    read: (modem) => {
      const shown = (mask: string | undefined) => (mask === undefined ? "" : mask.padStart(88, "0"));
      return ok(`%XBANDLOCK: "${shown(modem.settings.bandLock)}","${shown(modem.runtimeBandLock)}"`);
    },
  },
  // Neighbours are measured while the serving cell is weak; there are none here.
  "%NBRGRSRP": { execute: (modem) => (hasCell(modem) ? ok() : refused("error")) },
  ...since((profile) => profile.hasModemEvents, {
    "%CONEVAL": { execute: evaluate },
    "%NCELLMEAS": {
      execute: measure,
      set: set([integer(0, 5), optional(integer(2, 15))], measure),
    },
    "%NCELLMEASSTOP": { execute: () => ok() },
  }),
};

export function hasCell(modem: ModemState): boolean {
  return ["attaching", "registered", "denied", "emergencyOnly"].includes(modem.lte.state.name);
}

/** dB + 24, 127 unknown. */
export function snrIndex(modem: ModemState): number {
  return hasCell(modem) ? Math.min(49, Math.max(0, Math.round(modem.lte.conditions.cell.snrDb + 24))) : 127;
}

/** How far the cell is above what it asks for at least, and 127. */
export function levelIndex(modem: ModemState): number {
  if (!hasCell(modem)) return 32_767;
  return Math.min(255, Math.max(0, Math.round(modem.lte.conditions.cell.rsrpDbm + 140 + 127)));
}

export function bandsOf({ profile, settings, runtimeBandLock }: ModemState): number[] {
  const all: readonly number[] = profile.parts.includes("nRF9160") ? bands.nRF9160 : bands.nRF91x1;
  return all.filter((band) => isInMask(band, settings.bandLock) && isInMask(band, runtimeBandLock));
}

/** The last digit is band 1. */
function isInMask(band: number, mask: string | undefined): boolean {
  return mask === undefined || mask[mask.length - band] === "1";
}

function lockBands(modem: ModemState, parameters: Parameters<typeof integerAt>[0]): Reply {
  const operation = integerAt(parameters, 0);
  const parameter = parameters[1];
  const mask = parameter?.type === "string" ? parameter.value : undefined;
  if (isLteActive(modem.functionalMode)) return refused(518);
  if ((operation === 0) !== (mask === undefined)) return refused("error");
  const { bandLock } = modem.settings;
  const runtime = modem.runtimeBandLock;
  if (operation !== 2) {
    delete modem.settings.bandLock;
    if (mask !== undefined) modem.settings.bandLock = mask;
  }
  if (operation === 0) modem.runtimeBandLock = undefined;
  if (operation === 2) modem.runtimeBandLock = mask;
  if (bandsOf(modem).length > 0) return ok();
  // A lock on every band: nothing is changed.
  if (bandLock === undefined) delete modem.settings.bandLock;
  else modem.settings.bandLock = bandLock;
  modem.runtimeBandLock = runtime;
  return refused("error");
}

function evaluate(modem: ModemState): Reply {
  if (!isLteActive(modem.functionalMode)) return refused("error");
  const { state, conditions, isConnected, isRegistered } = modem.lte;
  if (state.name === "simFailed" || state.name === "waitingForPin") return ok("%CONEVAL: 2");
  if (!hasCell(modem)) return ok("%CONEVAL: 1");
  if (!isRegistered) return ok("%CONEVAL: 6");
  const { cell } = conditions;
  const loss = Math.round(transmitPowerDbm - cell.rsrpDbm);
  const estimate = cell.rsrpDbm > -90 ? 8 : cell.rsrpDbm > -110 ? 7 : cell.rsrpDbm > -120 ? 6 : 5;
  const radio = [rsrpIndex(cell.rsrpDbm), rsrqIndex(cell.rsrqDb), snrIndex(modem)].join(",");
  const place = `"${cell.cellId}","${cell.plmn}",${cell.physicalCellId},${cell.earfcn},${cell.band}`;
  return ok(`%CONEVAL: 0,${isConnected ? 1 : 0},${estimate},${radio},${place},0,0,${transmitPowerDbm},1,1,${loss}`);
}

function measure(modem: ModemState, parameters: Parameters<typeof integerAt>[0]): Reply {
  if (!isLteActive(modem.functionalMode)) return refused("error");
  // A number of cells belongs to the searches for cells with their identities.
  if (parameters.length === 2 && (integerAt(parameters, 0) ?? 0) < 3) return refused("error");
  if (!hasCell(modem)) {
    modem.notify("%NCELLMEAS: 1");
    return ok();
  }
  const { cell } = modem.lte.conditions;
  const strength = `${cell.earfcn},${cell.physicalCellId},${rsrpIndex(cell.rsrpDbm)},${rsrqIndex(cell.rsrqDb)}`;
  const now = Math.round(modem.clock.monotonicMs());
  const isGlobal = (integerAt(parameters, 0) ?? 0) >= 3;
  const place = `"${cell.cellId}","${cell.plmn}","${cell.tac}",65535`;
  modem.notify(
    isGlobal ? `%NCELLMEAS: 0,${place},0,${strength},${now},1,0` : `%NCELLMEAS: 0,${place},${strength},${now}`,
  );
  return ok();
}
