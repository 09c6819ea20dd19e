/** Jobs of one lane that are worked on together. */
export const laneBatchJobsMax = 64;

/**
 * Jobs of one lane are done in the order in which they were given; lanes do not wait for each other. What comes while a lane
 * is at work, or within the same turn of its first job, is handed on as one batch.
 */
export class Lanes<Job> {
  readonly #work: (batch: readonly Job[]) => Promise<void>;
  /** The jobs that wait, of each lane that has work. */
  readonly #waiting = new Map<string, Job[]>();

  /** @param work never rejects: a failure concerns the one who gave the job. */
  constructor(work: (batch: readonly Job[]) => Promise<void>) {
    this.#work = work;
  }

  add(lane: string, job: Job): void {
    const waiting = this.#waiting.get(lane);
    if (waiting !== undefined) {
      waiting.push(job);
      return;
    }
    const begun = [job];
    this.#waiting.set(lane, begun);
    void this.#drain(lane, begun);
  }

  async #drain(lane: string, waiting: Job[]): Promise<void> {
    // What the caller gives before it returns to the event loop belongs to the first batch.
    await Promise.resolve();
    while (waiting.length > 0) await this.#work(waiting.splice(0, laneBatchJobsMax));
    this.#waiting.delete(lane);
  }

  /** Lanes with work. */
  get count(): number {
    return this.#waiting.size;
  }
}
