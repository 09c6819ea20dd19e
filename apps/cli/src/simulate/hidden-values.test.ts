import assert from "node:assert/strict";
import { test } from "node:test";
import { hideInAnswer, hideInCommand } from "./hidden-values.js";

const key = `-----BEGIN EC PRIVATE KEY-----\n${"MHcCAQEEIKeyMaterial0123456789abcdefABCDEFghijklmnopqrstuvwxyz+/=\n".repeat(3)}-----END EC PRIVATE KEY-----`;
const keyLine = "MHcCAQEEIKeyMaterial0123456789abcdefABCDEFghijklmnopqrstuvwxyz+/";

for (const [command, shown] of [
  ["AT", "AT"],
  ["at+cfun=1", "at+cfun=1"],
  ['AT+CGDCONT=0,"IPV4V6","internet"', 'AT+CGDCONT=0,"IPV4V6","internet"'],
  ["AT%CMNG=1,42", "AT%CMNG=1,42"],
  ["AT%CMNG=?", "AT%CMNG=?"],
  [`AT%CMNG=0,42,2,"${key}"`, `AT%CMNG=0,42,2,(${key.length + 2} bytes)`],
  [`AT%CMNG=0,42,2,"${key}`, `AT%CMNG=0,42,2,(${key.length + 1} bytes)`],
  [`at%cmng = 0,42,3,"00112233"`, `at%cmng = 0,42,3,(10 bytes)`],
  ['AT+CPIN="1234"', "AT+CPIN=(6 bytes)"],
  ["AT+CPIN=1234", "AT+CPIN=(4 bytes)"],
  ["AT%CMNG=0,42,3,00112233", "AT%CMNG=0,42,3,(8 bytes)"],
  ["AT#XSEND=0,2,0,500", "AT#XSEND=0,2,0,500"],
  ['AT#XMQTTCON=1,"user","secret","host",1883', "AT#XMQTTCON=1,(27 bytes)"],
  ['AT#XSEND="x"', "AT#XSEND=(3 bytes)"],
  ['AT#XSEND=0,0,0,"hello"', "AT#XSEND=0,0,0,(7 bytes)"],
  [`AT%NEW="${key}"`, `AT%NEW="(${key.length} bytes)"`],
  [keyLine, `(${keyLine.length} bytes)`],
  ["x", "(1 byte)"],
] as const) {
  test(`of the command ${JSON.stringify(command.slice(0, 40))} no secret is shown`, () => {
    assert.equal(hideInCommand(command), shown);
  });
}

test("of answers nothing is shown that may be a key, whatever a serial modem hands on", () => {
  for (const line of ["OK", "+CME ERROR: 513", "+CFUN: 1", "352656100367872", "mfw_nrf9160_1.3.2", "#XRECV: 120"]) {
    assert.equal(hideInAnswer(line, { carriesData: true }), line);
  }
  assert.equal(hideInAnswer("AT+CLAC", { carriesData: false }), "AT+CLAC");
  for (const line of [keyLine, "-----BEGIN EC PRIVATE KEY-----", `{"privateKey":"${keyLine}"}`]) {
    assert.equal(hideInAnswer(line, { carriesData: true }), `(${line.length} bytes)`);
  }
  assert.equal(
    hideInAnswer(`%CMNG: 42,0,"AB","${key}"`, { carriesData: false }),
    `%CMNG: 42,0,"AB","(${key.length} bytes)"`,
  );
});
