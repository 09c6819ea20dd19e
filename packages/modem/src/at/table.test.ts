// The table of commands against the examples of Nordic's AT references, of lte_lc's and Cellular Monitor's tests, and against itself.
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { isThinglineError } from "@thingline/protocol";
import { arbitraryOf } from "./domain.test.support.js";
import type { CommandEntry } from "./entry.js";
import {
  commandForms,
  type CommandFormKey,
  formatAnswer,
  formatCommand,
  parseAnswer,
  parseCommand,
  parseValues,
} from "./table.js";

/** What `unit: "binary"` means, whose tables take fast-check 0.7 s to make: any code point but surrogates. */
const anyCharacter = fc
  .integer({ min: 0, max: 0x10_f7ff })
  .map((point) => String.fromCodePoint(point < 0xd800 ? point : point + 0x800));

const entries = Object.entries(commandForms) as [CommandFormKey, CommandEntry<unknown, unknown>][];

const commands: [line: string, key: CommandFormKey, values: unknown][] = [
  ["AT", "", undefined],
  ["AT+CGSN=1", "+CGSN=", { kind: "imei" }],
  ["AT+CFUN=4", "+CFUN=", { mode: 4 }],
  ["AT+CMEE=1", "+CMEE=", { level: 1 }],
  ["AT+COPS=?", "+COPS=?", undefined],
  ['AT+COPS=1,2,"24201"', "+COPS=", { mode: "manual", format: "numeric", operator: "24201" }],
  ["AT+COPS=0", "+COPS=", { mode: "automatic" }],
  ["AT+COPS=3,2", "+COPS=", { mode: "format", format: "numeric" }],
  ['AT+CPIN="1234"', "+CPIN=", { pin: "1234" }],
  ['AT+CPINR="SIM PIN"', "+CPINR=", { facility: "SIM PIN" }],
  ['AT+CGDCONT=0,"IPV4V6","apn"', "+CGDCONT=", { contextId: 0, type: "IPV4V6", accessPoint: "apn" }],
  ["AT%XSYSTEMMODE=1,0,0,0", "%XSYSTEMMODE=", { lteM: true, nbIot: false, gnss: false, preference: 0 }],
  [
    'AT+CPSMS=1,"","","00000011","00100001"',
    "+CPSMS=",
    { isOn: true, periodicTau: "00000011", activeTime: "00100001" },
  ],
  ["AT+CPSMS=", "+CPSMS=", {}],
  ["AT+CPSMS=0", "+CPSMS=", { isOn: false }],
  ['AT+CEDRXS=2,4,"1001"', "+CEDRXS=", { mode: "onWithNotifications", technology: "lteM", cycle: "1001" }],
  ["AT+CEDRXS=3", "+CEDRXS=", { mode: "reset" }],
  ['AT%XPTW=4,"0011"', "%XPTW=", { technology: "lteM", window: "0011" }],
  ["AT%XMODEMSLEEP=1,5000,1200000", "%XMODEMSLEEP=", { isOn: true, warningMs: 5_000, thresholdMs: 1_200_000 }],
  ["AT%XPOFWARN=1,30", "%XPOFWARN=", { isOn: true, level: 30 }],
  ["AT%XFACTORYRESET=0", "%XFACTORYRESET=", { scope: "all" }],
  ["AT%CMNG=1", "%CMNG=", { operation: "list" }],
  ['AT%CMNG=0,43,0,"a\r\nb"', "%CMNG=", { operation: "write", secTag: 43, type: 0, content: "a\r\nb" }],
  ["AT%KEYGEN=43,2,0", "%KEYGEN=", { secTag: 43, keyType: 2, content: "request" }],
  [
    'AT%KEYGEN=16842753,2,0,"CN=my-id,O=acme","101010000"',
    "%KEYGEN=",
    { secTag: 16_842_753, keyType: 2, content: "request", attributes: "CN=my-id,O=acme", keyUsage: "101010000" },
  ],
  [
    `AT%ATTESTTOKEN="${"0123456789ABCDEF".repeat(2)}"`,
    "%ATTESTTOKEN=",
    { challenge: "0123456789ABCDEF0123456789ABCDEF" },
  ],
  ["AT%CERTEXPIRY=42,0", "%CERTEXPIRY=", { secTag: 42, type: 0 }],
  [
    'AT%XSUDO=35,"c2lnbmF0dXJl";%CMNG=0,1,0,"TEST ROOT CERTIFICATE"',
    "%XSUDO=",
    { length: 35, signature: "c2lnbmF0dXJl", command: '%CMNG=0,1,0,"TEST ROOT CERTIFICATE"' },
  ],
  [
    'AT%XPMNG=0,"-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----"',
    "%XPMNG=",
    { operation: "write", content: "-----BEGIN PUBLIC KEY-----\n-----END PUBLIC KEY-----" },
  ],
  ["AT%XPMNG=2", "%XPMNG=", { operation: "read" }],
  ["AT%XPRODDONE", "%XPRODDONE", undefined],
  ["AT%XPRODDONE=1", "%XPRODDONE=", { keepsRadioTest: true }],
  ["AT%CLAIMTOKEN=22", "%CLAIMTOKEN=", { secTag: 22 }],
  [
    'AT%CLAIMTOKEN=34,"90115c20ac3f381b520b43c76bd5d99c"',
    "%CLAIMTOKEN=",
    { secTag: 34, challenge: "90115c20ac3f381b520b43c76bd5d99c" },
  ],
  ["AT%XT3412=1,2000,30000", "%XT3412=", { isOn: true, warningMs: 2_000, thresholdMs: 30_000 }],
  ["AT%XTEMP=1", "%XTEMP=", { isOn: true }],
  ['AT+CCLK="18/12/06,22:10:00+08"', "+CCLK=", { unixSeconds: 1_544_127_000, timeZoneQuarterHours: 8 }],
  ["AT+CEREG=5", "+CEREG=", { level: 5 }],
  ["AT%XSIM=1", "%XSIM=", { isOn: true }],
];

