import assert from "node:assert/strict";
import { test } from "node:test";
import { ServerSession, type SessionMessage } from "./server-session.js";

const message = (sequence: number, sizeBytes = 10): SessionMessage => ({ sequence, sizeBytes, expiresAtMs: undefined });
const limits = { queuedMessagesMax: 3_000, queuedBytesMax: 100_000 };

function sendNext(session: ServerSession<SessionMessage>): number {
  const packetId = session.inflight!.allocate(session.peek(), 0);
  session.shift();
  return packetId;
}

test("messages leave in order and the queue counts its bytes", () => {
  const session = new ServerSession<SessionMessage>(limits);
  for (let sequence = 1; sequence <= 2_500; sequence++) assert.equal(session.enqueue(message(sequence)), true);
  assert.equal(session.queuedBytes, 25_000);
  for (let sequence = 1; sequence <= 2_500; sequence++) assert.equal(session.shift()?.sequence, sequence);
  assert.deepEqual([session.shift(), session.queuedCount, session.queuedBytes], [undefined, 0, 0]);
});

test("a full queue drops the new message, by count and by bytes", () => {
  const byCount = new ServerSession<SessionMessage>({ queuedMessagesMax: 2, queuedBytesMax: 1_000 });
  assert.deepEqual(
    [1, 2, 3].map((sequence) => byCount.enqueue(message(sequence))),
    [true, true, false],
  );
  const byBytes = new ServerSession<SessionMessage>({ queuedMessagesMax: 10, queuedBytesMax: 25 });
  assert.deepEqual(
    [1, 2, 3].map((sequence) => byBytes.enqueue(message(sequence))),
    [true, true, false],
  );
});

test("what was in flight when the connection ended goes first, in the old order", () => {
  const session = new ServerSession<SessionMessage>(limits);
  session.attach(2);
  for (let sequence = 1; sequence <= 4; sequence++) session.enqueue(message(sequence));
  const first = sendNext(session);
  sendNext(session);
  assert.equal(session.inflight!.release(first), true);
  sendNext(session);
  session.detach();
  session.enqueue(message(5));
  assert.deepEqual(
    session.all().map(({ sequence }) => sequence),
    [2, 3, 4, 5],
  );
  assert.equal(session.queuedBytes, 40);
  session.attach(100);
  assert.equal(session.inflight!.count, 0);
  assert.equal(session.peek()?.sequence, 2);
});

test("a new connection without a good-bye of the old one loses nothing", () => {
  const session = new ServerSession<SessionMessage>(limits);
  session.attach(10);
  session.enqueue(message(1));
  sendNext(session);
  session.attach(10);
  assert.equal(session.peek()?.sequence, 1);
});

test("the end of a session returns all that was left", () => {
  const session = new ServerSession<SessionMessage>(limits);
  session.attach(10);
  session.enqueue(message(1));
  session.enqueue(message(2));
  sendNext(session);
  assert.equal(session.clear().length, 2);
  assert.deepEqual([session.queuedCount, session.queuedBytes], [0, 0]);
});
