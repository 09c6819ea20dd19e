// The very commands of each dialect, and what becomes of answers: against an application that answers as the tests say.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import type { Connection } from "@thingline/transport";
import type { SerialModemDialect } from "./dialect.js";
import {
  openScriptedApplication,
  type ScriptedApplication,
  socketAnswers,
} from "./scripted-application.test.support.js";
import { createLinkControl } from "../commands/link-control.js";
import { openSerialModemSockets, serialModemSocketsMax } from "./sockets.js";
import { keepLinkAfterRestarts, linkGuardMs } from "./steady-link.js";

const target = { host: "broker.example.com", port: 8883, secTag: 42 };

async function openWorld(
  dialect: SerialModemDialect,
  answer: (line: string) => string | undefined = socketAnswers(dialect),
) {
  const application = openScriptedApplication(answer);
  const { clock, session, lines } = application;
  const sockets = await clock.until(openSerialModemSockets(session, { clock, dialect }));
  lines.length = 0;
  return { ...application, sockets };
}

/** What a connection says. */
function watch(connection: Connection) {
  const seen = { text: "", ends: [] as (string | undefined)[] };
  connection.start({
    data: (bytes) => (seen.text += String.fromCharCode(...bytes)),
    closed: (error) => seen.ends.push(error?.code),
  });
  return seen;
}

const codeIs = (code: string) => (error: unknown) => isThinglineError(error) && error.code === code;
const encode = (text: string) => new TextEncoder().encode(text);

const sessions: Readonly<Record<SerialModemDialect, readonly string[]>> = {
  "slm-1.x": [
    "AT#XSSOCKET=1,1,0,42,2,0",
    'AT#XSSOCKETOPT=1,2,"broker.example.com"',
    "AT#XSSOCKETOPT=1,12,0",
    'AT#XCONNECT="broker.example.com",8883',
    "AT#XSSOCKETOPT=0,4",
    "AT#XRECV=1,64",
    "AT#XRECV=1,64",
    "AT#XPOLL=0,3",
    "AT#XSEND",
    "<100 bytes>",
    "AT#XRECV=1,64",
    "AT#XPOLL=0,3",
    "AT#XSOCKET=0",
  ],
  "slm-2.x": [
    "AT#XSSOCKET=1,1,0,42,2,0",
    'AT#XSSOCKETOPT=1,2,"broker.example.com"',
    "AT#XSSOCKETOPT=1,12,0",
    'AT#XCONNECT="broker.example.com",8883',
    "AT#XSSOCKETOPT=0,4",
    "AT#XAPOLL=1,1",
    "AT#XRECV=1,64",
    "AT#XSEND",
    "<100 bytes>",
    "AT#XRECV=1,64",
    "AT#XSOCKET=0",
  ],
  serialModem: [
    "AT#XSSOCKET=1,1,0,42,2,0",
    'AT#XSSOCKETOPT=3,1,2,"broker.example.com"',
    "AT#XSSOCKETOPT=3,1,12,0",
    'AT#XCONNECT=3,"broker.example.com",8883',
    "AT#XSSOCKETOPT=3,0,4",
    "AT#XAPOLL=3,1,1",
    "AT#XRECV=3,0,64,1,2048",
    "AT#XSEND=3,2,0,100",
    "<100 bytes>",
    "AT#XCLOSE=3",
  ],
};

