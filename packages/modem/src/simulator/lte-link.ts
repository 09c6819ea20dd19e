import type { Registration } from "@thingline/protocol/at";

/** A cell of the simulated network. */
export interface Cell {
  /** MCC and MNC. */
  plmn: string;
  fullName: string;
  shortName: string;
  /** 4 hex digits. */
  tac: string;
  /** 8 hex digits. */
  cellId: string;
  /** 7 LTE-M, 9 NB-IoT. */
  act: 7 | 9;
  band: number;
  physicalCellId: number;
  earfcn: number;
  rsrpDbm: number;
  rsrqDb: number;
  snrDb: number;
}

/** The test network 001 01. */
export const defaultCell: Cell = {
  plmn: "00101",
  fullName: "Thingline test network",
  shortName: "Thingline",
  tac: "0901",
  cellId: "02024720",
  act: 7,
  band: 20,
  physicalCellId: 428,
  earfcn: 6300,
  rsrpDbm: -87,
  rsrqDb: -8,
  snrDb: -2,
};

export type SimState = "ready" | "pinRequired" | "pukRequired" | "failed" | "absent";

/** What surrounds the modem; tests change it while the modem runs. */
export interface RadioConditions {
  hasCoverage: boolean;
  /** The network refuses to register the modem (`+CEREG: 3`). */
  isDenied: boolean;
  /** Cause of the denial. Default 11, PLMN not allowed; 3GPP TS 24.301 9.9.3.9. */
  rejectCause: number;
  isRoaming: boolean;
  /** The cell lets the modem make emergency calls only (`+CEREG: 8`). */
  isEmergencyOnly: boolean;
  sim: SimState;
  cell: Cell;
  /** Whether IP packets pass: a SIM without data registers, and connections time out. */
  hasData: boolean;
  /** Whether the network lets modems use PSM. */
  isPsmGranted: boolean;
  /** Timers of PSM that the network gives instead of those that were asked for; eight bits. */
  grantedActiveTime?: string;
  grantedPeriodicTau?: string;
  isEdrxGranted: boolean;
  /** What the network gives of eDRX instead of what was asked for; four bits. */
  grantedEdrxCycle?: string;
  grantedPagingWindow?: string;
  /** Other networks at this place, for `AT+COPS=?`: PLMN and access technology, and whether the modem may use them. */
  otherNetworks: readonly OtherNetwork[];
}

export interface OtherNetwork {
  /** MCC and MNC. */
  plmn: string;
  act: 7 | 9;
  isForbidden: boolean;
}

export const defaultConditions: RadioConditions = {
  hasCoverage: true,
  isDenied: false,
  rejectCause: 11,
  isRoaming: false,
  isEmergencyOnly: false,
  sim: "ready",
  cell: defaultCell,
  hasData: true,
  isPsmGranted: true,
  isEdrxGranted: true,
  otherNetworks: [],
};

export interface LteTiming {
  /** From radio on to a cell, or to the end of a search in vain. */
  searchMs: number;
  /** From a cell to the registration. */
  attachMs: number;
  /** How long `AT+CFUN=4` takes while registered. */
  detachMs: number;
  /** From the last traffic to RRC idle. */
  rrcInactivityMs: number;
  /** How long `AT+COPS=?` searches. On the real part minutes. */
  operatorSearchMs: number;
}

/** What tests and behaviours change: members of the cell that are left out stay as they are. */
export type RadioChanges = Partial<Omit<RadioConditions, "cell">> & { cell?: Partial<Cell> };

/** Quick, so that nobody waits for a simulation. A real attach takes seconds to minutes. */
export const defaultLteTiming: LteTiming = {
  searchMs: 250,
  attachMs: 150,
  detachMs: 50,
  rrcInactivityMs: 5000,
  operatorSearchMs: 500,
};

export function withChanges(conditions: RadioConditions, { cell, ...changes }: RadioChanges): RadioConditions {
  return { ...conditions, ...given(changes), cell: { ...conditions.cell, ...given(cell ?? {}) } };
}

export function withTiming(timing: LteTiming, changes: Partial<LteTiming>): LteTiming {
  return { ...timing, ...given(changes) };
}

/** What is undefined counts as absent. */
function given<Changes extends object>(changes: Changes): Changes {
  return Object.fromEntries(Object.entries(changes).filter(([, value]) => value !== undefined)) as Changes;
}

