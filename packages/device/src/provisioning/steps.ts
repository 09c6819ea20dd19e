/** The twelve steps of Nordic's provisioning sample, in its order and numbers. */
export const provisioningSteps = [
  { number: 1, name: "connectLte" },
  { number: 2, name: "connectClaim" },
  { number: 3, name: "subscribe" },
  { number: 4, name: "request" },
  { number: 5, name: "receiveKey" },
  { number: 6, name: "receiveCertificate" },
  { number: 7, name: "disconnect" },
  { number: 8, name: "modemOffline" },
  { number: 9, name: "writeCredentials" },
  { number: 10, name: "clearSubscriptions" },
  { number: 11, name: "modemNormal" },
  { number: 12, name: "connectDevice" },
] as const;

export type ProvisioningStepName = (typeof provisioningSteps)[number]["name"];
export type ProvisioningStepNumber = (typeof provisioningSteps)[number]["number"];

const titles: Readonly<Record<ProvisioningStepName, string>> = {
  connectLte: "connect LTE",
  connectClaim: "connect with security tag {claim}",
  subscribe: "subscribe to the answers",
  request: "request key and certificate",
  receiveKey: "receive the private key",
  receiveCertificate: "receive the certificate",
  disconnect: "disconnect",
  modemOffline: "set the modem offline",
  writeCredentials: "write key, certificate and CA to security tag {device}",
  clearSubscriptions: "clear the subscriptions",
  modemNormal: "set the modem to normal mode",
  connectDevice: "connect with security tag {device}",
};

/** A step in words, for people. */
export function stepTitle(name: ProvisioningStepName, tags: { claimTag: number; deviceTag: number }): string {
  return titles[name].replace("{claim}", String(tags.claimTag)).replace("{device}", String(tags.deviceTag));
}

export function stepNumber(name: ProvisioningStepName): ProvisioningStepNumber {
  return (provisioningSteps.findIndex((step) => step.name === name) + 1) as ProvisioningStepNumber;
}