for (const dialect of ["slm-1.x", "slm-2.x", "serialModem"] as const) {
  test(`${dialect}: a secure connection names the server before it connects, and asks and sends in the dialect's words`, async () => {
    const { clock, sockets, lines, payloads } = await openWorld(dialect, socketAnswers(dialect, ["welcome"]));
    const connection = await clock.until(sockets.secTagDialer.dial(target));
    const seen = watch(connection);
    assert.deepEqual(connection.secure?.cipher, "0xC02F");
    assert.equal(connection.secure?.serverName, "broker.example.com");
    assert.equal(sockets.socketCount, 1);
    await clock.advance(1);
    assert.equal(seen.text, "welcome");
    connection.write(encode("x".repeat(60)));
    connection.write(encode("y".repeat(40)));
    await clock.advance(1);
    assert.deepEqual(payloads, ["x".repeat(60) + "y".repeat(40)], "packets of one turn go together");
    await clock.until(connection.close());
    assert.deepEqual(seen.ends, [undefined]);
    assert.deepEqual(lines, sessions[dialect]);
    assert.equal(sockets.socketCount, 0);
    await clock.until(sockets.close());
    assert.equal(clock.timerCount, 0);
  });
}

test("a plain connection has no options, and TLS by files is refused by name", async () => {
  const { clock, sockets, lines } = await openWorld("serialModem");
  await assert.rejects(
    sockets.dialer.dial({ ...target, tls: { ca: "PEM" } }),
    (error) => codeIs("OPTION_INVALID")(error) && String(error).includes("tls"),
  );
  await assert.rejects(
    sockets.secTagDialer.dial({ ...target, alpnProtocols: ["x-amzn-mqtt-ca"] }),
    codeIs("OPTION_INVALID"),
  );
  const connection = await clock.until(sockets.dialer.dial({ host: "2001:db8::1", port: 80, family: 6 }));
  assert.equal(connection.secure, undefined);
  assert.deepEqual(lines, ["AT#XSOCKET=2,1,0,0", 'AT#XCONNECT=3,"2001:db8::1",80', "AT#XAPOLL=3,1,1"]);
  await clock.until(sockets.close());
});

test("few bytes go within the command, in the dialect that takes hex digits", async () => {
  const { clock, sockets, lines } = await openWorld("serialModem");
  const connection = await clock.until(sockets.dialer.dial(target));
  watch(connection);
  connection.write(Uint8Array.of(0xc0, 0x00));
  await clock.advance(1);
  assert.ok(lines.includes('AT#XSEND=3,1,0,"c000"'), lines.join());
  await clock.until(sockets.close());
});

test("what comes is fetched when a URC says so, and a connection that is paused fetches nothing", async () => {
  const received = ["first"];
  const { clock, sockets, lines, tell } = await openWorld("serialModem", socketAnswers("serialModem", received));
  const connection = await clock.until(sockets.dialer.dial(target));
  const seen = watch(connection);
  await clock.advance(1);
  assert.equal(seen.text, "first");
  connection.pause();
  received.push("second");
  lines.length = 0;
  tell("\r\n#XAPOLL: 3,1\r\n");
  await clock.advance(1);
  assert.deepEqual(lines, []);
  connection.resume();
  await clock.advance(1);
  assert.equal(seen.text, "firstsecond");
  assert.deepEqual(lines, ["AT#XRECV=3,0,64,1,2048"]);
  await clock.until(sockets.close());
});

test("a URC that the line lost holds nothing up for long", async () => {
  const received: string[] = [];
  const { clock, sockets } = await openWorld("serialModem", socketAnswers("serialModem", received));
  const connection = await clock.until(sockets.dialer.dial(target));
  const seen = watch(connection);
  await clock.advance(1);
  received.push("late");
  await clock.advance(10_000);
  assert.equal(seen.text, "late");
  await clock.until(sockets.close());
});

test("the end of the peer ends the connection in order, after everything it sent", async () => {
  const { clock, sockets, tell, lines } = await openWorld("serialModem", socketAnswers("serialModem", ["bye", ""]));
  const connection = await clock.until(sockets.dialer.dial(target));
  const seen = watch(connection);
  tell("\r\n#XAPOLL: 3,17\r\n");
  await clock.until(connection.closed);
  assert.deepEqual(seen, { text: "bye", ends: [undefined] });
  assert.equal(lines.at(-1), "AT#XCLOSE=3");
  await clock.until(sockets.close());
});

