import assert from "node:assert/strict";
import { test } from "node:test";
import { defaultHandshakesMax } from "../connection.js";
import { Handshakes } from "./handshakes.js";

test("defaultHandshakesMax handshakes are under way, and the oldest makes room for one more", () => {
  const handshakes = new Handshakes(defaultHandshakesMax);
  const gone: string[] = [];
  const begin = (name: string) => {
    const handshake = { makeRoom: (limit: number) => void gone.push(`${name} of ${limit}`) };
    handshakes.begin(handshake);
    return handshake;
  };
  const first = begin("0");
  for (let count = 1; count < defaultHandshakesMax; count++) begin(String(count));
  assert.deepEqual(gone, []);
  handshakes.end(first);
  begin("in its place");
  assert.deepEqual(gone, []);
  begin("one more");
  assert.deepEqual([gone, handshakes.count], [[`1 of ${defaultHandshakesMax}`], defaultHandshakesMax]);
});
