import type { AtParameter } from "@thingline/protocol/at";
import { integerAt, stringAt } from "@thingline/protocol/at";
import { type CardAnswer, pinPattern } from "../sim-card.js";
import type { CommandTable, ModemState, Reply } from "./command.js";
import { ok, refused, set, subscription } from "./command.js";
import { simState } from "./functional-mode.js";
import { integer, optional, text } from "./parameter-rules.js";

const pin = text(pinPattern);
const pinCodes = ["SIM PIN", "SIM PUK", "SIM PIN2", "SIM PUK2"];
/** Personalisation of the modem itself, which is never on here. */
const personalizations = ["PN", "PU", "PP", "PC", "PS"];

/** The SIM card. */
export const simCommands: CommandTable = {
  "+CPIN": {
    read: (modem) => {
      if (!isReadable(modem)) return refused("error");
      const { sim } = modem.lte.conditions;
      return ok(`+CPIN: ${sim === "ready" ? "READY" : sim === "pinRequired" ? "SIM PIN" : "SIM PUK"}`);
    },
    set: set([pin, optional(pin)], async (modem, parameters) => {
      const entered = stringAt(parameters, 0) ?? "";
      const newPin = stringAt(parameters, 1);
      const { sim } = modem.lte.conditions;
      if (!modem.isSimOn || (sim !== "pinRequired" && sim !== "pukRequired")) return refused("error");
      if (sim === "pinRequired") {
        if (newPin !== undefined) return refused("error");
        return unlock(modem, await modem.card.enterPin(entered), "pukRequired");
      }
      if (newPin === undefined) return refused("error");
      return unlock(modem, await modem.card.enterPuk(entered, newPin), "failed");
    }),
  },
  "+CPINR": {
    execute: (modem) =>
      isReadable(modem) ? ok(...pinCodes.map((code) => attemptsLeft(modem, code))) : refused("error"),
    set: set([text(/^SIM (?:PIN|PUK)2?$/)], (modem, parameters) =>
      isReadable(modem) ? ok(attemptsLeft(modem, stringAt(parameters, 0) ?? "")) : refused("error"),
    ),
  },
  "+CPWD": {
    set: set([text(/^SC$/), pin, pin], async (modem, parameters) => {
      if (!isReady(modem)) return refused("error");
      const answer = await modem.card.changePin(stringAt(parameters, 1) ?? "", stringAt(parameters, 2) ?? "");
      return answer === "right" ? ok() : wrongPin(modem, answer, "pukRequired");
    }),
    test: () => ok('+CPWD: ("SC",8)'),
  },
  "+CLCK": {
    set: set([text(/^(?:SC|PN|PU|PP|PC|PS)$/), integer(0, 2), optional(text(/^[0-9]{4,16}$/))], lock),
    test: () => ok(`+CLCK: (${["SC", ...personalizations].map((name) => `"${name}"`).join(",")})`),
  },
  "+CIMI": {
    execute: (modem) => (isReady(modem) ? ok(modem.identity.imsi) : refused("error")),
  },
  "%XICCID": {
    execute: (modem) => (isReadable(modem) ? ok(`%XICCID: ${modem.identity.iccid}`) : refused("error")),
  },
  "+CNUM": {
    // The card of the test network knows no number of its own.
    execute: () => refused("error"),
  },
  "%XOPERID": { execute: (modem) => (isReady(modem) ? ok("%XOPERID: 0") : refused("error")) },
  ...subscription("%XSIM", 1, { read: (modem) => ok(`%XSIM: ${simState(modem)}`) }),
};

function attemptsLeft({ card, lte }: ModemState, code: string): string {
  const pinLeft = lte.conditions.sim === "pukRequired" ? 0 : card.pinAttempts;
  return `+CPINR: "${code}",${code.includes("PUK") ? card.pukAttempts : pinLeft}`;
}

/** The modem has the card on, and the card answers. */
function isReadable({ isSimOn, lte }: ModemState): boolean {
  return isSimOn && lte.conditions.sim !== "absent" && lte.conditions.sim !== "failed";
}

function isReady({ isSimOn, lte }: ModemState): boolean {
  return isSimOn && lte.conditions.sim === "ready";
}

function unlock(modem: ModemState, answer: CardAnswer, whenBlocked: "pukRequired" | "failed"): Reply {
  if (answer !== "right") return wrongPin(modem, answer, whenBlocked);
  modem.unlockSim();
  return ok();
}

function wrongPin(modem: ModemState, answer: CardAnswer, whenBlocked: "pukRequired" | "failed"): Reply {
  if (answer === "blocked") modem.blockSim(whenBlocked);
  return refused(16);
}

async function lock(modem: ModemState, parameters: readonly AtParameter[]): Promise<Reply> {
  const facility = stringAt(parameters, 0) ?? "";
  const mode = integerAt(parameters, 1);
  const password = stringAt(parameters, 2);
  if (facility !== "SC") {
    // Nothing is locked: it can be asked, and unlocked in vain.
    return mode === 2 && password === undefined ? ok("+CLCK: 0") : refused("error");
  }
  if (mode === 2 || password === undefined || !isReady(modem)) return refused("error");
  const answer = await modem.card.enterPin(password);
  if (answer !== "right") return wrongPin(modem, answer, "pukRequired");
  await modem.card.setPinWanted(mode === 1);
  return ok();
}
