import assert from "node:assert/strict";
import { test } from "node:test";
import { Handshakes, type HandshakeSocket } from "./handshakes.js";

function open() {
  const gone: number[] = [];
  let turnedAway = 0;
  const handshakes = new Handshakes(3, () => turnedAway++);
  const dial = (remotePort: number): HandshakeSocket & { close(): void } => {
    let close: () => void = () => undefined;
    return {
      ...{ remoteAddress: "127.0.0.1", remotePort, localAddress: "127.0.0.1" },
      destroy: () => (gone.push(remotePort), close()),
      once: (_event, listener) => void (close = listener),
      close: () => close(),
    };
  };
  return { handshakes, gone, dial, turnedAway: () => turnedAway };
}

test("of connections that do not end their handshake the oldest goes when there are too many", () => {
  const { handshakes, gone, dial, turnedAway } = open();
  for (const port of [1, 2, 3]) handshakes.begun(dial(port));
  assert.deepEqual(gone, []);
  handshakes.begun(dial(4));
  handshakes.begun(dial(5));
  assert.deepEqual(gone, [1, 2]);
  assert.equal(turnedAway(), 2);
});

test("whoever has ended the handshake, or is gone, counts no more", () => {
  const { handshakes, gone, dial } = open();
  handshakes.begun(dial(1));
  // TLS makes another socket with the same ends.
  handshakes.done(dial(1));
  const second = dial(2);
  handshakes.begun(second);
  second.close();
  for (const port of [3, 4, 5]) handshakes.begun(dial(port));
  assert.deepEqual(gone, []);
  handshakes.end();
  assert.deepEqual(gone, [1, 3, 4, 5]);
});
