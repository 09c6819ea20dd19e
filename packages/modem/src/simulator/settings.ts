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

/** What stands in the settings goes into answers: commands that set them and the check of the file go by the same. */
export const settingPatterns = {
  timer: /^[01]{8}$/,
  fourBits: /^[01]{4}$/,
  packetType: /^(?:IP|IPV6|IPV4V6|Non-IP)$/,
  accessPoint: /^[\w.-]{0,100}$/,
  operator: /^[0-9]{5,6}$/,
  bandLock: /^[01]{1,88}$/,
} as const;

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

/** As strict as the commands that set them. */
function checkSettings(value: unknown): ModemSettings | undefined {
  if (!isRecord(value)) return undefined;
  const { systemMode, psm, edrx, pdn } = value;
  if (!isRecord(systemMode) || !isRecord(edrx) || !isRecord(pdn)) return undefined;
  const flags = [systemMode["lteM"], systemMode["nbIot"], systemMode["gnss"]];
  if (!flags.every((flag) => typeof flag === "boolean") || !preferences.includes(systemMode["preference"])) {
    return undefined;
  }
  const is = (name: keyof typeof settingPatterns, text: unknown): boolean =>
    typeof text === "string" && settingPatterns[name].test(text);
  const hasTimers = isRecord(psm) && is("timer", psm["periodicTau"]) && is("timer", psm["activeTime"]);
  if (psm !== null && !hasTimers) return undefined;
  if (![edrx["4"], edrx["5"]].every((cycle) => cycle === null || is("fourBits", cycle))) return undefined;
  const { pagingWindow = {} } = value;
  if (!isRecord(pagingWindow) || !Object.values(pagingWindow).every((window) => is("fourBits", window))) {
    return undefined;
  }
  if (!is("packetType", pdn["type"]) || !is("accessPoint", pdn["apn"])) return undefined;
  const { operator, stored, bandLock } = value;
  if (operator !== undefined && !is("operator", operator)) return undefined;
  if (bandLock !== undefined && !is("bandLock", bandLock)) return undefined;
  const isList = (list: unknown) => Array.isArray(list) && list.every((each) => Number.isSafeInteger(each));
  if (stored !== undefined && (!isRecord(stored) || !Object.values(stored).every(isList))) return undefined;
  return value as unknown as ModemSettings;
}