for (const [line, key, values] of commands) {
  test(`${JSON.stringify(line)} is written and read`, () => {
    assert.equal(formatCommand(key, values as never), line);
    assert.deepEqual(parseCommand(line), { key, values });
    assert.deepEqual(parseCommand(`\n${line.toLowerCase().slice(0, 3)}${line.slice(3)}`), { key, values });
    assert.deepEqual(parseValues(key, line), values);
  });
}

const sha256 = "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1";
const monitor = '1,"","","24201","0901",7,20,"02024720",428,6300,53,22,"","11100000","11100000","01001001"';

const answers: [key: CommandFormKey, lines: string[], value: unknown][] = [
  ["", [], undefined],
  ["+CGMI", ["Nordic Semiconductor ASA"], "Nordic Semiconductor ASA"],
  ["+CGMM", ["nRF9160-SICA"], "nRF9160-SICA"],
  ["+CGMR", ["mfw_nrf9160_1.3.2"], "mfw_nrf9160_1.3.2"],
  ["+CGSN", ["352656100367872"], "352656100367872"],
  ["+CGSN=", ['+CGSN: "352656100367872"'], "352656100367872"],
  ["+CGSN=?", ["+CGSN: (0-3)"], "(0-3)"],
  ["+CIMI", ["310410123456789"], "310410123456789"],
  ["%XICCID", ["%XICCID: 8931089318104314834F"], "8931089318104314834F"],
  ["%SHORTSWVER", ["%SHORTSWVER: nrf9160_1.3.2"], "nrf9160_1.3.2"],
  ["%HWVERSION", ["%HWVERSION: nRF9160 SICA B0A"], "nRF9160 SICA B0A"],
  ["%XMODEMUUID", ["%XMODEMUUID: 25c95751-efa4-40d4-8b4a-1dcaab81fac9"], "25c95751-efa4-40d4-8b4a-1dcaab81fac9"],
  ["+CFUN?", ["+CFUN: 1"], 1],
  ["+CFUN=?", ["+CFUN: (0,1,4,20,21,30,31,40,41,44)"], [0, 1, 4, 20, 21, 30, 31, 40, 41, 44]],
  ["+CMEE?", ["+CMEE: 0"], 0],
  ["+CMEE=?", ["+CMEE: (0,1)"], [0, 1]],
  ["+CPIN?", ["+CPIN: READY"], "ready"],
  ["+CPIN?", ["+CPIN: SIM PIN"], "pinRequired"],
  ["+CIND?", ["+CIND: 1,0,1"], { service: true, roam: false, message: true }],
  [
    "%XPTW?",
    ['%XPTW: 4,"0110"', '%XPTW: 5,"1110"'],
    [
      { technology: "lteM", window: "0110" },
      { technology: "nbIot", window: "1110" },
    ],
  ],
  [
    "%CLAIMTOKEN=",
    ['%CLAIMTOKEN: "RGV2aWNlIGNsYWltIHRva2Vu.Q29zZV9TaWduMQ"'],
    "RGV2aWNlIGNsYWltIHRva2Vu.Q29zZV9TaWduMQ",
  ],
  ["%XPMNG=", ['%XPMNG: "-----BEGIN PUBLIC KEY-----"'], "-----BEGIN PUBLIC KEY-----"],
  ["%XPMNG=", [], undefined],
  ["%XSUDO=", ['%CMNG: 1,0,"AB"'], ['%CMNG: 1,0,"AB"']],
  ["+CGATT?", ["+CGATT: 1"], true],
  [
    "+CGCONTRDP=",
    ['+CGCONTRDP: 0,,"iot.example","","","10.0.0.1","10.0.0.2",,,,,1500'],
    [
      {
        ...{ contextId: 0, accessPoint: "iot.example", address: "", gateway: "", packetBytesMax: 1_500 },
        ...{ primaryNameServer: "10.0.0.1", secondaryNameServer: "10.0.0.2" },
      },
    ],
  ],
  ["+CEDRXRDP", ["+CEDRXRDP: 0"], { technology: "none" }],
  [
    "+CEDRXRDP",
    ['+CEDRXRDP: 4,"1000","0101","1011"'],
    { technology: "lteM", requested: "1000", granted: "0101", window: "1011" },
  ],
  [
    "%CCLK?",
    ['%CCLK: "02/05/07,14:08:17+00",2'],
    { unixSeconds: Date.UTC(2002, 4, 7, 14, 8, 17) / 1000, timeZoneQuarterHours: 0, daylightSavingHours: 2 },
  ],
  ["%XSNRSQ?", ["%XSNRSQ: 39,168,0"], { snr: 39, level: 168, coverage: 0 }],
  ["%XBANDLOCK?", ['%XBANDLOCK: "","1001"'], { permanent: "", runtime: "1001" }],
  ["%CONEVAL", ["%CONEVAL: 1"], { result: 1 }],
  ["+CLCK=", ["+CLCK: 1"], true],
  [
    "+CIND=?",
    ['+CIND: ("service",(0,1)),("roam",(0,1)),("message",(0,1))'],
    '("service",(0,1)),("roam",(0,1)),("message",(0,1))',
  ],
  ["+CEER", ['+CEER: "EMM cause 11"'], "EMM cause 11"],
  [
    "%XCONNSTAT?",
    ["%XCONNSTAT: 2,3,45,60,708,650"],
    {
      ...{ smsSent: 2, smsReceived: 3, kilobytesSent: 45, kilobytesReceived: 60 },
      ...{ packetBytesMax: 708, packetBytesMean: 650 },
    },
  ],
  ["+CPINR=", ['+CPINR: "SIM PIN",3'], [{ facility: "SIM PIN", attempts: 3 }]],
  ["%XSIM?", ["%XSIM: 1"], { isInitialized: true }],
  ["%XSIM?", ["%XSIM: 0,1"], { isInitialized: false, cause: 1 }],
  [
    "+CGDCONT?",
    ['+CGDCONT: 0,"IP","internet","10.0.1.1",0,0', '+CGDCONT: 1,"IPV4V6","","",0,0'],
    [
      { contextId: 0, type: "IP", accessPoint: "internet", address: "10.0.1.1" },
      { contextId: 1, type: "IPV4V6", accessPoint: "", address: "" },
    ],
  ],
  ["+CGACT?", ["+CGACT: 0,1"], [{ contextId: 0, isActive: true }]],
  ["+CGPADDR=", ["+CGPADDR: 0"], [{ contextId: 0 }]],
  [
    "+CGPADDR=",
    ['+CGPADDR: 0,"10.160.1.82","2001:db8::1"'],
    [{ contextId: 0, address: "10.160.1.82", ipv6Address: "2001:db8::1" }],
  ],
  ["+COPS?", ["+COPS: 0"], { mode: "automatic" }],
  ["+COPS?", ['+COPS: 0,2,"24201",7'], { mode: "automatic", format: "numeric", operator: "24201", act: 7 }],
  [
    "+COPS=?",
    ['+COPS: (2,"","","26201",7),(1,"","","26202",9)'],
    [
      { availability: "current", fullName: "", shortName: "", plmn: "26201", act: 7 },
      { availability: "available", fullName: "", shortName: "", plmn: "26202", act: 9 },
    ],
  ],
  ["+COPS=?", [], undefined],
  ["+CESQ", ["+CESQ: 99,99,255,255,31,62"], { rsrqDb: -4, rsrpDbm: -78 }],
  ["+CESQ", ["+CESQ: 99,99,255,255,255,62"], { rsrqDb: undefined, rsrpDbm: -78 }],
  ["%XSYSTEMMODE?", ["%XSYSTEMMODE: 1,0,1,0"], { lteM: true, nbIot: false, gnss: true, preference: 0 }],
  ["%XMONITOR", ["%XMONITOR: 2"], { status: 2, registered: undefined }],
  ["%XCBAND", ["%XCBAND: 20"], 20],
  ["%XCBAND=?", ["%XCBAND: (1,2,3,4)"], [1, 2, 3, 4]],
  ["%XVBAT", ["%XVBAT: 4464"], 4464],
  ["%XTEMP?", ["%XTEMP: 25"], 25],
  ["+CCLK?", ['+CCLK: "22/10/10,19:59:21+08"'], { unixSeconds: 1_665_424_761, timeZoneQuarterHours: 8 }],
  ["+CSCON?", ["+CSCON: 1,0"], { level: 1, isConnected: false }],
  ["+CSCON?", ["+CSCON: 3,1,7,4"], { level: 3, isConnected: true, state: 7, access: 4 }],
  ["+CPSMS?", ['+CPSMS: 1,,,"00000011","00100001"'], { isOn: true, periodicTau: "00000011", activeTime: "00100001" }],
  ["+CPSMS?", ["+CPSMS: 0"], { isOn: false }],
  ["+CEDRXS?", ['+CEDRXS: 4,"1001"'], [{ technology: "lteM", cycle: "1001" }]],
  [
    "+CEREG?",
    ["+CEREG: 5,0,,,9,0,0,,"],
    { level: 5, registration: { status: "notRegistered", act: 9, causeType: 0, rejectCause: 0 } },
  ],
  ["+CEMODE?", ["+CEMODE: 0"], 0],
  ["+CNEC?", ["+CNEC: 24"], 24],
  ["+CGEREP?", ["+CGEREP: 1,0"], { mode: 1, buffering: 0 }],
  ["+CLAC", ["AT+CFUN", "AT%XMONITOR"], ["AT+CFUN", "AT%XMONITOR"]],
  [
    "%CMNG=",
    [`%CMNG: 42,0,"${sha256}"`, `%CMNG: 4294967293,10,"${sha256}"`],
    [
      { secTag: 42, type: 0, sha256, content: undefined },
      { secTag: 4_294_967_293, type: 10, sha256, content: undefined },
    ],
  ],
  ["%CMNG=", [], []],
  ["%KEYGEN=", ['%KEYGEN: "MIH-_x.0oRD"'], "MIH-_x.0oRD"],
  [
    "%CERTEXPIRY=",
    ["%CERTEXPIRY: 066C9FCF99BF8C0A39E2F0788A43E696365BCA,20150526000000Z,20380117000000Z"],
    {
      serialNumber: "066C9FCF99BF8C0A39E2F0788A43E696365BCA",
      notBefore: Date.UTC(2015, 4, 26) / 1000,
      notAfter: Date.UTC(2038, 0, 17) / 1000,
    },
  ],
];

