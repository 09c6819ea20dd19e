import assert from "node:assert/strict";
import { test } from "node:test";
import { answeredStreamRequestsMax, streamRequestsMax, streamTurns, waitingStreamRequestsMax } from "./turns.js";

test("a client has one request answered at a time, in order, and so many waiting", () => {
  const turns = streamTurns();
  const started: number[] = [];
  for (let request = 0; request <= waitingStreamRequestsMax; request++) {
    assert.ok(turns.begin("one", () => started.push(request)));
  }
  assert.equal(
    turns.begin("one", () => started.push(-1)),
    false,
  );
  assert.deepEqual(started, [0]);
  turns.end("one");
  assert.deepEqual(started, [0, 1]);
  assert.ok(turns.begin("one", () => started.push(99)));
  for (let ended = 0; ended < waitingStreamRequestsMax + 1; ended++) turns.end("one");
  assert.deepEqual([started.length, started.at(-1)], [waitingStreamRequestsMax + 2, 99]);
  assert.ok(turns.begin("one", () => started.push(100)));
  assert.equal(started.at(-1), 100);
});

test("so many clients are answered at one time, and the others in the order in which they came", () => {
  const turns = streamTurns();
  const started: string[] = [];
  const clients = Array.from({ length: answeredStreamRequestsMax + 2 }, (_none, at) => `client-${at}`);
  for (const client of clients) assert.ok(turns.begin(client, () => started.push(client)));
  // A client that asks for more has to wait behind the others.
  assert.ok(turns.begin(clients[0]!, () => started.push("again")));
  assert.equal(started.length, answeredStreamRequestsMax);
  turns.end(clients[0]!);
  turns.end(clients[1]!);
  turns.end(clients[2]!);
  assert.deepEqual(started.slice(answeredStreamRequestsMax), [clients.at(-2), clients.at(-1), "again"]);
});

test("there are so many requests of all clients", () => {
  const turns = streamTurns();
  for (let client = 0; client < streamRequestsMax; client++)
    assert.ok(turns.begin(`client-${client}`, () => undefined));
  assert.equal(
    turns.begin("more", () => undefined),
    false,
  );
  turns.end("client-0");
  assert.ok(turns.begin("more", () => undefined));
});
