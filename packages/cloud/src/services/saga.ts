import type { Operation, SagaContext } from "./operation.js";

/** Called within a commit by mistake: there is nothing that it could decide without waiting. */
const cannotDecide = (): never => {
  throw new Error("a saga waits, so no operation can call it: call the operation that it ends with");
};

/**
 * An operation that waits before it decides: for a key, for an answer over HTTP, for a blob. It runs like any other, from MQTT, from REST
 * and by `cloud.run`; what it does to the store are the operations that it runs itself.
 */
export function saga<Input, Result>(
  service: string,
  run: (context: SagaContext, input: Input) => Promise<Result>,
): Operation<Input, Result> {
  return Object.assign(() => cannotDecide(), { saga: { service, run } });
}