for (const [key, lines, value] of answers) {
  test(`${JSON.stringify(lines.join(" | "))} is what AT${key} answers`, () => {
    assert.deepEqual(parseAnswer(key, lines), { value });
    assert.deepEqual(formatAnswer(key, value as never), lines);
  });
}

test("the monitor of a registered modem is read and written", () => {
  const lines = [`%XMONITOR: ${monitor}`];
  const answer = parseAnswer("%XMONITOR", lines);
  assert.equal(answer?.value.registered?.cellId, "02024720");
  assert.deepEqual(answer && formatAnswer("%XMONITOR", answer.value), lines);
});

test("what the references write in another way is read as well", () => {
  assert.deepEqual(parseAnswer("+CPIN?", ['+CPIN: "SIM PIN"']), { value: "pinRequired" });
  assert.deepEqual(parseAnswer("%CMNG=", ['%CMNG: 12345678, 0, "978C"'])?.value[0]?.secTag, 12_345_678);
});

test("what newer firmware adds to an answer does not count, and in a command it is refused", () => {
  assert.deepEqual(parseAnswer("+CFUN?", ["+CFUN: 1,9"]), { value: 1 });
  assert.deepEqual(parseAnswer("+COPS?", ['+COPS: 0,2,"24201",7,"new"'])?.value.operator, "24201");
  assert.deepEqual(parseAnswer("+COPS=?", ['+COPS: (2,"a","b","26201",7,1),,(0-3),(0,2)'])?.value?.length, 1);
  assert.equal(parseCommand("AT+CFUN=1,9"), undefined);
  assert.equal(parseCommand('AT+CPSMS=1,"00000011"'), undefined, "a place that means nothing here");
});