export type LteState =
  | { name: "off" }
  /** The SIM card wants its PIN or PUK: nothing is searched. */
  | { name: "waitingForPin" }
  | { name: "simFailed" }
  | { name: "searching"; untilMs: number }
  | { name: "outOfCoverage" }
  | { name: "attaching"; untilMs: number }
  | { name: "denied" }
  /** A cell that lets the modem make emergency calls only. */
  | { name: "emergencyOnly" }
  /** After a reset loop the modem does not try for a while. */
  | { name: "attachBlocked" }
  | { name: "registered"; isConnected: boolean; idleAtMs: number };

export type LteInput =
  | { type: "radioOn" }
  | { type: "radioOff" }
  /** Coverage, denial, SIM, cell or system mode changed. */
  | { type: "conditionsChanged" }
  | { type: "traffic" }
  | { type: "tick" };

export type LteEffect =
  | { type: "registrationChanged" }
  | { type: "rrcChanged"; isConnected: boolean }
  | { type: "searchEnded"; isFound: boolean }
  /** Every open socket is dead. */
  | { type: "linkLost" }
  | { type: "wakeAt"; atMs: number };

/** What the machine needs to know about its surroundings. */
export interface LteSurroundings {
  conditions: RadioConditions;
  timing: LteTiming;
  /** A cell of an access technology that the system mode allows is in reach. */
  isReachable: boolean;
  /** Until when the modem does not attach, by the monotonic clock. */
  attachBlockedUntilMs: number;
}

type Step = [next: LteState, effects: LteEffect[]];

const changed: LteEffect = { type: "registrationChanged" };
const idle: LteEffect = { type: "rrcChanged", isConnected: false };

/** The LTE side of the modem: from the radio being switched on to the registration, and every way out of it. */
export function stepLte(state: LteState, input: LteInput, nowMs: number, around: LteSurroundings): Step {
  switch (input.type) {
    case "radioOn":
      return state.name === "off" ? begin(nowMs, around, []) : [state, []];
    case "radioOff":
      return state.name === "off" ? [state, []] : [{ name: "off" }, [...leave(state), changed]];
    case "conditionsChanged":
      return onConditions(state, nowMs, around);
    case "traffic":
      return onTraffic(state, nowMs, around);
    case "tick":
      return onTick(state, nowMs, around);
  }
}

/** How a registration, or the attempt at one, ends. */
function leave(state: LteState): LteEffect[] {
  if (state.name === "attaching") return [idle];
  if (state.name !== "registered") return [];
  return state.isConnected ? [{ type: "linkLost" }, idle] : [{ type: "linkLost" }];
}

function begin(nowMs: number, around: LteSurroundings, effects: LteEffect[]): Step {
  const { conditions, timing, attachBlockedUntilMs } = around;
  if (conditions.sim === "pinRequired" || conditions.sim === "pukRequired") return [{ name: "waitingForPin" }, effects];
  if (conditions.sim !== "ready") return [{ name: "simFailed" }, [...effects, changed]];
  if (nowMs < attachBlockedUntilMs) {
    return [{ name: "attachBlocked" }, [...effects, { type: "wakeAt", atMs: attachBlockedUntilMs }]];
  }
  const untilMs = nowMs + timing.searchMs;
  return [{ name: "searching", untilMs }, [...effects, { type: "wakeAt", atMs: untilMs }]];
}

function onConditions(state: LteState, nowMs: number, around: LteSurroundings): Step {
  if (state.name === "off") return [state, []];
  const { conditions, isReachable, attachBlockedUntilMs } = around;
  if (conditions.sim === "failed" || conditions.sim === "absent") {
    return state.name === "simFailed" ? [state, []] : [{ name: "simFailed" }, [...leave(state), changed]];
  }
  if (nowMs < attachBlockedUntilMs && state.name !== "attachBlocked" && state.name !== "waitingForPin") {
    return begin(nowMs, around, [...leave(state), changed]);
  }
  switch (state.name) {
    case "searching":
    case "attachBlocked":
      return [state, []];
    case "waitingForPin":
      return conditions.sim === "ready" ? begin(nowMs, around, []) : [state, []];
    case "simFailed":
      return begin(nowMs, around, [changed]);
    case "outOfCoverage":
      return isReachable ? begin(nowMs, around, [changed]) : [state, []];
    case "denied":
      return conditions.isDenied && isReachable ? [state, []] : begin(nowMs, around, [changed]);
    case "emergencyOnly":
      return conditions.isEmergencyOnly && isReachable ? [state, []] : begin(nowMs, around, [changed]);
    case "attaching":
      return isReachable ? [state, []] : begin(nowMs, around, [...leave(state), changed]);
    case "registered":
      if (!isReachable) return begin(nowMs, around, [...leave(state), changed]);
      if (conditions.isDenied) return [{ name: "denied" }, [...leave(state), changed]];
      if (conditions.isEmergencyOnly) return [{ name: "emergencyOnly" }, [...leave(state), changed]];
      return [state, [changed]];
  }
}

