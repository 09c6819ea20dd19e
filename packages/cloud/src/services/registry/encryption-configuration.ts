import { ThinglineError } from "@thingline/protocol";
import { awsOperation, type InputOf } from "../aws-operation.js";
import { answer } from "../operation.js";
import { registryKeys } from "./model.js";

export type EncryptionConfigurationRecord = {
  encryptionType: InputOf<"iot", "UpdateEncryptionConfiguration">["encryptionType"];
  kmsKeyArn?: string;
  kmsAccessRoleArn?: string;
  modifiedAtMs: number;
};

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/** Of an account that has set nothing. */
const ofAws: Omit<EncryptionConfigurationRecord, "modifiedAtMs"> & { modifiedAtMs?: number } = {
  encryptionType: "AWS_OWNED_KMS_KEY",
};

/** Stored only: the store of the local cloud is not encrypted, and there is no key to ask for. */
export const updateEncryptionConfiguration = awsOperation(
  "iot",
  "UpdateEncryptionConfiguration",
  ["encryptionType", "kmsKeyArn", "kmsAccessRoleArn"],
  async ({ scope, nowMs }, { encryptionType, kmsKeyArn, kmsAccessRoleArn }) => {
    const isOwn = encryptionType === "CUSTOMER_MANAGED_KMS_KEY";
    if (isOwn && (kmsKeyArn === undefined || kmsAccessRoleArn === undefined)) {
      throw invalid("kmsKeyArn and kmsAccessRoleArn must be given with CUSTOMER_MANAGED_KMS_KEY");
    }
    if (!isOwn && (kmsKeyArn !== undefined || kmsAccessRoleArn !== undefined)) {
      throw invalid("kmsKeyArn and kmsAccessRoleArn are given with CUSTOMER_MANAGED_KMS_KEY only");
    }
    const value: EncryptionConfigurationRecord = {
      encryptionType,
      ...(kmsKeyArn !== undefined && { kmsKeyArn }),
      ...(kmsAccessRoleArn !== undefined && { kmsAccessRoleArn }),
      modifiedAtMs: nowMs,
    };
    return { result: {}, operations: [{ key: registryKeys.encryptionConfiguration(scope), value }], effects: [] };
  },
);

export const describeEncryptionConfiguration = awsOperation(
  "iot",
  "DescribeEncryptionConfiguration",
  [],
  async ({ scope, store }) => {
    const entry = await store.get<EncryptionConfigurationRecord>(registryKeys.encryptionConfiguration(scope));
    const { modifiedAtMs, ...configuration } = entry?.value ?? ofAws;
    return answer({
      ...configuration,
      configurationDetails: { configurationStatus: "HEALTHY" as const },
      ...(modifiedAtMs !== undefined && { lastModifiedDate: modifiedAtMs / 1000 }),
    });
  },
);