const otherAnswers: [key: CommandFormKey, lines: string[]][] = [
  ["+CGSN", ["35265610036787"]],
  ["+CGSN", []],
  ["+CFUN?", ["+CFUN: 3"]],
  ["+CFUN?", ["+CMEE: 1"]],
  ["+CPIN?", ["+CPIN: NOT READY"]],
  ["+CGDCONT?", ['+CGDCONT: x,"IP","internet","10.0.1.1",0,0']],
  ["+CGDCONT?", ["?"]],
  ["+COPS=?", ['+COPS: (2,"","","2620",7)']],
  ["+CCLK?", ['+CCLK: "22/02/31,19:59:21+08"']],
  ["+CCLK?", ['+CCLK: "22/10/10,24:59:21+08"']],
  ["+CESQ", ["+CESQ: 99,99"]],
  ["%XCBAND=?", ["%XCBAND: (1,x)"]],
  ["%XTEMP?", ['%XTEMP: "25"']],
  ["+CPSMS?", ['+CPSMS: 1,,,"0000001","00100001"']],
  ["%KEYGEN=", ['%KEYGEN: "MIH"']],
  ["+CLAC", ["AT+CFUN", "+CFUN: 1"]],
];

for (const [key, lines] of otherAnswers) {
  test(`${JSON.stringify(lines.join(" | "))} is another answer than that of AT${key}`, () => {
    assert.equal(parseAnswer(key, lines), undefined);
  });
}

