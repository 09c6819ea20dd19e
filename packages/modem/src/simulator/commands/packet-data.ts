import type { AtParameter } from "@thingline/protocol/at";
import { integerAt, isAbsentAt, isLteActive, stringAt } from "@thingline/protocol/at";
import { addressesOf, contextIdMax, type PacketContext } from "../packet-contexts.js";
import { settingPatterns } from "../settings.js";
import type { CommandTable, ModemState, Reply } from "./command.js";
import { isSubscribed, levelOf, ok, refused, set, storedSetting, subscription } from "./command.js";
import { ignored, integer, optional, text } from "./parameter-rules.js";

const contextId = integer(0, contextIdMax);
const accessPoint = text(settingPatterns.accessPoint);
const isOn = integer(0, 1);
/** Name servers and longest packet of the simulated network. */
const nameServers = ["192.0.2.1", "192.0.2.2"] as const;
const packetBytesMax = 1500;

/** Packet data contexts. */
export const packetDataCommands: CommandTable = {
  "+CGDCONT": {
    set: set(
      [
        ...[contextId, optional(text(settingPatterns.packetType)), optional(accessPoint)],
        ...[ignored, ignored, ignored, optional(isOn), ignored, ignored, ignored, optional(isOn), optional(isOn)],
      ],
      define,
    ),
    read: (modem) =>
      ok(
        ...contextsOf(modem).map(([id, { type, apn }]) => {
          const isUp = isActive(modem, id);
          const name = isUp && apn === "" ? "internet" : apn;
          return `+CGDCONT: ${id},"${type}","${name}","${isUp ? (addressesOf(id, type)[0] ?? "") : ""}",0,0`;
        }),
      ),
  },
  "+CGACT": {
    set: set([isOn, optional(integer(1, contextIdMax))], activate),
    read: (modem) => ok(...contextsOf(modem).map(([id]) => `+CGACT: ${id},${isActive(modem, id) ? 1 : 0}`)),
    test: () => ok("+CGACT: (0,1)"),
  },
  "+CGATT": {
    set: set([isOn], attach),
    read: (modem) => ok(`+CGATT: ${modem.lte.isRegistered ? 1 : 0}`),
    test: () => ok("+CGATT: (0,1)"),
  },
  "+CGPADDR": {
    execute: (modem) =>
      ok(
        ...contextsOf(modem)
          .filter(([id]) => isActive(modem, id))
          .map(([id, context]) => addressLine(modem, id, context)),
      ),
    set: set([contextId], (modem, parameters) => {
      const id = integerAt(parameters, 0) ?? 0;
      const context = contextOf(modem, id);
      return context === undefined ? refused("error") : ok(addressLine(modem, id, context));
    }),
    test: (modem) =>
      ok(
        `+CGPADDR: (${contextsOf(modem)
          .map(([id]) => id)
          .join(",")})`,
      ),
  },
  "+CGCONTRDP": {
    execute: (modem) => ok(...contextsOf(modem).flatMap(([id, context]) => dynamicLines(modem, id, context))),
    set: set([contextId], (modem, parameters) => {
      const id = integerAt(parameters, 0) ?? 0;
      const context = contextOf(modem, id);
      return context === undefined ? refused("error") : ok(...dynamicLines(modem, id, context));
    }),
  },
  ...subscription("+CGEREP", [optional(isOn), optional(integer(0, 0))], {
    read: (modem) => ok(`+CGEREP: ${levelOf(modem, "+CGEREP")},0`),
    test: "(0,1),(0)",
  }),
  "+CGAUTH": {
    set: set([contextId, optional(integer(0, 2)), optional(text()), optional(text())], authenticate),
  },
  "%XNEWCID": {
    read: (modem) => {
      for (let id = 1; id <= contextIdMax; id++) {
        if (modem.contexts.get(id) !== undefined) continue;
        modem.contexts.define(id, { type: "IP", apn: "" });
        return ok(`%XNEWCID: ${id}`);
      }
      return refused("error");
    },
  },
  "%XGETPDNID": {
    set: set([contextId], (modem, parameters) => {
      const id = integerAt(parameters, 0) ?? 0;
      return isActive(modem, id) ? ok(`%XGETPDNID: ${id}`) : refused("error");
    }),
  },
  "+CGPIAF": { read: () => ok("+CGPIAF: 1,1,1,0"), test: () => ok("+CGPIAF: (1),(1),(1),(0)") },
  ...storedSetting("%XEPCO", [isOn], [1]),
  ...storedSetting("%XPDNCFG", [isOn], [0]),
  "+CEPPI": {
    set: set([isOn], () => ok()),
    test: () => ok("+CEPPI: (0,1)"),
  },
  "+CEMODE": {
    set: set([optional(integer(0, 2))], (modem, parameters) => {
      const mode = integerAt(parameters, 0) ?? 0;
      if (mode === 1 || isLteActive(modem.functionalMode)) return refused("error");
      modem.settings.stored = { ...modem.settings.stored, "+CEMODE": [mode] };
      return ok();
    }),
    read: (modem) => ok(`+CEMODE: ${modem.settings.stored?.["+CEMODE"]?.[0] ?? 0}`),
    test: () => ok("+CEMODE: (0,2)"),
  },
};