test("an answer that holds other bytes than it announced ends the connection, and none of them are handed on", async () => {
  for (const answer of [
    // More than was announced.
    "\r\n#XRECV: 3,0,4\r\nabcXd\r\nOK\r\n",
    // Less: the end of the answer is taken for data, and the rest never comes.
    "\r\n#XRECV: 3,0,40\r\nabc\r\nOK\r\n",
  ]) {
    const answers = socketAnswers("serialModem");
    const { clock, sockets } = await openWorld("serialModem", (line) =>
      line.startsWith("AT#XRECV=") ? answer : answers(line),
    );
    const connection = await clock.until(sockets.dialer.dial(target));
    const seen = watch(connection);
    await clock.until(connection.closed);
    assert.deepEqual(seen, { text: "", ends: ["CONNECTION_LOST"] });
    await clock.until(sockets.close());
    assert.equal(sockets.socketCount, 0);
  }
});

test("a link that was wanted is switched on again after a restart of the board, and one that was not stays off", async () => {
  const { clock, session, lines, tell } = openScriptedApplication((line) =>
    line === "AT+CEREG?" ? "\r\n+CEREG: 5,1\r\n\r\nOK\r\n" : "\r\nOK\r\n",
  );
  const link = keepLinkAfterRestarts(session, createLinkControl(session, { clock }), { clock });
  const switchesOn = async () => {
    lines.length = 0;
    tell("\r\nReady\r\n");
    await clock.advance(1);
    return lines.includes("AT+CFUN=1");
  };
  assert.equal(await switchesOn(), false);
  await clock.until(link.connect());
  assert.equal(await switchesOn(), true);
  await clock.until(link.offline());
  assert.equal(await switchesOn(), false);
  link.close();
  await clock.until(session.close());
  assert.equal(clock.timerCount, 0);
});

test("a link is switched on again however often the board that starts spoils the commands for it", async () => {
  let spoilt = 0;
  const { clock, session, lines, tell } = openScriptedApplication((line) => {
    if (line === "AT+CFUN=1" && spoilt > 0) return spoilt-- === 3 ? undefined : "\r\nERROR\r\n";
    return line === "AT+CEREG?" ? "\r\n+CEREG: 5,1\r\n\r\nOK\r\n" : "\r\nOK\r\n";
  });
  const link = keepLinkAfterRestarts(session, createLinkControl(session, { clock }), { clock });
  await clock.until(link.connect());
  lines.length = 0;
  spoilt = 3;
  tell("\r\nReady\r\n");
  await clock.advance(120_000);
  assert.equal(lines.filter((line) => line === "AT+CFUN=1").length, 4);
  spoilt = 3;
  tell("\r\nReady\r\n");
  await clock.advance(1);
  lines.length = 0;
  // Its own command waits for the one that is not answered.
  await clock.until(link.offline());
  await clock.advance(600_000);
  assert.deepEqual(lines.at(-1), "AT+CFUN=4", "who wants it off is not overruled");
  link.close();
  await clock.until(session.close());
  assert.equal(clock.timerCount, 0);
});

test("a link whose board started without a word is switched on again in time, and one that is not wanted is left alone", async () => {
  let mode = 1;
  const { clock, session, lines } = openScriptedApplication((line) => {
    const set = /^AT\+CFUN=(\d)$/.exec(line)?.[1];
    if (set !== undefined) mode = Number(set);
    if (line === "AT+CFUN?") return `\r\n+CFUN: ${mode}\r\n\r\nOK\r\n`;
    return line === "AT+CEREG?" ? "\r\n+CEREG: 5,1\r\n\r\nOK\r\n" : "\r\nOK\r\n";
  });
  const link = keepLinkAfterRestarts(session, createLinkControl(session, { clock }), { clock });
  await clock.until(link.connect());
  mode = 0;
  await clock.advance(linkGuardMs + 1);
  assert.equal(mode, 1);
  await clock.until(link.offline());
  lines.length = 0;
  await clock.advance(3 * linkGuardMs);
  assert.deepEqual([mode, lines], [4, []]);
  await clock.until(link.connect());
  link.close();
  await clock.until(session.close());
  assert.equal(clock.timerCount, 0);
});

