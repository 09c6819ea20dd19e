import {
  formatMonitor,
  formatRegistration,
  type NetworkMonitor,
  parseMonitor,
  parseRegistrationRead,
  type Registration,
  registrationStatuses,
  rsrpIndex,
  rsrqIndex,
  signalOf,
  type SignalQuality,
} from "@thingline/protocol/at";
import { one, oneOrNone } from "./answers.js";
import type { Domain } from "./domain.js";
import { act, ask, set } from "./entry.js";
import { bits, flag, hex, integer, optional, reserved, text } from "./fields.js";
import { fields, type LineCodec, mapped, rest, single, supported } from "./lines.js";

const words: Domain = { type: "text", pattern: /^[A-Za-z0-9 .-]{0,16}$/ };
const needed = (domain: Domain) => ({ domain, isOptional: false });
const left = (domain: Domain) => ({ domain, isOptional: true });
const number = (lowest: number, highest: number): Domain => ({ type: "integer", lowest, highest });

/** Registered or not; what `AT%XMONITOR` says in each case. */
export interface Monitored {
  /** Of `+CEREG`. */
  status: number;
  registered: NetworkMonitor | undefined;
}

const monitored: LineCodec<Monitored> = {
  parse: (text) => parseMonitor(`%XMONITOR: ${text}`),
  format: ({ status, registered }) => formatMonitor(status, registered).slice("%XMONITOR: ".length),
  domain: {
    type: "fields",
    fields: {
      status: needed(number(0, 90)),
      registered: needed({
        type: "optional",
        of: {
          type: "fields",
          fields: {
            ...{ fullName: needed(words), shortName: needed(words), plmn: needed(bitsOf(/^[0-9]{5,6}$/)) },
            ...{ tac: needed(hex(4).domain), act: needed(number(7, 9)), band: needed(number(1, 255)) },
            ...{ cellId: needed(hex(8).domain), physicalCellId: needed(number(0, 503)) },
            ...{ earfcn: needed(number(0, 262_143)), rsrp: needed(number(0, 97)), snr: needed(number(0, 49)) },
            ...{ edrx: needed(bitsOf(/^(?:|[01]{4})$/)), activeTime: needed(bits(8).domain) },
            ...{ periodicTauExtended: needed(bits(8).domain), periodicTau: needed(bits(8).domain) },
          },
        },
      }),
    },
  },
};

function bitsOf(pattern: RegExp): Domain {
  return { type: "text", pattern };
}

/** What `AT+CEREG?` answers. */
export interface RegistrationRead {
  /** Of the subscription: 0 to 5. */
  level: number;
  registration: Registration;
}

const registration: LineCodec<RegistrationRead> = {
  parse: (text) => parseRegistrationRead(`+CEREG: ${text}`),
  format: ({ level, registration }) => `${level},${formatRegistration(registration, level)}`,
  // A lower level leaves out what it does not show.
  domain: {
    type: "fields",
    fields: {
      level: needed(number(5, 5)),
      registration: needed({
        type: "fields",
        fields: {
          status: needed({ type: "choice", values: Object.values(registrationStatuses) }),
          ...{ tac: left(hex(4).domain), cellId: left(hex(8).domain) },
          ...{ act: left({ type: "choice", values: [7, 9] }) },
          ...{ causeType: left(number(0, 1)), rejectCause: left(number(0, 255)) },
          ...{ activeTime: left(bits(8).domain), periodicTau: left(bits(8).domain) },
        },
      }),
    },
  },
};

const rsrqSteps = Array.from({ length: 35 }, (_, index) => -19.5 + index / 2);

export const signalDomains = {
  rsrpDbm: needed({ type: "optional", of: number(-140, -43) }),
  rsrqDb: needed({ type: "optional", of: { type: "choice", values: rsrqSteps } }),
} as const satisfies Record<keyof SignalQuality, unknown>;

