import type { AtCommand, AtCommandForm } from "./command.js";
import { integerAt } from "./parameters.js";

interface CommandTime {
  name: string;
  forms?: readonly AtCommandForm[];
  /** Of the first parameter, for commands that do many things. */
  operations?: readonly number[];
  timeMs: number;
}

const acts: readonly AtCommandForm[] = ["set", "execute"];
const second = 1_000;
const minute = 60 * second;

/**
 * Commands that may take longer than an ordinary answer, with how long a host should wait: they search for networks, leave one, write
 * the modem's storage, make keys, or connect through the network.
 */
const slowCommands: readonly CommandTime[] = [
  { name: "+CFUN", forms: acts, timeMs: minute },
  { name: "+COPS", forms: ["test"], timeMs: 10 * minute },
  { name: "+COPS", forms: acts, timeMs: 3 * minute },
  { name: "+CGATT", forms: acts, timeMs: 3 * minute },
  { name: "+CGACT", forms: acts, timeMs: 3 * minute },
  { name: "+CPIN", forms: acts, timeMs: 30 * second },
  { name: "+CLCK", forms: acts, timeMs: 30 * second },
  { name: "+CPWD", forms: acts, timeMs: 30 * second },
  { name: "%CMNG", forms: acts, operations: [0, 3], timeMs: 30 * second },
  { name: "%KEYGEN", forms: acts, timeMs: minute },
  { name: "%KEYINJECT", forms: acts, timeMs: minute },
  { name: "%ATTESTTOKEN", timeMs: 30 * second },
  { name: "%CLAIMTOKEN", timeMs: 30 * second },
  { name: "%XFACTORYRESET", forms: acts, timeMs: minute },
  { name: "%XSUDO", forms: acts, timeMs: minute },
  { name: "#XCONNECT", forms: acts, timeMs: 2 * minute },
  { name: "#XTCPCLI", forms: acts, timeMs: 2 * minute },
  { name: "#XMQTTCON", forms: acts, timeMs: 2 * minute },
  { name: "#XHTTPCCON", forms: acts, timeMs: 2 * minute },
  { name: "#XSEND", forms: acts, timeMs: minute },
  { name: "#XGETADDRINFO", forms: acts, timeMs: minute },
  { name: "#XSHUTDOWN", forms: acts, timeMs: minute },
  { name: "#XCMNG", forms: acts, timeMs: 30 * second },
  { name: "#XSLEEP", forms: acts, timeMs: minute },
  { name: "#XRESET", forms: acts, timeMs: minute },
  { name: "#XMODEMRESET", forms: acts, timeMs: minute },
  { name: "#XFOTA", forms: acts, timeMs: 2 * minute },
  { name: "#XDFUINIT", forms: acts, timeMs: 2 * minute },
  { name: "#XDFUWRITE", forms: acts, timeMs: minute },
  { name: "#XDFUAPPLY", forms: acts, timeMs: 2 * minute },
];

const timesByName = new Map<string, readonly CommandTime[]>();
for (const time of slowCommands) timesByName.set(time.name, [...(timesByName.get(time.name) ?? []), time]);

/** @returns how long the answer to a command may take, in milliseconds; undefined for an ordinary one, which comes within seconds. */
export function slowCommandTimeMs({ name, form, parameters }: AtCommand): number | undefined {
  const operation = integerAt(parameters, 0) ?? -1;
  return timesByName
    .get(name)
    ?.find(({ forms, operations }) => (forms?.includes(form) ?? true) && (operations?.includes(operation) ?? true))
    ?.timeMs;
}