const otherCommands = [
  ...["AT+NOPE", "AT+CFUN=", "AT+CFUN=3", 'AT+CFUN="4"', "AT+CFUN", "AT+CGSN=4", "AT+CPIN=1234", 'AT+CPIN="12"'],
  ...["AT+CEREG=6", "AT%XSIM=2", "AT+COPS=4", 'AT+COPS=1,2,"2420"', "AT+CGDCONT=0,PPP", 'AT+CGDCONT=0,"PPP"'],
  ...[
    'AT+CEDRXS=2,6,"1001"',
    'AT%XPTW=4,"00111"',
    "AT%CMNG=4",
    "AT%XMODEMSLEEP=1,1,20000",
    'AT%ATTESTTOKEN="0"',
    "AT%XPOFWARN=1,34",
  ],
  ...['AT%XSUDO=9,"c2ln";%CMNG=1', 'AT%XSUDO=7,"c2ln"', "AT%XPMNG=1", 'AT%XPMNG=2,"x",10', "AT+COPS=2"],
];

for (const line of otherCommands) {
  test(`${line} is not in the table`, () => assert.equal(parseCommand(line), undefined));
}

test("values that a command does not take are refused before anything is sent", () => {
  for (const run of [
    () => formatCommand("+CEREG=", { level: 6 }),
    () => formatCommand("+CFUN=", { mode: 3 as 4 }),
    () => formatCommand("%KEYGEN=", { secTag: 1, keyType: 2, keyUsage: "1" }),
    () => formatCommand("+COPS=", { mode: "none" as "manual" }),
  ]) {
    assert.throws(run, (error) => isThinglineError(error, "AT_MALFORMED"));
  }
});

