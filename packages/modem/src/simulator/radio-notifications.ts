import {
  effectiveStatus,
  formatRegistration,
  formatSignalNotification,
  signalThresholds,
} from "@thingline/protocol/at";
import { timeNotification } from "./commands/clock.js";
import { isSubscribed, levelOf, type ModemState } from "./commands/command.js";
import { notifyPacketEvent } from "./commands/packet-data.js";
import { notifyEdrx } from "./commands/power-saving.js";
import { formatConnection } from "./commands/registration.js";
import { hasCell, levelIndex, snrIndex } from "./commands/signal.js";
import type { LteEffect } from "./lte-link.js";

/** Thresholds of `%XSNRSQ`, as they come from the factory. */
const snrThresholds = [16, 24, 32, 40];

/** The URCs that follow from what happens on the radio, in the order of a real modem. */
export class RadioNotifications {
  readonly #modem: ModemState;
  #registration = "";
  #wasRegistered = false;
  #wasRoaming = false;
  #signal = "";
  #snr = "";

  constructor(modem: ModemState) {
    this.#modem = modem;
  }

  on(effect: Exclude<LteEffect, { type: "wakeAt" | "linkLost" }>): void {
    const modem = this.#modem;
    switch (effect.type) {
      case "registrationChanged":
        this.#onRegistration();
        return;
      case "rrcChanged": {
        const level = levelOf(modem, "+CSCON");
        if (level > 0) modem.notify(`+CSCON: ${formatConnection(effect.isConnected, level)}`);
        if (!modem.lte.isRegistered) return;
        if (effect.isConnected) modem.powerSaving.connected();
        else modem.powerSaving.idle();
        return;
      }
      case "searchEnded":
        if (isSubscribed(modem, "%MDMEV")) modem.notify(`%MDMEV: SEARCH STATUS ${effect.isFound ? 1 : 2}`);
        return;
    }
  }

  /** The modem starts anew: what was told before does not count. */
  forget(): void {
    this.#registration = "";
    this.#wasRegistered = false;
    this.#wasRoaming = false;
    this.#signal = "";
    this.#snr = "";
  }

  #onRegistration(): void {
    const modem = this.#modem;
    const registration = modem.lte.registration();
    const status = effectiveStatus(registration);
    const isRegistered = status === "home" || status === "roaming";
    const isNew = isRegistered && !this.#wasRegistered;
    if (!isRegistered) this.#ended();
    if (isNew) this.#began();
    if (status === "denied") this.#denied();
    this.#tellRegistration();
    this.#tellIndicators(isRegistered, status === "roaming");
    this.#wasRegistered = isRegistered;
    if (isNew) notifyEdrx(modem);
    this.#tellSignal();
  }

  #began(): void {
    const modem = this.#modem;
    if (!modem.time.isFromNetwork) {
      modem.time.received();
      if (isSubscribed(modem, "%XTIME")) modem.notify(timeNotification(modem.time.networkMs()));
    }
    notifyPacketEvent(modem, "ME PDN ACT 0");
  }

  #ended(): void {
    this.#modem.powerSaving.off();
    this.#modem.contexts.deactivateAll();
  }

  #denied(): void {
    const modem = this.#modem;
    const { rejectCause } = modem.lte.conditions;
    modem.lastFailure = `EMM ${rejectCause}`;
    const level = levelOf(modem, "+CNEC");
    if (level === 8 || level === 24) modem.notify(`+CNEC_EMM: ${rejectCause}`);
  }

  #tellRegistration(): void {
    const modem = this.#modem;
    const registration = modem.lte.registration();
    const level = levelOf(modem, "+CEREG");
    // A modem that is switched off says no more than that.
    const shown = formatRegistration(registration, registration.status === "notRegistered" ? 1 : level);
    const text = `${level}:${shown}`;
    if (text === this.#registration) return;
    this.#registration = text;
    if (level > 0) modem.notify(`+CEREG: ${shown}`);
  }

  #tellIndicators(isRegistered: boolean, isRoaming: boolean): void {
    const modem = this.#modem;
    const [service, roam] = modem.subscriptions.get("+CIND") ?? [];
    if (service === 1 && isRegistered !== this.#wasRegistered) {
      modem.notify(`+CIND: "service",${isRegistered ? 1 : 0}`);
    }
    if (roam === 1 && isRoaming !== this.#wasRoaming) modem.notify(`+CIND: "roam",${isRoaming ? 1 : 0}`);
    this.#wasRoaming = isRoaming;
  }

  /** Signal is told when it has come over a threshold, or under one. */
  #tellSignal(): void {
    const modem = this.#modem;
    if (!hasCell(modem)) {
      this.#signal = "";
      this.#snr = "";
      return;
    }
    const { cell } = modem.lte.conditions;
    const { rsrp, rsrq } = signalThresholds(cell);
    const signal = `${rsrp},${rsrq}`;
    if (signal !== this.#signal && modem.lte.isRegistered) {
      this.#signal = signal;
      if (isSubscribed(modem, "%CESQ")) modem.notify(formatSignalNotification(cell));
    }
    const index = snrIndex(modem);
    const snr = String(snrThresholds.filter((threshold) => index >= threshold).length);
    if (snr === this.#snr || !modem.lte.isRegistered) return;
    this.#snr = snr;
    if (isSubscribed(modem, "%XSNRSQ")) modem.notify(`%XSNRSQ: ${index},${snr},${levelIndex(modem)},0`);
  }
}
