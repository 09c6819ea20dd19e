import type { IoTClient } from "@aws-sdk/client-iot";
import type { iotSdk } from "./aws-sdk.js";
import { UsageError } from "./failure.js";

interface Where {
  client: IoTClient;
  sdk: ReturnType<typeof iotSdk>;
  send: { readonly abortSignal: AbortSignal };
}

const isNamed = (error: unknown, name: string): boolean => error instanceof Error && error.name === name;

/** Makes a package unless it is there. */
export async function ensurePackage({ client, sdk, send }: Where, packageName: string): Promise<{ isNew: boolean }> {
  try {
    await client.send(new sdk.CreatePackageCommand({ packageName }), send);
    return { isNew: true };
  } catch (error) {
    if (isNamed(error, "ConflictException")) return { isNew: false };
    throw error;
  }
}

/**
 * A published version with this artifact: made, published, or found.
 *
 * @returns its ARN
 * @throws {UsageError} when the version has another artifact
 */
export async function ensurePublished(
  where: Where,
  {
    packageName,
    versionName,
    artifact,
  }: { packageName: string; versionName: string; artifact: { bucket: string; key: string } },
): Promise<string> {
  const { client, sdk, send } = where;
  const named = { packageName, versionName };
  await ensurePackage(where, packageName);
  try {
    const input = { ...named, artifact: { s3Location: artifact } };
    await client.send(new sdk.CreatePackageVersionCommand(input), send);
  } catch (error) {
    if (!isNamed(error, "ConflictException")) throw error;
  }
  const found = await client.send(new sdk.GetPackageVersionCommand(named), send);
  const { bucket, key } = found.artifact?.s3Location ?? {};
  if (bucket !== artifact.bucket || key !== artifact.key) {
    const has = bucket === undefined ? "no artifact" : `the artifact ${bucket}/${key}`;
    throw new UsageError(
      `version ${versionName} of package ${packageName} is there already, with ${has}; name another version`,
    );
  }
  if (found.status === "DRAFT") {
    await client.send(new sdk.UpdatePackageVersionCommand({ ...named, action: "PUBLISH" }), send);
  }
  return found.packageVersionArn ?? "";
}