test("a socket that died is found out where no URC tells, after everything that it still holds", async () => {
  let isDead = false;
  const received = ["a"];
  const answers = socketAnswers("slm-1.x", received);
  const { clock, sockets, lines } = await openWorld("slm-1.x", (line) =>
    line.startsWith("AT#XPOLL=") && isDead ? '\r\n#XPOLL: 3,"0x0019"\r\n\r\nOK\r\n' : answers(line),
  );
  const connection = await clock.until(sockets.dialer.dial(target));
  const seen = watch(connection);
  await clock.advance(5_000);
  received.push("b");
  isDead = true;
  await clock.until(connection.closed);
  assert.deepEqual(seen, { text: "ab", ends: ["CONNECTION_LOST"] });
  assert.ok(clock.monotonicMs() < 6_000);
  assert.ok(lines.filter((line) => line.startsWith("AT#XPOLL=")).length < 20, "it does not ask without a pause");
  await clock.until(sockets.close());
});

test("a connection whose socket died says so", async () => {
  const { clock, sockets, tell } = await openWorld("serialModem");
  const connection = await clock.until(sockets.dialer.dial(target));
  const seen = watch(connection);
  await clock.advance(1);
  tell("\r\n#XAPOLL: 3,8\r\n");
  await clock.until(connection.closed);
  assert.deepEqual(seen.ends, ["CONNECTION_LOST"]);
  await clock.until(sockets.close());
});

test("a modem that starts again takes every connection with it", async () => {
  for (const urc of ["#XMODEM: INIT,0", "Ready"]) {
    const { clock, sockets, tell, lines } = await openWorld("slm-2.x");
    const connection = await clock.until(sockets.secTagDialer.dial(target));
    const seen = watch(connection);
    await clock.advance(1);
    lines.length = 0;
    tell(`\r\n${urc}\r\n`);
    await clock.until(connection.closed);
    assert.deepEqual(seen.ends, ["CONNECTION_LOST"]);
    assert.deepEqual(lines, [], "the modem has nothing to close");
    await clock.until(sockets.secTagDialer.dial(target));
    await clock.until(sockets.close());
  }
});

test("a modem whose start was lost on the line is known by a handle that is in use: no two connections share a socket", async () => {
  const { clock, sockets, lines } = await openWorld("serialModem", socketAnswers("serialModem", ["mine"]));
  const before = await clock.until(sockets.dialer.dial(target));
  const seen = watch(before);
  await clock.advance(1);
  const after = watch(await clock.until(sockets.dialer.dial(target)));
  await clock.advance(1);
  assert.deepEqual([seen.ends, after.ends], [["CONNECTION_LOST"], []]);
  assert.equal(sockets.socketCount, 1);
  assert.ok(!lines.some((line) => line.startsWith("AT#XCLOSE=")), "the new one keeps its socket");
  await clock.until(sockets.close());
  assert.equal(lines.filter((line) => line.startsWith("AT#XCLOSE=")).length, 1);
});

test("a port that is unplugged ends connections, and dials fail", async () => {
  const { clock, sockets, unplug } = await openWorld("serialModem");
  const connection = await clock.until(sockets.secTagDialer.dial(target));
  const seen = watch(connection);
  await clock.advance(1);
  unplug();
  await clock.until(connection.closed);
  assert.deepEqual(seen.ends, ["CONNECTION_LOST"]);
  await assert.rejects(clock.until(sockets.secTagDialer.dial(target)), codeIs("CONNECTION_LOST"));
  await clock.until(sockets.close());
  assert.equal(clock.timerCount, 0);
});

