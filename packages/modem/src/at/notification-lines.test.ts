import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { type ModemNotification, parseNotification, registrationStatuses } from "@thingline/protocol/at";
import { formatNetworkTimeNotification, type NetworkTime, readNetworkTimeNotification } from "./network-time.js";
import { formatModemNotification } from "./notification-lines.test.support.js";

/** As Nordic's AT references show them. */
const samples = [
  '+CEREG: 1,"002F","0012BEEF",7,,,"11100000","11100000"',
  '+CEREG: 90,,"FFFFFFFF",,,,,',
  "+CSCON: 1",
  '+CEDRXP: 4,"1000","0101","1011"',
  "+CEDRXP: 4",
  "%XT3412: 1200000",
  "%XMODEMSLEEP: 1,1152000000",
  "%XMODEMSLEEP: 4",
  "%MDMEV: SEARCH STATUS 1",
  "%MDMEV: ME BATTERY LOW",
  "%CESQ: 62,3,12,1",
  "%XSIM: 1",
  "%XSIM: 0,1",
  '%XTIME: "08","81109251714208","01"',
  '%XTIME: ,"81109251714208","01"',
  "%XPOFWARN: 30",
  "%XVBATLOWLVL: 3700",
  "%XTEMP: 2,56",
  "+CGEV: ME PDN ACT 0,0",
  "+CNEC_ESM: 50,0",
  "+CNEC_EMM: 15",
  "%NCELLMEAS: 1",
  '%NCELLMEAS: 0,"00011B07","26295","00B7",65535,2300,7,63,31,150344527,2300,8,60,29,0,2400,11,55,26,184',
];

for (const line of samples) {
  test(`"${line}" is written as it was read`, () => {
    const notification = parseNotification(line);
    assert.notEqual(notification.type, "other");
    assert.equal(formatModemNotification(notification), line);
  });
}

const bits = (length: number) => fc.stringMatching(new RegExp(`^[01]{${length}}$`));
const hex = (length: number) => fc.stringMatching(new RegExp(`^[0-9A-F]{${length}}$`));
const words = fc.stringMatching(/^[A-Z][A-Z0-9 ]{0,20}[A-Z0-9]$/);
const all = (model: Record<string, fc.Arbitrary<unknown>>) => fc.record(model, { noNullPrototype: true });
/** Members of which some may be missing. */
const some = (model: Record<string, fc.Arbitrary<unknown>>, requiredKeys: readonly string[]) =>
  fc.record(model, { requiredKeys: [...requiredKeys], noNullPrototype: true });
const is = <Type extends string>(type: Type) => fc.constant(type);
const dBs = {
  rsrpDbm: fc.option(fc.integer({ min: -140, max: -43 }), { nil: undefined }),
  rsrqDb: fc.option(
    fc.nat(34).map((index) => -19.5 + index / 2),
    { nil: undefined },
  ),
};
const cell = all({
  ...{ earfcn: fc.nat(262_143), physicalCellId: fc.nat(503), rsrp: fc.nat(255), rsrq: fc.nat(255) },
  timeDifferenceMs: fc.integer({ min: -99_999, max: 99_999 }),
});
const current = all({
  ...{ cellId: hex(8), plmn: fc.stringMatching(/^[0-9]{5,6}$/), tac: hex(4), timingAdvance: fc.nat(65_535) },
  ...{ earfcn: fc.nat(262_143), physicalCellId: fc.nat(503), rsrp: fc.nat(255), rsrq: fc.nat(255) },
  measuredAtMs: fc.nat(),
});
const registration = some(
  {
    ...{ status: fc.constantFrom(...Object.values(registrationStatuses)), tac: hex(4), cellId: hex(8) },
    ...{ act: fc.constantFrom(7, 9), causeType: fc.nat(1), rejectCause: fc.nat(255) },
    ...{ activeTime: bits(8), periodicTau: bits(8) },
  },
  ["status"],
);

