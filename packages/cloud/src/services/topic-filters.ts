import { parseTopicFilter, topicMatches } from "@thingline/protocol/mqtt";

/** Topic filters of a service, which may change while it runs: rules come and go. */
export class TopicFilters {
  readonly #filters: Set<string>;
  readonly #watchers = new Set<() => void>();

  /** @throws {ThinglineError} TOPIC_FILTER_INVALID */
  constructor(filters: Iterable<string> = []) {
    this.#filters = new Set();
    for (const filter of filters) this.#filters.add(checked(filter));
  }

  get all(): ReadonlySet<string> {
    return this.#filters;
  }

  /** @throws {ThinglineError} TOPIC_FILTER_INVALID */
  add(filter: string): void {
    if (this.#filters.has(filter)) return;
    this.#filters.add(checked(filter));
    this.#tell();
  }

  /** @returns whether it was there */
  remove(filter: string): boolean {
    if (!this.#filters.delete(filter)) return false;
    this.#tell();
    return true;
  }

  /** As AWS matches: `#` is one level or more, and no wildcard at the beginning matches a topic that begins with `$`. */
  matches(topic: string): boolean {
    if (this.#filters.has(topic)) return true;
    for (const filter of this.#filters) if (topicMatches(filter, topic, { aws: true })) return true;
    return false;
  }

  /** Calls back after each change. @returns what ends that */
  watch(changed: () => void): () => void {
    this.#watchers.add(changed);
    return () => void this.#watchers.delete(changed);
  }

  #tell(): void {
    for (const changed of this.#watchers) changed();
  }
}

function checked(filter: string): string {
  parseTopicFilter(filter);
  return filter;
}
