// Raw bytes in answers and URCs, and payloads in data mode: against an application that the tests write line by line.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { concatBytes, isThinglineError } from "@thingline/protocol";
import { createConnectionPair, highWaterBytes } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import { payloadBytesMax } from "./payload.js";
import { rawDataBytesMax } from "./raw-data.js";
import { rawDataSilenceMs } from "./raw-intake.js";
import { burstBytesMax } from "./serial-modem-host/burst-size.js";
import { openModemSession } from "./session.js";

const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const decode = (bytes: Uint8Array): string => new TextDecoder().decode(bytes);

/**
 * An application with data mode: `AT#XSEND=<n>` takes n bytes, `AT#XSEND` all up to `+++` at the end of what came in one go. Answers to other
 * commands are the test's.
 */
function openWorld(answers: (line: string) => string | Uint8Array = () => "\r\nOK\r\n") {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  const { near, far } = createConnectionPair({ clock });
  const lines: string[] = [];
  const world = {
    clock,
    lines,
    payload: "",
    /** What becomes of bytes on their way to the application. */
    toModem: (bytes: Uint8Array): Uint8Array => bytes,
    toHost: (bytes: Uint8Array): Uint8Array => bytes,
    chunkBytes: 65_536,
    answer: (text: string | Uint8Array) => {
      const bytes = world.toHost(typeof text === "string" ? encode(text) : text);
      for (let at = 0; at < bytes.length; at += world.chunkBytes) far.write(bytes.slice(at, at + world.chunkBytes));
    },
    /** What each piece of payload is answered with. */
    told: "",
    /** What the end of data mode is answered with. */
    ending: "\r\n#XDATAMODE: 0\r\n",
    session: openModemSession(near, { clock }),
    far,
  };
  let dataMode: { remaining: number | undefined } | undefined;
  let pending = "";
  const endDataMode = (rest: string) => {
    dataMode = undefined;
    pending = rest;
    world.answer(world.ending);
  };
  const onText = (text: string): void => {
    pending += text;
    while (pending !== "") {
      if (dataMode?.remaining !== undefined) {
        const taken = pending.slice(0, dataMode.remaining);
        world.payload += taken;
        dataMode.remaining -= taken.length;
        const rest = pending.slice(taken.length);
        pending = "";
        if (dataMode.remaining > 0) return void world.answer(world.told);
        endDataMode(rest);
        continue;
      }
      if (dataMode !== undefined) {
        const isEnd = pending.endsWith("+++");
        world.payload += isEnd ? pending.slice(0, -3) : pending;
        pending = "";
        if (isEnd) endDataMode("");
        else world.answer(world.told);
        return;
      }
      const end = pending.indexOf("\r\n");
      if (end < 0) return;
      const line = pending.slice(0, end).replace(/^.*?(?=AT)/, "");
      pending = pending.slice(end + 2);
      if (line === "") continue;
      lines.push(line);
      const send = /^AT#XSEND(?:=(\d+))?$/.exec(line);
      if (send === null) world.answer(answers(line));
      else {
        dataMode = { remaining: send[1] === undefined ? undefined : Number(send[1]) };
        world.answer("\r\nOK\r\n");
      }
    }
  };
  far.start({ data: (bytes) => onText(decode(world.toModem(bytes))), closed: () => undefined });
  return world;
}

const rejectsWith = (promise: Promise<unknown>, code: string) =>
  assert.rejects(promise, (error) => isThinglineError(error) && error.code === code);

const hostile = encode('OK\r\nERROR\r\n"\r\n#XRECV: 9\r\n+CME ERROR: 1\r\n+++\0');

test("bytes that an answer announces are taken by count, whatever they hold and however they are cut", async () => {
  for (const head of [`#XRECV: ${hostile.length}`, `#XRECV: 0,0,${hostile.length}`]) {
    for (const chunkBytes of [1, 2, 3, 7, 4096]) {
      const raw = concatBytes([encode(`\r\n${head}\r\n`), hostile, encode("\r\nOK\r\n")]);
      const world = openWorld((line) => (line === "AT" ? "\r\nOK\r\n" : raw));
      world.chunkBytes = chunkBytes;
      const got: Uint8Array[] = [];
      const offsets: number[] = [];
      const onRawData = (bytes: Uint8Array, _: unknown, offset: number) => {
        offsets.push(offset);
        got.push(bytes);
      };
      const answer = await world.clock.until(world.session.command("AT#XRECV=1", { onRawData }));
      assert.deepEqual(answer, [head]);
      assert.deepEqual(concatBytes(got), hostile);
      assert.equal(offsets[0], 0);
      assert.deepEqual(await world.clock.until(world.session.command("AT")), [], "the next command is not disturbed");
    }
  }
});

