import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { makeModemWorld } from "../../world.test.support.js";
import type { ParameterRule } from "./parameter-rules.js";
import { commandTable } from "./table.js";

/**
 * For each command with a set form: parameters that it takes, as many as it can have, and what it refuses. By hand, from the references: a rule
 * that allows too much is found by this list, not by breaking the rule.
 */
const commands: Record<string, { takes: string; refuses?: string[] }> = {
  "+CFUN": { takes: "0", refuses: ["-1", "5", "45", "3", "43"] },
  "%XSYSTEMMODE": { takes: "1,0,1,4", refuses: ["2,0,0,0", "0,2,0,0", "0,0,2,0", "1,0,0,5", "1,0", "0,0,0,0"] },
  "%XDATAPRFL": { takes: "4", refuses: ["5", "-1", ""] },
  "%XFACTORYRESET": { takes: "1", refuses: ["2", ""] },
  "+CGSN": { takes: "1", refuses: ["4", "-1", ""] },
  "+CMEE": { takes: "0", refuses: ["2"] },
  "+CEREG": { takes: "5", refuses: ["6", "-1", ""] },
  "+CSCON": { takes: "1", refuses: ["4"] },
  "%CESQ": { takes: "1", refuses: ["2", ""] },
  "%XSNRSQ": { takes: "1", refuses: ["2", ""] },
  "%XBANDLOCK": {
    takes: '2,"1000000001000"',
    refuses: [
      "3",
      '1,"2"',
      '1,"11111111111111111111111111111111111111111111111111111111111111111111111111111111111111111"',
      "1",
      "2",
      '0,"1"',
      '1,"1000000"',
    ],
  },
  "%NCELLMEAS": { takes: "5,10", refuses: ["6", "5,1", "5,16", "", "1,10"] },
  "+COPS": {
    takes: '1,2,"26201",7',
    refuses: [
      '1,2,"001"',
      '1,2,"1234567"',
      '1,2,"26201",8',
      "4",
      "",
      "1,2",
      '1,0,"26201"',
      "0,2",
      "3",
      '3,2,"00101"',
      "2",
    ],
  },
  "+CNEC": { takes: "24", refuses: ["1", "25", "7"] },
  "+CIND": { takes: "1,1,1", refuses: ["2", "1,2", "1,1,2"] },
  "+CGDCONT": { takes: '0,"IPV6","apn","10.0.0.1",0,0,0,0,0,0,1,1', refuses: ["11", '0,"PPP"', '0,"IP","a b"', ""] },
  "+CGACT": { takes: "1,1", refuses: ["2,1", "1,11", "", "1", "0,2"] },
  "+CGATT": { takes: "0", refuses: ["2", ""] },
  "+CGPADDR": { takes: "0", refuses: ["11", "", "1"] },
  "+CGCONTRDP": { takes: "0", refuses: ["11", "", "1"] },
  "+CGEREP": { takes: "1,0", refuses: ["2", "1,1"] },
  "+CGAUTH": {
    takes: '0,1,"user","password"',
    refuses: ['11,1,"u","p"', '0,3,"u","p"', "", "0,1", '0,1,"user"', '0,0,"user","password"', '5,1,"u","p"'],
  },
  "%XGETPDNID": { takes: "0", refuses: ["11", "", "1"] },
  "%XEPCO": { takes: "0", refuses: ["2", ""] },
  "%XPDNCFG": { takes: "1", refuses: ["2", ""] },
  "+CEPPI": { takes: "1", refuses: ["2", ""] },
  "+CEMODE": { takes: "2", refuses: ["3", "1"] },
  "+CPSMS": {
    takes: '1,"","","00000011","00100001"',
    refuses: ["2", '1,,,"3"', '1,,,"00000011","0010000x"', '1,"00000011"', '0,,,"00000011"'],
  },
  "+CEDRXS": {
    takes: '2,4,"1001"',
    refuses: ["4", "2,7", "2,3", '2,4,"10010"', '2,4,"2001"', "1", "3,4", '0,4,"1001"'],
  },
  "%XPTW": { takes: '4,"0101"', refuses: ['3,"0101"', '6,"0101"', '4,"01"', ""] },
  "%XMODEMSLEEP": {
    takes: "1,5000,1200000",
    refuses: [
      "2",
      "1,-1,60000",
      "1,3600001,60000",
      "1,1000,10239",
      "1,1000,3456000001",
      "1",
      "1,5000",
      "1,499,1200000",
    ],
  },
  "%XT3412": {
    takes: "1,5000,1200000",
    refuses: ["2", "1,10800001,60000", "1,5000,35712000001", "1", "1,1999,1200000"],
  },
  "+CPIN": { takes: '"1234","5678"', refuses: ['"12"', '"12345678x"', '"123456789"', ""] },
  "+CPINR": { takes: '"SIM PIN"', refuses: ['"SIM PIN3"', '"SIM"', ""] },
  "+CPWD": { takes: '"SC","1234","5678"', refuses: ['"P3","1234","5678"', '"SC","123","5678"', '"SC","9999","5678"'] },
  "+CLCK": {
    takes: '"SC",1,"1234"',
    refuses: ['"XX",0', '"SC",3,"1234"', '"SC",1,"123"', '"SC",2', '"PN",1', '"SC",0'],
  },
  "%XSIM": { takes: "1", refuses: ["2", ""] },
  "+CCLK": {
    takes: '"26/02/28,23:59:59-48"',
    refuses: ['"26/1/1,00:00:00+00"', "", '"26/02/29,00:00:00+00"', '"26/01/01,24:00:00+00"'],
  },
  "%CCLK": {
    takes: '"26/01/01,00:00:00+08",2',
    refuses: ['"26/01/01,00:00:00+00",3', '"26/01/01,00:00:00+00"', '"26/13/01,00:00:00+00",1'],
  },
  "%XTIME": { takes: "1", refuses: ["2", ""] },
  "%XNETTIME": { takes: "0", refuses: ["2", ""] },
  "%MDMEV": { takes: "1", refuses: ["2", ""] },
  "%XPOFWARN": { takes: "1,30", refuses: ["2", "1,29", "1,34", "1"] },
  "%XVBATLVL": { takes: "1", refuses: ["2", ""] },
  "%XVBATLOWLVL": { takes: "3500", refuses: ["3099", "5001", ""] },
  "%XTEMP": { takes: "1", refuses: ["2", ""] },
  "%XTEMPHIGHLVL": { takes: "60", refuses: ["0", "86", ""] },
  "%XCONNSTAT": { takes: "1", refuses: ["2", ""] },
  "%CMNG": {
    takes: '0,1,4,"secret",""',
    refuses: [
      "4",
      "-1",
      "",
      '0,-1,4,"x"',
      '0,1,256,"x"',
      '0,4294967296,4,"x"',
      '0,1,4,"x","ppppppppppppppppppppppppppppppppp"',
      "0",
      "0,1",
      "0,1,4",
      "1,,4",
      '0,1,14,"x"',
      '0,1,4,""',
      "2,1",
      "3,1",
      '1,1,1,"x"',
      '0,1,2,"x","password"',
    ],
  },
  "%KEYGEN": {
    takes: '50,2,0,"CN=a","101010000"',
    refuses: [
      "-1,2",
      "4294967296,2",
      "51,256",
      "51,2,2",
      "51",
      '51,2,0,"CN=a","10101000"',
      '51,2,0,"CN=a","10101000x"',
      '51,2,1,"CN=a"',
      "51,3",
      '51,8,1,"CN=a"',
      "51,8,0",
    ],
  },
  "%ATTESTTOKEN": {
    takes: `"${"0".repeat(32)}"`,
    refuses: [
      '"0000000000000000000000000000000"',
      '"000000000000000000000000000000000"',
      '"gggggggggggggggggggggggggggggggg"',
    ],
  },
  "%CLAIMTOKEN": { takes: `1,"${"0".repeat(32)}"`, refuses: ["-1", "2147483648", '1,"00"', ""] },
  "%KEYINJECT": { takes: '"a.b"', refuses: ["", '"a"', '"a.b.c"', '"a.+"'] },
  "%CERTEXPIRY": { takes: "1,0", refuses: ["0,0", "1,2", "1,11", "1"] },
  "%XPMNG": { takes: '0,"key",9', refuses: ['1,"key"', "3", "2,,10", "0", '0,""', '2,"key"'] },
  "%XSUDO": { takes: '1,"abcd",9', refuses: ['0,"abcd"', '4097,"abcd"', '1,"ab c"', '1,"abcd",10'] },
  "%XPRODDONE": { takes: "1", refuses: ["2"] },
};

