import { isRecord } from "@thingline/protocol";
import type { SystemMode } from "@thingline/protocol/at";
import type { Files } from "@thingline/transport";
import { readRecord, writeRecord } from "./record-file.js";

/** What the modem keeps in its configuration memory; written by `AT+CFUN=0` only. */
export interface ModemSettings {
  systemMode: SystemMode;
  /** Requested PSM timers of `+CPSMS`, or off. */
  psm: { periodicTau: string; activeTime: string } | null;
  /** Requested eDRX value by `+CEDRXS` technology: 4 LTE-M, 5 NB-IoT. */
  edrx: { 4: string | null; 5: string | null };
  /** Requested paging time window of `%XPTW`, by the same technology; of a modem that was asked. */
  pagingWindow?: { 4?: string; 5?: string };
  /** `+CGDCONT` of context 0. */
  pdn: { type: string; apn: string };
  /** PLMN that `+COPS=1` chose; of a modem that was told. */
  operator?: string;
  /** Values by command of settings that change nothing here. */
  stored?: Record<string, number[]>;
  /** `%XBANDLOCK=1`. */
  bandLock?: string;
}

export const defaultSettings: ModemSettings = {
  systemMode: { lteM: true, nbIot: false, gnss: false, preference: 0 },
  psm: null,
  edrx: { 4: null, 5: null },
  pdn: { type: "IP", apn: "" },
};

export interface SettingsPlace {
  files?: Files;
  folder?: string;
}

/** @throws {ThinglineError} STORE_CORRUPT. */
export async function readSettings({ files, folder }: SettingsPlace): Promise<ModemSettings> {
  const defaults = structuredClone(defaultSettings);
  if (files === undefined || folder === undefined) return defaults;
  const path = `${folder}/settings.json`;
  const remedy = "Remove the file to go back to the factory settings.";
  return (await readRecord(files, { path, check: checkSettings, remedy })) ?? defaults;
}

export async function writeSettings({ files, folder }: SettingsPlace, settings: ModemSettings): Promise<void> {
  if (files === undefined || folder === undefined) return;
  await writeRecord(files, `${folder}/settings.json`, settings);
}

/** Of `%XSYSTEMMODE`. */
const preferences: readonly unknown[] = [0, 1, 2, 3, 4];

/** As strict as the commands that set them: what stands here goes into their answers. */
function checkSettings(value: unknown): ModemSettings | undefined {
  if (!isRecord(value)) return undefined;
  const { systemMode, psm, edrx, pdn } = value;
  if (!isRecord(systemMode) || !isRecord(edrx) || !isRecord(pdn)) return undefined;
  const flags = [systemMode["lteM"], systemMode["nbIot"], systemMode["gnss"]];
  if (!flags.every((flag) => typeof flag === "boolean") || !preferences.includes(systemMode["preference"])) {
    return undefined;
  }
  const isText = (text: unknown, pattern: RegExp): boolean => typeof text === "string" && pattern.test(text);
  const hasTimers = isRecord(psm) && isText(psm["periodicTau"], /^[01]{8}$/) && isText(psm["activeTime"], /^[01]{8}$/);
  if (psm !== null && !hasTimers) return undefined;
  if (![edrx["4"], edrx["5"]].every((cycle) => cycle === null || isText(cycle, /^[01]{4}$/))) return undefined;
  const { pagingWindow = {} } = value;
  if (!isRecord(pagingWindow) || !Object.values(pagingWindow).every((window) => isText(window, /^[01]{4}$/))) {
    return undefined;
  }
  if (!isText(pdn["type"], /^(?:IP|IPV6|IPV4V6|Non-IP)$/) || !isText(pdn["apn"], /^[\w.-]{0,100}$/)) return undefined;
  const { operator, stored, bandLock } = value;
  if (operator !== undefined && !isText(operator, /^[0-9]{5,6}$/)) return undefined;
  if (bandLock !== undefined && !isText(bandLock, /^[01]{1,88}$/)) return undefined;
  const isList = (list: unknown) => Array.isArray(list) && list.every((each) => Number.isSafeInteger(each));
  if (stored !== undefined && (!isRecord(stored) || !Object.values(stored).every(isList))) return undefined;
  return value as unknown as ModemSettings;
}
