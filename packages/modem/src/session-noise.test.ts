// What a serial line can do to a session: noise at any place, in any chunking, and the next command still gets its own answer.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, isThinglineError } from "@thingline/protocol";
import { CommandLineReader } from "@thingline/protocol/at";
import { createConnectionPair } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import { openModemSession } from "./session.js";

/** An AT host that answers each `AT+ECHO=n` with n, `AT#XRECV=n` with so many bytes, and whose wire can be disturbed. */
function openWorld() {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  const { near, far } = createConnectionPair({ clock });
  const reader = new CommandLineReader();
  let isMute = false;
  let spoil = (bytes: Uint8Array): Uint8Array => bytes;
  const encode = (text: string) => new TextEncoder().encode(text);
  far.start({
    data: (bytes) => {
      for (const { text = "" } of reader.push(bytes)) {
        if (isMute) continue;
        const count = /^\n?AT#XRECV=(\d+)$/.exec(text)?.[1];
        if (count !== undefined) {
          const raw = new Uint8Array(Number(count)).fill(0x2e);
          far.write(concatBytes([encode(`#XRECV: ${count}\r\n`), spoil(raw), encode("\r\nOK\r\n")]));
          continue;
        }
        const number = /^\n?AT\+ECHO=(\d+)$/.exec(text)?.[1];
        const isPlain = /^\n?AT$/.test(text);
        const lines = number === undefined ? "" : `+ECHO: ${number}\r\n`;
        far.write(encode(number === undefined && !isPlain ? "ERROR\r\n" : `${lines}OK\r\n`));
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
    /** What becomes of counted bytes on their way. */
    spoilBy: (change: typeof spoil) => (spoil = change),
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

const numRuns = process.env["THINGLINE_TEST_LONG"] === "1" ? 1_500 : 25;

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

/** What a reader could stumble over, each piece whole or half. */
const fragments: readonly (string | number[])[] = [
  ...['"', '""', "\r", "\n", "\r\n", "\0\0\0\0", "\x1b[0m", "\u{feff}", "+++", "Ready\r\n", ">"],
  ...['%CMNG: 1,0,"', '%CMNG: 1,0,"AB","-----BEGIN\r\nOK\r\n', '"\r\n', '+X: ("', "(((((", ",,,,,,,,"],
  ...["OK", "OK\r\n", "ERROR\r\n", "+CME ERROR: 518\r\n", "+CME ERROR: 99999999\r\n", "+CME ERROR: no\r\n"],
  ...["#XRECV: 40\r\n", "#XTCPDATA: 40\r\n", "#XTCPDATA: 65536\r\n", "#XTCPDATA: 65537\r\n", "#XTCPDATA: -1\r\n"],
  ...["AT+ECHO=1\r\r\n", "+ECHO: 7\r\n", "+CEREG: 5,1\r\n", "+CSCON: 1\r\n", "#XDATAMODE: 0\r\n"],
  // The beginnings, and the ends, of characters of two to four bytes; bytes that no text has.
  ...[[0xc3], [0xe2, 0x82], [0xf0, 0x9f, 0x98], [0x80], [0xbf, 0xbf], [0xff, 0xfe], [0xed, 0xa0, 0x80]],
  ...["x".repeat(65_536), `%CMNG: 1,0,"${"y".repeat(65_536)}`, `+X: ${",".repeat(65_536)}\r\n`, "\0".repeat(65_536)],
];
const bytesOf = (fragment: string | number[]): Uint8Array =>
  typeof fragment === "string" ? new TextEncoder().encode(fragment) : Uint8Array.from(fragment);
const hostile = fc
  .array(fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...fragments) }, fc.array(fc.nat(255), { maxLength: 8 })), {
    maxLength: 6,
  })
  .map((parts) => concatBytes(parts.map(bytesOf)));

const hostileRuns = process.env["THINGLINE_TEST_LONG"] === "1" ? 900 : 15;

/** So that a long line comes in some hundreds of pieces at the most. */
const chunkOf = (bytes: Uint8Array, chunkBytes: number) => Math.max(chunkBytes, Math.ceil(bytes.length / 300));

test("long lines, NULs, halves of characters, quotes and counts that lie do not cost more than the commands they hit", async () => {
  const property = fc.asyncProperty(
    hostile,
    hostile,
    fc.integer({ min: 1, max: 64 }),
    async (toHost, toModem, chunk) => {
      const { clock, session, disturbHost, disturbModem } = openWorld();
      session.onRawData("#XTCPDATA", () => undefined);
      disturbHost(toHost, chunkOf(toHost, chunk));
      disturbModem(toModem);
      for (const number of [1, 2]) {
        await clock.until(session.command(`AT+ECHO=${number}`, { timeoutMs: 500 })).catch((error: unknown) => {
          assert.ok(isThinglineError(error), String(error));
        });
      }
      assert.deepEqual(await clock.until(session.command("AT+ECHO=3")), ["+ECHO: 3"]);
      assert.deepEqual(await clock.until(session.command("AT+ECHO=4")), ["+ECHO: 4"]);
      await clock.until(session.close());
      assert.equal(clock.timerCount, 0);
    },
  );
  await fc.assert(property, { numRuns: hostileRuns });
});

test("whatever is put into counted bytes, taken out of them or changed, the commands behind them get their own answers", async () => {
  const where = fc.record({ at: fc.nat(400), removed: fc.nat(40) });
  const property = fc.asyncProperty(fc.nat(400), where, hostile, async (count, { at, removed }, inserted) => {
    const { clock, session, spoilBy } = openWorld();
    spoilBy((bytes) => concatBytes([bytes.slice(0, at), inserted, bytes.slice(at + removed)]));
    const onRawData = () => undefined;
    await clock.until(session.command(`AT#XRECV=${count}`, { timeoutMs: 500, onRawData })).catch((error: unknown) => {
      assert.ok(isThinglineError(error), String(error));
    });
    await clock.until(session.command("AT+ECHO=1", { timeoutMs: 500 })).catch((error: unknown) => {
      assert.ok(isThinglineError(error), String(error));
    });
    assert.deepEqual(await clock.until(session.command("AT+ECHO=2")), ["+ECHO: 2"]);
    assert.deepEqual(await clock.until(session.command("AT+ECHO=3")), ["+ECHO: 3"]);
    await clock.until(session.close());
    assert.equal(clock.timerCount, 0);
  });
  await fc.assert(property, { numRuns: hostileRuns });
});