/** These want a SIM card that is on, a registration, a certificate or key, or a signature. */
const wantsMore = ["+CPIN", "+CPINR", "+CPWD", "+CLCK", "+CGACT", "%XGETPDNID", "%NCELLMEAS", "+CGATT"];
const wantsCredentials = ["%CERTEXPIRY", "%CLAIMTOKEN", "%KEYINJECT", "%XPMNG", "%XSUDO"];

const keys = createVirtualKeys({ random: createVirtualRandom("keys") });
const firmware = "mfw_nrf91x1_2.0.2";

async function stateOf(at: (command: string) => Promise<string>): Promise<string> {
  const answers: string[] = [await at("AT%CMNG=1")];
  // A question for a new context makes one.
  for (const [name, forms] of commandTable) if (forms.read && name !== "%XNEWCID") answers.push(await at(`AT${name}?`));
  return answers.join("");
}

/** A value that a rule allows. */
function right(rule: ParameterRule): string {
  switch (rule.type) {
    case "integer":
      return String(rule.values?.[0] ?? rule.lowest);
    case "text": {
      const [value = ""] = fc.sample(fc.stringMatching(rule.pattern ?? /^x$/), { numRuns: 1, seed: 1 });
      return `"${value}"`;
    }
    case "reserved":
      return '""';
    case "ignored":
      return "0";
  }
}

