// Every refusal of %CMNG, %KEYGEN, %XPMNG and %XSUDO, by its number, with what brings it about.
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { makeModemWorld, type ModemWorldOptions } from "../world.test.support.js";

const keys = createVirtualKeys({ random: createVirtualRandom("keys") });
const { client } = await makeTestCertificates(keys);
const publicKey = (await keys.generate("ec-p256")).publicKeyPem;
const newer = { firmware: "mfw_nrf91x1_2.0.2" } as const;

interface Refusal {
  name: string;
  /** `ERROR`: plain, whatever `+CMEE` says. */
  code: number | "ERROR";
  when?: readonly string[];
  command: string;
  options?: ModemWorldOptions;
}

const stored = ['AT%CMNG=0,43,2,"key"', 'AT%CMNG=0,43,3,"abcd"', `AT%CMNG=0,43,1,"${client.certificatePem}"`];
const active = [1, 2, 21].map((mode) => [...stored, `AT+CFUN=${mode}`]);
const changes = [
  'AT%CMNG=0,43,0,"x"',
  "AT%CMNG=3,43,2",
  "AT%KEYGEN=44,2",
  "AT%KEYGEN=44,8",
  `AT%XPMNG=0,"${publicKey}"`,
];
const comesWith: ModemWorldOptions = { factoryCredentials: [{ secTag: 7, type: 4, content: "identity" }] };
const powerFailing: ModemWorldOptions = { behaviour: { set: { isPowerFailing: true } } };

const refusals: Refusal[] = [
  { name: "read of an absent item", code: 513, command: "AT%CMNG=2,1,0" },
  { name: "deletion of an absent item", code: 513, command: "AT%CMNG=3,1,0" },
  { name: "read of an absent public key", code: 513, command: "AT%XPMNG=2" },
  { name: "a signed command without a key", code: 513, command: 'AT%XSUDO=5,"AAAA";+CGMI' },
  { name: "injection without the vendor's key", code: 513, command: 'AT%KEYINJECT="a.b"' },
  { name: "expiry of an absent certificate", code: 513, command: "AT%CERTEXPIRY=1,0", options: newer },
  { name: "read of a private key", code: 514, when: stored, command: "AT%CMNG=2,43,2" },
  { name: "read of a PSK", code: 514, when: stored, command: "AT%CMNG=2,43,3" },
  ...[4_294_967_292, 4_294_967_293, 4_294_967_294].flatMap((secTag, index) => [
    { name: `write in reserved tag ${secTag}`, code: 514, command: `AT%CMNG=0,${secTag},0,"x"` } as const,
    {
      ...{ name: `deletion in reserved tag ${secTag}`, code: 514 as const },
      command: `AT%CMNG=3,${secTag},${[11, 10, 6][index]}`,
    },
    { name: `a key in reserved tag ${secTag}`, code: 514, command: `AT%KEYGEN=${secTag},2` } as const,
  ]),
  ...[5, 6, 7, 8, 9, 10, 11, 13].map(
    (type) => ({ name: `write of type ${type}`, code: 514, command: `AT%CMNG=0,1,${type},"x"` }) as const,
  ),
  {
    ...{ name: "write over what fits", code: 515 as const },
    ...{ command: 'AT%CMNG=0,1,4,"four"', options: { storageBytesMax: 3 } },
  },
  { name: "a key without room", code: 515, command: "AT%KEYGEN=1,2", options: { storageBytesMax: 0 } },
  {
    name: "a key that is longer than the room",
    code: 515,
    command: "AT%KEYGEN=1,2",
    options: { storageBytesMax: 100 },
  },
  {
    ...{ name: "an endorsement key that is longer than the room", code: 515 as const },
    ...{ command: "AT%KEYGEN=1,8", options: { storageBytesMax: 100 } },
  },
  { name: "write over what came with the modem", code: 514, command: 'AT%CMNG=0,7,4,"x"', options: comesWith },
  { name: "deletion of what came with the modem", code: 514, command: "AT%CMNG=3,7,4", options: comesWith },
  ...active.flatMap((when) =>
    changes.map(
      (command) => ({ name: `${command.slice(0, 14)} after ${when.at(-1)}`, code: 518, when, command }) as const,
    ),
  ),
  { name: "system mode while active", code: 518, when: ["AT+CFUN=1"], command: "AT%XSYSTEMMODE=1,0,0,0" },
  { name: "band lock while active", code: 518, when: ["AT+CFUN=1"], command: 'AT%XBANDLOCK=1,"1000"' },
  { name: "a key where one is", code: 519, when: stored, command: "AT%KEYGEN=43,2" },
  { name: "write over a key of the modem", code: 519, when: ["AT%KEYGEN=43,2"], command: 'AT%CMNG=0,43,2,"x"' },
  {
    ...{ name: "a second public key", code: 519 as const },
    ...{ when: [`AT%XPMNG=0,"${publicKey}"`], command: `AT%XPMNG=0,"${publicKey}"` },
  },
  {
    ...{ name: "a signature of somebody else", code: 520 as const },
    ...{ when: [`AT%XPMNG=0,"${publicKey}"`], command: 'AT%XSUDO=5,"AAAA";+CGMI' },
  },
  { name: "a CA that is none, on newer firmware", code: 527, command: 'AT%CMNG=0,1,0,"text"', options: newer },
  { name: "a certificate that is none, on newer firmware", code: 527, command: 'AT%CMNG=0,1,1,"text"', options: newer },
  {
    ...{ name: "a certificate without its line ends, on newer firmware", code: 527 as const, options: newer },
    command: `AT%CMNG=0,1,1,"${client.certificatePem.replaceAll("\n", " ")}"`,
  },
  ...changes.map(
    (command) =>
      ({
        ...{ name: `${command.slice(0, 14)} under a power-off warning`, code: 528 },
        ...{ command, options: powerFailing },
      }) as const,
  ),
  { name: "a reset under a power-off warning", code: 528, command: "AT%XFACTORYRESET=1", options: powerFailing },
  { name: "claim without an owner", code: 529, command: "AT%CLAIMTOKEN=1", options: newer },
  { name: "a type that no firmware knows", code: 50, command: 'AT%CMNG=0,1,14,"x"' },
  { name: "a key of another kind", code: 50, command: "AT%KEYGEN=1,3" },
  { name: "a subject that is none", code: 50, command: 'AT%KEYGEN=1,2,0,"nonsense"' },
  { name: "a public key that is none", code: 50, command: 'AT%XPMNG=0,"text"' },
  {
    ...{ name: "a command that the build does not have", code: 51 as const, command: "AT%KEYGEN=1,2" },
    options: { behaviour: { steps: [{ onCommand: "%KEYGEN", count: 2, do: "refuse", cme: 51 }] } },
  },
  {
    ...{ name: "a key that could not be made", code: 523 as const, command: "AT%KEYGEN=1,2" },
    options: { behaviour: { steps: [{ onCommand: "%KEYGEN", count: 2, do: "refuse", cme: 523 }] } },
  },
  { name: "a syntax error", code: "ERROR", command: 'AT%CMNG=0,1,0,"open' },
  { name: "empty content", code: "ERROR", command: 'AT%CMNG=0,1,0,""' },
  { name: "no content", code: "ERROR", command: "AT%CMNG=0,1,0" },
  { name: "a tag above the last one", code: "ERROR", command: 'AT%CMNG=0,2147483648,0,"x"' },
  { name: "an operation that there is not", code: "ERROR", command: "AT%CMNG=4,1,0" },
  { name: "a command that there is not", code: "ERROR", command: "AT%CMNGX=1" },
];

