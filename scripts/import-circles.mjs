// Circles among files that import each other: found by strongly connected components, told by their shortest paths.

/**
 * @param imports for each file the files that it imports
 * @returns {string[][]} the sets of files that reach each other, sorted
 */
export function connectedSets(imports) {
  const order = new Map();
  const lowest = new Map();
  const open = [];
  const isOpen = new Set();
  const sets = [];

  // Tarjan's algorithm: what is still open when its oldest file ends is one set.
  function visit(file) {
    order.set(file, order.size);
    lowest.set(file, order.get(file));
    open.push(file);
    isOpen.add(file);
    for (const next of imports.get(file) ?? []) {
      if (!imports.has(next)) continue;
      if (!order.has(next)) visit(next);
      else if (!isOpen.has(next)) continue;
      lowest.set(file, Math.min(lowest.get(file), lowest.get(next)));
    }
    if (lowest.get(file) !== order.get(file)) return;
    const set = open.splice(open.indexOf(file));
    for (const member of set) isOpen.delete(member);
    if (set.length > 1 || imports.get(file)?.has(file)) sets.push(set.sort());
  }

  for (const file of imports.keys()) if (!order.has(file)) visit(file);
  return sets.sort((a, b) => (a[0] < b[0] ? -1 : 1));
}

/**
 * @param set files that reach each other
 * @returns {string[][]} for each file a shortest way back to itself, every circle once, shortest first
 */
export function shortestCircles(imports, set) {
  const members = new Set(set);
  const circles = new Map();
  for (const file of set) {
    const circle = wayBack(imports, members, file);
    // A circle that is met from several of its files is the same one.
    const first = circle.indexOf([...circle].sort()[0]);
    const turned = [...circle.slice(first), ...circle.slice(0, first)];
    circles.set(turned.join("\n"), turned);
  }
  return [...circles.values()].sort((a, b) => a.length - b.length || (a[0] < b[0] ? -1 : 1));
}

function wayBack(imports, members, start) {
  const cameFrom = new Map();
  const queue = [start];
  for (const file of queue) {
    for (const next of imports.get(file)) {
      if (next === start) {
        const way = [file];
        while (way[0] !== start) way.unshift(cameFrom.get(way[0]));
        return way;
      }
      if (!members.has(next) || cameFrom.has(next)) continue;
      cameFrom.set(next, file);
      queue.push(next);
    }
  }
  throw new Error(`${start} is in no circle`);
}
