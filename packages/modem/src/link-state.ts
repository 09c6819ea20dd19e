import type { RegistrationStatus } from "@thingline/protocol/at";
import {
  decodeActiveTime,
  decodePeriodicTau,
  effectiveStatus,
  integerAt,
  parseInformation,
  parseRegistrationNotification,
} from "@thingline/protocol/at";
import type { Registration } from "@thingline/protocol/at";

export type LteMode = "none" | "lteM" | "nbIot";

/** Events of the link by name, after lte_lc. */
export interface LinkEvents {
  /** Only when it changed. Registered without a real cell counts as `unknown`. */
  nwRegStatus: { status: RegistrationStatus };
  cellUpdate: { tac: string; cellId: string };
  lteModeUpdate: { mode: LteMode };
  /** Seconds; undefined is off. */
  psmUpdate: { periodicTauSeconds: number | undefined; activeTimeSeconds: number | undefined };
  edrxUpdate: { act: 4 | 5; granted: string; pagingTimeWindow: string };
  rrcUpdate: { mode: "idle" | "connected" };
  /** Milliseconds until the next periodic tracking area update. */
  tauPreWarning: { timeMs: number };
  /** 1 PSM, 2 radio inactivity, 4 flight mode. No time: the sleep has no end of its own. */
  modemSleep: { type: number; timeMs: number | undefined };
  /** `%MDMEV`: `SEARCH STATUS 1`, `RESET LOOP`, `ME BATTERY LOW` ... */
  modemEvent: { name: string };
}

export type LinkEvent = { [Name in keyof LinkEvents]: { name: Name } & { event: LinkEvents[Name] } }[keyof LinkEvents];

/** What is known of the link. */
export interface LinkState {
  status: RegistrationStatus;
  tac: string | undefined;
  cellId: string | undefined;
  mode: LteMode;
  psm: string | undefined;
  rrc: "idle" | "connected" | undefined;
}

export const initialLinkState: LinkState = {
  status: "notRegistered",
  tac: undefined,
  cellId: undefined,
  mode: "none",
  psm: undefined,
  rrc: undefined,
};

/** One URC. Anything that is not about the link changes nothing. */
export function stepLinkNotification(state: LinkState, line: string): [LinkState, LinkEvent[]] {
  const registration = parseRegistrationNotification(line);
  if (registration !== undefined) return stepRegistration(state, registration);
  const information = parseInformation(line);
  if (information === undefined) return [state, []];
  const { name, parameters, text } = information;
  const number = (index: number) => integerAt(parameters, index);
  switch (name) {
    case "+CSCON": {
      const rrc = number(0) === 1 ? "connected" : "idle";
      return [{ ...state, rrc }, state.rrc === rrc ? [] : [{ name: "rrcUpdate", event: { mode: rrc } }]];
    }
    case "+CEDRXP": {
      const values = parameters.map((parameter) => (parameter.type === "string" ? parameter.value : ""));
      const act = number(0) === 5 ? 5 : 4;
      const event = { act, granted: values[2] ?? "", pagingTimeWindow: values[3] ?? "" } as const;
      return [state, [{ name: "edrxUpdate", event }]];
    }
    case "%XT3412":
      return [state, [{ name: "tauPreWarning", event: { timeMs: number(0) ?? 0 } }]];
    case "%XMODEMSLEEP":
      return [state, [{ name: "modemSleep", event: { type: number(0) ?? 0, timeMs: number(1) } }]];
    case "%MDMEV":
      return [state, [{ name: "modemEvent", event: { name: text.trim() } }]];
    default:
      return [state, []];
  }
}

/** The order for one `+CEREG` is lte_lc's: registration, cell, mode, PSM. */
export function stepRegistration(state: LinkState, registration: Registration): [LinkState, LinkEvent[]] {
  const events: LinkEvent[] = [];
  const status = effectiveStatus(registration);
  const isRegistered = status === "home" || status === "roaming";
  if (status !== state.status) events.push({ name: "nwRegStatus", event: { status } });
  const next: LinkState = { ...state, status };
  const { tac, cellId, activeTime, periodicTau } = registration;
  if (tac !== undefined && cellId !== undefined && (tac !== state.tac || cellId !== state.cellId)) {
    Object.assign(next, { tac, cellId });
    events.push({ name: "cellUpdate", event: { tac, cellId } });
  }
  const mode = isRegistered ? modeOf(registration) : "none";
  if (mode !== state.mode) {
    next.mode = mode;
    events.push({ name: "lteModeUpdate", event: { mode } });
  }
  if (isRegistered && activeTime !== undefined && periodicTau !== undefined) {
    const psm = `${periodicTau},${activeTime}`;
    next.psm = psm;
    const event = {
      periodicTauSeconds: decodePeriodicTau(periodicTau),
      activeTimeSeconds: decodeActiveTime(activeTime),
    };
    if (psm !== state.psm) events.push({ name: "psmUpdate", event });
  }
  return [next, events];
}

function modeOf({ act }: Registration): LteMode {
  if (act === undefined) return "none";
  return act === 7 ? "lteM" : "nbIot";
}
