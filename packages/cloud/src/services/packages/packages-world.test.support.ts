// What the tests of packages share: the catalog over a memory store, and objects that are only heads.
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { objectKeys, type ObjectRecord } from "../objects/model.js";
import { createObjects } from "../objects/service.js";
import { openServiceWorld, scope } from "../world.test.support.js";
import { createPackagesService } from "./index.js";

export const fails = (code: ErrorCode, message?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (message === undefined || message.test(error.message));

export const artifact = { s3Location: { bucket: "firmware", key: "app.bin", version: "v1" } } as const;

export async function openPackagesWorld({ isLimited = true } = {}) {
  const objects = createObjects();
  const service = createPackagesService({ objects }, { isLimited });
  const packages = service.operations;
  const world = await openServiceWorld({ wakeHandlers: new Map([[service.name, service.wake!]]) });
  const { store, run } = world;
  const content = { modifiedAtMs: 0, blobName: "b", bytes: 3, sha256: "00", md5: "00", headers: {} };
  const value: ObjectRecord = { versions: [{ versionId: "v1", ...content }] };
  await store.commit([
    { key: objectKeys.bucket(scope, "firmware"), value: { createdAtMs: 0 } },
    { key: objectKeys.object(scope, { bucket: "firmware", key: "app.bin" }), value },
  ]);
  return {
    ...world,
    packages,
    /** Into the bucket `firmware`. */
    put: (key: string, content: Uint8Array) => run(objects.putObject, { bucket: "firmware", key, chunks: [content] }),
    /** A version with this status. */
    makeVersion: async (versionName: string, status: "DRAFT" | "PUBLISHED" | "DEPRECATED" = "DRAFT") => {
      await run(packages.createPackageVersion, { packageName: "app", versionName });
      const act = (action: "PUBLISH" | "DEPRECATE") =>
        run(packages.updatePackageVersion, { packageName: "app", versionName, action });
      if (status !== "DRAFT") await act("PUBLISH");
      if (status === "DEPRECATED") await act("DEPRECATE");
    },
  };
}
