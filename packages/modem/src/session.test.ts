import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { createConnectionPair } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import { notificationsQueuedMax } from "./notification-stream.js";
import { answerBytesMax } from "./exchange.js";
import { defaultCommandTimeoutMs, openModemSession } from "./session.js";
import { sessionQueueMax } from "./turn-queue.js";

/** A session whose other end is the test. */
function openWorld() {
  const clock = createVirtualClock();
  const sent: string[] = [];
  let onSent: (text: string) => void = () => undefined;
  const { near: channel, far: modem } = createConnectionPair({ clock });
  modem.start({
    data: (bytes) => {
      const text = new TextDecoder().decode(bytes);
      sent.push(text);
      onSent(text);
    },
    closed: () => undefined,
  });
  const session = openModemSession(channel, { clock });
  const answer = (text: string) => modem.write(new TextEncoder().encode(text));
  return {
    clock,
    channel,
    session,
    sent,
    answer,
    /** Answers each command by the table, in the event loop turn in which it came. */
    answerBy: (answers: (text: string) => string | undefined) => {
      onSent = (text) => {
        const reply = answers(text);
        if (reply !== undefined) answer(reply);
      };
    },
  };
}

test("a command gets the information lines of its answer", async () => {
  const { clock, session, sent, answerBy } = openWorld();
  answerBy(() => "352656100367872\r\nOK\r\n");
  assert.deepEqual(await clock.until(session.command("AT+CGSN")), ["352656100367872"]);
  assert.deepEqual(sent, ["AT+CGSN\r\n"]);
  await clock.until(session.close());
  assert.equal(clock.timerCount, 0);
});

test("commands wait for one another", async () => {
  const { clock, session, sent, answer } = openWorld();
  const first = session.command("AT+CGMI");
  const second = session.command("AT+CGMM");
  await clock.advance(0);
  assert.deepEqual(sent, ["AT+CGMI\r\n"]);
  answer("Nordic\r\nOK\r\n");
  await clock.advance(0);
  assert.deepEqual(sent, ["AT+CGMI\r\n", "AT+CGMM\r\n"]);
  answer("nRF9160\r\nOK\r\n");
  assert.deepEqual(await clock.until(Promise.all([first, second])), [["Nordic"], ["nRF9160"]]);
});

test("errors carry the modem's number and name the command without its values", async () => {
  const { clock, session, answerBy } = openWorld();
  answerBy((text) => (text.startsWith("AT%CMNG") ? "+CME ERROR: 518\r\n" : "ERROR\r\n"));
  await assert.rejects(
    clock.until(session.command('AT%CMNG=0,43,2,"SECRET"')),
    (error) =>
      isThinglineError(error, "MODEM_COMMAND_REJECTED") &&
      error.details["cme"] === 518 &&
      error.message.includes("AT%CMNG=...") &&
      !error.message.includes("SECRET"),
  );
  await assert.rejects(
    clock.until(session.command("AT+NOPE")),
    (error) => isThinglineError(error, "MODEM_COMMAND_REJECTED") && !("cme" in error.details),
  );
});

test("a refusal of SMS commands has its number and its words", async () => {
  const { clock, session, answerBy } = openWorld();
  answerBy(() => "+CMS ERROR: 310\r\n");
  await assert.rejects(
    clock.until(session.command("AT+CMGL")),
    (error) =>
      isThinglineError(error, "MODEM_COMMAND_REJECTED") &&
      error.details["cms"] === 310 &&
      error.message.includes("310 (no SIM card)"),
  );
});

test("slow commands are waited for longer, unless the caller says how long", async () => {
  const { clock, session } = openWorld();
  for (const [line, timeoutMs, expectedMs] of [
    ["AT+CGSN", undefined, defaultCommandTimeoutMs],
    ["AT+COPS=?", undefined, 600_000],
    ["AT+COPS=?", 2_000, 2_000],
  ] as const) {
    const options = timeoutMs === undefined ? {} : { timeoutMs };
    await assert.rejects(
      clock.until(openModemSession(createConnectionPair({ clock }).near, { clock }).command(line, options)),
      (error) => isThinglineError(error, "TIMEOUT") && error.details["timeoutMs"] === expectedMs,
    );
  }
  await clock.until(session.close());
});

test("URCs come taken apart, and what is not known as it came", async () => {
  const { clock, session, answer } = openWorld();
  const events = session.events()[Symbol.asyncIterator]();
  const first = events.next();
  answer("+CSCON: 1\r\n%NEWS: 1\r\n");
  assert.deepEqual((await clock.until(first)).value, { type: "rrc", mode: "connected" });
  assert.deepEqual((await events.next()).value, { type: "other", line: "%NEWS: 1", name: "%NEWS" });
  const later = session.events()[Symbol.asyncIterator]();
  answer("+CSCON: 0\r\n");
  await clock.advance(0);
  assert.deepEqual((await events.next()).value, { type: "rrc", mode: "idle" });
  const last = events.next();
  await clock.until(session.close());
  assert.equal((await last).done, true);
  assert.deepEqual((await later.next()).value, { type: "rrc", mode: "idle" }, "from the call on, as notifications()");
});

