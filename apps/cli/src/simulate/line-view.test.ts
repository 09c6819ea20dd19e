import assert from "node:assert/strict";
import { test } from "node:test";
import { LineView, type ShownLine } from "./line-view.js";

const encode = (text: string) => new TextEncoder().encode(text);

function makeView(carriesData: boolean) {
  const lines: ShownLine[] = [];
  const terminator = carriesData ? "CR+LF" : "CR";
  return { lines, view: new LineView({ terminator, carriesData, show: (line) => lines.push(line) }) };
}

test("what goes over a port is told line by line, in any chunking", () => {
  const { lines, view } = makeView(false);
  for (const byte of encode('AT+CFUN=4\r\nAT%CMNG=0,42,2,"a\r\nb"\r')) view.fromHost(Uint8Array.of(byte));
  for (const byte of encode("OK\r\n+CEREG: 0\r\n")) view.fromModem(Uint8Array.of(byte));
  assert.deepEqual(lines, [
    { from: "host", text: "AT+CFUN=4" },
    { from: "host", text: "AT%CMNG=0,42,2,(6 bytes)" },
    { from: "modem", text: "OK" },
    { from: "modem", text: "+CEREG: 0" },
  ]);
});

test("payload of data mode is told as bytes, and a quote in it does not swallow the commands behind it", () => {
  const { lines, view } = makeView(true);
  view.fromHost(encode("AT#XSEND\r\n"));
  view.fromModem(encode("\r\nOK\r\n"));
  view.fromHost(encode('{"odd: "+++'));
  view.fromModem(encode("\r\n#XDATAMODE: 0\r\n"));
  view.fromHost(encode("AT#XRECV=1\r\n"));
  view.fromModem(encode('\r\n#XRECV: 14\r\n{"privateKey":\r\nOK\r\n'));
  assert.deepEqual(
    lines.map(({ text }) => text),
    ["AT#XSEND", "OK", "#XDATAMODE: 0", "AT#XRECV=1", "#XRECV: 14", "(14 bytes)", "OK"],
  );
});
