// What went over real lines, or what the tools' own sources and tests show that they send and get, fed whole and byte by byte.
import assert from "node:assert/strict";
import { test } from "node:test";
import { CommandLineReader } from "./command-line-reader.js";
import { type AtCommand, parseAtCommand } from "./command.js";
import { classifyLine, type LineKind } from "./information.js";
import { ResponseLineReader } from "./response-line-reader.js";

function inChunks<Item>(text: string, chunkBytes: number, push: (bytes: Uint8Array) => Item[]): Item[] {
  const bytes = new TextEncoder().encode(text);
  const items: Item[] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) items.push(...push(bytes.slice(at, at + chunkBytes)));
  return items;
}

interface HostTranscript {
  origin: string;
  /** As the host sends it, to an AT host with this line end. */
  sent: string;
  terminator: "CR" | "CR+LF" | "LF";
  commands: string[];
}

const pem = "-----BEGIN CERTIFICATE-----\r\nMIIB\r\n-----END CERTIFICATE-----\r\n";

const hosts: HostTranscript[] = [
  {
    origin: "nrfcredstore 2, start and list",
    sent: "\r\nat AT+CGSN\r\nAT+CGSN\r\nAT+CMEE=1\r\nAT+CFUN=4\r\nAT%CMNG=1\r\n",
    terminator: "CR",
    commands: ["at AT+CGSN", "AT+CGSN", "AT+CMEE=1", "AT+CFUN=4", "AT%CMNG=1"],
  },
  {
    origin: "nRF Cloud utils, device_credentials_installer",
    sent: `AT+CFUN=4\r\nAT+CGSN\r\nAT+CGMR\r\nAT%CMNG=3,16842753,0\r\nAT%KEYGEN=16842753,2,0,"CN=dev-1"\r\nAT%CMNG=0,16842753,0,"${pem}"\r\n`,
    terminator: "CR+LF",
    commands: [
      ...["AT+CFUN=4", "AT+CGSN", "AT+CGMR", "AT%CMNG=3,16842753,0", 'AT%KEYGEN=16842753,2,0,"CN=dev-1"'],
      `AT%CMNG=0,16842753,0,"${pem}"`,
    ],
  },
  {
    origin: "LTE Link Monitor, automatic requests",
    sent: "AT+CFUN?\rAT+CGMI\rAT+CGMM\rAT+CGMR\rAT+CGSN=1\rAT+CEMODE?\rAT%XCBAND=?\rAT+CMEE?\rAT+CNEC?\rAT+CGEREP?\rAT+CGDCONT?\rAT+CGACT?\rAT+CGEREP=1\rAT+CIND=1,1,1\rAT+CEREG=5\rAT+CEREG?\rAT%CESQ=1\rAT+CESQ\rAT%XSIM=1\rAT%XSIM?\r",
    terminator: "CR",
    commands: [
      ...["AT+CFUN?", "AT+CGMI", "AT+CGMM", "AT+CGMR", "AT+CGSN=1", "AT+CEMODE?", "AT%XCBAND=?", "AT+CMEE?"],
      ...["AT+CNEC?", "AT+CGEREP?", "AT+CGDCONT?", "AT+CGACT?", "AT+CGEREP=1", "AT+CIND=1,1,1", "AT+CEREG=5"],
      ...["AT+CEREG?", "AT%CESQ=1", "AT+CESQ", "AT%XSIM=1", "AT%XSIM?"],
    ],
  },
  {
    origin: "Cellular Monitor, finding the line end of a CR host",
    sent: "AT\rAT\rat AT\r",
    terminator: "CR",
    commands: ["AT", "AT", "at AT"],
  },
  {
    origin: "Cellular Monitor, finding the line end of a CR LF host",
    sent: "AT\r\nAT\r\n",
    terminator: "CR+LF",
    commands: ["AT", "AT"],
  },
];

for (const { origin, sent, terminator, commands } of hosts) {
  for (const chunkBytes of [sent.length, 7, 1]) {
    test(`${origin}, in pieces of ${chunkBytes}`, () => {
      const reader = new CommandLineReader({ terminator });
      const lines = inChunks(sent, chunkBytes, (bytes) => reader.push(bytes));
      assert.deepEqual(
        lines.map(({ text = "" }) => text.replace(/^\n/, "")),
        commands,
      );
      assert.ok(lines.every(({ droppedBytes }) => droppedBytes === 0));
      // nrfcredstore's and Cellular Monitor's test for a shell is no command, and must not be taken for one.
      for (const command of commands.filter((line) => !line.startsWith("at "))) parseAtCommand(command);
    });
  }
}