const signal: LineCodec<SignalQuality> = mapped(
  fields({
    ...{ rxlev: reserved("99"), ber: reserved("99"), rscp: reserved("255"), ecno: reserved("255") },
    ...{ rsrq: integer(0, 255), rsrp: integer(0, 255) },
  }),
  {
    to: signalOf,
    from: (quality) => ({ rsrq: rsrqIndex(quality.rsrqDb), rsrp: rsrpIndex(quality.rsrpDbm) }),
    domain: { type: "fields", fields: signalDomains },
  },
);

/** What a connection would cost now: 5 is bad, 9 excellent; no more than the result where there is no cell. */
const evaluation = fields({
  /** 0 done, 1 no cell, 2 no SIM card, 3 no memory, 4 no service, 5 not allowed, 6 not registered, 7 unspecified. */
  result: integer(0, 7),
  ...{ isConnected: optional(flag), energyEstimate: optional(integer(5, 9)) },
  ...{ rsrp: optional(integer(0, 255)), rsrq: optional(integer(0, 255)), snr: optional(integer(0, 127)) },
  ...{ cellId: optional(hex(8)), plmn: optional(text(/^[0-9]{5,6}$/)), physicalCellId: optional(integer(0, 503)) },
  ...{ earfcn: optional(integer(0, 262_143)), band: optional(integer(0, 255)) },
  ...{ isTauTriggered: optional(integer(0, 255)), coverage: optional(integer(0, 255)) },
  ...{ transmitPowerDbm: optional(integer(-60, 23)), transmissions: optional(integer(0, 2_048)) },
  ...{ receptions: optional(integer(0, 2_048)), pathLossDb: optional(integer(0, 255)) },
});

/** Registration, cell, signal, and the radio connection. */
export const networkTable = {
  "+CEREG?": ask(one(registration)),
  "+CEREG=": set(fields({ level: integer(0, 5) })),
  "+CSCON?": ask(
    one(
      fields({
        ...{ level: integer(0, 3), isConnected: flag },
        ...{ state: optional(integer(0, 9)), access: optional(integer(0, 9)) },
      }),
    ),
  ),
  "+CSCON=": set(fields({ level: integer(0, 3) })),
  "+CEREG=?": ask(one(supported)),
  "+CSCON=?": ask(one(supported)),
  "+CEER": ask(one(single(text()))),
  "+CSQ": ask(one(fields({ rssi: integer(0, 99), ber: integer(0, 99) }))),
  "+CSQ=?": ask(one(supported)),
  "%CESQ?": ask(one(single(flag))),
  "%CESQ=?": ask(one(supported)),
  "%XSNRSQ?": ask(one(fields({ snr: integer(0, 127), level: integer(0, 32_767), coverage: integer(0, 255) }))),
  "%XSNRSQ=": set(fields({ isOn: flag })),
  "%XSNRSQ=?": ask(one(supported)),
  "%CONEVAL": ask(one(evaluation)),
  "%NCELLMEAS": act,
  "%NCELLMEAS=": set(fields({ type: integer(0, 5), cells: optional(integer(2, 15)) })),
  "%NCELLMEASSTOP": act,
  "%NBRGRSRP": ask(oneOrNone(rest(/^[0-9]+,[0-9]+,[0-9]+(?:,[0-9]+,[0-9]+,[0-9]+)*$/))),
  "+CESQ": ask(one(signal)),
  "+CESQ=?": ask(one(rest(/^\([0-9,-]+\)(?:,\([0-9,-]+\))*$/))),
  "%CESQ=": set(fields({ isOn: flag })),
  "%XMONITOR": ask(one(monitored)),
  "+CNEC?": ask(one(single(integer(0, 24)))),
  "+CNEC=": set(fields({ level: integer(0, 24) })),
  "+CNEC=?": ask(one(supported)),
  "+CIND=?": ask(one(supported)),
  "+CIND?": ask(one(fields({ service: flag, roam: optional(flag), message: optional(flag) }))),
  "+CIND=": set(fields({ service: flag, roam: optional(flag), message: optional(flag) })),
};
