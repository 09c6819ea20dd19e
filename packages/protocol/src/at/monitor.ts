import { parseInformation } from "./information.js";
import { integerAt, stringAt } from "./parameters.js";

/** `%XMONITOR` of a registered modem. */
export interface NetworkMonitor {
  fullName: string;
  shortName: string;
  /** MCC and MNC, 5 or 6 digits. */
  plmn: string;
  tac: string;
  act: number;
  band: number;
  cellId: string;
  physicalCellId: number;
  earfcn: number;
  /** Index of `+CESQ`: dBm = value - 140; 255 unknown. */
  rsrp: number;
  /** dB = value - 24; 127 unknown. */
  snr: number;
  edrx: string;
  activeTime: string;
  /** Extended periodic TAU (T3412 extended). */
  periodicTauExtended: string;
  periodicTau: string;
}

/** @param registered Status 1 or 5; in any other only the status stands on the line. */
export function formatMonitor(status: number, registered?: NetworkMonitor): string {
  if (registered === undefined) return `%XMONITOR: ${status}`;
  const m = registered;
  return (
    `%XMONITOR: ${status},"${m.fullName}","${m.shortName}","${m.plmn}","${m.tac}",${m.act},${m.band},"${m.cellId}",` +
    `${m.physicalCellId},${m.earfcn},${m.rsrp},${m.snr},"${m.edrx}","${m.activeTime}","${m.periodicTauExtended}",` +
    `"${m.periodicTau}"`
  );
}

/** @returns undefined when the line is no `%XMONITOR`; `registered` undefined while the modem is not. */
export function parseMonitor(line: string): { status: number; registered: NetworkMonitor | undefined } | undefined {
  const information = parseInformation(line);
  if (information?.name !== "%XMONITOR") return undefined;
  const { parameters } = information;
  const status = integerAt(parameters, 0);
  if (status === undefined) return undefined;
  if (parameters.length < 12) return { status, registered: undefined };
  const text = (index: number) => stringAt(parameters, index) ?? "";
  const number = (index: number, absent: number) => integerAt(parameters, index) ?? absent;
  const registered: NetworkMonitor = {
    fullName: text(1),
    shortName: text(2),
    plmn: text(3),
    tac: text(4),
    act: number(5, 0),
    band: number(6, 0),
    cellId: text(7),
    physicalCellId: number(8, 0),
    earfcn: number(9, 0),
    rsrp: number(10, 255),
    snr: number(11, 127),
    edrx: text(12),
    activeTime: text(13),
    periodicTauExtended: text(14),
    periodicTau: text(15),
  };
  return { status, registered };
}