for (const { name, code, when = [], command, options = {} } of refusals) {
  test(`${name}: ${code}`, async () => {
    const { at, modem } = await makeModemWorld({ keys, ...options });
    for (const each of when) assert.match(await at(each), /OK\r\n$/, each);
    // With `+CMEE` 0 every error is a plain one.
    assert.equal(await at(command), "ERROR\r\n");
    await at("AT+CMEE=1");
    assert.equal(await at(command), code === "ERROR" ? "ERROR\r\n" : `+CME ERROR: ${code}\r\n`);
    await modem.close();
  });
}

test("what is allowed: lists without entries, overwriting, writing with GNSS only, anything on older firmware, test tags on newer", async () => {
  const { at, modem } = await makeModemWorld({ keys });
  await at("AT+CMEE=1");
  for (const list of ["AT%CMNG=1,7", "AT%CMNG=1,7,1"]) assert.equal(await at(list), "OK\r\n");
  await at("AT%XSYSTEMMODE=1,0,1,0");
  for (const mode of [0, 4, 31, 44]) {
    assert.equal(await at(`AT+CFUN=${mode}`), "OK\r\n");
    assert.equal(await at(`AT%CMNG=0,1,0,"text ${mode}"`), "OK\r\n", String(mode));
  }
  await at("AT+CFUN=1");
  assert.match(await at("AT%CMNG=2,1,0"), /"text 44"\r\nOK/);
  await modem.close();
  const other = await makeModemWorld({ keys, ...newer });
  for (const secTag of [2_147_483_648, 2_147_483_667]) {
    assert.equal(await other.at(`AT%CMNG=0,${secTag},4,"identity"`), "OK\r\n");
    assert.equal(await other.at(`AT%CMNG=3,${secTag},4`), "OK\r\n");
  }
  await other.modem.close();
});
