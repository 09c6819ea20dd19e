import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { ownershipTokenCharactersMax } from "@thingline/protocol/fleet-provisioning";
import type { ProvisioningMethod } from "./method.js";
import type { ProgressPhase, ProvisioningProgress } from "./progress.js";
import type { ProvisioningEffectType } from "./types.js";
import { deviceTag, makeWorld, pki, progressPath } from "./world.test.support.js";

// A progress file that was damaged and is still one: a device must not end at each start with what can never be written.

const method: ProvisioningMethod = { kind: "fleet", template: "line-1", keys: "csr" };
const flipped = (text: string, at = 100): string =>
  text.slice(0, at) + (text[at] === "A" ? "B" : "A") + text.slice(at + 1);
const otherId = "0".repeat(64);

type PhaseOf<Name extends ProgressPhase["name"]> = Extract<ProgressPhase, { name: Name }>;
const issued = (change: (phase: PhaseOf<"issued">["issued"]) => object) => (phase: ProgressPhase) => {
  assert.equal(phase.name, "issued");
  return { name: "issued", issued: { ...phase.issued, ...change(phase.issued) } };
};
const keyReady = (change: (phase: PhaseOf<"keyReady">["key"]) => object) => (phase: ProgressPhase) => {
  assert.equal(phase.name, "keyReady");
  return { name: "keyReady", key: { ...phase.key, ...change(phase.key) } };
};

const damages: readonly [what: string, cutAt: ProvisioningEffectType, damage: (phase: ProgressPhase) => object][] = [
  ["the certificate", "registerThing", issued(({ certificatePem }) => ({ certificatePem: flipped(certificatePem) }))],
  ["all of the certificate", "registerThing", issued(() => ({ certificatePem: "" }))],
  ["the certificate's id", "registerThing", issued(() => ({ certificateId: otherId }))],
  ["the request in what was issued", "registerThing", issued(({ key }) => ({ key: { ...key, publicKey: "00" } }))],
  ["all of the request", "publishRequest", keyReady(() => ({ requestPem: "" }))],
  [
    "the signature of the request",
    "publishRequest",
    keyReady(({ requestPem }) => ({ requestPem: flipped(requestPem, requestPem.lastIndexOf("\n-----END") - 12) })),
  ],
  [
    "the ownership token",
    "registerThing",
    issued(({ ownership }) => ({
      ownership: ownership && { ...ownership, token: "x".repeat(ownershipTokenCharactersMax + 1) },
    })),
  ],
  ["the public key", "publishRequest", keyReady(({ publicKey }) => ({ publicKey: publicKey.replaceAll("0", "1") }))],
  [
    "the certificate that is being written",
    "writeCredential",
    (phase) => {
      assert.ok(phase.name === "writing" && phase.certificatePem !== undefined);
      return { ...phase, certificatePem: flipped(phase.certificatePem) };
    },
  ],
];

for (const [what, cutAt, damage] of damages) {
  test(`${what} was damaged in the progress file: it is kept aside, and the claim is used`, async () => {
    const world = makeWorld();
    const isCut = world.provision({
      method,
      onStep({ effect, when, item }) {
        if (effect === cutAt && when === "before" && item !== "privateKey") throw new Error("the power is gone");
      },
    });
    await assert.rejects(isCut, /the power is gone/u);
    const progress = world.progress() as unknown as ProvisioningProgress;
    const damaged = JSON.stringify({ ...progress, phase: damage(progress.phase) });
    await world.files.replace(progressPath, new TextEncoder().encode(damaged));
    const { device, certificateId } = await world.provision({ method });
    assert.equal(certificateId, world.fleet.issued.at(-1)?.id);
    assert.deepEqual(world.violations, []);
    assert.ok(await world.files.exists(`${progressPath}.unreadable`));
    await device.disconnect();
  });
}

test("a modem that went offline for emptying the tag comes back when that cannot be remembered", async () => {
  const world = makeWorld();
  await (await world.provision({ method })).device.disconnect();
  world.store.put(deviceTag, "certificate", pki.client.certificatePem);
  const replace = world.files.replace.bind(world.files);
  world.files.replace = () => Promise.reject(new ThinglineError("FILE_UNREADABLE", "the disk is full"));
  await assert.rejects(world.provision({ method }), { code: "FILE_UNREADABLE" });
  assert.equal(world.isOnline, true);
  world.files.replace = replace;
  await (await world.provision({ method })).device.disconnect();
  assert.deepEqual(world.violations, []);
});