test("raw bytes are views of what was read, not copies", async () => {
  const world = openWorld(() => "\r\n#XRECV: 5\r\nhello\r\nOK\r\n");
  let held = 0;
  const onRawData = (bytes: Uint8Array) => (held = bytes.buffer.byteLength);
  await world.clock.until(world.session.command("AT#XRECV=1", { onRawData }));
  assert.ok(held > 5, "the view keeps the whole chunk");
});

test("bytes behind a URC go to whoever takes its name, and to nobody else", async () => {
  const world = openWorld();
  const seen: string[] = [];
  const stop = world.session.onRawData("#XMQTTMSG", (bytes) => seen.push(decode(bytes)));
  world.session.onNotification((line) => seen.push(line));
  world.answer("\r\n#XMQTTMSG: 3,4\r\na/b\r\nOK\r\n\r\n\r\n#XMQTTEVT: 2,0\r\n");
  await world.clock.advance(0);
  assert.deepEqual(seen, ["#XMQTTMSG: 3,4", "a/b\r\nOK\r\n", "#XMQTTEVT: 2,0"]);
  stop();
  seen.length = 0;
  world.answer("\r\n#XMQTTMSG: 3,4\r\na/b\r\nOK\r\n\r\n\r\n#XMQTTEVT: 2,0\r\n");
  await world.clock.advance(0);
  assert.deepEqual(seen, ["#XMQTTMSG: 3,4", "#XMQTTEVT: 2,0"]);
});

test("bytes that were lost behind their announcement fail the command by name, and the next one works", async () => {
  const world = openWorld((line) => (line === "AT" ? "\r\nOK\r\n" : "\r\n#XRECV: 100\r\nonly these\r\nOK\r\n"));
  const command = world.session.command("AT#XRECV=1", { onRawData: () => undefined });
  const startMs = world.clock.monotonicMs();
  await rejectsWith(world.clock.until(command), "MODEM_RESPONSE_INVALID");
  assert.equal(world.clock.monotonicMs() - startMs, rawDataSilenceMs);
  assert.deepEqual(await world.clock.until(world.session.command("AT")), []);
  await world.clock.until(world.session.close());
  assert.equal(world.clock.timerCount, 0);
});

test("an announcement of more than there can be is a line like any other", async () => {
  const world = openWorld(() => `\r\n#XRECV: ${rawDataBytesMax + 1}\r\n\r\nOK\r\n`);
  const raw: Uint8Array[] = [];
  const command = world.session.command("AT#XRECV=1", { onRawData: (bytes) => raw.push(bytes) });
  assert.deepEqual(await world.clock.until(command), [`#XRECV: ${rawDataBytesMax + 1}`]);
  assert.deepEqual(raw, []);
});

test("information in front of an ERROR is told as it comes", async () => {
  const world = openWorld(() => '\r\n#XTCPCLI: -111,"not connected"\r\n\r\nERROR\r\n');
  const told: string[] = [];
  const command = world.session.command('AT#XTCPCLI=1,"host",1', { onInformation: (line) => told.push(line) });
  await rejectsWith(world.clock.until(command), "MODEM_COMMAND_REJECTED");
  assert.deepEqual(told, ['#XTCPCLI: -111,"not connected"']);
});

test("a payload follows the OK, and ends by its count or by the marker", async () => {
  const world = openWorld();
  const { clock, session } = world;
  const counted = session.command("AT#XSEND=11", { payload: { bytes: encode("hello+++wor"), end: "count" } });
  assert.deepEqual(await clock.until(counted), ["#XDATAMODE: 0"]);
  const parts = [encode(" and"), encode(" more")];
  const marked = session.command("AT#XSEND", { payload: { bytes: parts, end: "marker" } });
  assert.deepEqual(await clock.until(marked), ["#XDATAMODE: 0"]);
  assert.equal(world.payload, "hello+++wor and more");
  assert.deepEqual(await clock.until(session.command("AT")), []);
});

test("a payload's exchange ends with the line that its caller names", async () => {
  const world = openWorld();
  world.ending = "\r\n#XDATAMODE: 0\r\n\r\n#XDFU: 0,1,0\r\n";
  const payload = { bytes: encode("abc"), end: "count", lastLine: "#XDFU" } as const;
  const command = world.session.command("AT#XSEND=3", { payload });
  assert.deepEqual(await world.clock.until(command), ["#XDATAMODE: 0", "#XDFU: 0,1,0"]);
});

