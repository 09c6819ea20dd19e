import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, createServer } from "node:net";
import { test } from "node:test";
import { openModemDoor } from "./modem-door.js";

test("a TCP port that is no modem's is told as such, and not as a cloud's", async () => {
  const server = createServer((socket) => socket.once("data", () => socket.destroy())).listen(0, "127.0.0.1");
  await once(server, "listening");
  const door = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  const { signal } = new AbortController();
  await assert.rejects(openModemDoor({ tcp: door }, signal), (error: Error & { details?: Record<string, unknown> }) => {
    assert.equal(error.details?.["door"], door);
    assert.match(error.message, /ended the connection: another host/);
    return true;
  });
  server.close();
  await once(server, "close");
  await assert.rejects(openModemDoor({ tcp: door }, signal), (error: Error & { details?: Record<string, unknown> }) => {
    assert.equal(error.details?.["door"], door);
    return true;
  });
});