/** An application whose connects fail, and what it says when it is asked why. */
async function failingDial(
  replies: Readonly<Record<string, string>>,
  { secure = true, tookMs = 0 } = {},
): Promise<{
  code: string;
  message: string;
  details: Readonly<Record<string, string | number>>;
  lines: readonly string[];
}> {
  const answers = socketAnswers("serialModem");
  const application: ScriptedApplication = openScriptedApplication((line) => {
    const reply = Object.entries(replies).find(([start]) => line.startsWith(start))?.[1];
    if (reply !== undefined) return `\r\n${reply}\r\n`;
    if (!line.startsWith("AT#XCONNECT=")) return answers(line);
    if (tookMs === 0) return "\r\nERROR\r\n";
    application.clock.setTimer(tookMs, () => application.tell("\r\nERROR\r\n"));
    return undefined;
  });
  const { clock, session, lines } = application;
  const sockets = await clock.until(openSerialModemSockets(session, { clock, dialect: "serialModem" }));
  const dialling = secure
    ? sockets.secTagDialer.dial({ ...target, connectTimeoutMs: 100_000 })
    : sockets.dialer.dial(target);
  const error = await clock.until(
    dialling.then(
      () => undefined,
      (reason: unknown) => reason,
    ),
  );
  assert.ok(isThinglineError(error), String(error));
  assert.equal(sockets.socketCount, 0);
  assert.equal(
    lines.filter((line) => line.startsWith("AT#XS") && /SOCKET=/.test(line)).length,
    lines.filter((line) => line.startsWith("AT#XCLOSE=")).length,
    "what was opened was closed",
  );
  await clock.until(sockets.close());
  return { code: error.code, message: error.message, details: error.details, lines };
}

const complete = [0, 1, 2].map((type) => `%CMNG: 42,${type},"${"A".repeat(64)}"`).join("\r\n");

test("a connect that failed is explained", async () => {
  const listed = { "AT%CMNG=1": `${complete}\r\n\r\nOK`, "AT#XSOCKET=1": "#XSOCKET: 4,1,6\r\n\r\nOK" };
  const plainWorks = { ...listed, "AT#XCONNECT=4": "#XCONNECT: 4,1\r\n\r\nOK" };
  assert.deepEqual((await failingDial(plainWorks)).code, "TLS_HANDSHAKE_FAILED");
  assert.deepEqual((await failingDial(plainWorks)).details, { host: target.host, port: 8883, secTag: 42, errno: 95 });
  assert.equal((await failingDial(listed)).code, "CONNECTION_REFUSED");
  assert.equal((await failingDial(listed, { tookMs: 30_000 })).code, "TIMEOUT");
  assert.equal((await failingDial({}, { secure: false })).code, "CONNECTION_REFUSED");
  for (const [stat, words] of [
    [2, /searching for a network \(\+CEREG: 2\)/],
    [90, /the SIM card failed \(\+CEREG: 90\); check/],
    [8, /not registered \(\+CEREG says emergencyOnly\)/],
  ] as const) {
    const { code, message } = await failingDial({ "AT+CEREG?": `+CEREG: 0,${stat}\r\n\r\nOK` });
    assert.equal(code, "LINK_FAILED");
    assert.match(message, words);
  }
  assert.equal(
    (await failingDial({ "AT#XGETADDRINFO": '#XGETADDRINFO: "not found"\r\n\r\nERROR' })).code,
    "HOST_NOT_FOUND",
  );
  const noKey = { "AT%CMNG=1": `%CMNG: 42,0,"${"A".repeat(64)}"\r\n\r\nOK` };
  const missing = await failingDial(noKey);
  assert.equal(missing.code, "CREDENTIAL_MISSING");
  assert.match(String(missing.details["missing"]), /client certificate.*private key/);
});

