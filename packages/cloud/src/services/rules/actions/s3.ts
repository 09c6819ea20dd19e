import { textOf, type ActionPerformer } from "./perform.js";
import { isBytes } from "../../../rules-sql/index.js";

/** An object of the local object store; the bucket has to be there. */
export const s3: ActionPerformer = {
  resourceOf: (fields) => textOf(fields, "bucketName"),

  async perform({ fields, selected, scope, runner, signal }, { objects }) {
    await runner.run(scope, objects.putObject, {
      bucket: textOf(fields, "bucketName"),
      key: textOf(fields, "key"),
      chunks: [selected.payload],
      headers: { "content-type": isBytes(selected.value) ? "application/octet-stream" : "application/json" },
      signal,
    });
  },
};
