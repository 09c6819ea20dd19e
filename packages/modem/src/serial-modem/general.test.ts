import assert from "node:assert/strict";
import { test } from "node:test";
import { isSerialModemDialect, type SerialModemDialect, serialModemTraits } from "./dialect.js";
import { makeSerialModemWorld } from "./world.test.support.js";

const dialects = Object.keys(serialModemTraits).filter(isSerialModemDialect);

const versions: Record<SerialModemDialect, [command: string, answer: string]> = {
  "slm-1.x": ["AT#XSLMVER", "\r\n#XSLMVER: 1.2\r\n\r\nOK\r\n"],
  "slm-2.x": ["AT#XSLMVER", '\r\n#XSLMVER: "2.5.0","2.5.0-lte-5ccd2d4dd54c"\r\n\r\nOK\r\n'],
  serialModem: ["AT#XSMVER", '\r\n#XSMVER: "v2.0.0","3.4.0"\r\n\r\nOK\r\n'],
};

for (const dialect of dialects) {
  test(`${dialect}: its version, and nothing of the others'`, async () => {
    const { at } = await makeSerialModemWorld({ dialect });
    for (const [owner, [command, answer]] of Object.entries(versions)) {
      const isOwn = versions[dialect][0] === command;
      if (owner === dialect) assert.equal(await at(command), answer);
      else if (!isOwn) assert.equal(await at(command), "\r\nERROR\r\n", command);
    }
    assert.equal(await at("at"), "\r\nOK\r\n");
  });

  test(`${dialect}: answers of the modem get the application's framing`, async () => {
    const { at } = await makeSerialModemWorld({ dialect });
    assert.equal(await at("AT+CFUN?"), "\r\n+CFUN: 0\r\n\r\nOK\r\n");
    assert.equal(await at("AT+CGSN=9"), "\r\nERROR\r\n");
    assert.equal(await at("AT+CMEE=1"), "\r\nOK\r\n");
    assert.equal(await at("AT%CMNG=2,42,0"), "\r\n+CME ERROR: 513\r\n");
    assert.equal(await at("AT#XSLEEP=0"), "\r\nERROR\r\n", "commands of the application have no numbers");
  });

  test(`${dialect}: what is not a command is an error or nothing, and the next command is answered`, async () => {
    const { at, send } = await makeSerialModemWorld({ dialect });
    assert.equal(await send("\r\n"), "", "a line without anything");
    for (const line of ["AT&F", "AT+", "AT#XSOCKET=1?=", "AT+CFUN?1", "ATX", "at AT"]) {
      assert.equal(await at(line), "\r\nERROR\r\n", line);
    }
    assert.equal(await at("AT"), "\r\nOK\r\n");
  });

  test(`${dialect}: lists its commands and no other's, tells the device's UUID, and whether its log is on`, async () => {
    const { at, modem } = await makeSerialModemWorld({ dialect });
    const listed = (await at("AT#XCLAC")).split("\r\n").filter((line) => line !== "");
    assert.equal(listed.pop(), "OK");
    assert.ok(listed.length > 20 && new Set(listed).size === listed.length, listed.join(" "));
    const own = dialect === "serialModem" ? ["AT#XSMVER", "AT#XCLOSE", "ATE1"] : ["AT#XSLMVER", "AT#XSOCKETSELECT"];
    for (const name of ["AT#XCLAC", "AT#XSOCKET", ...own]) assert.ok(listed.includes(name), name);
    for (const other of dialect === "serialModem"
      ? ["AT#XSLMVER", "AT#XSOCKETSELECT"]
      : ["AT#XSMVER", "AT#XLOG", "ATE1"]) {
      assert.ok(!listed.includes(other), other);
    }
    assert.match(modem.identity.deviceUuid, /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/);
    assert.equal(await at("AT#XUUID"), `\r\n#XUUID: ${modem.identity.deviceUuid}\r\n\r\nOK\r\n`);
    const log = dialect === "serialModem" ? ["OK", "#XLOG: 1\r\n\r\nOK"] : ["ERROR", "ERROR"];
    assert.deepEqual(
      [await at("AT#XLOG=1"), await at("AT#XLOG?")],
      log.map((answer) => `\r\n${answer}\r\n`),
    );
    assert.equal(await at("AT#XLOG=2"), "\r\nERROR\r\n");
  });
}
