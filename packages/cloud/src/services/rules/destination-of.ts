import { answer, type Operation } from "../operation.js";
import { ruleKeys, type DestinationRecord } from "./model.js";

export type FoundDestination = Pick<DestinationRecord, "confirmationUrl" | "status">;

/** The destination of an HTTP action: that of its confirmation URL, or else of its URL. */
export const findDestinationOf: Operation<
  { url: string; confirmationUrl: unknown },
  FoundDestination | undefined
> = async ({ store, scope }, { url, confirmationUrl }) => {
  const named = typeof confirmationUrl === "string" ? confirmationUrl : url;
  const id = (await store.get<{ id: string }>(ruleKeys.destinationByUrl(scope, named)))?.value.id;
  if (id === undefined) return answer(undefined);
  return answer((await store.get<DestinationRecord>(ruleKeys.destination(scope, id)))?.value);
};
