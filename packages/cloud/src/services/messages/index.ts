import type { MessageLimits } from "../message-limits.js";
import type { CloudService } from "../service.js";
import { createMessages, type Messages } from "./service.js";

export type { Messages } from "./service.js";

/** Publish and retained messages over HTTP: the part of the data plane that is not shadows. */
export function createMessageService({ limits }: { limits: MessageLimits }): CloudService<Messages> {
  const operations = createMessages(limits);
  return { name: "messages", operations, rest: Object.values(operations) };
}