const notification = fc.oneof(
  all({ type: is("registration"), registration }),
  all({ type: is("rrc"), mode: fc.constantFrom("idle", "connected") }),
  some(
    {
      ...{ type: is("edrx"), act: fc.constantFrom(4, 5), requested: bits(4) },
      ...{ granted: bits(4), pagingTimeWindow: bits(4) },
    },
    ["type", "act"],
  ),
  all({ type: is("tauPreWarning"), timeMs: fc.maxSafeNat().map((value) => value % 3_456_000_000_001) }),
  some({ type: is("modemSleep"), sleep: fc.nat(7), timeMs: fc.nat() }, ["type", "sleep"]),
  all({ type: is("modemEvent"), name: words }),
  some(
    {
      ...{ type: is("signal"), quality: all(dBs) },
      thresholds: all({ rsrp: fc.nat(4), rsrq: fc.nat(4) }),
    },
    ["type", "quality", "thresholds"],
  ),
  some({ type: is("sim"), isInitialized: fc.boolean(), cause: fc.nat(9) }, ["type", "isInitialized"]),
  some({ type: is("networkTime"), localTimeZone: hex(2), universalTime: hex(14), daylightSaving: hex(2) }, ["type"]),
  all({
    type: is("supply"),
    name: fc.constantFrom("%XPOFWARN", "%XVBATLOWLVL", "%XVBATLVL"),
    values: fc.array(fc.nat(5_000), { minLength: 1, maxLength: 3 }),
  }),
  all({ type: is("temperature"), level: fc.nat(3), celsius: fc.integer({ min: -40, max: 125 }) }),
  all({
    type: is("neighborCells"),
    cells: fc.oneof(
      all({ status: fc.nat(2), neighbors: fc.constant([]) }),
      all({ status: fc.nat(2), current, neighbors: fc.array(cell, { maxLength: 17 }) }),
    ),
  }),
  all({ type: is("packetDomain"), event: words }),
  some({ type: is("networkError"), layer: fc.constantFrom("emm", "esm"), cause: fc.nat(255), contextId: fc.nat(10) }, [
    ...(["type", "layer", "cause"] as const),
  ]),
);

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

test("whatever a URC says, its line says", () => {
  const property = fc.property(notification, (said) => {
    const line = formatModemNotification(said as ModemNotification);
    assert.deepEqual(parseNotification(line), { ...said }, line);
  });
  fc.assert(property, { numRuns: isLong ? 20_000 : 150 });
});

test("the network's time comes with digits the other way round", () => {
  const time = readNetworkTimeNotification(parseNotification('%XTIME: "80","81109251714208","01"') as never);
  assert.deepEqual(time, {
    unixSeconds: Date.UTC(2018, 0, 29, 15, 17, 24) / 1000,
    timeZoneQuarterHours: 8,
    daylightSavingHours: 1,
  });
  assert.deepEqual(readNetworkTimeNotification({ type: "networkTime", localTimeZone: "48" }), {
    timeZoneQuarterHours: -4,
  });
  for (const [localTimeZone, universalTime, daylightSaving] of [
    ["A0", "22011051235908", "03"],
    ["", "8110925171420", ""],
    ["0", "x", "1"],
  ] as const) {
    const wrong = { type: "networkTime", localTimeZone, universalTime, daylightSaving } as const;
    assert.deepEqual(readNetworkTimeNotification(wrong), {}, `${localTimeZone} ${universalTime}`);
  }
});

test("whatever the time is, its line says", () => {
  const time = fc.record(
    {
      unixSeconds: fc.integer({ min: Date.UTC(2000, 0, 1) / 1000, max: Date.UTC(2099, 11, 31) / 1000 }),
      timeZoneQuarterHours: fc.integer({ min: -48, max: 56 }),
      daylightSavingHours: fc.nat(2),
    },
    { requiredKeys: [], noNullPrototype: true },
  );
  const property = fc.property(time, (said: NetworkTime) => {
    const line = formatNetworkTimeNotification(said);
    const read = parseNotification(line);
    assert.ok(read.type === "networkTime", line);
    assert.deepEqual(readNetworkTimeNotification(read), said, line);
  });
  fc.assert(property, { numRuns: isLong ? 5_000 : 50 });
});
