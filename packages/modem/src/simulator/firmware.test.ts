import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createVirtualFiles, createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { makeModemWorld } from "../world.test.support.js";
import { commandsNotSimulated } from "./commands/absent.js";
import { commandTable } from "./commands/table.js";
import { type FirmwareName, firmwareProfiles, isOlderFirmware, modemParts } from "./firmware.js";
import { modemCipherSuites } from "./sockets.js";

const keys = createVirtualKeys({ random: createVirtualRandom("keys") });
const { client } = await makeTestCertificates(keys);
const names = Object.keys(firmwareProfiles) as FirmwareName[];

/** What each firmware answers, by what it came with: from which version on `yes`, before `no`. */
const differences: [command: string, since: FirmwareName, yes: RegExp, no: RegExp][] = [
  ["AT%KEYGEN=50,2", "mfw_nrf9160_1.3.0", /^%KEYGEN: "/, /^ERROR/],
  ["AT%ATTESTTOKEN", "mfw_nrf9160_1.3.0", /^%ATTESTTOKEN: "/, /^ERROR/],
  ['AT%KEYINJECT="a.b"', "mfw_nrf9160_1.3.0", /513/, /^ERROR/],
  ["AT%MDMEV=1", "mfw_nrf9160_1.3.0", /^OK/, /^ERROR/],
  ["AT%XMODEMSLEEP=1,1000,60000", "mfw_nrf9160_1.3.0", /^OK/, /^ERROR/],
  ["AT%CLAIMTOKEN=1", "mfw_nrf9160_1.3.4", /529/, /^ERROR/],
  ["AT%DEVICEUUID", "mfw_nrf91x1_2.0.0", /^%DEVICEUUID: /, /^ERROR/],
  ["AT%CERTEXPIRY=1,1", "mfw_nrf91x1_2.0.0", /^%CERTEXPIRY: /, /^ERROR/],
  ["AT%XTEMP", "mfw_nrf91x1_2.0.0", /^%XTEMP: 25/, /^ERROR/],
  ["AT%XTEMP?", "mfw_nrf91x1_2.0.0", /^ERROR/, /^%XTEMP: 25/],
  ['AT%CMNG=0,2147483667,4,"x"', "mfw_nrf91x1_2.0.0", /^OK/, /^ERROR/],
  ['AT%CMNG=0,2147483668,4,"x"', "mfw_nrf91x1_2.0.0", /^ERROR/, /^ERROR/],
  ['AT%CMNG=0,1,0,"no certificate"', "mfw_nrf91x1_2.0.2", /527/, /^OK/],
  ["AT%CMNG=1,1,1", "mfw_nrf9160_1.1.4", /^%CMNG: 1,1,"[0-9A-F]{64}"\r\nOK/, /^%CMNG: 1,1\r\nOK/],
];

for (const name of names) {
  test(`${name} is what it says, and can do what came with it and before`, async () => {
    const { at, modem } = await makeModemWorld({ keys, firmware: name });
    const short = name.replace("mfw_", "");
    const isNewer = short.startsWith("nrf91x1");
    assert.equal(await at("AT+CGMR"), `${name}\r\nOK\r\n`);
    assert.equal(await at("AT%SHORTSWVER"), `%SHORTSWVER: ${short}\r\nOK\r\n`);
    assert.equal(await at("AT+CGMM"), `${isNewer ? "nRF9161-LACA" : "nRF9160-SICA"}\r\nOK\r\n`);
    await at("AT+CMEE=1");
    assert.equal(await at(`AT%CMNG=0,1,1,"${client.certificatePem}"`), "OK\r\n");
    for (const [command, since, yes, no] of differences) {
      assert.match(await at(command), names.indexOf(name) >= names.indexOf(since) ? yes : no, command);
    }
    // The vendor's keys came with the firmware that signs by them.
    const vendorTags = (await at("AT%CMNG=1")).match(/%CMNG: 429496729[234],/g)?.length ?? 0;
    assert.equal(vendorTags, names.indexOf(name) >= names.indexOf("mfw_nrf9160_1.3.0") ? 3 : 0);
    // 528 came with 1.3.2; on the newer parts the warning is on from the boot on.
    const hasGuard = names.indexOf(name) >= names.indexOf("mfw_nrf9160_1.3.2");
    const told: string[] = [];
    modem.onNotification((line) => told.push(line));
    modem.faults.setPowerFailing(true);
    assert.match(await at('AT%CMNG=0,3,4,"x"'), hasGuard ? /528/ : /^OK/);
    assert.equal(told.includes("%XPOFWARN: 30"), isNewer);
    await modem.close();
  });
}

test("%XMONITOR has its last value from 1.2 on, and TLS its GCM suites from 1.3.1 on, and from 1.2.7", async () => {
  const withGcm = names.filter((name) => firmwareProfiles[name].hasGcmSuites);
  const without: FirmwareName[] = ["mfw_nrf9160_1.0.1", "mfw_nrf9160_1.1.4", "mfw_nrf9160_1.3.0"];
  assert.deepEqual([...withGcm, ...without].sort(), [...names].sort());
  assert.ok(modemCipherSuites.some((suite) => suite.includes("GCM")));
  for (const [name, values] of [
    ["mfw_nrf9160_1.1.4", 15],
    ["mfw_nrf9160_1.2.7", 16],
  ] as const) {
    const { at, modem, clock } = await makeModemWorld({ keys, firmware: name });
    await at("AT+CFUN=1");
    await clock.advance(1_000);
    assert.equal((await at("AT%XMONITOR")).split(",").length, values, name);
    await modem.close();
  }
});

for (const [part, { model, hardware, attestationDeviceType }] of Object.entries(modemParts)) {
  test(`a ${part} says what it is, in clear and signed`, async () => {
    const { at, modem } = await makeModemWorld({ keys, identity: { part: part as keyof typeof modemParts } });
    assert.equal(await at("AT+CGMM"), `${model}\r\nOK\r\n`);
    assert.equal(await at("AT%HWVERSION"), `%HWVERSION: ${hardware}\r\nOK\r\n`);
    const body = Buffer.from(/"([\w-]+)\./.exec(await at("AT%ATTESTTOKEN"))?.[1] ?? "", "base64url");
    assert.equal(body[22], attestationDeviceType);
    await modem.close();
  });
}

test("a part and a firmware that do not fit are refused; what was stored before there were parts is read", async () => {
  await assert.rejects(
    makeModemWorld({ keys, identity: { part: "nRF9160", firmware: "mfw_nrf91x1_2.0.2" } }),
    (error) => isThinglineError(error, "OPTION_INVALID") && error.details["option"] === "identity.part",
  );
  await assert.rejects(
    makeModemWorld({ keys, identity: { part: "nRF9999" as never } }),
    (error) => isThinglineError(error, "OPTION_INVALID") && /nRF9160, nRF9161/.test(error.message),
  );
  const files = createVirtualFiles();
  const first = await makeModemWorld({ keys, files, folder: "modem" });
  await first.modem.close();
  const bytes = await files.read("modem/identity.json", { bytesMax: 10_000 });
  const { part: _, ...old } = JSON.parse(new TextDecoder().decode(bytes)) as Record<string, string>;
  await files.replace("modem/identity.json", new TextEncoder().encode(JSON.stringify(old)));
  const again = await makeModemWorld({ keys, files, folder: "modem" });
  assert.deepEqual(again.modem.identity, first.modem.identity);
  await again.modem.close();
  const newer = await makeModemWorld({ keys, files, folder: "modem", firmware: "mfw_nrf91x1_2.0.4" });
  assert.equal(newer.modem.identity.part, "nRF9161");
  await newer.modem.close();
});

test("versions are compared by number", () => {
  assert.ok(isOlderFirmware("mfw_nrf9160_1.3.2", "mfw_nrf9160_1.3.10"));
  assert.ok(!isOlderFirmware("mfw_nrf9160_1.3.2", "mfw_nrf9160_1.3.2"));
  assert.ok(!isOlderFirmware("something", "mfw_nrf9160_1.3.2"));
});

test("+CLAC lists what a firmware has, and nothing that is not simulated", async () => {
  const lists = new Map<FirmwareName, string[]>();
  for (const firmware of ["mfw_nrf9160_1.2.7", "mfw_nrf91x1_2.0.2"] as const) {
    const { at, modem } = await makeModemWorld({ keys, firmware });
    const listed = (await at("AT+CLAC")).split("\r\n").filter((line) => line.startsWith("AT"));
    lists.set(firmware, listed);
    for (const name of commandsNotSimulated) {
      assert.ok(!commandTable.has(name) && !listed.includes(`AT${name}`), name);
      for (const form of ["", "?", "=?", "=1"]) assert.equal(await at(`AT${name}${form}`), "ERROR\r\n", name + form);
    }
    await modem.close();
  }
  assert.ok(!lists.get("mfw_nrf9160_1.2.7")?.includes("AT%KEYGEN"));
  assert.equal(lists.get("mfw_nrf91x1_2.0.2")?.length, commandTable.size - 1);
});
