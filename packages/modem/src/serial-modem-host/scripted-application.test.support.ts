import { createConnectionPair } from "@thingline/transport";
import { createVirtualClock, type VirtualClock } from "@thingline/transport/virtual";
import { type ModemSession, openModemSession } from "../session.js";
import { dialectTraits, type SerialModemDialect } from "./dialect.js";

/** An application that answers as a test says, command by command. */
export interface ScriptedApplication {
  clock: VirtualClock;
  session: ModemSession;
  /** Every command, and `<n bytes>` for what came in data mode. */
  lines: string[];
  /** What came in data mode, as Latin-1. */
  payloads: string[];
  /** URCs and whatever else nobody asked for. */
  tell: (text: string) => void;
  /** The line goes away. */
  unplug: () => void;
}

/** @param answer what a command is answered with, framing included; undefined: nothing. */
export function openScriptedApplication(answer: (line: string) => string | undefined): ScriptedApplication {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  const { near, far } = createConnectionPair({ clock });
  const lines: string[] = [];
  const payloads: string[] = [];
  const tell = (text: string) => void far.write(Uint8Array.from(text, (char) => char.charCodeAt(0)));
  let dataMode: { bytesLeft: number | undefined; payload: string } | undefined;
  const endDataMode = (payload: string) => {
    dataMode = undefined;
    payloads.push(payload);
    lines.push(`<${payload.length} bytes>`);
    tell("\r\n#XDATAMODE: 0\r\n");
  };
  const onPayload = (text: string): void => {
    if (dataMode === undefined) return;
    dataMode.payload += text;
    const { payload, bytesLeft } = dataMode;
    if (bytesLeft === undefined && payload.endsWith("+++")) endDataMode(payload.slice(0, -3));
    else if (bytesLeft !== undefined && payload.length === bytesLeft) endDataMode(payload);
  };
  const onCommand = (line: string): void => {
    lines.push(line);
    const counted = /^AT#XSEND=\d+,2,0,(\d+)$/.exec(line);
    if (line === "AT#XSEND" || counted !== null) {
      dataMode = { bytesLeft: counted === null ? undefined : Number(counted[1]), payload: "" };
      tell("\r\nOK\r\n");
      return;
    }
    const reply = answer(line);
    if (reply !== undefined) tell(reply);
  };
  far.start({
    data: (bytes) => {
      const text = String.fromCharCode(...bytes);
      if (dataMode !== undefined) onPayload(text);
      else for (const line of text.split("\r\n")) if (line !== "") onCommand(line);
    },
    closed: () => undefined,
  });
  return { clock, session: openModemSession(near, { clock }), lines, payloads, tell, unplug: () => far.destroy() };
}

/** Answers as an application whose sockets all connect; `received` is what each receive brings, then nothing. */
export function socketAnswers(dialect: SerialModemDialect, received: string[] = []): (line: string) => string {
  const { namesSockets } = dialectTraits[dialect];
  const ok = "\r\nOK\r\n";
  const information = (line: string) => `\r\n${line}\r\n${ok}`;
  return (line) => {
    if (line === "AT+CEREG?") return information("+CEREG: 0,1");
    if (/^AT#XSSOCKET=\d,/.test(line)) return information("#XSSOCKET: 3,1,258");
    if (/^AT#XSOCKET=\d,/.test(line)) return information("#XSOCKET: 3,1,6");
    if (line === "AT#XSOCKET=0") return information('#XSOCKET: 0,"closed"');
    if (line.startsWith("AT#XCONNECT=")) return information(namesSockets ? "#XCONNECT: 3,1" : "#XCONNECT: 1");
    if (/^AT#XSSOCKETOPT=(?:\d,)?0,4$/.test(line)) return information(`#XSSOCKETOPT: ${namesSockets ? "3," : ""}49199`);
    if (line.startsWith("AT#XRECV=")) {
      const data = received.shift();
      if (data === undefined) return "\r\nERROR\r\n";
      if (data === "") return ok;
      return `\r\n#XRECV: ${namesSockets ? "3,0," : ""}${data.length}\r\n${data}${ok}`;
    }
    const text = /^AT#XSEND=(?:3,\d,0,)?"(.*)"$/.exec(line)?.[1];
    if (text !== undefined) {
      const bytes = line.startsWith("AT#XSEND=3,1,") ? text.length / 2 : text.length;
      return information(namesSockets ? `#XSEND: 3,0,${bytes}` : `#XSEND: ${bytes}`);
    }
    if (line.startsWith("AT#XPOLL=")) return information('#XPOLL: 3,"0x0000"');
    if (line.startsWith("AT#XCLOSE")) return information("#XCLOSE: 3,0");
    return ok;
  };
}
