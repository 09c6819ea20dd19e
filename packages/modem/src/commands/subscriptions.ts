import { optionInvalid } from "@thingline/protocol";
import { formatCommand } from "../at/table.js";
import type { CommandOptions } from "../session.js";
import { sequenceOf, type SequenceSession } from "./ask.js";
import { unlessRejected } from "../failures.js";

/** From which length of a sleep on, and how long before its end, the modem tells. */
export interface SleepSubscription {
  /** 500 to 3,600,000 milliseconds; 0: no warning beforehand. */
  warningMs: number;
  /** 10,240 to 3,456,000,000 milliseconds. */
  thresholdMs: number;
}

/** What a modem is to tell by itself. Whatever is left out stays as it is. `AT+CFUN=0` forgets everything. */
export interface ModemSubscriptions {
  /** `+CEREG`: 0 is off; 1 the status, 2 the cell too, 3 the cause of a refusal too, 4 the timers of power saving instead, 5 all. */
  registration?: number;
  /** `+CSCON`: 0 is off, up to 3. */
  radioConnection?: number;
  /** `%CESQ`, when the signal crosses one of its thresholds. */
  signal?: boolean;
  /** `%XSIM` */
  sim?: boolean;
  /** `%MDMEV` */
  modemEvents?: boolean;
  /** `%XTIME` */
  networkTime?: boolean;
  /** `+CGEV` */
  packetDomain?: boolean;
  /** `+CNEC_EMM` and `+CNEC_ESM` */
  networkErrors?: boolean;
  /** `%XMODEMSLEEP` */
  sleep?: SleepSubscription | false;
  /** `%XT3412` */
  tauPreWarning?: SleepSubscription | false;
  /** `%XPOFWARN`, below these millivolts: 3000, 3100, 3200 or 3300. While it lasts the modem writes nothing. */
  powerOffWarningMv?: number | false;
  /** `%XVBATLOWLVL` */
  lowVoltage?: boolean;
  /** `%XTEMP` */
  temperature?: boolean;
}

const lineBy: {
  [Subject in keyof ModemSubscriptions]-?: (value: NonNullable<ModemSubscriptions[Subject]>) => string;
} = {
  registration: (level) => formatCommand("+CEREG=", { level }),
  radioConnection: (level) => formatCommand("+CSCON=", { level }),
  signal: (isOn) => formatCommand("%CESQ=", { isOn }),
  sim: (isOn) => formatCommand("%XSIM=", { isOn }),
  modemEvents: (isOn) => formatCommand("%MDMEV=", { isOn }),
  networkTime: (isOn) => formatCommand("%XTIME=", { isOn }),
  packetDomain: (isOn) => formatCommand("+CGEREP=", { mode: isOn ? 1 : 0 }),
  networkErrors: (isOn) => formatCommand("+CNEC=", { level: isOn ? 24 : 0 }),
  sleep: (times) => formatCommand("%XMODEMSLEEP=", times === false ? { isOn: false } : { isOn: true, ...times }),
  tauPreWarning: (times) => formatCommand("%XT3412=", times === false ? { isOn: false } : { isOn: true, ...times }),
  powerOffWarningMv: (level) =>
    formatCommand("%XPOFWARN=", level === false ? { isOn: false } : { isOn: true, level: level / 100 }),
  lowVoltage: (isOn) => formatCommand("%XVBATLVL=", { isOn }),
  temperature: (isOn) => formatCommand("%XTEMP=", { isOn }),
};

/**
 * Subscribes, in one sequence. What comes then is in `session.events()`.
 *
 * @returns what the modem's firmware refused: it does not have it.
 * @throws {ThinglineError} before anything is sent OPTION_INVALID, and AT_MALFORMED for a level that there is not; then those of `ModemSession.command` but MODEM_COMMAND_REJECTED.
 */
export async function subscribeModem(
  session: SequenceSession,
  subscriptions: ModemSubscriptions,
  options: CommandOptions = {},
): Promise<(keyof ModemSubscriptions)[]> {
  const lines = Object.entries(subscriptions).flatMap(([name, value]) => {
    if (!Object.hasOwn(lineBy, name)) {
      throw optionInvalid(name, `one of ${Object.keys(lineBy).join(", ")}`, "something else");
    }
    const subject = name as keyof ModemSubscriptions;
    return value === undefined ? [] : [[subject, (lineBy[subject] as (value: unknown) => string)(value)] as const];
  });
  return sequenceOf(session, options, async (run) => {
    const refused: (keyof ModemSubscriptions)[] = [];
    for (const [subject, line] of lines) {
      if ((await unlessRejected(run(line))) === undefined) refused.push(subject);
    }
    return refused;
  });
}
