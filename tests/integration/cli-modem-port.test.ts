// The command line at one end of a pseudo-terminal or of a TCP connection, the simulated modem at the other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { createSimulatedModem } from "@thingline/modem/simulator";
import type { Connection } from "@thingline/transport";
import { createNodeClock, createNodeKeys, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";
import { runThingline } from "./cli-process.test.support.js";
import { makePty, ptyMissing } from "./pty.test.support.js";

const clock = createNodeClock();
const network = createNodeNetwork();
const skip = ptyMissing ?? false;

async function openModem() {
  const modem = await createSimulatedModem({ network, clock, random: createNodeRandom(), keys: createNodeKeys() });
  return { modem, serve: (outside: Connection) => join(modem.openPort(), outside) };
}

/** Passes on what comes at either. */
function join(one: Connection, other: Connection): void {
  one.start({ data: (bytes) => void other.write(bytes), closed: () => other.destroy() });
  other.start({ data: (bytes) => void one.write(bytes), closed: () => one.destroy() });
}

test("modem at --port sends a command to what is behind a serial port", { skip }, async (t) => {
  const { modem, serve } = await openModem();
  const pty = await makePty();
  serve(pty.connection);
  const answered = await runThingline(t, "modem", "at", "--port", pty.path, "AT+CGMM");
  assert.deepEqual([answered.code, answered.stdout], [0, "nRF9160-SICA\nOK\n"], answered.stderr);
  const refused = await runThingline(t, "modem", "at", "--port", pty.path, "AT+NOPE");
  assert.deepEqual([refused.code, refused.stdout], [1, "ERROR\n"], refused.stderr);
  await modem.close();
});

test("modem ports tells what is behind a port", { skip }, async (t) => {
  const { modem, serve } = await openModem();
  const pty = await makePty();
  serve(pty.connection);
  const { code, stdout, stderr } = await runThingline(t, "modem", "ports", pty.path, "--json");
  assert.equal(code, 0, stderr);
  const port = JSON.parse(stdout.split("\n")[0] ?? "") as Record<string, unknown>;
  assert.deepEqual(
    [port["event"], port["path"], port["model"], port["probe"]],
    [...["port", pty.path, "nRF9160-SICA"], { kind: "atHost", lineEnd: "\r", framing: "modemLibrary", echoes: false }],
  );
  await modem.close();
});

test("modem at --tcp does the same over TCP, and says when nothing there speaks AT", async (t) => {
  const { modem, serve } = await openModem();
  const listener = await network.listen({ host: "127.0.0.1", port: 0 }, serve);
  const where = `127.0.0.1:${listener.address.port}`;
  const answered = await runThingline(t, "modem", "at", "--tcp", where, "AT+CFUN?");
  assert.deepEqual([answered.code, answered.stdout], [0, "+CFUN: 0\nOK\n"], answered.stderr);
  await listener.close();
  await modem.close();
  const deaf = await network.listen({ host: "127.0.0.1", port: 0 }, (connection) => {
    connection.start({ data: () => undefined, closed: () => undefined });
  });
  const silent = await runThingline(t, "modem", "at", "--tcp", `127.0.0.1:${deaf.address.port}`, "AT");
  assert.equal(silent.code, 1);
  assert.match(silent.stderr, /nothing answers AT on 127\.0\.0\.1/);
  await deaf.close();
});

test("a port that is not there is told with what to do", async (t) => {
  const { code, stderr } = await runThingline(t, "modem", "at", "--port", "/dev/nowhere", "AT");
  assert.equal(code, 1);
  assert.match(stderr, /there is no serial port \/dev\/nowhere[^]*modem ports/);
});
