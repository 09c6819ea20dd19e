import { type ProvisioningMethod, type ProvisioningWay, wayOf } from "./method.js";

/** Every step that some way of provisioning has. A way's own list, with its numbers: {@link provisioningStepsOf}. */
export type ProvisioningStepName =
  | "writeClaim"
  | "makeKey"
  | "connectLte"
  | "connectClaim"
  | "subscribe"
  | "request"
  | "receiveKey"
  | "receiveCertificate"
  | "keepIssued"
  | "registerThing"
  | "disconnect"
  | "modemOffline"
  | "writeCredentials"
  | "clearSubscriptions"
  | "modemNormal"
  | "introduceCertificate"
  | "connectDevice";

/** Counts from 1, within the steps of a way. */
export type ProvisioningStepNumber = number;

export interface ProvisioningStepInfo {
  number: ProvisioningStepNumber;
  name: ProvisioningStepName;
}

const numbered = (names: readonly ProvisioningStepName[]): readonly ProvisioningStepInfo[] =>
  names.map((name, index) => ({ number: index + 1, name }));

const toAnswers = ["connectLte", "connectClaim", "subscribe", "request"] as const;
const toProof = ["disconnect", "modemOffline", "writeCredentials", "clearSubscriptions", "modemNormal"] as const;
const both = ["receiveKey", "receiveCertificate"] as const;

const splitByRequest = [
  ...["makeKey", ...toAnswers, "receiveCertificate", "keepIssued"],
  ...[...toProof, "connectDevice"],
] as ProvisioningStepName[];
const fleetByRequest = [
  ...["makeKey", ...toAnswers, "receiveCertificate", "keepIssued", "registerThing"],
  ...[...toProof, "connectDevice"],
] as ProvisioningStepName[];

const namesOf: Readonly<Record<ProvisioningWay, readonly ProvisioningStepName[]>> = {
  splitCloudKeys: [...toAnswers, ...both, ...toProof, "connectDevice"],
  splitCsr: splitByRequest,
  splitModemKey: splitByRequest,
  fleetCloudKeys: [...toAnswers, ...both, "keepIssued", "registerThing", ...toProof, "connectDevice"],
  fleetCsr: fleetByRequest,
  fleetModemKey: fleetByRequest,
  ownCertificate: ["connectLte", "introduceCertificate", "connectDevice"],
};

/** The twelve steps of Nordic's provisioning sample, in its order and numbers. */
export const provisioningSteps: readonly ProvisioningStepInfo[] = numbered(namesOf.splitCloudKeys);

/** The steps of a method, in their order. `hasClaimMaterial`: the claim has to be written first. */
export function provisioningStepsOf(
  method: ProvisioningMethod,
  { hasClaimMaterial = false }: { hasClaimMaterial?: boolean } = {},
): readonly ProvisioningStepInfo[] {
  const names = namesOf[wayOf(method)];
  return numbered(hasClaimMaterial ? ["writeClaim", ...names] : names);
}

const titles: Readonly<Record<ProvisioningStepName, string>> = {
  writeClaim: "write the claim to security tag {claim}",
  makeKey: "make a private key in security tag {device}",
  connectLte: "connect LTE",
  connectClaim: "connect with security tag {claim}",
  subscribe: "subscribe to the answers",
  request: "request key and certificate",
  receiveKey: "receive the private key",
  receiveCertificate: "receive the certificate",
  keepIssued: "keep what was issued",
  registerThing: "register the thing",
  disconnect: "disconnect",
  modemOffline: "set the modem offline",
  writeCredentials: "write key, certificate and CA to security tag {device}",
  clearSubscriptions: "clear the subscriptions",
  modemNormal: "set the modem to normal mode",
  introduceCertificate: "show the certificate of security tag {device}",
  connectDevice: "connect with security tag {device}",
};

/** Where the key was made on the device, and only a certificate is asked for and written. */
const titlesWithOwnKey: Readonly<Partial<Record<ProvisioningStepName, string>>> = {
  request: "request a certificate",
  writeCredentials: "write certificate and CA to security tag {device}",
};

/** A step in words, for people. */
export function stepTitle(
  name: ProvisioningStepName,
  tags: { claimTag: number; deviceTag: number },
  { hasOwnKey = false }: { hasOwnKey?: boolean } = {},
): string {
  const title = (hasOwnKey ? titlesWithOwnKey[name] : undefined) ?? titles[name];
  return title.replace("{claim}", String(tags.claimTag)).replace("{device}", String(tags.deviceTag));
}
