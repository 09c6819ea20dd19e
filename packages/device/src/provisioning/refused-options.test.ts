import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { ownershipTokenCharactersMax } from "@thingline/protocol/fleet-provisioning";
import type { ProvisionDeviceOptions } from "./provision-options.js";
import { makeWorld, pki } from "./world.test.support.js";

// What cannot end well is refused before a tag is touched or anything is asked for.

const fleet = (more: object) =>
  ({ method: { kind: "fleet", template: "line-1", keys: "csr", ...more } }) as Partial<ProvisionDeviceOptions>;
const claim = (more: object) => ({
  claim: { certificatePem: pki.client.certificatePem, privateKeyPem: pki.client.privateKeyPem, ...more },
});

const refused: readonly [why: string, options: Partial<ProvisionDeviceOptions>, code: string, option: string][] = [
  ["a hole", fleet({ subject: [undefined] }), "OPTION_INVALID", "method.subject"],
  ["a parameter without a name", fleet({ parameters: { "": "x" } }), "OPTION_INVALID", "method.parameters"],
  ["a long name", fleet({ parameters: { ["x".repeat(129)]: "x" } }), "OPTION_INVALID", "method.parameters"],
  ["long parameters", fleet({ parameters: { a: "x".repeat(131_072) } }), "OPTION_INVALID", "method.parameters"],
  ["an id of no digits", own("zz"), "OPTION_INVALID", "method.certificateId"],
  ["an id in capitals", own("AB".repeat(32)), "OPTION_INVALID", "method.certificateId"],
  ["another's key", claim({ privateKeyPem: pki.ca.privateKeyPem }), "KEY_MISMATCH", "claim"],
  ["an end that is no time", claim({ expiresAtUnixMs: Number.NaN }), "OPTION_INVALID", "claim.expiresAtUnixMs"],
  ["an end before all times", claim({ expiresAtUnixMs: -1e20 }), "OPTION_INVALID", "claim.expiresAtUnixMs"],
];

function own(certificateId: string): Partial<ProvisionDeviceOptions> {
  return { method: { kind: "ownCertificate", certificateId } };
}

for (const [why, options, code, option] of refused) {
  test(`${why} is refused before anything is done`, async () => {
    const world = makeWorld();
    const error: unknown = await world.provision(options).catch((reason: unknown) => reason);
    assert.ok(isThinglineError(error), String(error));
    assert.deepEqual([error.code, error.details["option"]], [code, option]);
    assert.deepEqual([world.points.length, world.fleet.createCount], [0, 0]);
    assert.doesNotMatch(error.message, /PRIVATE KEY/u);
  });
}

test("a subject that is too long is refused before anything is done", async () => {
  const world = makeWorld();
  const error: unknown = await world
    .provision(fleet({ subject: [["CN", "x".repeat(257)]] }))
    .catch((reason: unknown) => reason);
  assert.ok(isThinglineError(error, "OPTION_INVALID"), String(error));
  assert.equal(world.points.length, 0);
});

test("what stands just within the bounds is taken", async () => {
  const overhead = 200;
  const value = "x".repeat(131_072 - ownershipTokenCharactersMax - overhead);
  for (const options of [
    fleet({ subject: [["CN", "x".repeat(256)]], parameters: { ["n".repeat(128)]: "1" } }),
    fleet({ parameters: { a: value } }),
    claim({ expiresAtUnixMs: 8.64e15 }),
  ]) {
    const world = makeWorld();
    const { device } = await world.provision(options);
    await device.disconnect();
  }
});
