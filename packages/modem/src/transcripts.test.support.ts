// Whole dialogs of host tools with modems, each with its origin: what tools' sources and tests show that they send, and what real modems, Nordic's
// references and the tests of the nRF Connect SDK show that comes back.

/** What one command gets back, and what is to be made of it. */
export interface TranscriptStep {
  /** As the tool sends it, without its line end. */
  command: string;
  /** Every byte that comes until the next command. */
  received: string;
  /** Information lines; a number is `+CME ERROR`, undefined a plain ERROR. */
  answer: readonly string[] | number | undefined;
  /** URCs in it, in their order. */
  notifications?: readonly string[];
}

export interface Transcript {
  origin: string;
  /** The tool's line end, and that of the AT host which understands it. */
  lineEnd: "\r\n" | "\r";
  terminator: "CR" | "CR+LF";
  /** What the tool sends that is no command, and gets an ERROR or nothing. */
  noise?: string;
  steps: readonly TranscriptStep[];
}

const sha = "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1";
export const transcriptPem = "-----BEGIN CERTIFICATE-----\r\nMIIB,\r\nOK\r\n-----END CERTIFICATE-----\r\n";
const pem = transcriptPem;

const ok = (command: string): TranscriptStep => ({ command, received: "OK\r\n", answer: [] });
const error = (command: string): TranscriptStep => ({ command, received: "ERROR\r\n", answer: undefined });
const says = (command: string, ...lines: string[]): TranscriptStep => ({
  command,
  received: [...lines, "OK", ""].join("\r\n"),
  answer: lines,
});

