import { parseInformation } from "./information.js";
import { integerAt } from "./parameters.js";

/** Signal quality; undefined where the modem does not know. */
export interface SignalQuality {
  /** Reference signal received power in dBm, -140 to -43. */
  rsrpDbm: number | undefined;
  /** Reference signal received quality in dB, -19.5 to -2.5. */
  rsrqDb: number | undefined;
}

/** How many of the modem's four thresholds the signal has reached, from 0 to 4; 255 unknown. */
export interface SignalThresholds {
  /** By default the indexes 20, 40, 60 and 80. */
  rsrp: number;
  /** By default the indexes 7, 14, 21 and 28. */
  rsrq: number;
}

const unknown = 255;
const rsrpThresholds = [20, 40, 60, 80];
const rsrqThresholds = [7, 14, 21, 28];

/** `+CESQ: <rxlev>,<ber>,<rscp>,<ecno>,<rsrq>,<rsrp>`. 3GPP TS 27.007 8.69. */
export function parseSignalQuality(line: string): SignalQuality | undefined {
  const information = parseInformation(line);
  if (information?.name !== "+CESQ") return undefined;
  const rsrq = integerAt(information.parameters, 4);
  const rsrp = integerAt(information.parameters, 5);
  if (rsrq === undefined || rsrp === undefined) return undefined;
  return signalOf({ rsrp, rsrq });
}

/** What the two indexes stand for; any that is above the last one, 255 for example, is not known. */
export function signalOf({ rsrp, rsrq }: { rsrp: number; rsrq: number }): SignalQuality {
  return { rsrqDb: rsrq <= 34 ? -19.5 + rsrq / 2 : undefined, rsrpDbm: rsrp <= 97 ? -140 + rsrp : undefined };
}

/** Index 0 to 97, or 255. */
export function rsrpIndex(rsrpDbm: number | undefined): number {
  return rsrpDbm === undefined ? unknown : Math.min(97, Math.max(0, Math.round(rsrpDbm + 140)));
}

/** Index 0 to 34, or 255. */
export function rsrqIndex(rsrqDb: number | undefined): number {
  return rsrqDb === undefined ? unknown : Math.min(34, Math.max(0, Math.round((rsrqDb + 19.5) * 2)));
}

export function formatSignalQuality(quality: SignalQuality): string {
  return `+CESQ: 99,99,255,255,${rsrqIndex(quality.rsrqDb)},${rsrpIndex(quality.rsrpDbm)}`;
}

function threshold(index: number, thresholds: readonly number[]): number {
  return index === unknown ? unknown : thresholds.filter((limit) => index >= limit).length;
}

/** How many of the thresholds that a modem comes with the signal has reached. */
export function signalThresholds(quality: SignalQuality): SignalThresholds {
  return {
    rsrp: threshold(rsrpIndex(quality.rsrpDbm), rsrpThresholds),
    rsrq: threshold(rsrqIndex(quality.rsrqDb), rsrqThresholds),
  };
}

/** `%CESQ: <rsrp>,<threshold>,<rsrq>,<threshold>`, with {@link signalThresholds}. */
export function formatSignalNotification(quality: SignalQuality): string {
  const { rsrp, rsrq } = signalThresholds(quality);
  return `%CESQ: ${rsrpIndex(quality.rsrpDbm)},${rsrp},${rsrqIndex(quality.rsrqDb)},${rsrq}`;
}

/** `%CESQ: <rsrp>,<threshold>,<rsrq>,<threshold>`. @returns undefined when it is none. */
export function readSignalNotification(
  line: string,
): { quality: SignalQuality; thresholds?: SignalThresholds } | undefined {
  const information = parseInformation(line);
  if (information?.name !== "%CESQ") return undefined;
  const [rsrp, rsrpThreshold, rsrq, rsrqThreshold] = [0, 1, 2, 3].map((at) => integerAt(information.parameters, at));
  if (rsrp === undefined || rsrq === undefined) return undefined;
  const quality = signalOf({ rsrp, rsrq });
  if (rsrpThreshold === undefined || rsrqThreshold === undefined) return { quality };
  return { quality, thresholds: { rsrp: rsrpThreshold, rsrq: rsrqThreshold } };
}
