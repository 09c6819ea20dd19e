// The statistics of `npm run bench -- NAME --against COMMIT`, pure.
//
// A pair is one measurement of each side, one right after the other, each in fresh processes: what a neighbour on the machine
// takes, it takes from both. Of each pair the ratio new / old is kept (old / new where less is better), so below 1 is slower.
// The median of the ratios needs no assumption about how noise is distributed, and nor does its interval: of n ratios in order,
// the true median lies between the k-th smallest and the k-th largest, unless fewer than k ratios fell on one side of it. How
// many do is binomial with 1/2, whatever the distribution, so the chance of a miss is 2 * P(Bin(n, 1/2) < k). The largest k that
// keeps it at 5 % or less is taken. With 11 pairs that is k = 2: the second smallest to the second largest, a miss in 1.2 %.

/** A row is slower when its interval ends below this: 3 % are left to what moves without a reason, as code does in memory. */
export const slowerBelow = 0.97;
/** Counterpart of `slowerBelow`, for information. */
export const fasterAbove = 1 / slowerBelow;
export const pairsMin = 11;
const missMax = 0.05;

export function median(numbers) {
  const sorted = [...numbers].sort((one, other) => one - other);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
}

/** P(Bin(n, 1/2) < k): with k = 0 it is 0. */
export function binomialBelow(n, k) {
  let term = 0.5 ** n;
  let sum = 0;
  for (let count = 0; count < k; count++) {
    sum += term;
    term *= (n - count) / (count + 1);
  }
  return sum;
}

/** The rank k of the interval's ends, counted from 1 on both sides, and the chance that the true median is within. */
export function intervalRank(n) {
  let rank = 0;
  while (rank + 1 <= (n + 1) / 2 && 2 * binomialBelow(n, rank + 1) <= missMax) rank++;
  if (rank === 0) throw new RangeError(`${n} pairs have no 95 % interval; 6 are the fewest`);
  return { rank, coverage: 1 - 2 * binomialBelow(n, rank) };
}

/** Median of the ratios and its interval. */
export function summarise(ratios) {
  const sorted = [...ratios].sort((one, other) => one - other);
  const { rank, coverage } = intervalRank(sorted.length);
  return {
    pairs: sorted.length,
    ratio: median(sorted),
    low: sorted[rank - 1],
    high: sorted[sorted.length - rank],
    coverage,
  };
}

export const isSlower = ({ high }) => high < slowerBelow;
/** Whether the interval is so wide that a row 10 % slower could hide in it. */
export const isUnclear = ({ low, high }) => low < 0.9 && high >= slowerBelow;
export const isFaster = ({ low }) => low > fasterAbove;

/** Below 1 is slower, whichever way the row counts. */
export const ratioOf = (older, newer, isMore) => (isMore ? newer / older : older / newer);

/** Which side goes first: A B, B A, A B, ... cancels whatever grows from one measurement to the next. */
export const orderOf = (pair) => (pair % 2 === 0 ? ["old", "new"] : ["new", "old"]);

/** A suspicious row is measured again with more than twice the pairs, and judged by those alone. */
export const pairsAgain = (pairs) => 2 * pairs + 1;

/**
 * How many rows of a commit against itself are called slower in one run, at most: both intervals must end below the truth, each
 * by its own chance, and that they must also end below 0.97 makes it rarer still.
 */
export function falseAlarmsExpected(rows, pairs) {
  const miss = (count) => (1 - intervalRank(count).coverage) / 2;
  return rows * miss(pairs) * miss(pairsAgain(pairs));
}
