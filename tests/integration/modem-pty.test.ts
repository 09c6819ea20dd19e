// Everything that the modem's host side does, through the package serialport at one end of a pseudo-terminal and `modem simulate` at the other.
import assert from "node:assert/strict";
import { readlink } from "node:fs/promises";
import { test, type TestContext } from "node:test";
import {
  createLinkControl,
  createModemCredentialStore,
  createModemKeyMaker,
  openModemSession,
  readModemDescription,
  readSignalQuality,
} from "@thingline/modem";
import { openSerialPort } from "@thingline/modem/serial";
import { isThinglineError } from "@thingline/protocol";
import { codeOf, observe } from "@thingline/transport/contract";
import { amazonRootCa1 } from "@thingline/device";
import { ptyMissing } from "./pty.test.support.js";
import { hostsAtOnceMax } from "thingline/dist/simulate/doors.js";
import { adapters, openRawHost, startLine, startTcpLine } from "./simulated-line.test.support.js";

const { clock, keys, network } = adapters;
const skip = ptyMissing ?? false;

async function openSession(t: TestContext, port: string) {
  const session = openModemSession(await openSerialPort(port, { clock }), { clock });
  t.after(() => session.close());
  return session;
}

test("identity, credentials, keys and the link, through a pseudo-terminal", { skip }, async (t) => {
  const { line, port } = await startLine(t);
  const session = await openSession(t, port);
  const probe = await session.probe();
  assert.deepEqual([probe.kind, "lineEnd" in probe && probe.lineEnd], ["atHost", "\r"]);
  const { model, imei } = await readModemDescription(session);
  assert.deepEqual([model, imei], ["nRF9160-SICA", line.modem.identity.imei]);

  const store = createModemCredentialStore(session, { keys });
  const digests: string[] = [];
  // Line ends inside the quotes are content: neither end of the terminal may change them.
  const texts = [amazonRootCa1, amazonRootCa1.replaceAll("\n", "\r\n"), amazonRootCa1.trimEnd()];
  for (const [at, content] of texts.entries()) {
    await store.write(40 + at, "ca", content);
    assert.equal(await store.read(40 + at, "ca"), content);
    digests.push(((await store.digest(40 + at, "ca")) ?? "").slice(0, 8).toUpperCase());
  }
  assert.deepEqual(digests, ["2C43952E", "56AE01E6", "AD6FB002"]);
  const { requestPem } = await createModemKeyMaker(session, { keys }).makeKey(50, { subject: [["CN", "pty"]] });
  assert.match(requestPem, /^-----BEGIN CERTIFICATE REQUEST-----\n/);
  await store.delete(40, "ca");
  assert.deepEqual(
    (await store.list()).map(({ secTag, type }) => `${secTag} ${type}`),
    ["41 ca", "42 ca", "50 privateKey"],
  );

  const link = createLinkControl(session, { clock });
  await link.connect();
  const { rsrpDbm } = await readSignalQuality(session);
  assert.equal(rsrpDbm, -87);
  assert.equal(await codeOf(store.write(43, "ca", amazonRootCa1)), "CREDENTIAL_REFUSED");
  await link.offline();
  link.close();
});

test("a host hangs up and another opens the port: the modem goes on where it was", { skip }, async (t) => {
  const { port } = await startLine(t);
  const first = await openSession(t, port);
  await first.command("AT+CFUN=44");
  await first.command("AT+CMEE=1");
  await first.close();
  for (let round = 0; round < 3; round++) {
    const next = await openSession(t, port);
    assert.deepEqual([await next.command("AT+CFUN?"), await next.command("AT+CMEE?")], [["+CFUN: 44"], ["+CMEE: 1"]]);
    await next.close();
  }
});

test("a host that hangs up in the middle of a quoted text leaves the line to the next one", { skip }, async (t) => {
  const { port } = await startLine(t);
  const first = await openRawHost(t, port);
  first.write('AT+CGDCONT=0,"IPV4V6","half an acc');
  await first.connection.close();
  const next = await openSession(t, port);
  assert.equal((await next.probe()).kind, "atHost");
  assert.deepEqual(await next.command("AT+CMEE?"), ["+CMEE: 0"]);
});

test("an unplugged board is told at once, and is there again under the same name, as it was", { skip }, async (t) => {
  const { line, port, next, told } = await startLine(t);
  const session = await openSession(t, port);
  await session.command("AT+CFUN=41");
  const here = await readlink(port);
  const [away, back] = [next("unplugged"), next("back")];
  line.apply({ steps: [{ onCommand: "+CGMR", do: "unplug" }] });
  assert.equal(await codeOf(session.command("AT+CGMR")), "SERIAL_PORT_UNPLUGGED");
  await Promise.all([session.closed, away]);
  assert.equal(await codeOf(session.command("AT")), "SERIAL_PORT_UNPLUGGED");
  await back;
  const again = await openSession(t, port);
  assert.deepEqual(await again.command("AT+CFUN?"), ["+CFUN: 41"]);
  assert.deepEqual(told.slice(0, 1), ["unplugged"]);
  t.diagnostic(`was ${here}, is ${await readlink(port)}`);
});