test("a list of credentials of which the line lost a part does not make a device give up", async () => {
  let asked = 0;
  const answers = socketAnswers("serialModem");
  const { clock, sockets } = await openWorld("serialModem", (line) => {
    if (line.startsWith("AT#XCONNECT=")) return "\r\nERROR\r\n";
    if (!line.startsWith("AT%CMNG=1")) return answers(line);
    const lines = asked++ === 0 ? complete.split("\r\n")[0] : complete;
    return `\r\n${lines}\r\n\r\nOK\r\n`;
  });
  await assert.rejects(clock.until(sockets.secTagDialer.dial(target)), codeIs("CONNECTION_REFUSED"));
  await clock.until(sockets.close());
});

test("a build that tells the number of the error is believed", async () => {
  for (const [errno, code] of [
    [95, "TLS_HANDSHAKE_FAILED"],
    [22, "TLS_HANDSHAKE_FAILED"],
    [111, "CONNECTION_REFUSED"],
    [116, "TIMEOUT"],
    [118, "HOST_NOT_FOUND"],
    [5, "CONNECTION_LOST"],
  ] as const) {
    const { code: got, lines } = await failingDial({ "AT#XCONNECT=": `#XCONNECT: 3,-${errno}\r\n\r\nERROR` });
    assert.equal(got, code, String(errno));
    assert.ok(!lines.some((line) => line.startsWith("AT%CMNG")));
  }
});

test("a dial that takes too long, or is aborted, frees its user at once and closes its socket when the modem has answered", async () => {
  for (const by of ["time", "abort"] as const) {
    const answers = socketAnswers("serialModem");
    const application = openScriptedApplication((line) =>
      line.startsWith("AT#XCONNECT=") ? undefined : answers(line),
    );
    const { clock, session, lines, tell } = application;
    const sockets = await clock.until(openSerialModemSockets(session, { clock, dialect: "serialModem" }));
    const controller = new AbortController();
    const dialling = sockets.secTagDialer.dial({ ...target, connectTimeoutMs: 5_000 }, { signal: controller.signal });
    if (by === "abort") clock.setTimer(1_000, () => controller.abort());
    await assert.rejects(clock.until(dialling), codeIs(by === "time" ? "TIMEOUT" : "ABORTED"));
    assert.equal(clock.monotonicMs(), by === "time" ? 5_000 : 1_000);
    tell("\r\n#XCONNECT: 3,1\r\n\r\nOK\r\n");
    await clock.until(sockets.close());
    assert.equal(lines.at(-1), "AT#XCLOSE=3");
    assert.equal(sockets.socketCount, 0);
    assert.equal(clock.timerCount, 0);
  }
});

test("a connection that is dropped while it closes closes its socket once: the handle may be another one's by then", async () => {
  const { clock, sockets, lines } = await openWorld("serialModem");
  const connection = await clock.until(sockets.dialer.dial(target));
  watch(connection);
  await clock.advance(1);
  lines.length = 0;
  const closing = connection.close();
  for (let turn = 0; turn < 20 && lines.length === 0; turn++) await Promise.resolve();
  connection.destroy();
  await clock.until(closing);
  await clock.until(sockets.close());
  assert.deepEqual(lines, ["AT#XCLOSE=3"]);
});

test("more sockets than a modem has are refused before it is asked", async () => {
  let handle = 0;
  const answers = socketAnswers("serialModem");
  const { clock, sockets } = await openWorld("serialModem", (line) =>
    line.startsWith("AT#XSOCKET=") ? `\r\n#XSOCKET: ${handle++},1,6\r\n\r\nOK\r\n` : answers(line),
  );
  for (let count = 0; count < serialModemSocketsMax; count++) await clock.until(sockets.dialer.dial(target));
  await assert.rejects(clock.until(sockets.dialer.dial(target)), codeIs("LIMIT_EXCEEDED"));
  await clock.until(sockets.close());
  assert.equal(sockets.socketCount, 0);
});

