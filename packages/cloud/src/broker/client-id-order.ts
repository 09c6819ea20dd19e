/** What is done for one client id comes one after the other: connects, takeovers, expiries. */
export class ClientIdOrder {
  private readonly tails = new Map<string, Promise<void>>();

  /** Runs work for a client id after everything that was asked for it before. */
  after<T>(clientId: string, work: () => Promise<T>): Promise<T> {
    const before = this.tails.get(clientId) ?? Promise.resolve();
    const result = before.then(work);
    const tail = result.then(
      () => undefined,
      () => undefined,
    );
    this.tails.set(clientId, tail);
    void tail.then(() => {
      if (this.tails.get(clientId) === tail) this.tails.delete(clientId);
    });
    return result;
  }

  /** When nothing is going on for any client id. */
  async idle(): Promise<void> {
    while (this.tails.size > 0) await Promise.all(this.tails.values());
  }
}
