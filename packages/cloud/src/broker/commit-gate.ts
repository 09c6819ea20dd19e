/**
 * So many commits at a time, the others in line. A message for very many persistent sessions must not fill the store's
 * own queue, which refuses what is too much for it.
 */
export class CommitGate {
  private readonly openMax: number;
  private openCount = 0;
  private readonly line: (() => void)[] = [];

  constructor(openMax: number) {
    this.openMax = openMax;
  }

  /** Undefined: go on at once. Pair each with a {@link leave}. */
  enter(): Promise<void> | undefined {
    if (this.openCount < this.openMax) {
      this.openCount++;
      return undefined;
    }
    return new Promise((resolve) => this.line.push(resolve));
  }

  leave(): void {
    const next = this.line.shift();
    if (next === undefined) this.openCount--;
    else next();
  }
}