function contextOf({ settings, contexts }: ModemState, id: number): PacketContext | undefined {
  return id === 0 ? settings.pdn : contexts.get(id);
}

function contextsOf(modem: ModemState): [number, PacketContext][] {
  return [0, ...modem.contexts.ids()].flatMap((id) => {
    const context = contextOf(modem, id);
    return context === undefined ? [] : [[id, context] as [number, PacketContext]];
  });
}

function isActive({ lte, contexts }: ModemState, id: number): boolean {
  return lte.isRegistered && (id === 0 || contexts.isActive(id));
}

/** A packet domain event, for those who want to hear of it. */
export function notifyPacketEvent(modem: ModemState, event: string): void {
  if (isSubscribed(modem, "+CGEREP")) modem.notify(`+CGEV: ${event}`);
}

function define(modem: ModemState, parameters: readonly AtParameter[]): Reply {
  const id = integerAt(parameters, 0) ?? 0;
  if (parameters.length === 1) {
    // The context is not defined any more; the first one goes back to what the network gives.
    if (id === 0) modem.settings.pdn = { type: "IP", apn: "" };
    else modem.contexts.remove(id);
    return ok();
  }
  const before = contextOf(modem, id);
  const type = stringAt(parameters, 1) ?? before?.type ?? "IP";
  const apn = isAbsentAt(parameters, 2) ? "" : (stringAt(parameters, 2) ?? "");
  if (id === 0) modem.settings.pdn = { type, apn };
  else modem.contexts.define(id, { ...before, type, apn });
  return ok();
}

function activate(modem: ModemState, parameters: readonly AtParameter[]): Reply {
  const isUp = integerAt(parameters, 0) === 1;
  const id = integerAt(parameters, 1);
  // Context 0 comes and goes with the attach.
  if (id === undefined || contextOf(modem, id) === undefined) return refused("error");
  if (!modem.lte.isRegistered) return refused("error");
  modem.lte.input({ type: "traffic" });
  const isNew = isUp ? modem.contexts.activate(id) : modem.contexts.deactivate(id);
  if (isNew) notifyPacketEvent(modem, `ME PDN ${isUp ? "ACT" : "DEACT"} ${id}`);
  return ok();
}

async function attach(modem: ModemState, parameters: readonly AtParameter[]): Promise<Reply> {
  const isWanted = integerAt(parameters, 0) === 1;
  if (!isLteActive(modem.functionalMode)) return refused("error");
  if (isWanted) modem.lte.input({ type: "radioOn" });
  else {
    if (modem.lte.isRegistered) await modem.pauses.pass(modem.lte.timing.detachMs);
    modem.lte.input({ type: "radioOff" });
  }
  return ok();
}

function addressLine(modem: ModemState, id: number, { type }: PacketContext): string {
  const addresses = isActive(modem, id) ? addressesOf(id, type) : [];
  return [`+CGPADDR: ${id}`, ...addresses.map((address) => `"${address}"`)].join(",");
}

/** One line for IPv4, one for IPv6. */
function dynamicLines(modem: ModemState, id: number, { type, apn }: PacketContext): string[] {
  if (!isActive(modem, id)) return [];
  const [first, second] = nameServers;
  const line = `+CGCONTRDP: ${id},,"${apn === "" ? "internet" : apn}","","","${first}","${second}",,,,,${packetBytesMax}`;
  return addressesOf(id, type).map(() => line);
}

function authenticate(modem: ModemState, parameters: readonly AtParameter[]): Reply {
  const id = integerAt(parameters, 0) ?? 0;
  const protocol = integerAt(parameters, 1) ?? 0;
  const user = stringAt(parameters, 2);
  const password = stringAt(parameters, 3);
  const context = contextOf(modem, id);
  if (context === undefined || (protocol === 0) !== (user === undefined && password === undefined)) {
    return refused("error");
  }
  if (protocol !== 0 && (user === undefined || password === undefined)) return refused("error");
  if (id > 0) {
    const { authentication: _, ...rest } = context;
    const authentication = { protocol, user: user ?? "", password: password ?? "" };
    modem.contexts.define(id, protocol === 0 ? rest : { ...rest, authentication });
  }
  return ok();
}