test("the reason for which the channel ended is that of the session", async () => {
  const { clock, session, channel } = openWorld();
  const command = session.command("AT");
  await clock.advance(0);
  channel.destroy(new ThinglineError("SERIAL_PORT_UNPLUGGED", "gone", { details: { path: "/dev/ttyACM0" } }));
  await assert.rejects(
    clock.until(command),
    (error) => isThinglineError(error, "SERIAL_PORT_UNPLUGGED") && error.details["path"] === "/dev/ttyACM0",
  );
});

test("URCs in the middle of an answer go to the listeners, in order", async () => {
  const { clock, session, answerBy } = openWorld();
  const lines: string[] = [];
  session.onNotification((line) => lines.push(line));
  answerBy(
    () => '+CEREG: 2,"0901","02024720",7\r\n+CEREG: 5,2,"0901","02024720",7\r\n+CSCON: 1\r\nOK\r\n+CEREG: 1\r\n',
  );
  assert.deepEqual(await clock.until(session.command("AT+CEREG?")), ['+CEREG: 5,2,"0901","02024720",7']);
  await clock.advance(0);
  assert.deepEqual(lines, ['+CEREG: 2,"0901","02024720",7', "+CSCON: 1", "+CEREG: 1"]);
});

test("an echo is not taken for information", async () => {
  const { clock, session, answerBy } = openWorld();
  answerBy(() => "AT+CFUN?\r\n\r\n+CFUN: 1\r\n\r\nOK\r\n");
  assert.deepEqual(await clock.until(session.command("AT+CFUN?")), ["+CFUN: 1"]);
});

test("a command without an answer times out, and the next finds the modem again", async () => {
  const { clock, session, sent, answerBy } = openWorld();
  answerBy((text) => (text.includes("+CGSN") ? undefined : "OK\r\n"));
  await assert.rejects(
    clock.until(session.command("AT+CGSN", { timeoutMs: 500 })),
    (error) => isThinglineError(error, "TIMEOUT") && error.details["command"] === "AT+CGSN",
  );
  assert.deepEqual(await clock.until(session.command("AT+CMEE=1")), []);
  assert.deepEqual(sent, ["AT+CGSN\r\n", "AT\r\n", "AT+CMEE=1\r\n"]);
  assert.equal(session.counters.resyncs, 1);
});

test("a late answer is not taken for that of the next command", async () => {
  const { clock, session, answerBy } = openWorld();
  answerBy((text) => {
    if (text.startsWith("AT+SLOW")) return undefined;
    // The late answer comes together with that of the probe.
    return text === "AT\r\n" ? "late\r\nOK\r\nOK\r\n" : "+CFUN: 4\r\nOK\r\n";
  });
  await assert.rejects(clock.until(session.command("AT+SLOW", { timeoutMs: 100 })));
  assert.deepEqual(await clock.until(session.command("AT+CFUN?")), ["+CFUN: 4"]);
});

test("a quote that noise opened in the modem is closed again", async () => {
  const { clock, session, answerBy } = openWorld();
  let isStuck = true;
  answerBy((text) => {
    if (isStuck && text.includes('"')) {
      isStuck = false;
      return "ERROR\r\n";
    }
    return isStuck ? undefined : "OK\r\n";
  });
  await assert.rejects(clock.until(session.command("AT")));
  assert.deepEqual(await clock.until(session.command("AT+CMEE=1")), []);
});

test("a modem that never answers is told, again and again", async () => {
  const { clock, session } = openWorld();
  for (const round of [1, 2, 3]) {
    await assert.rejects(
      clock.until(session.command("AT+CGSN")),
      (error) => isThinglineError(error, "TIMEOUT"),
      `round ${round}`,
    );
  }
});

test("an aborted command frees its caller at once and the channel when the answer came", async () => {
  const { clock, session, sent, answer } = openWorld();
  const controller = new AbortController();
  const first = session.command("AT+CFUN=4", { signal: controller.signal });
  const second = session.command("AT+CFUN?");
  await clock.advance(0);
  controller.abort();
  await assert.rejects(first, (error) => isThinglineError(error, "ABORTED"));
  await clock.advance(0);
  assert.deepEqual(sent, ["AT+CFUN=4\r\n"]);
  answer("OK\r\n");
  await clock.advance(0);
  assert.deepEqual(sent, ["AT+CFUN=4\r\n", "AT+CFUN?\r\n"]);
  answer("+CFUN: 4\r\nOK\r\n");
  assert.deepEqual(await clock.until(second), ["+CFUN: 4"]);
});

test("a command that is aborted while it waits is never sent", async () => {
  const { clock, session, sent, answer } = openWorld();
  const controller = new AbortController();
  const first = session.command("AT");
  const second = session.command("AT+CFUN=0", { signal: controller.signal });
  controller.abort();
  await assert.rejects(second, (error) => isThinglineError(error, "ABORTED"));
  await clock.advance(0);
  answer("OK\r\n");
  await clock.until(first);
  await clock.advance(0);
  assert.deepEqual(sent, ["AT\r\n"]);
});

