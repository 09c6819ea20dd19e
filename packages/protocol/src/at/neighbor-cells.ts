import { type AtParameter, integerAt, stringAt } from "./parameters.js";

/** One cell of another one's surroundings. */
export interface NeighborCell {
  earfcn: number;
  physicalCellId: number;
  /** Indexes as of `+CESQ`; 255 unknown. */
  rsrp: number;
  rsrq: number;
  /** Milliseconds, against the current cell. */
  timeDifferenceMs: number;
}

/** What `%NCELLMEAS` found. */
export interface NeighborCells {
  /** 0 complete, 1 failed, 2 interrupted. */
  status: number;
  current?: {
    /** Eight hex digits. */
    cellId: string;
    /** Country and network, 5 or 6 digits. */
    plmn: string;
    /** Four hex digits. */
    tac: string;
    /** 65535 is unknown. */
    timingAdvance: number;
    earfcn: number;
    physicalCellId: number;
    rsrp: number;
    rsrq: number;
    /** Milliseconds since the modem's start. */
    measuredAtMs: number;
  };
  neighbors: NeighborCell[];
}

const currentLength = 10;
const neighborLength = 5;

/** `<status>[,<current cell>[,<five numbers for each neighbour>][,<time of the timing advance>]]`. */
export function readNeighborCells(parameters: readonly AtParameter[]): NeighborCells | undefined {
  const status = integerAt(parameters, 0);
  if (status === undefined) return undefined;
  if (parameters.length < currentLength) return { status, neighbors: [] };
  const number = (index: number) => integerAt(parameters, index) ?? 0;
  const text = (index: number) => stringAt(parameters, index) ?? "";
  const current = {
    ...{ cellId: text(1), plmn: text(2), tac: text(3), timingAdvance: number(4), earfcn: number(5) },
    ...{ physicalCellId: number(6), rsrp: number(7), rsrq: number(8), measuredAtMs: number(9) },
  };
  const neighbors: NeighborCell[] = [];
  for (let at = currentLength; at + neighborLength <= parameters.length; at += neighborLength) {
    neighbors.push({
      ...{ earfcn: number(at), physicalCellId: number(at + 1), rsrp: number(at + 2), rsrq: number(at + 3) },
      timeDifferenceMs: number(at + 4),
    });
  }
  return { status, current, neighbors };
}
