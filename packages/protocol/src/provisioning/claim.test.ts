import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isThinglineError } from "../errors.js";
import { claimClientIdOf, claimedDeviceIdCharactersMax, deviceIdOfClient, isClaimClientId } from "./claim.js";
import { isDeviceId, splitProvisioningTopics } from "./split.js";

test("a device is claim-NAME while it has only its claim, and the cloud half finds its name", () => {
  assert.equal(claimClientIdOf("pump-7"), "claim-pump-7");
  assert.equal(deviceIdOfClient("claim-pump-7"), "pump-7");
  assert.equal(deviceIdOfClient("pump-7"), "pump-7", "the original's firmware connects under its own name");
  assert.equal(splitProvisioningTopics(claimClientIdOf("pump-7")).create, "certificate/claim-pump-7/create");
});

test("an id that no claim can stand for is refused", () => {
  for (const id of ["", "a/b", "claim-", "claim-pump-7", "x".repeat(claimedDeviceIdCharactersMax + 1)]) {
    assert.throws(
      () => claimClientIdOf(id),
      (error) => isThinglineError(error, "OPTION_INVALID"),
    );
  }
  assert.equal(claimClientIdOf("x".repeat(claimedDeviceIdCharactersMax)).length, 128);
});

test("every device has a claim client id of its own, which is a device id and leads back to it", () => {
  const ids = fc
    .stringMatching(/^[A-Za-z0-9:_-]+$/)
    .filter((id) => id.length <= claimedDeviceIdCharactersMax && !isClaimClientId(id));
  fc.assert(
    fc.property(ids, (id) => {
      const clientId = claimClientIdOf(id);
      assert.ok(isDeviceId(clientId) && isClaimClientId(clientId));
      assert.equal(deviceIdOfClient(clientId), id);
    }),
  );
});