export const transcripts: readonly Transcript[] = [
  {
    origin: "nrfcredstore 2: start, list, generate and the token; answers of its own tests and of Nordic's references",
    lineEnd: "\r\n",
    terminator: "CR",
    noise: "\r\nat AT+CGSN\r\n",
    steps: [
      says("AT+CGSN", "352656100367872"),
      ok("AT+CMEE=1"),
      { command: "AT+CFUN=4", received: "+CEREG: 0\r\nOK\r\n", answer: [], notifications: ["+CEREG: 0"] },
      says("AT%CMNG=1", `%CMNG: 42,0,"${sha}"`, `%CMNG: 16842753,1,"${sha}"`, `%CMNG: 4294967294,6,"${sha}"`),
      ok('AT%CMNG=0,42,0,"-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----"'),
      { command: "AT%CMNG=3,43,2", received: "+CME ERROR: 513\r\n", answer: 513 },
      says('AT%KEYGEN=42,2,0,"O=Test,CN=Device"', '%KEYGEN: "MIH-_w.0oRDoQEm"'),
      says("AT%ATTESTTOKEN", '%ATTESTTOKEN: "2dn3hQFQUDYx.0oRDoQEmoQRBIfZYQGuX"'),
    ],
  },
  {
    origin: "nRF Cloud's device_credentials_installer, in its order, with verification",
    lineEnd: "\r\n",
    terminator: "CR+LF",
    steps: [
      { command: "AT+CFUN=4", received: "OK\r\n+CEREG: 0\r\n", answer: [], notifications: ["+CEREG: 0"] },
      says("AT+CGSN", "352656100367872"),
      says("AT+CGMR", "mfw_nrf9160_1.3.2"),
      error("AT%CMNG=3,16842753,0"),
      error("AT%CMNG=3,16842753,1"),
      ok("AT%CMNG=3,16842753,2"),
      says('AT%KEYGEN=16842753,2,0,"CN=dev-1"', '%KEYGEN: "MIIB.0oRD"'),
      ok(`AT%CMNG=0,16842753,0,"${pem}"`),
      { command: `AT%CMNG=0,16842753,1,"${pem}"`, received: "+CME ERROR: 518\r\n", answer: 518 },
      says("AT%CMNG=1,16842753,0", `%CMNG: 16842753,0,"${sha}"`),
      says("AT%CMNG=1,16842753,1"),
    ],
  },
  {
    origin: "LTE Link Monitor's start-up, as a Thingy:91 with mfw_nrf9160_1.2.0 answered it (public log of 2020-06-23)",
    lineEnd: "\r",
    terminator: "CR",
    steps: [
      says("AT+CFUN?", "+CFUN: 1"),
      says("AT%XDEEPSEARCH?", "%XDEEPSEARCH: 1"),
      says("AT%XSYSTEMMODE?", "%XSYSTEMMODE: 0,1,1,0"),
      says("AT+CGSN=1", '+CGSN: "352656100885188"'),
      says("AT+CGMI", "Nordic Semiconductor ASA"),
      says("AT+CGMM", "nRF9160-SICA"),
      says("AT+CGMR", "mfw_nrf9160_1.2.0"),
      says("AT%XVBAT", "%XVBAT: 4464"),
      says("AT+CEMODE?", "+CEMODE: 0"),
      says("AT%XCBAND=?", "%XCBAND: (2,3,4,8,12,13,20,28)"),
      says("AT+CMEE?", "+CMEE: 0"),
      ok("AT+CMEE=1"),
      says("AT+CNEC?", "+CNEC: 0"),
      ok("AT+CNEC=24"),
      says("AT+CGEREP?", "+CGEREP: 0,0"),
      ok("AT+CGEREP=1"),
      says("AT+CGDCONT?", '+CGDCONT: 0,"IP","","",0,0'),
      says("AT+CGACT?", "+CGACT: 0,0"),
      says("AT+CIND?", "+CIND: 0,0,0"),
      ok("AT+CIND=1,1,1"),
      ok("AT+CEREG=5"),
      says("AT+CEREG?", "+CEREG: 5,0,,,9,0,0,,"),
    ],
  },
  {
    origin: "LTE Link Monitor once a SIM card is ready and the modem registers; its own null modem's answers",
    lineEnd: "\r",
    terminator: "CR",
    steps: [
      ok("AT%CESQ=1"),
      says("AT+CESQ", "+CESQ: 99,99,255,255,255,62"),
      ok("AT%XSIM=1"),
      {
        command: "AT%XSIM?",
        received: "%XSIM: 0\r\nOK\r\n%XSIM: 1\r\n",
        answer: ["%XSIM: 0"],
        notifications: ["%XSIM: 1"],
      },
      says("AT+CPIN?", "+CPIN: READY"),
      says('AT+CPINR="SIM PIN"', '+CPINR: "SIM PIN",3'),
      says("AT+CIMI", "204080813516718"),
      ok("AT+COPS=3,2"),
      {
        command: "AT+COPS?",
        received: '%CESQ: 62,3,12,1\r\n+COPS: 0,2,"24201",7\r\nOK\r\n',
        answer: ['+COPS: 0,2,"24201",7'],
        notifications: ["%CESQ: 62,3,12,1"],
      },
      says("AT%XCBAND", "%XCBAND: 13"),
      says("AT+CGDCONT?", '+CGDCONT: 0,"IP","ibasis.iot","10.160.33.51",0,0'),
    ],
  },
  {
    origin: "Cellular Monitor's recommended macro; answers of its tests and of Nordic's references",
    lineEnd: "\r\n",
    terminator: "CR+LF",
    steps: [
      {
        command: "AT+CFUN=1",
        received: "OK\r\n%MDMEV: SEARCH STATUS 1\r\n",
        answer: [],
        notifications: ["%MDMEV: SEARCH STATUS 1"],
      },
      ok("AT%XCONNSTAT=1"),
      says("AT%XCONNSTAT?", "%XCONNSTAT: 0,0,0,0,0,0"),
      ok("AT%MDMEV=1"),
      says("AT+CMEE?", "+CMEE: 1"),
      error("AT+CEER"),
      ok("AT%XPOFWARN=1,30"),
      ok("AT%XVBATLVL=1"),
      says(
        "AT%XMONITOR",
        '%XMONITOR: 1,"EDAV","EDAV","26295","00B7",7,4,"00011B07",7,2300,63,39,"","11100000","11100000","01001001"',
      ),
      says("AT+CCLK?", '+CCLK: "22/10/10,19:59:21+08"'),
      says("AT+COPS=?", '+COPS: (2,"","","26201",7),(1,"","","26202",9)'),
      says("AT+CPSMS?", '+CPSMS: 1,,,"00000011","00100001"'),
      says("AT+CGPADDR=0", '+CGPADDR: 0,"10.160.1.82","2001:0DB8:0000:0000:0000:0000:0000:0001"'),
      says("AT%XICCID", "%XICCID: 8931089318104314834F"),
      says("AT%SHORTSWVER", "%SHORTSWVER: nrf9160_1.3.2"),
      says("AT%HWVERSION", "%HWVERSION: nRF9160 SICA B0A"),
      says("AT%XMODEMUUID", "%XMODEMUUID: 25c95751-efa4-40d4-8b4a-1dcaab81fac9"),
    ],
  },
  {
    origin: "lte_lc of the nRF Connect SDK: attach and eDRX, with URCs in the middle of answers",
    lineEnd: "\r\n",
    terminator: "CR",
    steps: [
      ok("AT+CEREG=5"),
      ok("AT+CSCON=1"),
      ok("AT%XMODEMSLEEP=1,5000,1200000"),
      ok("AT%XT3412=1,5000,1200000"),
      {
        command: "AT+CFUN=1",
        received:
          '+CEREG: 2,"002F","0012BEEF",7\r\nOK\r\n+CSCON: 1\r\n+CEREG: 1,"002F","0012BEEF",7,,,"11100000","11100000"\r\n',
        answer: [],
        notifications: [
          '+CEREG: 2,"002F","0012BEEF",7',
          "+CSCON: 1",
          '+CEREG: 1,"002F","0012BEEF",7,,,"11100000","11100000"',
        ],
      },
      {
        command: 'AT+CEDRXS=2,4,"1001"',
        received: 'OK\r\n+CEDRXP: 4,"1001","0101","1011"\r\n',
        answer: [],
        notifications: ['+CEDRXP: 4,"1001","0101","1011"'],
      },
      {
        command: "AT+CEREG?",
        received: '+CEREG: 4,"FFFF","FFFFFFFF",9,0,0,,\r\n+CEREG: 5,4,"FFFF","FFFFFFFF",9,0,0,,\r\nOK\r\n',
        answer: ['+CEREG: 5,4,"FFFF","FFFFFFFF",9,0,0,,'],
        notifications: ['+CEREG: 4,"FFFF","FFFFFFFF",9,0,0,,'],
      },
      {
        command: "AT+CSCON?",
        received: "+CSCON: 0\r\n+CSCON: 1,0\r\nOK\r\n",
        answer: ["+CSCON: 1,0"],
        notifications: ["+CSCON: 0"],
      },
    ],
  },
  {
    origin: "Nordic's AT reference: a credential read back with the line ends that it was written with",
    lineEnd: "\r\n",
    terminator: "CR+LF",
    steps: [
      says("AT%CMNG=2,12345678,0", `%CMNG: 12345678,0,"${sha}","${pem}"`),
      { command: "AT%CMNG=2,4567,0", received: "+CME ERROR: 513\r\n", answer: 513 },
      says("AT%CERTEXPIRY=42,0", "%CERTEXPIRY: 066C9FCF99BF8C0A39E2,20150526000000Z,20380117000000Z"),
      says('AT%XSUDO=7,"c2lnbmF0dXJl";%CMNG=1', `%CMNG: 12345678,0,"${sha}"`),
    ],
  },
  {
    origin: "SLM of 2022 (nRF Connect SDK 2.1), framed in its way, as a TCP client",
    lineEnd: "\r\n",
    terminator: "CR+LF",
    steps: [
      { command: "AT#XSLMVER", received: "\r\n#XSLMVER: 1.2\r\n\r\nOK\r\n", answer: ["#XSLMVER: 1.2"] },
      { command: "AT+CFUN?", received: "\r\n+CFUN: 1\r\n\r\nOK\r\n", answer: ["+CFUN: 1"] },
      { command: "AT#XSOCKET=1,1,0", received: "\r\n#XSOCKET: 1,1,6\r\n\r\nOK\r\n", answer: ["#XSOCKET: 1,1,6"] },
      { command: 'AT#XCONNECT="nowhere",80', received: "\r\nERROR\r\n", answer: undefined },
      { command: 'AT#XSEND="abc"', received: "\r\n#XSEND: 3\r\n\r\nOK\r\n", answer: ["#XSEND: 3"] },
      {
        command: "AT#XSOCKET=0",
        received: '\r\n#XTCPDATA: 3\r\n\r\n#XSOCKET: 0,"closed"\r\n\r\nOK\r\n',
        answer: ['#XSOCKET: 0,"closed"'],
        notifications: ["#XTCPDATA: 3"],
      },
    ],
  },
  {
    origin: "Serial Modem with its echo on, a parameter of several lines among the commands",
    lineEnd: "\r",
    terminator: "CR",
    steps: [
      { command: "ATE1", received: "\r\nOK\r\n", answer: [] },
      { command: "AT+CFUN?", received: "AT+CFUN?\r\r\n+CFUN: 1\r\n\r\nOK\r\n", answer: ["+CFUN: 1"] },
      {
        command: `AT%CMNG=0,42,0,"${pem}"`,
        received: `AT%CMNG=0,42,0,"${pem}"\r\r\nOK\r\n`,
        answer: [],
      },
      {
        command: "AT#XSMVER",
        received: 'AT#XSMVER\r\r\n#XSMVER: "v2.0.0-18-g2c85d9224fca","ncs-v3.1.0"\r\n\r\nOK\r\n',
        answer: ['#XSMVER: "v2.0.0-18-g2c85d9224fca","ncs-v3.1.0"'],
      },
      { command: "ATE0", received: "ATE0\r\r\nOK\r\n", answer: [] },
      { command: "AT", received: "\r\nOK\r\n", answer: [] },
    ],
  },
];
