import assert from "node:assert/strict";
import { test } from "node:test";
import { signImage } from "@thingline/protocol/image";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeKeys } from "@thingline/transport/node";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { makeSimulatedModemDelta } from "../simulator/delta-image.js";
import { firmwareAreaBytes, firmwareEraseMs } from "../simulator/firmware-area.js";
import { makeSimulatedModemPackage } from "./dfu-modem-package.js";
import { applicationSlotBytes } from "./dfu-updates.js";
import type { SerialModemDialect } from "./dialect.js";
import { fotaFragmentBytes, fotaHeadBytesMax, fotaRetriesMax } from "./fota-download.js";
import { fotaReceiveTimeoutMs } from "./fota-response.js";
import { eraseWaitMs } from "./fota.js";
import { type FileAnswers, makePeerWorld, type PeerWorldOptions, register, serveFiles } from "./peers.test.support.js";

const ok = "\r\nOK\r\n";
const error = "\r\nERROR\r\n";
const dialects: SerialModemDialect[] = ["slm-1.x", "slm-2.x", "serialModem"];
const from = "mfw_nrf9160_1.3.2";
const to = "mfw_nrf9160_1.3.7";
const crypto = createNodeImageCrypto();

async function applicationImage(version: string, sizeBytes = 10_000): Promise<Uint8Array> {
  const [major = 0, minor = 0, revision = 0] = version.split(".").map(Number);
  return signImage(new Uint8Array(sizeBytes).fill(7), {
    crypto,
    version: { major, minor, revision, build: 0 },
    headerBytes: 512,
    padsHeader: true,
  });
}

const application = await applicationImage("3.1.4");
const delta = makeSimulatedModemDelta({ from, to, sizeBytes: 5_000 });
const wholeModem = makeSimulatedModemPackage({ to: "mfw_nrf9160_1.3.9" });

async function makeWorld(options: PeerWorldOptions & { odd?: FileAnswers["odd"] } = {}) {
  const { odd, ...rest } = options;
  const answers: FileAnswers = {
    files: { "/app.bin": application, "/delta.bin": delta, "/full.cbor": wholeModem, "/q?a=b": application },
    requests: [],
    ...(odd && { odd }),
  };
  const world = await makePeerWorld({ onData: serveFiles(answers), ...rest });
  const start = async (operation: number, path: string): Promise<string> => {
    const answer = await world.at(`AT#XFOTA=${operation},"http://files.example/${path}"`);
    await world.clock.settle();
    return `${answer}${world.take()}`;
  };
  const restart = async (): Promise<string> => {
    const answer = await world.at("AT#XRESET");
    await world.clock.advance(1000);
    return `${answer}${world.take()}`;
  };
  const restartModem = async (): Promise<string> => {
    const answer = await world.at("AT#XMODEMRESET");
    await world.clock.settle();
    return `${answer}${world.take()}`;
  };
  return { ...world, answers, start, restart, restartModem };
}

const ready = `${ok}Ready\r\n`;

/** The URCs, without their framing. */
function lines(text: string): string[] {
  return text.split("\r\n").filter((line) => line !== "" && line !== "OK");
}

