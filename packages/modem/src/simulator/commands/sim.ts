import { stringAt } from "@thingline/protocol/at";
import type { CommandTable } from "./command.js";
import { ok, refused, set, subscription } from "./command.js";
import { simState } from "./functional-mode.js";
import { text } from "./parameter-rules.js";

/** The SIM card. */
export const simCommands: CommandTable = {
  "+CPIN": {
    read: (modem) => {
      const { sim } = modem.lte.conditions;
      if (!modem.isSimOn || sim === "absent" || sim === "failed") return refused("error");
      return ok(`+CPIN: ${sim === "ready" ? "READY" : "SIM PIN"}`);
    },
    set: set([text(/^[0-9]{4,8}$/)], (modem, parameters) => {
      const isWanted = modem.isSimOn && modem.lte.conditions.sim === "pinRequired";
      if (!isWanted || stringAt(parameters, 0) !== modem.pin) return refused("error");
      modem.lte.change({ sim: "ready" });
      return ok();
    }),
  },
  "+CPINR": {
    set: set([text(/^SIM PIN$/)], (modem) => (modem.isSimOn ? ok('+CPINR: "SIM PIN",3') : refused("error"))),
  },
  "+CIMI": {
    execute: (modem) =>
      modem.isSimOn && modem.lte.conditions.sim === "ready" ? ok(modem.identity.imsi) : refused("error"),
  },
  "%XICCID": {
    execute: (modem) => {
      const { sim } = modem.lte.conditions;
      const isReadable = modem.isSimOn && (sim === "ready" || sim === "pinRequired");
      return isReadable ? ok(`%XICCID: ${modem.identity.iccid}`) : refused("error");
    },
  },
  ...subscription("%XSIM", 1, (modem) => ok(`%XSIM: ${simState(modem)}`)),
};
