/** How many letters to add, drop, change or swap with their neighbour; stops counting at `limit` + 1. */
export function editDistance(left: string, right: string, limit: number): number {
  if (Math.abs(left.length - right.length) > limit) return limit + 1;
  let beforeLast: number[] = [];
  let last = Array.from({ length: right.length + 1 }, (_, index) => index);
  for (let row = 1; row <= left.length; row++) {
    const current = [row];
    let smallest = row;
    for (let column = 1; column <= right.length; column++) {
      const isSame = left[row - 1] === right[column - 1];
      let cost = Math.min(
        (last[column] ?? 0) + 1,
        (current[column - 1] ?? 0) + 1,
        (last[column - 1] ?? 0) + (isSame ? 0 : 1),
      );
      const isSwap =
        row > 1 && column > 1 && left[row - 1] === right[column - 2] && left[row - 2] === right[column - 1];
      if (isSwap) cost = Math.min(cost, (beforeLast[column - 2] ?? 0) + 1);
      current.push(cost);
      smallest = Math.min(smallest, cost);
    }
    // A swap reaches back two rows, so one row over the limit may still be followed by a cheaper one.
    if (smallest > limit + 1) return limit + 1;
    beforeLast = last;
    last = current;
  }
  return Math.min(last[right.length] ?? 0, limit + 1);
}

/** The candidate with the smallest distance, if any is within `limit`; the first of equals. */
export function nearestName(name: string, candidates: Iterable<string>, limit: number): string | undefined {
  let nearest: string | undefined;
  let bound = limit;
  for (const candidate of candidates) {
    const distance = editDistance(name, candidate, bound);
    if (distance > bound) continue;
    nearest = candidate;
    bound = distance - 1;
    if (bound < 0) break;
  }
  return nearest;
}
