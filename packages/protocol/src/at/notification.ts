import { type Information, parseInformation } from "./information.js";
import { type NeighborCells, readNeighborCells } from "./neighbor-cells.js";
import { integerAt, stringAt } from "./parameters.js";
import { type Registration, parseRegistrationNotification } from "./registration.js";
import { readSignalNotification, type SignalQuality, type SignalThresholds } from "./signal.js";

/** What a URC says. Whatever is not known, or not as Nordic's reference has it, is `other`, with its line as it came. */
export type ModemNotification =
  /** `+CEREG` */
  | { type: "registration"; registration: Registration }
  /** `+CSCON` */
  | { type: "rrc"; mode: "idle" | "connected" }
  /** `+CEDRXP`: four bits each; an access technology without eDRX has none. */
  | { type: "edrx"; act: number; requested?: string; granted?: string; pagingTimeWindow?: string }
  /** `%XT3412`: milliseconds until the next periodic tracking area update. */
  | { type: "tauPreWarning"; timeMs: number }
  /** `%XMODEMSLEEP`: 1 PSM, 2 radio inactivity, 4 flight mode and more; without a time the sleep has no end of its own. */
  | { type: "modemSleep"; sleep: number; timeMs?: number }
  /** `%MDMEV`: `SEARCH STATUS 1`, `RESET LOOP`, `ME BATTERY LOW`, `ME OVERHEATED` ... */
  | { type: "modemEvent"; name: string }
  /** `%CESQ`: it is sent when the signal has crossed one of its thresholds. */
  | { type: "signal"; quality: SignalQuality; thresholds?: SignalThresholds }
  /** `%XSIM`: `cause` 1 is a PIN that is asked for. */
  | { type: "sim"; isInitialized: boolean; cause?: number }
  /** `%XTIME`: as the network sent it, in hex digits. */
  | { type: "networkTime"; localTimeZone?: string; universalTime?: string; daylightSaving?: string }
  /** `%XPOFWARN`, `%XVBATLOWLVL`, `%XVBATLVL` */
  | { type: "supply"; name: string; values: number[] }
  /** `%XTEMP`: degrees Celsius; level 1 is normal, 2 high, 3 critical: the radio is off. */
  | { type: "temperature"; level: number; celsius: number }
  /** `%NCELLMEAS` */
  | { type: "neighborCells"; cells: NeighborCells }
  /** `+CGEV`: `ME PDN ACT 0` ... */
  | { type: "packetDomain"; event: string }
  /** `+CNEC_EMM` and `+CNEC_ESM`: 3GPP TS 24.301 9.9.3.9 and 9.9.4.4. */
  | { type: "networkError"; layer: "emm" | "esm"; cause: number; contextId?: number }
  | { type: "other"; line: string; name: string };

type Reader = (information: Information, line: string) => ModemNotification | undefined;

const supply: Reader = ({ name, parameters }) => {
  const values = parameters.flatMap((parameter) => (parameter.type === "integer" ? [parameter.value] : []));
  return values.length === 0 ? undefined : { type: "supply", name, values };
};

const networkError =
  (layer: "emm" | "esm"): Reader =>
  ({ parameters }) => {
    const cause = integerAt(parameters, 0);
    if (cause === undefined) return undefined;
    return { type: "networkError", layer, cause, ...given("contextId", integerAt(parameters, 1)) };
  };

const readers: Readonly<Record<string, Reader>> = {
  "+CEREG": (_, line) => {
    const registration = parseRegistrationNotification(line);
    return registration === undefined ? undefined : { type: "registration", registration };
  },
  "+CSCON": ({ parameters }) => {
    const mode = integerAt(parameters, 0);
    return mode === 0 || mode === 1 ? { type: "rrc", mode: mode === 1 ? "connected" : "idle" } : undefined;
  },
  "+CEDRXP": ({ parameters }) => {
    const act = integerAt(parameters, 0);
    if (act === undefined) return undefined;
    return {
      ...({ type: "edrx", act } as const),
      ...given("requested", stringAt(parameters, 1)),
      ...given("granted", stringAt(parameters, 2)),
      ...given("pagingTimeWindow", stringAt(parameters, 3)),
    };
  },
  "%XT3412": ({ parameters }) => {
    const timeMs = integerAt(parameters, 0);
    return timeMs === undefined ? undefined : { type: "tauPreWarning", timeMs };
  },
  "%XMODEMSLEEP": ({ parameters }) => {
    const sleep = integerAt(parameters, 0);
    return sleep === undefined
      ? undefined
      : { type: "modemSleep", sleep, ...given("timeMs", integerAt(parameters, 1)) };
  },
  "%MDMEV": ({ text }) => (text.trim() === "" ? undefined : { type: "modemEvent", name: text.trim() }),
  "%CESQ": (_, line) => {
    const signal = readSignalNotification(line);
    return signal === undefined ? undefined : { type: "signal", ...signal };
  },
  "%XSIM": ({ parameters }) => {
    const state = integerAt(parameters, 0);
    if (state !== 0 && state !== 1) return undefined;
    return { type: "sim", isInitialized: state === 1, ...given("cause", integerAt(parameters, 1)) };
  },
  "%XTIME": ({ parameters }) => ({
    type: "networkTime",
    ...given("localTimeZone", stringAt(parameters, 0)),
    ...given("universalTime", stringAt(parameters, 1)),
    ...given("daylightSaving", stringAt(parameters, 2)),
  }),
  "%XPOFWARN": supply,
  "%XVBATLOWLVL": supply,
  "%XVBATLVL": supply,
  "%XTEMP": ({ parameters }) => {
    const [level, celsius] = [integerAt(parameters, 0), integerAt(parameters, 1)];
    return level === undefined || celsius === undefined ? undefined : { type: "temperature", level, celsius };
  },
  "%NCELLMEAS": ({ parameters }) => {
    const cells = readNeighborCells(parameters);
    return cells === undefined ? undefined : { type: "neighborCells", cells };
  },
  "+CGEV": ({ text }) => (text.trim() === "" ? undefined : { type: "packetDomain", event: text.trim() }),
  "+CNEC_EMM": networkError("emm"),
  "+CNEC_ESM": networkError("esm"),
};

/** Reads a URC; never throws. */
export function parseNotification(line: string): ModemNotification {
  const information = parseInformation(line);
  const name = information?.name ?? "";
  const read = information === undefined ? undefined : readers[name]?.(information, line);
  return read ?? { type: "other", line, name };
}

function given<Name extends string, Value>(name: Name, value: Value | undefined): Partial<Record<Name, Value>> {
  return value === undefined || value === "" ? {} : ({ [name]: value } as Record<Name, Value>);
}