test("a payload waits for a line that takes no more, and has a bound", async () => {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  const { near, far } = createConnectionPair({ clock });
  const session = openModemSession(near, { clock });
  let takenBytes = -"AT#XSEND=4194304\r\n".length;
  far.start({
    data: (bytes) => {
      if (takenBytes < 0) far.write(encode("\r\nOK\r\n"));
      takenBytes += bytes.length;
      if (takenBytes === payloadBytesMax) far.write(encode("\r\n#XDATAMODE: 0\r\n"));
    },
    closed: () => undefined,
  });
  const part = new Uint8Array(payloadBytesMax / 16);
  const payload = { bytes: Array.from({ length: 16 }, () => part), end: "count" } as const;
  const command = session.command("AT#XSEND=4194304", { payload });
  await clock.advance(0);
  const most = highWaterBytes + part.length;
  assert.ok(near.bufferedBytes <= most, `${near.bufferedBytes} bytes wait at the channel`);
  assert.deepEqual(await clock.until(command), ["#XDATAMODE: 0"]);
  assert.equal(takenBytes, payloadBytesMax);
  const more = { bytes: [...payload.bytes, Uint8Array.of(1)], end: "count" } as const;
  await rejectsWith(clock.until(session.command("AT#XSEND=4194305", { payload: more })), "LIMIT_EXCEEDED");
});

test("a payload that its marker would cut is refused before anything is sent", async () => {
  const world = openWorld();
  for (const text of ["a+++b", "a+"]) {
    const payload = { bytes: [encode(text.slice(0, 2)), encode(text.slice(2))], end: "marker" } as const;
    await rejectsWith(world.clock.until(world.session.command("AT#XSEND", { payload })), "OPTION_INVALID");
  }
  assert.deepEqual(world.lines, []);
});

test("a data mode that ends with an error fails by name, and the next command works", async () => {
  for (const ending of ["\r\n#XDATAMODE: -1\r\n", "+++\r\n#XDATAMODE: -107\r\n"]) {
    const world = openWorld();
    world.ending = ending;
    const command = world.session.command("AT#XSEND=3", { payload: { bytes: encode("abc"), end: "count" } });
    await rejectsWith(world.clock.until(command), "MODEM_DATA_MODE_FAILED");
    assert.equal(world.clock.monotonicMs(), 0, "at once");
    assert.deepEqual(await world.clock.until(world.session.command("AT")), []);
  }
});

test("a data mode that the application gave up is answered with the marker it waits for", async () => {
  const world = openWorld();
  // Silence until it gets the marker: what was sent before is dropped.
  world.ending = "";
  let got = "";
  world.toModem = (bytes) => {
    got += decode(bytes);
    if (got.endsWith("abc")) world.answer("+++");
    if (got.endsWith("abc+++")) world.answer("\r\n#XDATAMODE: -1\r\n");
    return got.includes("abc") ? new Uint8Array() : bytes;
  };
  const command = world.session.command("AT#XSEND=9", { payload: { bytes: encode("abc"), end: "count" } });
  await rejectsWith(world.clock.until(command), "MODEM_DATA_MODE_FAILED");
  assert.ok(got.endsWith("abc+++"));
  assert.equal(world.clock.monotonicMs(), 0);
});

test("bytes of a payload that the line lost fail it in time, and the session finds out of data mode", async () => {
  for (const end of ["count", "marker"] as const) {
    const world = openWorld();
    const { clock, session } = world;
    let lost = 0;
    world.toModem = (bytes) => {
      if (lost > 0 || !decode(bytes).includes("payload")) return bytes;
      lost = 4;
      // The marker is hit as well.
      return bytes.slice(0, -lost);
    };
    const line = end === "count" ? "AT#XSEND=7" : "AT#XSEND";
    const command = session.command(line, { payload: { bytes: encode("payload"), end }, timeoutMs: 3_000 });
    await rejectsWith(clock.until(command), "MODEM_DATA_MODE_FAILED");
    assert.deepEqual(await clock.until(session.command("AT+CGMI")), [], end);
    assert.equal(session.counters.resyncs, 1);
    await clock.until(session.close());
    assert.equal(clock.timerCount, 0);
  }
});

