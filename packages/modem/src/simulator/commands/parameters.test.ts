import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { makeModemWorld } from "../../world.test.support.js";
import { commandTable } from "./table.js";

/** For each command with a set form: what it takes, every parameter given; and what is out of range, besides. */
const commands: Record<string, { takes: string[]; refuses?: string[] }> = {
  "+CFUN": { takes: ["4"], refuses: ["3", "-1", "45"] },
  "%XSYSTEMMODE": { takes: ["1", "0", "1", "4"], refuses: ["2,0,0,0", "1,0,0,5", "0,0,0,0", "1,0", "1,,0"] },
  "%XFACTORYRESET": { takes: ["1"], refuses: ["2", ""] },
  "+CGSN": { takes: ["1"], refuses: ["4", ""] },
  "+CMEE": { takes: ["0"], refuses: ["2", ""] },
  "+CEREG": { takes: ["5"], refuses: ["6", ""] },
  "+CSCON": { takes: ["1"], refuses: ["4", ""] },
  "%CESQ": { takes: ["1"], refuses: ["2", ""] },
  "+COPS": {
    takes: ["1", "2", '"00101"', "7"],
    refuses: ['1,2,"26201"', '1,2,"001"', "0,2", "3", "3,3", '3,2,"00101"', "2"],
  },
  "+CGDCONT": { takes: ["0", '"IPV6"', '"apn"'], refuses: ["1", '0,"PPP"', "0"] },
  "+CGPADDR": { takes: ["0"], refuses: ["1", ""] },
  "+CPSMS": {
    takes: ["1", '""', '""', '"00000011"', '"00100001"'],
    refuses: ["2", '1,,,"3"', '1,,,"00000011","0010000x"', '1,"00000011"', '0,,,"00000011"'],
  },
  "+CEDRXS": { takes: ["2", "4", '"1001"'], refuses: ["4", "2,7", '2,4,"10010"', "2,4", "3,4"] },
  "%XPTW": { takes: ["4", '"0101"'], refuses: ['3,"0101"', '4,"01"', "4"] },
  "+CNEC": { takes: ["24"], refuses: ["1", "25", ""] },
  "+CGEREP": { takes: ["1", "0"], refuses: ["2", "1,1", ""] },
  "+CIND": { takes: ["1", "1", "1"], refuses: ["2", "1,2", ""] },
  "+CPIN": { takes: ['"1234"'], refuses: ['"12"', '"12345678x"', ""] },
  "+CPINR": { takes: ['"SIM PIN"'], refuses: ['"SIM PIN2"', ""] },
  "%XSIM": { takes: ["1"], refuses: ["2", ""] },
  "%XTIME": { takes: ["1"], refuses: ["2", ""] },
  "%MDMEV": { takes: ["1"], refuses: ["2", ""] },
  "%XMODEMSLEEP": { takes: ["1", "5000", "1200000"], refuses: ["2", "1,-1"] },
  "%XT3412": { takes: ["1", "5000", "1200000"], refuses: ["2", "1,-1"] },
  "%XPOFWARN": { takes: ["1", "30"], refuses: ["2", "1,29", "1,34"] },
  "%XVBATLVL": { takes: ["1"], refuses: ["2", ""] },
  "%CMNG": {
    takes: ["0", "1", "4", '"secret"'],
    refuses: ["4", "", "0", "0,1", "0,1,4", "1,,4", '0,1,256,"x"', '0,-1,4,"x"', '0,1,4,"x","password"'],
  },
  "%KEYGEN": {
    takes: ["50", "2", "0", '"CN=a"', '"101010000"'],
    refuses: [
      '51,2,0,"CN=a","10101000"',
      '51,2,0,"CN=a","1010100000"',
      '51,2,0,"CN=a","10101000x"',
      '51,2,1,"CN=a"',
      "51,2,2",
      "51",
    ],
  },
  "%ATTESTTOKEN": { takes: [`"${"0".repeat(32)}"`], refuses: [`"${"0".repeat(31)}"`, `"${"g".repeat(32)}"`] },
  "%KEYINJECT": { takes: ['"a.b"'] },
  "%CERTEXPIRY": { takes: ["1", "0"], refuses: ["-1,0", "1"] },
};

const keys = createVirtualKeys({ random: createVirtualRandom("keys") });

async function stateOf(at: (command: string) => Promise<string>): Promise<string> {
  const answers: string[] = [await at("AT%CMNG=1")];
  for (const [name, forms] of commandTable) if (forms?.read) answers.push(await at(`AT${name}?`));
  return answers.join("");
}

test("every command with parameters is in the table", () => {
  const withSet = [...commandTable].filter(([, forms]) => forms?.set !== undefined).map(([name]) => name);
  assert.deepEqual(Object.keys(commands).sort(), withSet.sort());
});

test("one parameter too many, of a wrong kind or out of range is refused, and nothing is changed", async () => {
  const { at, modem } = await makeModemWorld({ keys, firmware: "mfw_nrf91x1_2.0.2" });
  const before = await stateOf(at);
  for (const [name, { takes, refuses = [] }] of Object.entries(commands)) {
    const wrong = [
      [...takes, "1"].join(","),
      [...takes, '"x"'].join(","),
      ...takes.flatMap((value, index) => {
        const others = value.startsWith('"') ? ["7", "(1)", "1.5"] : ['"7"', "x", "99999999999", "(1)"];
        return others.map((other) => takes.map((each, at) => (at === index ? other : each)).join(","));
      }),
      ...refuses,
    ];
    for (const parameters of wrong) {
      const command = `AT${name}=${parameters}`;
      assert.match(await at(command), /^(?:ERROR|\+CME ERROR: \d+)\r\n$/, command);
      assert.equal(await stateOf(at), before, command);
    }
  }
  await modem.close();
});

test("what the table says is taken is taken", async () => {
  for (const [name, { takes }] of Object.entries(commands)) {
    const { at, modem } = await makeModemWorld({ keys, firmware: "mfw_nrf91x1_2.0.2" });
    const answer = await at(`AT${name}=${takes.join(",")}`);
    // These want a SIM card that is on, or a certificate, or a key that a vendor has encrypted.
    const needsMore = ["+CPIN", "+CPINR", "%CERTEXPIRY", "%KEYINJECT"].includes(name);
    assert.match(answer, needsMore ? /ERROR/ : /OK\r\n$/, name);
    await modem.close();
  }
});

test("read, test and execute forms take no parameters", async () => {
  const { at, modem } = await makeModemWorld({ keys });
  for (const [name] of commandTable) {
    for (const rest of ["?1", "=?1", " 1", "?=1"])
      assert.equal(await at(`AT${name}${rest}`), "ERROR\r\n", `${name}${rest}`);
  }
  await modem.close();
});

test("a key usage becomes the bits of the request, as X.509 orders them", async () => {
  const cases: [usage: string, der: string][] = [
    ["101010000", "030203a8"],
    ["111010000", "030203e8"],
    ["100000000", "03020780"],
    ["000000001", "0303070080"],
    ["111111111", "030307ff80"],
    ["000000000", "030100"],
  ];
  for (const [at0, [usage, der]] of cases.entries()) {
    const { at, modem } = await makeModemWorld({ keys });
    const answer = await at(`AT%KEYGEN=${50 + at0},2,0,"CN=a","${usage}"`);
    const request = Buffer.from(/"([\w-]+)\./.exec(answer)?.[1] ?? "", "base64url").toString("hex");
    const octets = (der.length / 2).toString(16).padStart(2, "0");
    assert.ok(request.includes(`0603551d0f04${octets}${der}`), `${usage}: ${answer}`);
    await modem.close();
  }
});
