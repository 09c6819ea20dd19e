import { parseInformation } from "./information.js";
import { integerAt } from "./parameters.js";

/** `%XSYSTEMMODE`: which radios may be used. */
export interface SystemMode {
  lteM: boolean;
  nbIot: boolean;
  gnss: boolean;
  /** 0 automatic, 1 LTE-M, 2 NB-IoT, 3 and 4 the same with the home network first. */
  preference: number;
}

export function parseSystemMode(line: string): SystemMode | undefined {
  const information = parseInformation(line);
  if (information?.name !== "%XSYSTEMMODE") return undefined;
  const values = [0, 1, 2, 3].map((index) => integerAt(information.parameters, index));
  const [lteM, nbIot, gnss, preference] = values;
  if (lteM === undefined || nbIot === undefined || gnss === undefined || preference === undefined) return undefined;
  return { lteM: lteM === 1, nbIot: nbIot === 1, gnss: gnss === 1, preference };
}

/** The four values, as the set command takes them and the read command shows them. */
export function formatSystemMode(mode: SystemMode): string {
  return [Number(mode.lteM), Number(mode.nbIot), Number(mode.gnss), mode.preference].join(",");
}