test("nobody's command comes between those of a sequence", async () => {
  const { clock, session, sent, answerBy } = openWorld();
  answerBy(() => "OK\r\n");
  const sequence = session.sequence(async (run) => {
    await run("AT+CMEE=1");
    await run("AT+CMEE=0");
  });
  const other = session.command("AT+CGMI");
  await clock.until(Promise.all([sequence, other]));
  assert.deepEqual(sent, ["AT+CMEE=1\r\n", "AT+CMEE=0\r\n", "AT+CGMI\r\n"]);
});

test("steps that throw instead of returning a promise fail their sequence, and the channel goes on", async () => {
  const { clock, session, answerBy } = openWorld();
  answerBy(() => "OK\r\n");
  const refuse = () => {
    throw new ThinglineError("AT_MALFORMED", "a text that cannot be quoted");
  };
  await assert.rejects(session.sequence(refuse), (error) => isThinglineError(error, "AT_MALFORMED"));
  assert.deepEqual(await clock.until(session.command("AT")), []);
});

test("the queue is bounded", async () => {
  const { clock, session } = openWorld();
  const waiting = Array.from({ length: sessionQueueMax + 1 }, () => session.command("AT"));
  await assert.rejects(session.command("AT"), (error) => isThinglineError(error, "LIMIT_EXCEEDED"));
  const settled = Promise.allSettled(waiting);
  await clock.until(session.close());
  const outcomes = await settled;
  assert.ok(outcomes.every((outcome) => outcome.status === "rejected" && isThinglineError(outcome.reason, "CLOSED")));
  assert.equal(clock.timerCount, 0);
});

test("an answer has at most answerBytesMax in all its lines, and the next command is not concerned", async () => {
  const { clock, session, answerBy } = openWorld();
  const line = "x".repeat(1_024);
  const most = Array.from({ length: answerBytesMax / line.length }, () => line);
  let lines = most;
  answerBy(() => `${lines.join("\r\n")}\r\nOK\r\n`);
  assert.deepEqual(await clock.until(session.command("AT+CGSN")), most);
  lines = [...most, "x"];
  await assert.rejects(
    clock.until(session.command("AT+CGSN")),
    (error) => isThinglineError(error, "LIMIT_EXCEEDED") && error.details["limit"] === answerBytesMax,
  );
  lines = ["352656100367872"];
  assert.deepEqual(await clock.until(session.command("AT+CGSN")), lines);
  await clock.until(session.close());
});

test("the end of the channel fails what waits and what comes", async () => {
  const { clock, session, channel } = openWorld();
  const command = session.command("AT");
  await clock.advance(0);
  channel.destroy();
  await assert.rejects(clock.until(command), (error) => isThinglineError(error, "CONNECTION_LOST"));
  await assert.rejects(session.command("AT"), (error) => isThinglineError(error, "CONNECTION_LOST"));
});

test("the stream of URCs drops the oldest when nobody reads, and counts them", async () => {
  const { clock, session, answer } = openWorld();
  const stream = session.notifications()[Symbol.asyncIterator]();
  for (let index = 0; index < notificationsQueuedMax + 2; index++) answer(`%CESQ: ${index},0,0,0\r\n`);
  await clock.advance(0);
  assert.equal(session.counters.droppedNotifications, 2);
  assert.deepEqual(await stream.next(), { value: "%CESQ: 2,0,0,0", done: false });
  await clock.until(session.close());
  for (let index = 1; index < notificationsQueuedMax; index++) assert.equal((await stream.next()).done, false);
  assert.equal((await stream.next()).done, true);
});

test("leaving the loop over URCs unsubscribes, and an abort ends it", async () => {
  const { clock, session, answer } = openWorld();
  answer("+CSCON: 1\r\n");
  const seen: string[] = [];
  const reading = (async () => {
    for await (const line of session.notifications()) {
      seen.push(line);
      break;
    }
  })();
  await clock.until(reading);
  assert.deepEqual(seen, ["+CSCON: 1"]);
  const controller = new AbortController();
  const next = session.notifications({ signal: controller.signal })[Symbol.asyncIterator]().next();
  controller.abort();
  await assert.rejects(next, (error) => isThinglineError(error, "ABORTED"));
  const { signal } = controller;
  for (const late of [session.notifications({ signal }), session.events({ signal })]) {
    await assert.rejects(late[Symbol.asyncIterator]().next(), (error) => isThinglineError(error, "ABORTED"), "already");
  }
});

test("noise is counted and does not disturb", async () => {
  const { clock, session, answer, answerBy } = openWorld();
  answer('\x00\xff"#garbage\r\nOK\r\n');
  await clock.advance(0);
  answerBy(() => "OK\r\n");
  assert.deepEqual(await clock.until(session.command("AT")), []);
  assert.equal(session.counters.noiseLines, 2);
});