/** Values of another kind, and out of range. */
function wrong(rule: ParameterRule): string[] {
  const tokens = ["x", "1.5", "(1)"];
  switch (rule.type) {
    case "integer": {
      const { lowest, highest, values } = rule;
      const gaps =
        values === undefined ? [] : values.map((value) => value + 1).filter((each) => !values.includes(each));
      const numbers = [lowest - 1, highest + 1, ...gaps, 99_999_999_999_999].filter(
        (value) => value < lowest || value > highest || gaps.includes(value),
      );
      return [...tokens, `"${right(rule)}"`, '""', ...numbers.map(String)];
    }
    case "text": {
      const { pattern } = rule;
      const texts = ["", "ø", " ", "x".repeat(200), "1".repeat(99), "-1"].filter(
        (text) => !(pattern?.test(text) ?? true),
      );
      return [...tokens, "7", ...texts.map((text) => `"${text}"`)];
    }
    case "reserved":
      return [...tokens, "1", '"1"'];
    case "ignored":
      return [];
  }
}

/** Every way to break the rules of a set form, one at a time. */
function violations(rules: readonly ParameterRule[]): string[] {
  const whole = rules.map(right);
  const lists: string[][] = [
    [...whole, "1"],
    [...whole, '"x"'],
    [...whole, ""],
  ];
  for (const [index, rule] of rules.entries()) {
    for (const value of wrong(rule)) lists.push(whole.with(index, value));
    if (rule.isOptional) continue;
    lists.push(whole.slice(0, index), whole.with(index, ""));
  }
  return lists.map((list) => list.join(","));
}

test("every command with parameters is in the list of this test", () => {
  const withSet = [...commandTable].filter(([, forms]) => forms.set !== undefined).map(([name]) => name);
  assert.deepEqual(Object.keys(commands).sort(), withSet.sort());
});

test("whatever breaks the rules of a command is answered with ERROR, and nothing is changed", async () => {
  const { at, modem } = await makeModemWorld({ keys, firmware, identity: { part: "nRF9151" } });
  await at("AT+CMEE=1");
  const before = await stateOf(at);
  let count = 0;
  for (const [name, { set }] of commandTable) {
    for (const parameters of set === undefined ? [] : violations(set.rules)) {
      const command = `AT${name}=${parameters}`;
      assert.equal(await at(command), "ERROR\r\n", command);
      count++;
    }
    assert.equal(await stateOf(at), before, name);
  }
  assert.ok(count > 900, String(count));
  await modem.close();
});

for (const [where, start] of [
  ["off", []],
  ["registered", ["AT+CFUN=1"]],
] as const) {
  test(`what is out of the range of the references, or means nothing, is refused while ${where}, and nothing is changed`, async () => {
    const { at, modem, clock } = await makeModemWorld({ keys, firmware });
    for (const command of start) await at(command);
    await clock.advance(10_000);
    for (const [name, { refuses = [] }] of Object.entries(commands)) {
      const before = await stateOf(at);
      for (const parameters of refuses) {
        const command = `AT${name}=${parameters}`;
        assert.match(await at(command), /^(?:ERROR|\+CME ERROR: \d+)\r\n$/, command);
      }
      assert.equal(await stateOf(at), before, name);
    }
    await modem.close();
  });
}

test("what the list says is taken is taken", async () => {
  const { at, modem } = await makeModemWorld({ keys, firmware, lte: { conditions: { sim: "pinRequired" } } });
  for (const [name, { takes }] of Object.entries(commands)) {
    if (wantsMore.includes(name)) continue;
    const answer = await at(`AT${name}=${takes}`);
    assert.match(answer, wantsCredentials.includes(name) ? /ERROR/ : /OK\r\n$/, name);
  }
  await modem.close();
  const registered = await makeModemWorld({ keys, firmware });
  for (const command of ["AT+CFUN=1", 'AT+CGDCONT=1,"IP"']) await registered.at(command);
  await registered.clock.advance(10_000);
  for (const name of wantsMore.filter((each) => !["+CPIN", "+CLCK"].includes(each))) {
    assert.match(await registered.at(`AT${name}=${commands[name]?.takes}`), /OK\r\n$/, name);
  }
  assert.match(await registered.at('AT+CLCK="SC",1,"5678"'), /OK\r\n$/);
  await registered.modem.close();
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

test("a form that Nordic's references do not have is refused", async () => {
  const { at, modem } = await makeModemWorld({ keys, firmware });
  const forms = ["%CESQ?", "%CESQ=?", "%XSNRSQ=?", "%XSIM=?", "%XTIME?", "%XVBATLVL?", "%MDMEV?", "%XPOFWARN?"];
  const more = [
    "+CPSMS=?",
    "%CMNG?",
    "%CMNG=?",
    "%KEYGEN=?",
    "+CESQ?",
    "+CIMI=?",
    "+COPS",
    "+CFUN",
    "%XMONITOR?",
    "%XSUDO",
  ];
  for (const form of [...forms, ...more]) assert.equal(await at(`AT${form}`), "ERROR\r\n", form);
  await modem.close();
});
