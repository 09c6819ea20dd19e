import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { openServiceWorld } from "../world.test.support.js";

test("the encryption configuration is AWS's until it is set, whole, and it can be set back", async () => {
  const { run, registry, clock } = await openServiceWorld();
  const describe = () => run(registry.describeEncryptionConfiguration, {});
  const configurationDetails = { configurationStatus: "HEALTHY" };
  assert.deepEqual(await describe(), { encryptionType: "AWS_OWNED_KMS_KEY", configurationDetails });
  const kmsKeyArn = "arn:aws:kms:us-east-1:123456789012:key/1234abcd-12ab-34cd-56ef-1234567890ab";
  const kmsAccessRoleArn = "arn:aws:iam::123456789012:role/kms";
  const own = { encryptionType: "CUSTOMER_MANAGED_KMS_KEY", kmsKeyArn, kmsAccessRoleArn } as const;
  const refused = (error: unknown) => isThinglineError(error, "REQUEST_INVALID") && /kmsKeyArn/.test(error.message);
  for (const input of [
    { encryptionType: own.encryptionType, kmsKeyArn },
    { encryptionType: own.encryptionType, kmsAccessRoleArn },
    { encryptionType: "AWS_OWNED_KMS_KEY", kmsKeyArn },
  ] as const) {
    await assert.rejects(run(registry.updateEncryptionConfiguration, input), refused);
  }
  await run(registry.updateEncryptionConfiguration, own);
  const lastModifiedDate = clock.unixMs() / 1000;
  assert.deepEqual(await describe(), { ...own, configurationDetails, lastModifiedDate });
  await run(registry.updateEncryptionConfiguration, { encryptionType: "AWS_OWNED_KMS_KEY" });
  assert.deepEqual(await describe(), { encryptionType: "AWS_OWNED_KMS_KEY", configurationDetails, lastModifiedDate });
});
