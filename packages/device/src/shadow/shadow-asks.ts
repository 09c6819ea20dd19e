/** Requests to shadows that are remembered; the oldest is the one whose answer comes next. */
export const asksMax = 100;

const requestTopic = /^\$aws\/things\/[^/]+\/shadow(\/name\/[^/]+)?\/(get|update|delete)$/;

/** Requests to shadows of one connection whose answers have not come: an answer that is too large never comes. */
export class ShadowAsks {
  readonly #open = new Set<string>();

  published(topic: string): void {
    if (this.#open.size < asksMax && requestTopic.test(topic)) this.#open.add(topic);
  }

  received(topic: string): void {
    if (this.#open.size === 0) return;
    const end = topic.lastIndexOf("/");
    const tail = topic.slice(end + 1);
    if (tail === "accepted" || tail === "rejected") this.#open.delete(topic.slice(0, end));
  }

  /** The filter that the answer to the oldest of them comes by. */
  get oldestAnswer(): string | undefined {
    for (const topic of this.#open) return `${topic}/accepted`;
    return undefined;
  }

  clear(): void {
    this.#open.clear();
  }
}
