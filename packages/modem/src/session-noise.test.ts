// What a serial line can do to a session: noise at any place, in any chunking, and the next command still gets its own answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isThinglineError } from "@thingline/protocol";
import { CommandLineReader } from "@thingline/protocol/at";
import { createConnectionPair } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import { openModemSession } from "./session.js";

/** An AT host that answers each `AT+ECHO=n` with n, and whose wire can be disturbed. */
function openWorld() {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  const { near, far } = createConnectionPair({ clock });
  const reader = new CommandLineReader();
  let isMute = false;
  far.start({
    data: (bytes) => {
      for (const { text = "" } of reader.push(bytes)) {
        if (isMute) continue;
        const number = /^\n?AT\+ECHO=(\d+)$/.exec(text)?.[1];
        const isPlain = /^\n?AT$/.test(text);
        const lines = number === undefined ? "" : `+ECHO: ${number}\r\n`;
        far.write(new TextEncoder().encode(number === undefined && !isPlain ? "ERROR\r\n" : `${lines}OK\r\n`));
      }
    },
    closed: () => undefined,
  });
  const session = openModemSession(near, { clock });
  return {
    clock,
    session,
    /** Bytes that the host gets and nobody sent. */
    disturbHost: (bytes: Uint8Array, chunkBytes: number) => {
      for (let at = 0; at < bytes.length; at += chunkBytes) far.write(bytes.slice(at, at + chunkBytes));
    },
    disturbModem: (bytes: Uint8Array) => void reader.push(bytes),
    mute: (value: boolean) => (isMute = value),
  };
}

/** Bytes that mean something here come often. */
const noise = fc.array(
  fc.oneof(
    fc.integer({ min: 0, max: 255 }),
    fc.constantFrom(...[...'\r\n"+%AOK: ,'].map((text) => text.charCodeAt(0))),
  ),
  { maxLength: 200 },
);

const numRuns = process.env["THINGLINE_TEST_LONG"] === "1" ? 1_500 : 60;

test("after noise on the line, in any chunking, a command gets its own answer at the latest by the third try", async () => {
  await fc.assert(
    fc.asyncProperty(noise, noise, fc.integer({ min: 1, max: 64 }), async (toHost, toModem, chunkBytes) => {
      const { clock, session, disturbHost, disturbModem } = openWorld();
      disturbHost(Uint8Array.from(toHost), chunkBytes);
      disturbModem(Uint8Array.from(toModem));
      // Noise on each side may hit one command, which then fails by name and in time: a final result that was none, an open quote.
      for (const number of [1, 2]) {
        await clock.until(session.command(`AT+ECHO=${number}`, { timeoutMs: 500 })).catch((error: unknown) => {
          assert.ok(isThinglineError(error), String(error));
        });
      }
      assert.deepEqual(await clock.until(session.command("AT+ECHO=3")), ["+ECHO: 3"]);
      assert.deepEqual(await clock.until(session.command("AT+ECHO=4")), ["+ECHO: 4"]);
      await clock.until(session.close());
      assert.equal(clock.timerCount, 0);
    }),
    { numRuns },
  );
});

test("after noise instead of an answer the next command ends in time, and those behind it get their own", async () => {
  await fc.assert(
    fc.asyncProperty(noise, fc.integer({ min: 1, max: 64 }), async (toHost, chunkBytes) => {
      const { clock, session, disturbHost, mute } = openWorld();
      mute(true);
      const hit = session.command("AT+ECHO=1", { timeoutMs: 500 }).catch((error: unknown) => error);
      await clock.advance(1);
      disturbHost(Uint8Array.from(toHost), chunkBytes);
      await clock.until(hit);
      mute(false);
      // Noise may hold a final result, and the beginning of a line of which the next answer then is the end.
      await clock.until(session.command("AT+ECHO=9", { timeoutMs: 500 })).catch((error: unknown) => {
        assert.ok(isThinglineError(error), String(error));
      });
      assert.deepEqual(await clock.until(session.command("AT+ECHO=2")), ["+ECHO: 2"]);
      await clock.until(session.close());
    }),
    { numRuns },
  );
});
