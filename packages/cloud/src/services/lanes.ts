/** Work of one lane is done one after another, in the order in which it was given; lanes do not wait for each other. */
export class Lanes {
  /** The last work of each lane that has some; settled, never rejected. */
  readonly #tails = new Map<string, Promise<void>>();

  /** Starts at once when the lane is free. A failure concerns its caller alone. */
  run<Result>(lane: string, work: () => Promise<Result>): Promise<Result> {
    const before = this.#tails.get(lane);
    const result = before === undefined ? work() : before.then(work);
    const done = () => {
      if (this.#tails.get(lane) === tail) this.#tails.delete(lane);
    };
    const tail: Promise<void> = result.then(done, done);
    this.#tails.set(lane, tail);
    return result;
  }

  /** Lanes with work. */
  get count(): number {
    return this.#tails.size;
  }
}
