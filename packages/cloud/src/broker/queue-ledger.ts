/**
 * What all queues of one broker hold: of sessions and of shared groups. Every message that begins to wait, is sent, comes back or goes
 * is told here by whoever moves it, and by nobody else.
 */
export class QueueLedger {
  private messages = 0;
  private bytes = 0;
  private sentBytes = 0;

  /** Messages that wait, those in flight excluded. */
  get queuedMessages(): number {
    return this.messages;
  }

  get queuedBytes(): number {
    return this.bytes;
  }

  /** Stored messages that were sent and not acknowledged: kept to be sent again. */
  get inflightBytes(): number {
    return this.sentBytes;
  }

  /** What is in memory until somebody acknowledges it. */
  get keptBytes(): number {
    return this.bytes + this.sentBytes;
  }

  /** A message begins to wait. */
  queued(sizeBytes: number): void {
    this.messages++;
    this.bytes += sizeBytes;
  }

  /** A message that waited goes to a client, and is kept until its acknowledgement. */
  sent(sizeBytes: number): void {
    this.left(sizeBytes);
    this.sentBytes += sizeBytes;
  }

  /** A message that waited goes, and nothing of it is kept. */
  left(sizeBytes: number): void {
    this.messages--;
    this.bytes -= sizeBytes;
  }

  /** A message in flight waits again. */
  returned(sizeBytes: number): void {
    this.sentBytes -= sizeBytes;
    this.queued(sizeBytes);
  }

  /** A message in flight is done with. */
  settled(sizeBytes: number): void {
    this.sentBytes -= sizeBytes;
  }

  /** A whole queue goes: what waited in it, and what it had in flight. */
  released(waiting: { messages: number; bytes: number }, inflightBytes: number): void {
    this.messages -= waiting.messages;
    this.bytes -= waiting.bytes;
    this.sentBytes -= inflightBytes;
  }
}
