import assert from "node:assert/strict";
import { test } from "node:test";
import { credentialTypeName, formatCredentialLine, parseCredentialLine } from "./credential.js";
import { parseFunctionalMode } from "./functional-mode.js";
import { formatMonitor, parseMonitor } from "./monitor.js";
import { decodeActiveTime, decodePeriodicTau } from "./power-saving.js";
import type { Registration } from "./registration.js";
import {
  effectiveStatus,
  formatRegistration,
  parseRegistrationNotification,
  parseRegistrationRead,
} from "./registration.js";
import { formatSignalNotification, formatSignalQuality, parseSignalQuality } from "./signal.js";
import { formatSystemMode, parseSystemMode } from "./system-mode.js";

// Lines as nRF Connect SDK's tests of lte_lc and Nordic's AT reference show them.
test("+CEREG notifications are read at every level", () => {
  assert.deepEqual(parseRegistrationNotification("+CEREG: 2"), { status: "searching" });
  assert.deepEqual(parseRegistrationNotification('+CEREG: 1,"0A0B","01020304",9,0,0,"00100110","01011111"'), {
    status: "home",
    tac: "0A0B",
    cellId: "01020304",
    act: 9,
    causeType: 0,
    rejectCause: 0,
    activeTime: "00100110",
    periodicTau: "01011111",
  });
  assert.deepEqual(parseRegistrationNotification('+CEREG: 90,,"FFFFFFFF",,,,,'), {
    status: "uiccFailure",
    cellId: "FFFFFFFF",
  });
  assert.equal(parseRegistrationNotification("+CEREG: 77"), undefined);
  assert.equal(parseRegistrationNotification("+CESQ: 1"), undefined);
});

test("+CEREG? answers carry the level in front", () => {
  assert.deepEqual(parseRegistrationRead("+CEREG: 5,0,,,9,0,0,,"), {
    level: 5,
    registration: { status: "notRegistered", act: 9, causeType: 0, rejectCause: 0 },
  });
});

test("a registration without a real cell is unknown", () => {
  const registration = parseRegistrationNotification('+CEREG: 1,"FFFF","ffffffff",7');
  assert.ok(registration);
  assert.equal(effectiveStatus(registration), "unknown");
  assert.equal(effectiveStatus({ status: "denied", cellId: "FFFFFFFF" }), "denied");
});

test("+CEREG is written as each level wants it", () => {
  const registration: Registration = {
    status: "home",
    tac: "002F",
    cellId: "0012BEEF",
    act: 7,
    activeTime: "11100000",
    periodicTau: "11100000",
  };
  const lines = [0, 1, 2, 3, 4, 5].map((level) => formatRegistration(registration, level));
  assert.deepEqual(lines, [
    "1",
    "1",
    '1,"002F","0012BEEF",7',
    '1,"002F","0012BEEF",7,,',
    '1,"002F","0012BEEF",7,,,"11100000","11100000"',
    '1,"002F","0012BEEF",7,,,"11100000","11100000"',
  ]);
  assert.deepEqual(parseRegistrationNotification(`+CEREG: ${lines[5]}`), registration);
  assert.equal(formatRegistration({ ...registration, rejectCause: 11, causeType: 0 }, 4).includes("11,"), false);
});

test("+CESQ is in dB and dBm, unknown stays unknown", () => {
  assert.deepEqual(parseSignalQuality("+CESQ: 99,99,255,255,31,62"), { rsrqDb: -4, rsrpDbm: -78 });
  assert.deepEqual(parseSignalQuality("+CESQ: 99,99,255,255,255,255"), { rsrqDb: undefined, rsrpDbm: undefined });
  assert.equal(formatSignalQuality({ rsrqDb: -4, rsrpDbm: -78 }), "+CESQ: 99,99,255,255,31,62");
  assert.equal(formatSignalNotification({ rsrqDb: -4, rsrpDbm: -78 }), "%CESQ: 62,3,31,4");
  assert.equal(formatSignalNotification({ rsrqDb: undefined, rsrpDbm: undefined }), "%CESQ: 255,255,255,255");
});

test("%CMNG lines come back as they were formatted", () => {
  const sha256 = "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1";
  for (const line of [
    { secTag: 42, type: 0, sha256, content: undefined },
    { secTag: 4294967293, type: 10, sha256, content: undefined },
    { secTag: 42, type: 1, sha256, content: "-----BEGIN\r\n-----END\n" },
    { secTag: 42, type: 1, sha256: undefined, content: undefined },
  ]) {
    assert.deepEqual(parseCredentialLine(formatCredentialLine(line)), line);
  }
  assert.equal(parseCredentialLine("%CMNG: x"), undefined);
  assert.equal(credentialTypeName(2), "privateKey");
  assert.equal(credentialTypeName(10), undefined);
});

test("+CFUN and %XSYSTEMMODE are read", () => {
  assert.equal(parseFunctionalMode("+CFUN: 4"), 4);
  assert.equal(parseFunctionalMode("+CFUN: 3"), undefined);
  const mode = parseSystemMode("%XSYSTEMMODE: 1,0,1,0");
  assert.deepEqual(mode, { lteM: true, nbIot: false, gnss: true, preference: 0 });
  assert.equal(formatSystemMode(mode), "1,0,1,0");
  assert.equal(parseSystemMode("%XSYSTEMMODE: 1,0"), undefined);
});

test("%XMONITOR is read in both lengths", () => {
  const line = '%XMONITOR: 1,"","","24201","0901",7,20,"02024720",428,6300,53,22,"","11100000","11100000","01001001"';
  const monitor = parseMonitor(line);
  assert.equal(monitor?.registered?.cellId, "02024720");
  assert.equal(formatMonitor(1, monitor?.registered), line);
  assert.deepEqual(parseMonitor("%XMONITOR: 2"), { status: 2, registered: undefined });
});

test("PSM timers are seconds", () => {
  assert.equal(decodePeriodicTau("00000011"), 1800);
  assert.equal(decodeActiveTime("00100001"), 60);
  assert.equal(decodePeriodicTau("11100000"), undefined);
  assert.equal(decodeActiveTime("1110000"), undefined);
});
