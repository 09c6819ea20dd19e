// Programs of Debian's at the other end of a pseudo-terminal of `modem simulate`: pyserial, as Nordic's host tools use it; picocom and socat, for the
// screen that a person sees.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { runProgram, startProgram } from "../integration/cli-process.test.support.js";
import { ptyMissing } from "../integration/pty.test.support.js";
import { startLine } from "../integration/simulated-line.test.support.js";
import { missing } from "./local-cloud.test.support.js";

const fixtures = fileURLToPath(new URL("../../fixtures/x509/", import.meta.url));
const python = "/usr/bin/python3";
const pyserialMissing =
  spawnSync(python, ["-c", "import serial"], { stdio: "ignore" }).status === 0
    ? false
    : "needs Debian's python3-serial; .ci/run installs it";

test(
  "pyserial lists the link in /dev, opens it with RTS and CTS, writes three credentials and reads their digests",
  {
    skip: ptyMissing ?? pyserialMissing,
  },
  async (t) => {
    const isListed = mayMakeDevices();
    if (!isListed) t.diagnostic("only root may make links in /dev: the list of ports is left out");
    const link = isListed ? `/dev/ttyACM${900 + (process.pid % 100)}` : undefined;
    const { line, port } = await startLine(t, link === undefined ? {} : { pty: { link } });
    const script = fileURLToPath(new URL("../../conformance/pyserial-host.py", import.meta.url));
    const files = ["rsa-2048.cert.pem", "ec-p256.cert.pem", "ec-p256.pkcs8.pem"].map((name) => join(fixtures, name));
    const words = [script, port, isListed ? "listed" : "unlisted", ...files];
    const { code, stdout, stderr } = await runProgram(t, python, words);
    assert.equal(code, 0, stderr);
    const { seconds, version, ...result } = JSON.parse(stdout) as Record<string, unknown>;
    t.diagnostic(
      `pyserial ${String(version)}: three credentials written and verified in ${Number(seconds).toFixed(3)} s`,
    );
    const verified = ["OK", "OK", true];
    assert.deepEqual(result, {
      shell: "ERROR",
      imei: line.modem.identity.imei,
      verified: [verified, verified, verified],
    });
  },
);

function mayMakeDevices(): boolean {
  try {
    accessSync("/dev", constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** What a terminal shows after this output: carriage returns, line feeds and backspaces are obeyed, colours left out. */
function screenOf(output: string): string[] {
  const lines = [""];
  let column = 0;
  // eslint-disable-next-line no-control-regex -- escape sequences begin with a control.
  for (const character of output.replaceAll(/\u001B\[[0-9;?]*[A-Za-z]/g, "")) {
    const last = lines.at(-1) ?? "";
    if (character === "\r") column = 0;
    else if (character === "\n") {
      lines.push("");
      column = 0;
    } else if (character === "\b") column = Math.max(0, column - 1);
    else {
      lines[lines.length - 1] = last.slice(0, column) + character + last.slice(column + 1);
      column++;
    }
  }
  return lines.map((line) => line.trimEnd());
}

/** picocom in a terminal of its own. */
function startPicocom(t: TestContext, ...words: string[]) {
  const program = startProgram(t, "script", ["-qfec", ["picocom", "--noreset", ...words].join(" "), "/dev/null"], {
    input: "pipe",
  });
  const { stdin, stdout } = program.child;
  let output = "";
  const waiting: (() => void)[] = [];
  let hasEnded = false;
  const ended = new Promise<void>((resolve) => {
    program.child.once("close", () => {
      hasEnded = true;
      resolve();
      for (const look of waiting.splice(0)) look();
    });
  });
  stdout?.on("data", (bytes: Uint8Array) => {
    output += new TextDecoder().decode(bytes);
    for (const look of waiting.splice(0)) look();
  });
  return {
    screen: () => screenOf(output),
    type: (keys: string) => stdin?.write(keys),
    async shows(pattern: RegExp) {
      while (!pattern.test(screenOf(output).join("\n"))) {
        assert.ok(!hasEnded, `picocom has ended:\n${screenOf(output).join("\n")}`);
        await new Promise<void>((resolve) => waiting.push(resolve));
      }
    },
    ended,
  };
}

test(
  "picocom: a person types commands, with mistakes, and reads the answers",
  {
    skip: ptyMissing ?? (missing("picocom", "picocom") || missing("script", "bsdutils")),
  },
  async (t) => {
    const { line, port } = await startLine(t);
    const picocom = startPicocom(t, "--echo", port);
    await picocom.shows(/^Terminal ready$/m);
    await line.modem.at("AT+CEREG=1");
    picocom.type("AT+CGMR\r");
    await picocom.shows(/^OK$/m);
    // Backspace takes back what was mistyped, on the screen and in the modem.
    picocom.type("AT+CFUM\u007FN?\r");
    await picocom.shows(/^\+CFUN: 0\nOK$/m);
    picocom.type("AT+NOPE\r");
    await picocom.shows(/^ERROR$/m);
    picocom.type("AT+CFUN=1\r");
    await picocom.shows(/^\+CEREG: 1$/m);
    picocom.type("\u0001\u0018");
    await picocom.ended;
    const whole = picocom.screen();
    const screen = whole
      .slice(whole.indexOf("Terminal ready") + 1)
      .filter((each) => !/^$|Terminating|Skipping|Thanks/.test(each));
    const expected = ["AT+CGMR", "mfw_nrf9160_1.3.2", "OK", "AT+CFUN?", "+CFUN: 0", "OK", "AT+NOPE", "ERROR"];
    assert.deepEqual(screen.slice(0, 8), expected);
    assert.deepEqual(screen.slice(8).toSorted(), ["+CEREG: 1", "+CEREG: 2", "AT+CFUN=1", "OK"].toSorted());
  },
);

test("socat: commands in a pipe, answers out of it", { skip: ptyMissing ?? missing("socat", "socat") }, async (t) => {
  const { line, port } = await startLine(t);
  const address = `FILE:${port},raw,echo=0`;
  const socat = startProgram(t, "socat", ["-", address], { input: "pipe" });
  socat.child.stdin?.write("AT+CGSN\r");
  assert.equal((await socat.textLine((each) => /^\d{15}/.test(each))).trim(), line.modem.identity.imei);
  assert.equal((await socat.textLine((each) => each.startsWith("OK"))).trim(), "OK");
  await socat.end("SIGTERM");
});
