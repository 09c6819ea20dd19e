// What Nordic's host tools send when they start, byte for byte, and what they make of the answers: through a pseudo-terminal with the package
// serialport at one end and `modem simulate` at the other. Sequences and rules of reading are those of nrfcredstore 2.x, nrfcloud-utils, LTE
// Link Monitor and Cellular Monitor (shared/spec/nrf91-modem-and-fota.md 7.1 to 7.4).
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test, type TestContext } from "node:test";
import { amazonRootCa1 } from "@thingline/device";
import { parseCertificateRequest } from "@thingline/protocol/x509";
import { ptyMissing } from "./pty.test.support.js";
import { openRawHost, type RawHost, startLine } from "./simulated-line.test.support.js";

const skip = ptyMissing ?? false;
const sha256 = (text: string) => createHash("sha256").update(text).digest("hex").toUpperCase();

/** As nrfcredstore reads: lines are stripped; the end is a line that is OK or ERROR, or begins like a CME error; of the others it keeps those with a text. */
async function expectResponse(host: RawHost, stored = ""): Promise<{ isOk: boolean; output: string; code?: number }> {
  const text = await host.until(/^(?:OK|ERROR|\+CME ERROR: \d+)\r?\n/m);
  let output = "";
  for (const line of text.split("\n").map((each) => each.trim())) {
    if (line === "OK") return { isOk: true, output };
    if (line === "ERROR") return { isOk: false, output };
    if (line.startsWith("+CME ERROR")) {
      return { isOk: false, output, code: Number.parseInt(line.replace("+CME ERROR: ", ""), 10) };
    }
    if (stored !== "" && line.includes(stored)) output += `${line}\r\n`;
  }
  return { isOk: false, output };
}

async function openNrfcredstore(t: TestContext, port: string) {
  const host = await openRawHost(t, port);
  host.write("\r\n");
  const at = (command: string, stored?: string) => {
    // It flushes its input before each command.
    host.flush();
    host.write(`${command}\r\n`);
    return expectResponse(host, stored);
  };
  return { host, at };
}

test("nrfcredstore: finds a modem without shell, lists, writes, generates, deletes", { skip }, async (t) => {
  const { line, port } = await startLine(t);
  const { host, at } = await openNrfcredstore(t, port);
  // Shell or not: first as to a shell, which a modem must refuse. The blank line before has no answer.
  host.write("at AT+CGSN\r\n");
  assert.equal(await host.until("\n"), "ERROR\r\n");
  const { isOk, output } = await at("AT+CGSN", "");
  assert.deepEqual([isOk, output], [true, ""]);
  assert.match(await host.until("OK"), new RegExp(`^${line.modem.identity.imei}\r\nOK\r\n$`));
  assert.equal((await at("AT+CMEE=1")).isOk, true);
  assert.equal((await at("AT+CFUN=4")).isOk, true);

  const file = amazonRootCa1.trimEnd();
  assert.equal((await at(`AT%CMNG=0,42,0,"${file}"`)).isOk, true);
  const listed = await at("AT%CMNG=1", "%CMNG: ");
  const entries = listed.output
    .split("\r\n")
    .filter((each) => each !== "")
    .map((each) => each.replace("%CMNG: ", "").replaceAll('"', "").split(","));
  assert.deepEqual(entries[0], ["42", "0", sha256(file)]);
  for (const [tag, type, sha] of entries) {
    assert.ok(Number(tag) >= 0 && Number(type) >= 0 && Number(type) <= 11 && /^[0-9A-F]{64}$/.test(sha ?? ""));
  }
  assert.deepEqual(
    entries.slice(1).map(([tag]) => tag),
    ["4294967292", "4294967293", "4294967294"],
  );

  const generated = await at('AT%KEYGEN=43,2,0,"O=Test,CN=Device"', "%KEYGEN:");
  const [, blob = ""] = generated.output.split('"');
  const request = parseCertificateRequest(Buffer.from(blob.split(".")[0] ?? "", "base64url"));
  assert.equal(request.publicKey.length, 91);
  const token = await at("AT%ATTESTTOKEN", "%ATTESTTOKEN:");
  assert.match(token.output.split('"')[1] ?? "", /^[\w-]+\.[\w-]+$/);

  assert.equal((await at("AT%CMNG=3,42,0")).isOk, true);
  assert.deepEqual(await at("AT%CMNG=3,42,0"), { isOk: false, output: "", code: 513 });
  assert.deepEqual(await at("AT%CMNG=3,4294967292,11"), { isOk: false, output: "", code: 514 });
});

