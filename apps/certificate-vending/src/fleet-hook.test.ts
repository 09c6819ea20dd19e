import assert from "node:assert/strict";
import { test } from "node:test";
import { awsError, openAccount } from "./account.test.support.js";
import { createFleetHook } from "./fleet-hook.js";
import type { AdmissionSettings } from "./settings.js";

const event = {
  claimCertificateId: "claim",
  certificateId: "new",
  certificatePem: "certificate",
  templateArn: "arn:aws:iot:eu-west-1:123456789012:provisioningtemplate/thingline",
  clientId: "claim-pump-7",
  parameters: { SerialNumber: "pump-7" },
};

function openHook(settings: AdmissionSettings = {}) {
  const account = openAccount();
  const hook = createFleetHook({ registry: account.cloud, log: account.log, unixMs: () => 10_000_000 }, settings);
  return { account, isAllowed: async (asked: unknown) => (await hook(asked)).allowProvisioning };
}

test("a claim gets what it is connected for, and no other name", async () => {
  const { isAllowed, account } = openHook();
  assert.equal(await isAllowed(event), true);
  const others: unknown[] = [
    { ...event, clientId: "claim-pump-8" },
    { ...event, clientId: "pump-7" },
    { ...event, parameters: { SerialNumber: "claim-pump-7" }, clientId: "claim-claim-pump-7" },
    { ...event, parameters: { SerialNumber: "a/b" }, clientId: "claim-a/b" },
    { ...event, parameters: {} },
    { clientId: "claim-pump-7" },
    { ...event, clientId: undefined },
    undefined,
    null,
    7,
  ];
  for (const other of others) assert.equal(await isAllowed(other), false, JSON.stringify(other));
  assert.doesNotMatch(account.lines.join(), /certificatePem|arn:/);
});

test("names, things and certificates are judged as in split provisioning", async () => {
  assert.equal(await openHook({ names: ["meter-*"] }).isAllowed(event), false);
  assert.equal(await openHook({ things: "registered" }).isAllowed(event), false);
  const { account, isAllowed } = openHook({ things: "registered" });
  account.things.add("pump-7");
  assert.equal(await isAllowed(event), true);
  const old = { status: "ACTIVE", createdAtMs: 0, policies: new Set<string>(), things: new Set(["pump-7"]) } as const;
  account.certificates.set("c".repeat(64), old);
  assert.equal(await isAllowed(event), false);
});

test("a registry that cannot be asked is no verdict", async () => {
  const { account, isAllowed } = openHook();
  account.failAt(1, "fails", awsError("InternalFailureException", 500));
  await assert.rejects(isAllowed(event), { name: "InternalFailureException" });
});