for (const dialect of dialects) {
  test(`${dialect}: an application is downloaded, and runs after a restart`, async () => {
    const { at, answers, start, restart } = await makeWorld({ dialect });
    const told = lines(await start(1, "app.bin"));
    const percents = told.slice(0, -1).map((line) => Number(/^#XFOTA: 1,0,(\d+)$/.exec(line)?.[1]));
    assert.deepEqual(
      percents,
      [...percents].sort((a, b) => a - b),
    );
    assert.equal(percents.at(-1), 100);
    assert.equal(told.at(-1), "#XFOTA: 4,0");
    assert.deepEqual(answers.requests, ["GET /app.bin HTTP/1.1"]);
    assert.equal(await at("AT#XFOTA=0"), error, "nothing is downloaded any more");
    assert.equal(await restart(), `${ready}\r\n#XFOTA: 5,0\r\n`);
    assert.equal(await restart(), ready, "it is told once");
  });

  test(`${dialect}: a delta of the modem is downloaded, and AT+CGMR tells the new version`, async () => {
    const { at, start, restart, restartModem } = await makeWorld({ dialect });
    assert.equal(await at("AT#XFOTA=7"), `\r\n#XFOTA: ${firmwareAreaBytes},0\r\n${ok}`);
    assert.equal(lines(await start(2, "delta.bin")).at(-1), "#XFOTA: 4,0");
    assert.equal(await at("AT#XFOTA=7"), `\r\n#XFOTA: ${firmwareAreaBytes},5000\r\n${ok}`);
    if (dialect === "slm-1.x") {
      assert.equal(await restart(), `${ready}\r\n#XFOTA: 5,0\r\n`);
    } else {
      const [result, answer] = ["\r\n#XFOTA: 5,0\r\n", `\r\n#XMODEMRESET: 0\r\n${ok}`];
      // The Serial Modem sends no URC while a command is executed.
      assert.equal(await restartModem(), dialect === "serialModem" ? `${answer}${result}` : `${result}${answer}`);
    }
    assert.equal(await at("AT+CGMR"), `\r\n${to}\r\n${ok}`);
    assert.equal(await at("AT#XFOTA=7"), `\r\n#XFOTA: ${firmwareAreaBytes},${firmwareAreaBytes}\r\n${ok}`);
  });

  test(`${dialect}: says which operations it has, and refuses the others'`, async () => {
    const { at } = await makeWorld({ dialect });
    const forms = {
      "slm-1.x": "(0,1,2,6,7,8,9),<file_uri>,<sec_tag>,<apn>",
      "slm-2.x": "(0,1,2,7,9,3)[,<file_url>[,<sec_tag>[,<pdn_id>]]]",
      serialModem: "(0,1,2,3,5,7,9)[,<file_url>[,<sec_tag>[,<pdn_id>]]]",
    };
    assert.equal(await at("AT#XFOTA=?"), `\r\n#XFOTA: ${forms[dialect]}\r\n${ok}`);
    const others = { "slm-1.x": [3, 4, 5], "slm-2.x": [4, 5, 6, 8], serialModem: [4, 6, 8, 10] }[dialect];
    for (const operation of others) {
      assert.equal(await at(`AT#XFOTA=${operation},"http://files.example/app.bin"`), error, String(operation));
    }
    assert.equal(await at("AT#XFOTA?"), error);
  });
}

test("SLM of 2022 reads what lies in both slots, and erases the second", async () => {
  const { at, start, restart } = await makeWorld({ dialect: "slm-1.x" });
  const first = '\r\n#XFOTA: 3,1,295288,"0.0.0+0"\r\n';
  assert.equal(await at("AT#XFOTA=6"), `${first}${ok}`);
  await start(1, "app.bin");
  const second = '\r\n#XFOTA: 7,1,10000,"3.1.4+0"\r\n';
  assert.equal(await at("AT#XFOTA=6"), `${first}${second}${ok}`);
  await restart();
  assert.equal(await at("AT#XFOTA=6"), `\r\n#XFOTA: 3,1,10000,"3.1.4+0"\r\n\r\n#XFOTA: 7,1,295288,"0.0.0+0"\r\n${ok}`);
  assert.equal(await at("AT#XFOTA=8"), ok);
  assert.equal(await at("AT#XFOTA=6"), `\r\n#XFOTA: 3,1,10000,"3.1.4+0"\r\n${ok}`);
});

test("the whole firmware of the modem is downloaded, and a damaged one is not applied", async () => {
  const { at, start, answers, restartModem } = await makeWorld();
  assert.equal(lines(await start(3, "full.cbor")).at(-1), "#XFOTA: 4,0");
  assert.equal(await at('AT#XFOTA=1,"http://files.example/app.bin"'), error, "one waits for its restart");
  assert.match(await restartModem(), /#XFOTA: 5,0\r\n/);
  assert.equal(await at("AT+CGMR"), `\r\nmfw_nrf9160_1.3.9\r\n${ok}`);
  const damaged = wholeModem.slice();
  damaged[damaged.length - 1] = (damaged.at(-1) ?? 0) ^ 1;
  answers.files["/full.cbor"] = damaged;
  await at("AT+CFUN=1");
  const again = await makeWorld();
  again.answers.files["/full.cbor"] = damaged;
  assert.equal(lines(await again.start(3, "full.cbor")).at(-1), "#XFOTA: 4,0");
  assert.match(await again.restartModem(), /#XFOTA: 5,1,71303171\r\n/);
  assert.equal(await again.at("AT+CGMR"), `\r\n${from}\r\n${ok}`);
});

test("a bootloader whose version rises is started from the other slot, and one whose does not is not", async () => {
  const world = await makeWorld();
  const { at, start, answers, restart } = world;
  answers.files["/boot.bin"] = await applicationImage("2.0.0");
  assert.equal(await at("AT#XBOOTINFO=1"), `\r\n#XBOOTINFO: 0\r\n${ok}`);
  for (const result of ["#XFOTA: 5,0", "#XFOTA: 5,1,1"]) {
    assert.equal(lines(await start(5, "boot.bin")).at(-1), "#XFOTA: 4,0");
    assert.equal(await restart(), `${ready}\r\n${result}\r\n`);
    assert.equal(await at("AT#XBOOTINFO=0"), `\r\n#XBOOTINFO: 2\r\n${ok}`);
    assert.equal(await at("AT#XBOOTINFO=1"), `\r\n#XBOOTINFO: 1\r\n${ok}`);
    await register(world);
  }
});

test("an application that MCUboot refuses does not run: SLM of 2022 tells, later ones say nothing", async () => {
  const damaged = application.slice();
  damaged[600] = 0;
  for (const [dialect, told] of [
    ["slm-1.x", "\r\n#XFOTA: 5,1,-9\r\n"],
    ["slm-2.x", ""],
    ["serialModem", ""],
  ] as const) {
    const { start, answers, restart } = await makeWorld({ dialect });
    answers.files["/app.bin"] = damaged;
    await start(1, "app.bin");
    assert.equal(await restart(), `${ready}${told}`, dialect);
  }
  const older = await makeWorld();
  older.answers.files["/app.bin"] = await applicationImage("1.9.9");
  await older.start(1, "app.bin");
  assert.equal(await older.restart(), ready, "an older version than v2.0.0");
  assert.equal(await older.at("AT#XSMVER"), `\r\n#XSMVER: "v2.0.0","3.4.0"\r\n${ok}`);
});

test("an application that crashes is taken back", async () => {
  const { at, start, restart } = await makeWorld({ dialect: "slm-1.x", updatedApplication: "crashes" });
  await start(1, "app.bin");
  assert.equal(await restart(), `${ready}\r\n#XFOTA: 5,3\r\n`);
  assert.match(await at("AT#XFOTA=6"), /3,1,295288,"0\.0\.0\+0"\r\n[^]*7,1,10000,"3\.1\.4\+0"/);
});

test("the version of the Serial Modem is that of the image that runs", async () => {
  const { at, start, restart } = await makeWorld();
  await start(1, "app.bin");
  await restart();
  assert.equal(await at("AT#XSMVER"), `\r\n#XSMVER: "v3.1.4","3.4.0"\r\n${ok}`);
});

test("a delta that the modem does not apply is told with its number", async () => {
  const damaged = delta.slice();
  damaged[4_000] = (damaged[4_000] ?? 0) ^ 1;
  const { start, answers, restartModem } = await makeWorld();
  answers.files["/delta.bin"] = damaged;
  await start(2, "delta.bin");
  assert.match(await restartModem(), /\r\n#XFOTA: 5,1,71303171\r\n/);
  const low = await makeWorld({ modem: { isVoltageLow: true } });
  await low.start(2, "delta.bin");
  assert.match(await low.restartModem(), /\r\n#XFOTA: 4,1,71303173\r\n/);
  assert.match(await low.restartModem(), /\r\n#XFOTA: 4,1,71303173\r\n/, "it tries again");
});

test("an image of another kind, of another modem, too large, or none at all is refused", async () => {
  const large = new Uint8Array(applicationSlotBytes + 1);
  large.set(application);
  const cases: [operation: number, file: Uint8Array, told: string][] = [
    [1, delta, "#XFOTA: 0,1,3"],
    [2, application, "#XFOTA: 0,1,3"],
    [3, application, "#XFOTA: 0,1,3"],
    [1, new Uint8Array(100), "#XFOTA: 0,1,2"],
    [1, application.slice(0, 31), "#XFOTA: 0,1,2"],
    [1, large, "#XFOTA: 0,1,2"],
    [2, makeSimulatedModemDelta({ from: to, to: from, sizeBytes: 5_000 }), "#XFOTA: 0,1,2"],
    [2, delta.slice(0, 4_000), "#XFOTA: 1,1,2"],
  ];
  for (const [index, [operation, file, told]] of cases.entries()) {
    const { start, answers } = await makeWorld();
    answers.files["/file"] = file;
    assert.equal(lines(await start(operation, "file")).at(-1), told, `case ${index}`);
  }
});

test("an image of exactly the slot's size is taken", async () => {
  const { start, answers } = await makeWorld();
  const whole = new Uint8Array(applicationSlotBytes);
  whole.set(application);
  answers.files["/app.bin"] = whole;
  assert.equal(lines(await start(1, "app.bin")).at(-1), "#XFOTA: 4,0");
});

const certificates = await makeTestCertificates(createNodeKeys());

/** A serial modem with the credentials of a file server under tag 42. */
async function makeSecureWorld() {
  const world = await makeWorld();
  await world.at("AT+CFUN=4");
  await world.at(`AT%CMNG=0,42,0,"${certificates.ca.certificatePem}"`);
  await world.at(`AT%CMNG=0,42,1,"${certificates.client.certificatePem}"`);
  await world.at(`AT%CMNG=0,42,2,"${certificates.client.privateKeyPem}"`);
  await register(world);
  const startSecure = async (): Promise<string> => {
    const answer = await world.at('AT#XFOTA=2,"https://files.example:8443/delta.bin",42');
    await world.clock.settle();
    return `${answer}${world.take()}`;
  };
  return { ...world, startSecure };
}

test("over TLS ranges of 1 KB are asked for, on one connection", async () => {
  const { at, answers, peers, startSecure } = await makeSecureWorld();
  assert.equal(await at('AT#XFOTA=2,"https://files.example:8443/delta.bin"'), `\r\n#XFOTA: 1,1,-22\r\n${error}`);
  assert.equal(lines(await startSecure()).at(-1), "#XFOTA: 4,0");
  assert.equal(peers.length, 1);
  assert.deepEqual([peers[0]?.target.port, peers[0]?.target.tls?.serverName], [8443, "files.example"]);
  const size = fotaFragmentBytes.tls;
  const ranges = Array.from({ length: 5 }, (_none, index) => [index * size, Math.min((index + 1) * size, 5_000) - 1]);
  assert.deepEqual(
    answers.requests,
    ranges.map(([first, last]) => `GET /delta.bin HTTP/1.1 ${first}-${last}`),
  );
});

test("a server that ends its connection behind each range is connected to for the next", async () => {
  const { answers, peers, startSecure } = await makeSecureWorld();
  answers.closes = true;
  assert.equal(lines(await startSecure()).at(-1), "#XFOTA: 4,0");
  assert.equal(peers.length, 5);
});

test("a lost connection is made again where it was, so many times", async () => {
  const cut = (times: number): FileAnswers["odd"] => {
    return (peer, { count }) => {
      if (count > times) return false;
      peer.send(
        `HTTP/1.1 ${count === 1 ? 200 : 206} OK\r\nContent-Length: ${application.length - (count - 1) * 2048}\r\n`,
      );
      peer.send(`Content-Range: bytes ${(count - 1) * 2048}-${application.length - 1}/${application.length}\r\n\r\n`);
      peer.send(application.subarray((count - 1) * 2048, count * 2048));
      peer.close();
      return true;
    };
  };
  const { answers, start } = await makeWorld({ odd: cut(fotaRetriesMax) });
  assert.equal(lines(await start(1, "app.bin")).at(-1), "#XFOTA: 4,0");
  assert.deepEqual(answers.requests, [
    "GET /app.bin HTTP/1.1",
    "GET /app.bin HTTP/1.1 2048-",
    "GET /app.bin HTTP/1.1 4096-",
  ]);
  const lost = await makeWorld({ odd: cut(fotaRetriesMax + 1) });
  assert.equal(lines(await lost.start(1, "app.bin")).at(-1), "#XFOTA: 1,1,1");
});

test("a server that answers otherwise than it should ends the download", async () => {
  const odd = (text: string): FileAnswers["odd"] => {
    return (peer) => {
      peer.send(text);
      return true;
    };
  };
  const answers = [
    "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 302 Found\r\nLocation: /\r\nContent-Length: 0\r\n\r\n",
    "HTTP/1.1 206 Partial\r\nContent-Length: 10\r\nContent-Range: bytes 0-9/10\r\n\r\n",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
    "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    "SSH-2.0\r\n\r\n",
    `HTTP/1.1 200 OK\r\nA: ${"x".repeat(fotaHeadBytesMax)}`,
  ];
  for (const answer of answers) {
    const { start } = await makeWorld({ odd: odd(answer) });
    const told = lines(await start(1, "app.bin")).at(-1);
    // Nothing at all is an image without a byte.
    assert.equal(told, answer.includes("200 OK\r\nContent-Length: 0") ? "#XFOTA: 4,0" : "#XFOTA: 0,1,1", answer);
  }
  const silent = await makeWorld({ odd: () => true });
  await silent.start(1, "app.bin");
  await silent.clock.advance(fotaReceiveTimeoutMs * (fotaRetriesMax + 1));
  assert.equal(silent.take(), "\r\n#XFOTA: 0,1,1\r\n");
  const closing = await makeWorld({
    odd: (peer) => {
      peer.close();
      return true;
    },
  });
  assert.equal(lines(await closing.start(1, "app.bin")).at(-1), "#XFOTA: 0,1,1");
});

test("a download is stopped, and goes on where it was when it is started again", async () => {
  let isHeld = true;
  const odd: FileAnswers["odd"] = (peer, { path }) => {
    if (!isHeld || path !== "/app.bin") return false;
    peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${application.length}\r\n\r\n`);
    peer.send(application.subarray(0, 4_096));
    return true;
  };
  const { at, start, answers, restart } = await makeWorld({ odd });
  assert.equal(lines(await start(1, "app.bin")).at(-1), "#XFOTA: 1,0,38");
  assert.equal(await at('AT#XFOTA=1,"http://files.example/app.bin"'), `\r\n#XFOTA: 1,1,-120\r\n${error}`, "it runs");
  assert.equal(await at("AT#XDFUINIT=0,100"), error, "and has the slot");
  assert.equal(await at("AT#XFOTA=0"), `${ok}\r\n#XFOTA: 1,2\r\n`);
  isHeld = false;
  assert.equal(lines(await start(1, "app.bin")).at(-1), "#XFOTA: 4,0");
  assert.equal(answers.requests.at(-1), "GET /app.bin HTTP/1.1 4096-");
  assert.equal(await restart(), `${ready}\r\n#XFOTA: 5,0\r\n`);
});

test("another file, and SLM of 2022, begin from the beginning", async () => {
  for (const [dialect, path] of [
    ["serialModem", "q?a=b"],
    ["slm-1.x", "app.bin"],
  ] as const) {
    let isHeld = true;
    const odd: FileAnswers["odd"] = (peer) => {
      if (!isHeld) return false;
      peer.send(`HTTP/1.1 200 OK\r\nContent-Length: ${application.length}\r\n\r\n`);
      peer.send(application.subarray(0, 4_096));
      return true;
    };
    const { at, start, answers, clock, take } = await makeWorld({ dialect, odd });
    await start(1, "app.bin");
    await at("AT#XFOTA=0");
    await clock.settle();
    isHeld = false;
    take();
    assert.equal(lines(await start(1, path)).at(-1), "#XFOTA: 4,0");
    assert.equal(answers.requests.at(-1), `GET /${path} HTTP/1.1`);
  }
});

test("a used area of the modem is erased first, which takes its time and can be stopped", async () => {
  const world = await makeWorld();
  const { start, clock, take, modem, restartModem } = world;
  await start(2, "delta.bin");
  await restartModem();
  await register(world);
  const next = makeSimulatedModemDelta({ from: to, to: "mfw_nrf9160_1.3.8", sizeBytes: 5_000 });
  world.answers.files["/delta.bin"] = next;
  assert.deepEqual(lines(await start(2, "delta.bin")), []);
  await clock.advance(1);
  assert.equal(take(), "\r\n#XFOTA: 2,0\r\n");
  await clock.advance(2 * firmwareEraseMs);
  const told = lines(take());
  assert.deepEqual([told[0], told.at(-1)], ["#XFOTA: 3,0", "#XFOTA: 4,0"]);
  assert.equal((await modem.firmware.state()).isScheduled, true);
});

test("stopping within the erasure ends the download as stopped", async () => {
  const world = await makeWorld();
  const { at, start, clock, take, restartModem } = world;
  await start(2, "delta.bin");
  await restartModem();
  await register(world);
  await start(2, "delta.bin");
  await clock.advance(10);
  take();
  assert.equal(await at("AT#XFOTA=0"), `${ok}\r\n#XFOTA: 2,2\r\n`);
});

test("erasing by command waits for the modem, as long as the application does", async () => {
  const dirty = async (dialect: SerialModemDialect) => {
    const world = await makeWorld({ dialect });
    assert.equal(await world.at("AT#XFOTA=9"), ok, "nothing to erase");
    await world.start(2, "delta.bin");
    await world.restart();
    return world;
  };
  const offline = await dirty("serialModem");
  assert.equal(await offline.at("AT#XFOTA=9", { limitMs: 2 * firmwareEraseMs }), ok);
  assert.equal(await offline.at("AT#XFOTA=7"), `\r\n#XFOTA: ${firmwareAreaBytes},0\r\n${ok}`);
  const online = await dirty("serialModem");
  await register(online);
  const before = online.clock.monotonicMs();
  assert.equal(await online.at("AT#XFOTA=9", { limitMs: 2 * firmwareEraseMs }), error);
  assert.ok(online.clock.monotonicMs() - before >= eraseWaitMs.serialModem);
  assert.equal(await online.at("AT#XFOTA=9", { limitMs: 2 * firmwareEraseMs }), ok, "it went on");
  const first = await dirty("slm-1.x");
  assert.equal(await first.at("AT#XFOTA=9", { limitMs: firmwareEraseMs }), error, "20 s are too few");
});

test("what was downloaded outlives a power cut", async () => {
  const files = createVirtualFiles();
  const before = await makeWorld({ files, folder: "application", modem: { files, folder: "modem" } });
  await before.start(1, "app.bin");
  before.modem.cutPower();
  await before.clock.advance(1);
  assert.equal(before.closedBy(), "CONNECTION_LOST");
  const after = files.restart();
  const { at, take } = await makePeerWorld({
    files: after,
    folder: "application",
    modem: { files: after, folder: "modem" },
  });
  assert.equal(take(), "");
  assert.equal(await at("AT#XSMVER"), `\r\n#XSMVER: "v3.1.4","3.4.0"\r\n${ok}`);
});

test("URLs are http or https, with a path, and have their limits", async () => {
  const { at } = await makeWorld({ dialect: "slm-2.x" });
  const wrong = [
    "ftp://a/b",
    "http://a",
    "http:///b",
    "http://a:99999/b",
    "a/b",
    "http://a b/c",
    "http://u@a/b",
    "http://a/b#c",
  ];
  for (const url of wrong) assert.equal(await at(`AT#XFOTA=1,"${url}"`), error, url);
  assert.equal(await at("AT#XFOTA=1"), error);
  assert.equal(await at('AT#XFOTA=1,"https://a/b"'), error, "no security tag");
});

test("nothing is left when the application ends in the middle of a download", async () => {
  const { start, application: running, modem, clock, peers } = await makeWorld({ odd: () => true });
  await start(1, "app.bin");
  await clock.until(running.close());
  await clock.until(modem.close());
  assert.notEqual(peers[0]?.closedBy, undefined);
  assert.equal(clock.timerCount, 0);
});