interface ModemTranscript {
  origin: string;
  command?: string;
  received: string;
  lines: [kind: LineKind, text: string][];
}

const sha256 = "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1";
const monitor =
  '%XMONITOR: 1,"EDAV","EDAV","26295","00B7",7,4,"00011B07",7,2300,63,39,"","11100000","11100000","01001001"';

const modems: ModemTranscript[] = [
  {
    origin: "AT reference, identity",
    command: "AT+CGSN",
    received: "352656100367872\r\nOK\r\n",
    lines: [
      ["information", "352656100367872"],
      ["final", "OK"],
    ],
  },
  {
    origin: "nRF Connect SDK's test data, a list of credentials with the vendor's tags",
    command: "AT%CMNG=1",
    received: `%CMNG: 42,0,"${sha256}"\r\n%CMNG: 4294967294,6,"${sha256}"\r\nOK\r\n`,
    lines: [
      ["information", `%CMNG: 42,0,"${sha256}"`],
      ["information", `%CMNG: 4294967294,6,"${sha256}"`],
      ["final", "OK"],
    ],
  },
  {
    origin: "AT reference, a credential read back with its line ends",
    command: "AT%CMNG=2,42,0",
    received: `%CMNG: 42,0,"${sha256}","${pem}"\r\nOK\r\n`,
    lines: [
      ["information", `%CMNG: 42,0,"${sha256}","${pem}"`],
      ["final", "OK"],
    ],
  },
  {
    origin: "AT reference, a write while the modem is active",
    command: 'AT%CMNG=0,42,0,"x"',
    received: "+CME ERROR: 518\r\n",
    lines: [["final", "+CME ERROR: 518"]],
  },
  {
    origin: "nRF Connect SDK, going offline with the URC before the OK",
    command: "AT+CFUN=4",
    received: "+CEREG: 0\r\nOK\r\n",
    lines: [
      ["notification", "+CEREG: 0"],
      ["final", "OK"],
    ],
  },
  {
    origin: "lte_lc's tests, an attach as URCs",
    received:
      '+CEREG: 2,"002F","0012BEEF",7\r\n+CSCON: 1\r\n+CEREG: 1,"002F","0012BEEF",7,,,"11100000","11100000"\r\n%MDMEV: SEARCH STATUS 2\r\n',
    lines: [
      ["notification", '+CEREG: 2,"002F","0012BEEF",7'],
      ["notification", "+CSCON: 1"],
      ["notification", '+CEREG: 1,"002F","0012BEEF",7,,,"11100000","11100000"'],
      ["notification", "%MDMEV: SEARCH STATUS 2"],
    ],
  },
  {
    origin: "Cellular Monitor's tests, the monitor of a registered modem",
    command: "AT%XMONITOR",
    received: `${monitor}\r\nOK\r\n`,
    lines: [
      ["information", monitor],
      ["final", "OK"],
    ],
  },
  {
    origin: "SLM of 2022, its version",
    command: "AT#XSLMVER",
    received: "\r\n#XSLMVER: 1.2\r\n\r\nOK\r\n",
    lines: [
      ["information", "#XSLMVER: 1.2"],
      ["final", "OK"],
    ],
  },
  {
    origin: "SLM of 2022, an error",
    command: "AT#XSLEEP=0",
    received: "\r\nERROR\r\n",
    lines: [["final", "ERROR"]],
  },
  {
    origin: "Serial Modem with echo",
    command: "AT+CFUN?",
    received: "AT+CFUN?\r\r\n+CFUN: 1\r\n\r\nOK\r\n",
    lines: [
      ["information", "AT+CFUN?"],
      ["information", "+CFUN: 1"],
      ["final", "OK"],
    ],
  },
  {
    origin: "Serial Modem after a reset",
    received: "Ready\r\n",
    lines: [["noise", "Ready"]],
  },
];

for (const { origin, command: line, received, lines } of modems) {
  for (const chunkBytes of [received.length, 5, 1]) {
    test(`${origin}, in pieces of ${chunkBytes}`, () => {
      const reader = new ResponseLineReader();
      const command: AtCommand | undefined = line === undefined ? undefined : parseAtCommand(line);
      const read = inChunks(received, chunkBytes, (bytes) => reader.push(bytes));
      assert.deepEqual(
        read.map((item) => (item.type === "line" ? [classifyLine(item.text, command), item.text] : [item.type])),
        lines,
      );
      assert.equal(reader.pendingBytes, 0);
    });
  }
}