test(
  "a board that loses its power boots from its folder: what was stored is there, the rest is not",
  { skip },
  async (t) => {
    const { line, port, next } = await startLine(t);
    line.modem.setConditions({ sim: "absent" });
    const session = await openSession(t, port);
    await createModemCredentialStore(session, { keys }).write(42, "ca", amazonRootCa1);
    await session.command("AT+CFUN=44");
    const { imei } = line.modem.identity;
    const back = next("back");
    line.apply({ steps: [{ onCommand: "+CFUN", form: "read", do: "cutPower" }] });
    assert.equal(await codeOf(session.command("AT+CFUN?")), "SERIAL_PORT_UNPLUGGED");
    await back;
    const again = await openSession(t, port);
    assert.deepEqual(await again.command("AT+CFUN?"), ["+CFUN: 0"]);
    assert.equal(await createModemCredentialStore(again, { keys }).compare(42, "ca", amazonRootCa1), true);
    assert.deepEqual([line.modem.identity.imei, line.modem.conditions.sim], [imei, "absent"]);
  },
);

test(
  "pseudo-terminal and TCP port are two ports of one modem; a TCP port takes one host at a time",
  { skip },
  async (t) => {
    const { line, port, next } = await startLine(t, { tcp: { host: "127.0.0.1", port: 0 } });
    const place = (line.place.tcp ?? "").split(":");
    const target = { host: place[0] ?? "", port: Number(place[1]) };
    const byPty = await openSession(t, port);
    const tcp = openModemSession(await network.dial(target), { clock });
    await byPty.command("AT+CFUN=41");
    assert.deepEqual(await tcp.command("AT+CFUN?"), ["+CFUN: 41"]);
    const refused = next("tcp host refused");
    const second = await network.dial(target);
    const seen = observe(second);
    await refused;
    await seen.closed;
    const left = next("tcp host left");
    await tcp.close();
    await left;
    const third = openModemSession(await network.dial(target), { clock });
    assert.deepEqual(await third.command("AT+CFUN?"), ["+CFUN: 41"]);
    const [away, back] = [next("unplugged"), next("back")];
    line.apply({ steps: [{ atMs: 0, do: "unplug" }] });
    await Promise.all([away, third.closed, byPty.closed]);
    await back;
    const fourth = openModemSession(await network.dial(target), { clock });
    assert.deepEqual(await fourth.command("AT+CFUN?"), ["+CFUN: 41"]);
    await fourth.close();
  },
);

test("of a crowd at a TCP port one host has the line, and everybody else is turned away", async (t) => {
  const { line, next } = await startTcpLine(t);
  const [host = "", port = ""] = (line.place.tcp ?? "").split(":");
  const dial = () => network.dial({ host, port: Number(port) }).catch(() => undefined);
  const crowd = await Promise.all(Array.from({ length: hostsAtOnceMax + 4 }, dial));
  const sessions = crowd
    .filter((connection) => connection !== undefined)
    .map((connection) => openModemSession(connection, { clock }));
  const isServed = await Promise.all(sessions.map((session) => session.command("AT").then(Boolean, () => false)));
  assert.equal(isServed.filter((served) => served).length, 1);
  const left = next("tcp host left");
  await Promise.all(sessions.map((session) => session.close()));
  await left;
  const later = openModemSession(await network.dial({ host, port: Number(port) }), { clock });
  assert.deepEqual(await later.command("AT"), []);
  await later.close();
});

test("all lines of a port are told, and none of a key", { skip }, async (t) => {
  const { port, told } = await startLine(t, { showsLines: true });
  const session = await openSession(t, port);
  await session.command('AT%CMNG=0,42,2,"-----BEGIN EC PRIVATE KEY-----\nMHcCAQEE\n-----END EC PRIVATE KEY-----\n"');
  await session.command("AT+CGSN");
  assert.match(
    told.join("\n"),
    /^pty > AT%CMNG=0,42,2,\(\d+ bytes\)\npty < OK\npty > AT\+CGSN\npty < \d{15}\npty < OK$/,
  );
});

test("a link that is somebody else's is not replaced, and nothing is left open", { skip }, async (t) => {
  const { port, folder } = await startLine(t);
  await assert.rejects(startLine(t, { folder: `${folder}/other`, pty: { link: port } }), (error) =>
    isThinglineError(error, "FILE_EXISTS"),
  );
  const session = await openSession(t, port);
  assert.deepEqual(await session.command("AT"), []);
  // The lock of the folder was given back.
  await startLine(t, { folder: `${folder}/other` });
});

for (const [application, lineEnd, versionCommand] of [
  ["slm-1.x", "\r\n", "AT#XSLMVER"],
  ["slm-2.x", "\r\n", "AT#XSLMVER"],
  ["serialModem", "\r", "AT#XSMVER"],
] as const) {
  test(
    `the serial modem application ${application} is behind a pseudo-terminal, and comes back`,
    { skip },
    async (t) => {
      const { line, port, next } = await startLine(t, { application });
      for (const what of ["unplug", "cutPower"] as const) {
        const session = openModemSession(await openSerialPort(port, { clock }), { clock, lineEnd });
        assert.match((await session.command(versionCommand)).join(), /^#XS(?:LM|M)VER: "?v?[0-9]/);
        assert.deepEqual(await session.command("AT+CGMM"), ["nRF9160-SICA"]);
        const [away, back] = [next(what === "unplug" ? "unplugged" : "without power"), next("back")];
        line.apply({ steps: [{ atMs: 0, do: what }] });
        await Promise.all([session.closed, away]);
        await back;
      }
      const session = openModemSession(await openSerialPort(port, { clock }), { clock, lineEnd });
      assert.deepEqual(await session.command("AT+CFUN?"), ["+CFUN: 0"]);
      await session.close();
    },
  );
}