function onTraffic(state: LteState, nowMs: number, { timing }: LteSurroundings): Step {
  if (state.name !== "registered") return [state, []];
  const idleAtMs = nowMs + timing.rrcInactivityMs;
  if (state.isConnected) return [{ ...state, idleAtMs }, []];
  const connected: LteEffect = { type: "rrcChanged", isConnected: true };
  return [{ name: "registered", isConnected: true, idleAtMs }, [connected, { type: "wakeAt", atMs: idleAtMs }]];
}

function onTick(state: LteState, nowMs: number, around: LteSurroundings): Step {
  switch (state.name) {
    case "searching":
      if (nowMs < state.untilMs) return [state, [{ type: "wakeAt", atMs: state.untilMs }]];
      return around.isReachable ? found(nowMs, around) : notFound();
    case "attaching":
      if (nowMs < state.untilMs) return [state, [{ type: "wakeAt", atMs: state.untilMs }]];
      if (around.conditions.isDenied) return [{ name: "denied" }, [idle, changed]];
      if (around.conditions.isEmergencyOnly) return [{ name: "emergencyOnly" }, [idle, changed]];
      return attached(nowMs, around);
    case "attachBlocked":
      return begin(nowMs, around, [changed]);
    case "registered":
      if (!state.isConnected) return [state, []];
      if (nowMs < state.idleAtMs) return [state, [{ type: "wakeAt", atMs: state.idleAtMs }]];
      return [{ ...state, isConnected: false }, [idle]];
    case "off":
    case "waitingForPin":
    case "simFailed":
    case "outOfCoverage":
    case "denied":
    case "emergencyOnly":
      return [state, []];
  }
}

function found(nowMs: number, { timing }: LteSurroundings): Step {
  const untilMs = nowMs + timing.attachMs;
  // The order of a real attach: the cell, RRC connected, and at last the registration.
  const effects: LteEffect[] = [
    { type: "searchEnded", isFound: true },
    changed,
    { type: "rrcChanged", isConnected: true },
  ];
  return [{ name: "attaching", untilMs }, [...effects, { type: "wakeAt", atMs: untilMs }]];
}

function notFound(): Step {
  return [{ name: "outOfCoverage" }, [{ type: "searchEnded", isFound: false }, changed]];
}

function attached(nowMs: number, { timing }: LteSurroundings): Step {
  const idleAtMs = nowMs + timing.rrcInactivityMs;
  return [{ name: "registered", isConnected: true, idleAtMs }, [changed, { type: "wakeAt", atMs: idleAtMs }]];
}

/** What `+CEREG` tells about a state. */
export function registrationOf(
  state: LteState,
  conditions: RadioConditions,
  timers: { activeTime: string; periodicTau: string },
): Registration {
  const { tac, cellId, act } = conditions.cell;
  switch (state.name) {
    case "off":
    case "waitingForPin":
    case "attachBlocked":
      return { status: "notRegistered" };
    case "simFailed":
      return { status: "uiccFailure", cellId: "FFFFFFFF" };
    case "searching":
      return { status: "searching" };
    case "outOfCoverage":
      return { status: "unknown", tac: "FFFF", cellId: "FFFFFFFF", act };
    case "attaching":
      return { status: "searching", tac, cellId, act };
    case "denied":
      return { status: "denied", tac, cellId, act, causeType: 0, rejectCause: conditions.rejectCause };
    case "emergencyOnly":
      return { status: "emergencyOnly", tac, cellId, act };
    case "registered":
      return { status: conditions.isRoaming ? "roaming" : "home", tac, cellId, act, ...timers };
  }
}

export function isRegistered(state: LteState): boolean {
  return state.name === "registered";
}