test("sockets that an earlier program left open are closed first", async () => {
  const answers = socketAnswers("slm-1.x");
  const application = openScriptedApplication((line) =>
    line === "AT#XSOCKETSELECT?"
      ? "\r\n#XSOCKETSELECT: 0,1,0,1,-1,1,0\r\n\r\n#XSOCKETSELECT: 2,1,0,1,42,2,0\r\n\r\n#XSOCKETSELECT: 2\r\n\r\nOK\r\n"
      : answers(line),
  );
  const { clock, session, lines } = application;
  await clock.until(openSerialModemSockets(session, { clock, dialect: "slm-1.x" }));
  assert.deepEqual(lines, [
    "AT#XSOCKETSELECT?",
    "AT#XSOCKETSELECT=0",
    "AT#XSOCKET=0",
    "AT#XSOCKETSELECT=2",
    "AT#XSOCKET=0",
  ]);
});

test("noise in the first answer does not keep the sockets from being opened, and a refusal that stays does", async () => {
  const spoilt = { "slm-1.x": "AT#XSOCKETSELECT?", "slm-2.x": "AT#XSOCKETSELECT?", serialModem: "AT#XCLOSE" } as const;
  for (const dialect of ["slm-1.x", "slm-2.x", "serialModem"] as const) {
    for (const reply of ["\r\nERROR\r\n", undefined]) {
      for (const times of [1, 2]) {
        let left = times;
        const answers = socketAnswers(dialect);
        const { clock, session, lines } = openScriptedApplication((line) =>
          line === spoilt[dialect] && left-- > 0 ? reply : answers(line),
        );
        const opening = clock.until(openSerialModemSockets(session, { clock, dialect }));
        if (times === 1) await opening;
        else await assert.rejects(opening, codeIs(reply === undefined ? "TIMEOUT" : "MODEM_COMMAND_REJECTED"));
        assert.equal(lines.filter((line) => line === spoilt[dialect]).length, 2, `${dialect}, ${reply}`);
      }
    }
  }
});

test("opening the sockets of a board that does not answer is given up when the caller goes", async () => {
  for (const options of [{}, { dialect: "serialModem" }] as const) {
    const { clock, session } = openScriptedApplication(() => undefined);
    const controller = new AbortController();
    clock.setTimer(1_000, () => controller.abort());
    const opening = openSerialModemSockets(session, { clock, ...options, signal: controller.signal });
    await assert.rejects(clock.until(opening), codeIs("ABORTED"));
    assert.ok(clock.monotonicMs() <= 2_000);
    await clock.until(session.close());
    assert.equal(clock.timerCount, 0);
  }
});