test("device_credentials_installer: texts with CR LF, and digests that say so", { skip }, async (t) => {
  const { port } = await startLine(t);
  const { at } = await openNrfcredstore(t, port);
  const tag = 16_842_753;
  assert.equal((await at("AT+CFUN=4")).isOk, true);
  assert.match((await at("AT+CGMR", "mfw_")).output, /^mfw_nrf9160_1\.3\.2\r\n$/);
  for (const type of [0, 1, 2]) assert.equal((await at(`AT%CMNG=3,${tag},${type}`)).isOk, false);
  const [, blob = ""] = (await at(`AT%KEYGEN=${tag},2,0,"CN=device-1"`, "%KEYGEN:")).output.split('"');
  assert.match(blob, /^[\w-]+\.[\w-]+$/);
  const formatted = amazonRootCa1.replaceAll("\r", "").replaceAll("\n", "\r\n");
  for (const type of [0, 1]) assert.equal((await at(`AT%CMNG=0,${tag},${type},"${formatted}"`)).isOk, true);
  for (const type of [0, 1, 2]) {
    const { isOk, output } = await at(`AT%CMNG=1,${tag},${type}`, `%CMNG: ${tag},${type}`);
    const [, , sha = ""] = output.split(",");
    assert.equal(isOk, true);
    if (type !== 2) assert.equal(sha.trim().replaceAll('"', ""), sha256(formatted));
    else assert.match(sha, /^"[0-9A-F]{64}"\r\n$/);
  }
});

/** LTE Link Monitor, with automatic requests: what it asks and what it takes. */
const linkMonitor: readonly (readonly [command: string, answer: RegExp])[] = [
  ["AT+CFUN?", /^\+CFUN: 4\r\nOK\r\n$/],
  // A modem that is offline is switched on at once.
  ["AT+CFUN=1", /^OK\r\n$/],
  ["AT+CFUN?", /^\+CFUN: 1\r\nOK\r\n$/],
  ["AT+CGMI", /^Nordic Semiconductor ASA\r\nOK\r\n$/],
  ["AT+CGMM", /^nRF9160-SICA\r\nOK\r\n$/],
  ["AT+CGMR", /^mfw_nrf9160_[\d.]+\r\nOK\r\n$/],
  ["AT+CGSN=1", /^\+CGSN: "\d{15}"\r\nOK\r\n$/],
  ["AT+CEMODE?", /^\+CEMODE: \d\r\nOK\r\n$/],
  ["AT%XCBAND=?", /^%XCBAND: \([\d,]+\)\r\nOK\r\n$/],
  ["AT+CMEE?", /^\+CMEE: 0\r\nOK\r\n$/],
  ["AT+CMEE=1", /^OK\r\n$/],
  ["AT+CNEC?", /^\+CNEC: \d+\r\nOK\r\n$/],
  ["AT+CNEC=24", /^OK\r\n$/],
  ["AT+CGEREP?", /^\+CGEREP: \d,\d\r\nOK\r\n$/],
  ["AT+CGDCONT?", /^\+CGDCONT: 0,"[\w-]+","[^"]*","[^"]*",0,0\r\nOK\r\n$/],
  ["AT+CGACT?", /^\+CGACT: 0,[01]\r\nOK\r\n$/],
  ["AT+CGEREP=1", /^OK\r\n$/],
  ["AT+CIND=1,1,1", /^OK\r\n$/],
  ["AT+CEREG=5", /^OK\r\n$/],
  ["AT+CEREG?", /^\+CEREG: 5,\d[^\r]*\r\nOK\r\n$/],
  ["AT%CESQ=1", /^OK\r\n$/],
  ["AT+CESQ", /^\+CESQ: 99,99,255,255,\d+,\d+\r\nOK\r\n$/],
  ["AT%XSIM=1", /^OK\r\n$/],
  ["AT%XSIM?", /^%XSIM: 1\r\nOK\r\n$/],
  ["AT+CPIN?", /^\+CPIN: READY\r\nOK\r\n$/],
  ['AT+CPINR="SIM PIN"', /^\+CPINR: "SIM PIN",3\r\nOK\r\n$/],
  ["AT+CIMI", /^\d{14,15}\r\nOK\r\n$/],
  ["AT+COPS=3,2", /^OK\r\n$/],
  ["AT+COPS?", /^\+COPS: 0,2,"\d{5,6}",7\r\nOK\r\n$/],
  ["AT%XCBAND", /^%XCBAND: \d+\r\nOK\r\n$/],
];

