import { topicMatches } from "@thingline/protocol/mqtt";

/** The filters that one broker wants. */
export function wants(filters: ReadonlySet<string>, topic: string): boolean {
  if (filters.has(topic)) return true;
  for (const filter of filters) if (topicMatches(filter, topic, { aws: true })) return true;
  return false;
}

/** Every broker has to know a retained message, and only its broker knows whether it holds a client. */
export const isForAll = (message: { isRetained: boolean; onlyToClientId: string | undefined }): boolean =>
  message.isRetained || message.onlyToClientId !== undefined;