test("a text that cannot be quoted is refused, without being repeated", () => {
  assert.throws(
    () => formatCommand("%CMNG=", { operation: "write", secTag: 1, type: 2, content: 'SECRET"' }),
    (error) => isThinglineError(error, "AT_MALFORMED") && !error.message.includes("SECRET"),
  );
});

const numRuns = process.env["THINGLINE_TEST_LONG"] === "1" ? 1_000 : 3;

test("whatever a command is given, its line gives back", () => {
  for (const [key, { values }] of entries) {
    if (values === undefined) continue;
    const property = fc.property(arbitraryOf(values.domain), (given) => {
      const line = formatCommand(key, given as never);
      assert.deepEqual(parseCommand(line), { key, values: given }, line);
    });
    fc.assert(property, { numRuns });
  }
});

test("whatever an answer holds, its lines give back", () => {
  for (const [key, { answer }] of entries) {
    const property = fc.property(arbitraryOf(answer.domain), (given) => {
      const lines = formatAnswer(key, given as never);
      assert.deepEqual(parseAnswer(key, lines), { value: given }, lines.join("\n"));
    });
    fc.assert(property, { numRuns });
  }
});

test("no answer and no command makes the table throw", () => {
  const word = fc.oneof(
    fc.string({ unit: anyCharacter, maxLength: 20 }),
    fc.constantFrom('"', ",", "(", ")", "0", "1", '"x"', "(1,2)", "", " ", "99999999999999999999"),
  );
  const texts = fc.array(word, { maxLength: 8 }).map((words) => words.join(","));
  const anyKey = fc.constantFrom(...entries.map(([key]) => key));
  const property = fc.property(anyKey, texts, (key, text) => {
    const name = key.replace(/=\?$|[=?]$/, "");
    parseAnswer(key, [`${name}: ${text}`, text]);
    try {
      parseCommand(`AT${key}${text}`);
    } catch (error) {
      assert.ok(isThinglineError(error, "AT_MALFORMED"), String(error));
    }
  });
  fc.assert(property, { numRuns: numRuns * 25 });
});
