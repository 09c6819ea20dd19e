import assert from "node:assert/strict";
import { test } from "node:test";
import { slowCommandTimeMs } from "./command-times.js";
import { parseAtCommand } from "./command.js";
import { type ModemNotification, parseNotification } from "./notification.js";
import { describeCmeError, describeCmsError } from "./result.js";

// Lines of Nordic's AT reference, of lte_lc's tests in the nRF Connect SDK, and of Cellular Monitor's tests.
const cases: [line: string, notification: ModemNotification][] = [
  ["+CEREG: 2", { type: "registration", registration: { status: "searching" } }],
  [
    '+CEREG: 1,"002F","0012BEEF",7,,,"11100000","11100000"',
    {
      type: "registration",
      registration: {
        ...({ status: "home", tac: "002F", cellId: "0012BEEF", act: 7 } as const),
        ...{ activeTime: "11100000", periodicTau: "11100000" },
      },
    },
  ],
  ["+CSCON: 0", { type: "rrc", mode: "idle" }],
  ["+CSCON: 1", { type: "rrc", mode: "connected" }],
  [
    '+CEDRXP: 4,"1000","0101","1011"',
    { type: "edrx", act: 4, requested: "1000", granted: "0101", pagingTimeWindow: "1011" },
  ],
  ["+CEDRXP: 4", { type: "edrx", act: 4 }],
  ["%XT3412: 5000", { type: "tauPreWarning", timeMs: 5_000 }],
  ["%XMODEMSLEEP: 1,89999", { type: "modemSleep", sleep: 1, timeMs: 89_999 }],
  ["%XMODEMSLEEP: 4", { type: "modemSleep", sleep: 4 }],
  ["%MDMEV: SEARCH STATUS 1", { type: "modemEvent", name: "SEARCH STATUS 1" }],
  ["%MDMEV: ME OVERHEATED", { type: "modemEvent", name: "ME OVERHEATED" }],
  ["%CESQ: 62,3,12,1", { type: "signal", quality: { rsrpDbm: -78, rsrqDb: -13.5 }, thresholds: { rsrp: 3, rsrq: 1 } }],
  [
    "%CESQ: 255,0,255,0",
    { type: "signal", quality: { rsrpDbm: undefined, rsrqDb: undefined }, thresholds: { rsrp: 0, rsrq: 0 } },
  ],
  ["%CESQ: 62,3,31", { type: "signal", quality: { rsrpDbm: -78, rsrqDb: -4 } }],
  ["%XTEMP: 2,56", { type: "temperature", level: 2, celsius: 56 }],
  ["%XSIM: 1", { type: "sim", isInitialized: true }],
  ["%XSIM: 0,1", { type: "sim", isInitialized: false, cause: 1 }],
  [
    '%XTIME: "08","81109251714208","01"',
    { type: "networkTime", localTimeZone: "08", universalTime: "81109251714208", daylightSaving: "01" },
  ],
  ['%XTIME: ,"81109251714208","01"', { type: "networkTime", universalTime: "81109251714208", daylightSaving: "01" }],
  ["%XPOFWARN: 30", { type: "supply", name: "%XPOFWARN", values: [30] }],
  ["%XVBATLOWLVL: 3200", { type: "supply", name: "%XVBATLOWLVL", values: [3_200] }],
  ["+CGEV: ME PDN ACT 0,0", { type: "packetDomain", event: "ME PDN ACT 0,0" }],
  ["+CNEC_ESM: 50,0", { type: "networkError", layer: "esm", cause: 50, contextId: 0 }],
  ["+CNEC_EMM: 15", { type: "networkError", layer: "emm", cause: 15 }],
  ["%NCELLMEAS: 1", { type: "neighborCells", cells: { status: 1, neighbors: [] } }],
  [
    '%NCELLMEAS: 0,"00011B07","26295","00B7",65535,2300,7,63,31,150344527,2300,8,60,29,0,2400,11,55,26,184',
    {
      type: "neighborCells",
      cells: {
        status: 0,
        current: {
          ...{ cellId: "00011B07", plmn: "26295", tac: "00B7", timingAdvance: 65_535, earfcn: 2_300 },
          ...{ physicalCellId: 7, rsrp: 63, rsrq: 31, measuredAtMs: 150_344_527 },
        },
        neighbors: [
          { earfcn: 2_300, physicalCellId: 8, rsrp: 60, rsrq: 29, timeDifferenceMs: 0 },
          { earfcn: 2_400, physicalCellId: 11, rsrp: 55, rsrq: 26, timeDifferenceMs: 184 },
        ],
      },
    },
  ],
  // Not known, or not as it should be: as it came.
  ["#XMQTTEVT: 3,0", { type: "other", line: "#XMQTTEVT: 3,0", name: "#XMQTTEVT" }],
  ["+CEREG: 77", { type: "other", line: "+CEREG: 77", name: "+CEREG" }],
  ["+CSCON: on", { type: "other", line: "+CSCON: on", name: "+CSCON" }],
  ["%XTEMP: 25", { type: "other", line: "%XTEMP: 25", name: "%XTEMP" }],
  ["%XT3412: ", { type: "other", line: "%XT3412: ", name: "%XT3412" }],
  ["%NCELLMEAS: x", { type: "other", line: "%NCELLMEAS: x", name: "%NCELLMEAS" }],
  ["Ready", { type: "other", line: "Ready", name: "" }],
];

for (const [line, notification] of cases) {
  test(`"${line}" is ${notification.type}`, () => {
    assert.deepEqual(parseNotification(line), notification);
  });
}

test("a cell measurement with all 17 neighbours is read whole", () => {
  const neighbors = Array.from({ length: 17 }, (_, index) => `2300,${index},60,29,${index}`).join(",");
  const notification = parseNotification(
    `%NCELLMEAS: 0,"00011B07","26295","00B7",2300,2300,7,63,31,1503,${neighbors},11000`,
  );
  assert.equal(notification.type, "neighborCells");
  assert.equal(notification.type === "neighborCells" && notification.cells.neighbors.length, 17);
});

const times: [line: string, timeMs: number | undefined][] = [
  ["AT", undefined],
  ["AT+CGSN", undefined],
  ["AT+CFUN?", undefined],
  ["AT+CFUN=4", 60_000],
  ["AT+COPS?", undefined],
  ["AT+COPS=?", 600_000],
  ["AT+COPS=0", 180_000],
  ["AT%CMNG=1", undefined],
  ['AT%CMNG=0,43,0,"x"', 30_000],
  ["AT%KEYGEN=43,2,0", 60_000],
  ['AT#XCONNECT="localhost",8883', 120_000],
];

for (const [line, timeMs] of times) {
  test(`${line} is waited for ${timeMs === undefined ? "as usual" : `${timeMs} ms`}`, () => {
    assert.equal(slowCommandTimeMs(parseAtCommand(line)), timeMs);
  });
}

test("error codes have words, and unknown ones stand alone", () => {
  assert.equal(describeCmeError(518), "518 (not allowed while the modem is active)");
  assert.equal(describeCmeError(529), "529 (no ownership key, or the secure side failed)");
  assert.equal(describeCmeError(521), "521 (the search for networks was interrupted, and found some only)");
  assert.equal(describeCmeError(127), "127 (access point missing or unknown)");
  assert.equal(describeCmeError(999), "999");
  assert.equal(describeCmsError(310), "310 (no SIM card)");
  assert.equal(describeCmsError(999), "999");
});