test("LTE Link Monitor: every automatic request has the answer that it reads", { skip }, async (t) => {
  const { line, port } = await startLine(t);
  line.apply({ set: { timing: { searchMs: 1, attachMs: 1 } } });
  await line.modem.at("AT+CFUN=4");
  const host = await openRawHost(t, port);
  // URCs come between: those that the requests have subscribed to.
  const isUrc = /^(?:%CESQ: |%XSIM: 1$|\+CEREG: [0-9],"|\+CEREG: [02](?:,|$)|\+CGEV: |\+CIEV: |\+CNEC|%MDMEV)/;
  for (const [command, expected] of linkMonitor) {
    if (command === "AT+COPS=3,2") await registered(host);
    host.flush();
    host.write(`${command}\r\n`);
    const text = await host.until(/^(?:OK|ERROR|\+CME ERROR: \d+)\r\n/m);
    const lines = text.split("\r\n").slice(0, -1);
    const name = /^AT([+%]\w+)/.exec(command)?.[1] ?? "";
    const isAsked = (each: string) => each.startsWith(name) && command.endsWith("?");
    const answer = lines.filter((each) => isAsked(each) || !isUrc.test(each)).join("\r\n");
    assert.match(`${answer}\r\n`, expected, command);
  }
});

/** It reads packet data when the modem is registered. */
async function registered(host: RawHost): Promise<void> {
  for (;;) {
    host.flush();
    host.write("AT+CEREG?\r\n");
    if (/^\+CEREG: 5,[15],/m.test(await host.until(/^OK\r\n/m))) return;
  }
}

for (const [terminator, detected] of [
  ["CR", "\r"],
  ["LF", "\n"],
  ["CR+LF", "\r\n"],
] as const) {
  test(
    `Cellular Monitor: finds that commands end with ${terminator}, that there is no shell, and reads on`,
    { skip },
    async (t) => {
      const { port } = await startLine(t, { terminator });
      const host = await openRawHost(t, port);
      host.write("AT\r");
      // It waits a second for a carriage return to be enough, and sends a line feed when it is not.
      let found: string = "\r";
      if (terminator !== "CR") {
        host.write("\n");
        found = (await host.until(/OK|ERROR/)).includes("OK") ? "\r\n" : "\n";
      } else await host.until("OK");
      assert.equal(found, detected);
      const send = async (command: string) => {
        host.flush();
        host.write(`${command}${found}`);
        // The end of an answer is either word, anywhere; the second outweighs the first.
        return host.until(/(?:OK|ERROR)\r\n/);
      };
      assert.match(await send("AT"), /^OK\r\n$/);
      assert.match(await send("at AT"), /^ERROR\r\n$/);
      for (const command of ["AT+CMEE=1", "AT+CGSN=1", "AT+CGMM", "AT+CEREG=5", "AT%XSIM=1", "AT+CESQ"]) {
        assert.match(await send(command), /OK\r\n$/, command);
      }
      for (const command of ["AT%XCONNSTAT=1", "AT+CEER", "AT%XVBATLVL=1", "AT%XPOFWARN=1,30"]) {
        assert.match(await send(command), /(?:OK|ERROR)\r\n$|\+CME ERROR/, command);
      }
    },
  );
}