/** An application that has as many sockets as a modem, and tells them. */
function countedSockets(dialect: SerialModemDialect) {
  const open = new Set<number>();
  const answers = socketAnswers(dialect);
  const information = (lines: readonly string[]) => [...lines, "OK"].map((line) => `\r\n${line}\r\n`).join("");
  let selected = -1;
  const answer = (line: string): string => {
    const opened = /^AT(#XS?SOCKET)=1,/.exec(line)?.[1];
    if (opened !== undefined) {
      const handle = [0, 1, 2, 3, 4, 5, 6, 7].find((each) => !open.has(each));
      if (handle === undefined) return "\r\nERROR\r\n";
      open.add((selected = handle));
      return information([`${opened}: ${handle},1,6`]);
    }
    if (line === "AT#XCLOSE") open.clear();
    const closed = line === "AT#XSOCKET=0" ? selected : Number(/^AT#XCLOSE=(\d)/.exec(line)?.[1] ?? -1);
    if (closed >= 0) return open.delete(closed) ? information([]) : "\r\nERROR\r\n";
    selected = Number(/^AT#XSOCKETSELECT=(\d)/.exec(line)?.[1] ?? selected);
    if (line === "AT#XSSOCKET?") return information([]);
    const read = /^AT(#XSOCKET|#XSOCKETSELECT)\?$/.exec(line)?.[1];
    return read === undefined ? answers(line) : information([...open].map((handle) => `${read}: ${handle},1,0,1,0`));
  };
  return { open, answer };
}

for (const dialect of ["slm-1.x", "slm-2.x", "serialModem"] as const) {
  test(`${dialect}: a socket whose opening or closing was spoilt on the line is closed before the next one is opened`, async () => {
    const { open, answer } = countedSockets(dialect);
    let spoils: "opening" | "closing" | undefined;
    const { clock, sockets, lines } = await openWorld(dialect, (line) => {
      if (spoils === "closing" && /^AT#X(?:CLOSE|SOCKET=0)/.test(line)) return "\r\nERROR\r\n";
      const reply = answer(line);
      return spoils === "opening" && line.startsWith("AT#XSOCKET=1") ? "\r\n~\r\nOK\r\n" : reply;
    });
    const kept = await clock.until(sockets.dialer.dial(target));
    watch(kept);
    for (let count = 0; count < 2 * serialModemSocketsMax; count++) {
      spoils = count % 2 === 0 ? "opening" : "closing";
      const dialled = await clock.until(sockets.dialer.dial(target).catch(codeIs("MODEM_RESPONSE_INVALID")));
      if (typeof dialled === "boolean") assert.ok(dialled);
      else {
        watch(dialled);
        await clock.until(dialled.close());
      }
      spoils = undefined;
    }
    lines.length = 0;
    const last = await clock.until(sockets.dialer.dial(target));
    watch(last);
    assert.equal(open.size, 2, "the one that is used, and the new one");
    await clock.until(last.close());
    lines.length = 0;
    await clock.until(sockets.dialer.dial(target));
    assert.ok(!lines.some((line) => line.endsWith("?")), "nothing is looked for when nothing was spoilt");
    await clock.until(sockets.close());
    assert.equal(open.size, 0);
  });
}

test("sockets that nobody here knows of are closed when the modem has no more", async () => {
  const { open, answer } = countedSockets("serialModem");
  const { clock, sockets } = await openWorld("serialModem", answer);
  watch(await clock.until(sockets.dialer.dial(target)));
  for (let handle = 0; handle < serialModemSocketsMax; handle++) open.add(handle);
  watch(await clock.until(sockets.dialer.dial(target)));
  assert.equal(open.size, 2);
  await clock.until(sockets.close());
});

test("two connections of a dialect without names select their socket when it is another one", async () => {
  let handle = 0;
  const answers = socketAnswers("slm-2.x");
  const { clock, sockets, lines } = await openWorld("slm-2.x", (line) =>
    line.startsWith("AT#XSOCKET=1") ? `\r\n#XSOCKET: ${++handle},1,6\r\n\r\nOK\r\n` : answers(line),
  );
  const first = await clock.until(sockets.dialer.dial(target));
  const second = await clock.until(sockets.dialer.dial(target));
  for (const connection of [first, second]) watch(connection);
  await clock.advance(1);
  lines.length = 0;
  first.write(encode("one"));
  await clock.advance(1);
  first.write(encode("more"));
  await clock.advance(1);
  assert.deepEqual(
    lines.filter((line) => line.startsWith("AT#XSOCKETSELECT") || line.startsWith("<")),
    ["AT#XSOCKETSELECT=1", "<3 bytes>", "<4 bytes>"],
  );
  await clock.until(sockets.close());
});

test("what answers is named when it has no sockets", async () => {
  for (const [reply, code] of [
    ["OK\r\n", "MODEM_APPLICATION_MISSING"],
    [undefined, "MODEM_NOT_FOUND"],
  ] as const) {
    const { clock, session } = openScriptedApplication(() => reply);
    await assert.rejects(clock.until(openSerialModemSockets(session, { clock })), codeIs(code));
  }
});
