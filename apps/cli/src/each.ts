/** How many are worked on at once: the local cloud is no faster with more, and AWS begins to throttle. */
export const workersDefault = 8;

/**
 * Does the same for everything that comes, some at once. Reads no further ahead than it works.
 * What `work` throws ends all: no more is begun, and those under way are waited for.
 */
export async function forEachAtOnce<Item>(
  items: AsyncIterable<Item>,
  work: (item: Item) => Promise<void>,
  workers = workersDefault,
): Promise<void> {
  const iterator = items[Symbol.asyncIterator]();
  let isOver = false;
  // A generator takes calls of next() one after another by itself.
  const worker = async () => {
    try {
      while (!isOver) {
        const next = await iterator.next();
        if (next.done === true) return;
        await work(next.value);
      }
    } finally {
      isOver = true;
    }
  };
  const ended = await Promise.allSettled(Array.from({ length: workers }, worker));
  await iterator.return?.();
  const failed = ended.find((one) => one.status === "rejected");
  if (failed !== undefined) throw failed.reason;
}
