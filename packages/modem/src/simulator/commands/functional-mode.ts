import type { FunctionalMode } from "@thingline/protocol/at";
import { formatSystemMode, functionalModes, integerAt, isFunctionalMode, isLteActive } from "@thingline/protocol/at";
import { refusalOfMoment } from "../credential-rules.js";
import { defaultSettings } from "../settings.js";
import type { CommandTable, ModemState } from "./command.js";
import { integers, isSubscribed, ok, refused, set, storedSetting } from "./command.js";
import { notifyPacketEvent } from "./packet-data.js";
import { integer, optional } from "./parameter-rules.js";

/** `+CFUN`, the system mode, and what only power off allows. */
export const functionalModeCommands: CommandTable = {
  "+CFUN": {
    set: set([integer(0, 44)], async (modem, parameters) => {
      const mode = integerAt(parameters, 0);
      if (!isFunctionalMode(mode)) return refused("error");
      const { lteM, nbIot } = modem.settings.systemMode;
      // The SIM card is of no use without LTE.
      if (mode === 41 && !lteM && !nbIot) return refused("error");
      await setFunctionalMode(modem, mode);
      return ok();
    }),
    read: (modem) => ok(`+CFUN: ${modem.functionalMode}`),
    test: () => ok(`+CFUN: (${Object.keys(functionalModes).join(",")})`),
  },
  "%XSYSTEMMODE": {
    set: set([integer(0, 1), integer(0, 1), integer(0, 1), optional(integer(0, 4))], (modem, parameters) => {
      const values = integers(parameters);
      const [lteM, nbIot, gnss, preference = 0] = values ?? [];
      if (lteM === undefined || lteM + (nbIot ?? 0) + (gnss ?? 0) === 0) return refused("error");
      if (modem.functionalMode !== 0 && modem.functionalMode !== 4) return refused(518);
      modem.settings.systemMode = { lteM: lteM === 1, nbIot: nbIot === 1, gnss: gnss === 1, preference };
      return ok();
    }),
    read: (modem) => ok(`%XSYSTEMMODE: ${formatSystemMode(modem.settings.systemMode)}`),
    test: () => ok("%XSYSTEMMODE: (0,1),(0,1),(0,1),(0-4)"),
  },
  // How the modem weighs power against the time to find service: it does neither here.
  ...storedSetting("%XDATAPRFL", [integer(0, 4)], [2]),
  "%XFACTORYRESET": {
    set: set([integer(0, 1)], async (modem, parameters) => {
      const scope = integerAt(parameters, 0);
      if (modem.functionalMode !== 0) return refused("error");
      const refusal = refusalOfMoment(modem.situation());
      if (refusal !== undefined) return refused(refusal);
      modem.settings = structuredClone(defaultSettings);
      modem.contexts.clear();
      await modem.saveSettings();
      if (scope === 1) return ok();
      for (const { secTag, type } of modem.storage.list()) {
        if (!modem.storage.isFromFactory(secTag, type)) await modem.storage.remove(secTag, type);
      }
      return ok();
    }),
    test: () => ok("%XFACTORYRESET: (0,1)"),
  },
};

async function setFunctionalMode(modem: ModemState, mode: FunctionalMode): Promise<void> {
  switch (mode) {
    case 0:
      await switchLteOff(modem);
      modem.functionalMode = 0;
      modem.isGnssOn = false;
      modem.switchSim(false);
      modem.contexts.clear();
      // The last word of a subscription that is about to be lost.
      modem.subscriptions.clear();
      await modem.saveSettings();
      return;
    case 1:
      modem.isGnssOn = modem.settings.systemMode.gnss;
      switchLteOn(modem, 1);
      return;
    case 2:
      await switchLteOff(modem);
      modem.switchSim(true);
      modem.functionalMode = 2;
      return;
    case 4:
    case 44:
      await switchLteOff(modem);
      modem.isGnssOn = false;
      modem.switchSim(mode === 44);
      modem.functionalMode = mode;
      if (isSubscribed(modem, "%XMODEMSLEEP")) modem.notify("%XMODEMSLEEP: 4");
      return;
    case 20:
      await switchLteOff(modem);
      if (modem.functionalMode !== 0) modem.functionalMode = modem.isGnssOn ? 31 : 4;
      return;
    case 21:
      switchLteOn(modem, 21);
      return;
    case 30:
      modem.isGnssOn = false;
      if (modem.functionalMode === 31) modem.functionalMode = 4;
      return;
    case 31:
      modem.isGnssOn = true;
      if (!isLteActive(modem.functionalMode)) modem.functionalMode = 31;
      return;
    case 40:
      modem.switchSim(false);
      if (modem.functionalMode === 41 || modem.functionalMode === 44) modem.functionalMode = 4;
      return;
    case 41:
      modem.switchSim(true);
      if (!isLteActive(modem.functionalMode)) modem.functionalMode = 41;
      announceSim(modem);
      return;
  }
}

function switchLteOn(modem: ModemState, mode: 1 | 21): void {
  modem.functionalMode = mode;
  const wasSimOn = modem.isSimOn;
  modem.switchSim(true);
  if (!wasSimOn) announceSim(modem);
  const { lteM, nbIot } = modem.settings.systemMode;
  if (lteM || nbIot) modem.lte.input({ type: "radioOn" });
}

async function switchLteOff(modem: ModemState): Promise<void> {
  // Detaching takes the network's answer; only then comes the OK.
  if (modem.lte.isRegistered) await modem.pauses.pass(modem.lte.timing.detachMs);
  const wasRegistered = modem.lte.isRegistered;
  modem.lte.input({ type: "radioOff" });
  if (wasRegistered) notifyPacketEvent(modem, "ME DETACH");
}

/** `%XSIM`, for those who want to hear of it. */
export function announceSim(modem: ModemState): void {
  if (!isSubscribed(modem, "%XSIM")) return;
  modem.notify(`%XSIM: ${simState(modem)}`);
}

/** `1` initialised, `0,<cause>` not: 1 the PIN is missing. */
export function simState(modem: ModemState): string {
  if (!modem.isSimOn) return "0";
  const { sim } = modem.lte.conditions;
  if (sim === "ready") return "1";
  return sim === "pinRequired" ? "0,1" : sim === "pukRequired" ? "0,2" : "0";
}