test("an OK that was lost in front of a data mode leaves no data mode behind", async () => {
  for (const end of ["count", "marker"] as const) {
    const world = openWorld();
    const { clock, session } = world;
    let count = 0;
    world.toHost = (bytes) => (count++ === 0 ? encode("\r\nOK~") : bytes);
    const line = end === "count" ? "AT#XSEND=2000" : "AT#XSEND";
    const payload = { bytes: new Uint8Array(2_000), end } as const;
    await rejectsWith(clock.until(session.command(line, { payload, timeoutMs: 3_000 })), "TIMEOUT");
    assert.deepEqual(await clock.until(session.command("AT+CGMI")), [], end);
  }
});

test("a probe finds an application that an earlier program left in data mode", async () => {
  for (const line of ["AT#XSEND", `AT#XSEND=${burstBytesMax}`]) {
    const world = openWorld((text) => {
      if (text === "AT#XSLMVER") return '\r\n#XSLMVER: "2.5.0","2.5.0"\r\n\r\nOK\r\n';
      return text === "AT" ? "\r\nOK\r\n" : "\r\nERROR\r\n";
    });
    const { clock, session } = world;
    await clock.until(session.command(line));
    // Nobody is there any more to send the rest, or to end it. Some builds tell each piece of payload that they took.
    world.told = "\r\n#XDATAMODE: 2\r\n";
    const probed = await clock.until(session.probe({ leavesDataMode: true }), { limitMs: 600_000 });
    assert.ok(probed.kind === "serialModem");
    assert.deepEqual([probed.dialect, probed.leftDataMode], ["slm", true], line);
  }
});

test("a slow line is not a modem that does not answer", async () => {
  const world = openWorld();
  const { clock, session } = world;
  world.toModem = (bytes) => (bytes.length > 100 ? new Uint8Array() : bytes);
  const payload = { bytes: new Uint8Array(9_600), end: "count" } as const;
  const command = session.command("AT#XSEND=9600", { payload, timeoutMs: 1_500 });
  await rejectsWith(clock.until(command), "MODEM_DATA_MODE_FAILED");
  assert.equal(clock.monotonicMs(), 9_600 + 1_500);
});

test("a board that starts again fails the command that waits, at once, and tells so", async () => {
  const world = openWorld(() => "\r\nReady\r\n");
  const told: string[] = [];
  world.session.onNotification((line) => told.push(line));
  await rejectsWith(world.clock.until(world.session.command("AT#XRESET")), "MODEM_RESPONSE_INVALID");
  assert.deepEqual(told, ["Ready"]);
});

const numRuns = process.env["THINGLINE_TEST_LONG"] === "1" ? 500 : 12;
const disturbance = fc.record({
  direction: fc.constantFrom("toHost" as const, "toModem" as const),
  at: fc.integer({ min: 0, max: 3_000 }),
  lostBytes: fc.integer({ min: 0, max: 40 }),
  noise: fc.array(fc.oneof(fc.integer({ min: 0, max: 255 }), fc.constantFrom(13, 10, 34, 43, 79, 75, 35)), {
    maxLength: 20,
  }),
});

test("a line that loses and makes up bytes never hangs the session: what is hit fails by name, and later commands work", async () => {
  await fc.assert(
    fc.asyncProperty(disturbance, fc.constantFrom("count", "marker"), async (hit, end) => {
      const world = openWorld((line) =>
        line.startsWith("AT#XRECV") ? "\r\n#XRECV: 5\r\nhello\r\nOK\r\n" : "\r\nOK\r\n",
      );
      const { clock, session } = world;
      let passed = 0;
      world[hit.direction] = (bytes) => {
        const at = hit.at - passed;
        passed += bytes.length;
        if (at < 0 || at >= bytes.length) return bytes;
        return concatBytes([bytes.slice(0, at), Uint8Array.from(hit.noise), bytes.slice(at + hit.lostBytes)]);
      };
      const payload = { bytes: new Uint8Array(1_000).fill(0x61), end } as const;
      const options = { timeoutMs: 3_000 };
      const steps = [
        () => session.command("AT#XRECV=1", { ...options, onRawData: () => undefined }),
        () => session.command(end === "count" ? "AT#XSEND=1000" : "AT#XSEND", { ...options, payload }),
        () => session.command("AT#XRECV=1", { ...options, onRawData: () => undefined }),
      ];
      for (const step of [...steps, ...steps]) {
        await clock.until(step()).catch((error: unknown) => assert.ok(isThinglineError(error), String(error)));
      }
      hit.at = -1;
      // One more may be hit by what the noise left in the application's line.
      await clock.until(session.command("AT", options)).catch(() => undefined);
      assert.deepEqual(await clock.until(session.command("AT")), []);
      await clock.until(session.close());
      assert.equal(clock.timerCount, 0);
    }),
    { numRuns },
  );
});
