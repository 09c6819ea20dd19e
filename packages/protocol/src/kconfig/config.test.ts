import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isThinglineError } from "../errors.js";
import { awsIotSettings } from "./aws-iot.js";
import {
  formatKconfigProblem,
  kconfigFileCharactersMax,
  kconfigProblemsMax,
  loadKconfig,
  parseKconfig,
} from "./config.js";
import { kconfigOptions } from "./options.js";

const fixture = (name: string, sample = "aws_iot_provisioning") => {
  const url = new URL(`../../../../tests/fixtures/${sample}/${name}`, import.meta.url);
  return { file: name, text: readFileSync(url, "utf8") };
};
const required = 'CONFIG_AWS_IOT=y\nCONFIG_AWS_IOT_SEC_TAG=43\nCONFIG_AWS_IOT_BROKER_HOST_NAME="localhost"\n';
const parse = (text: string) => parseKconfig([{ file: "prj.conf", text: required + text }]);
const messages = (text: string) => parse(text).problems.map(formatKconfigProblem);

test("the sample's own configuration is accepted, and every symbol in it is known", () => {
  const { config, problems, warnings } = parseKconfig([fixture("prj.conf")]);
  assert.deepEqual(problems, []);
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    config.entries().filter(({ name }) => !(name in kconfigOptions)),
    [],
  );
  assert.deepEqual(awsIotSettings(config), {
    host: "hostname",
    port: 8883,
    secTag: 43,
    clientId: "client-id",
    clientIdBytesMax: 30,
    appSubscriptionCount: 1,
    keepAliveSeconds: 1200,
    isCleanSession: true,
    payloadBytesMax: 8096,
    packetBytesMax: 1000,
    sendTimeoutMs: 60_000,
    staticIpv4Address: undefined,
    family: 4,
    usesPollThread: true,
    requestsShadow: false,
    shadowTopics: [],
    lastWill: undefined,
    usesNativeTls: false,
    nativeTlsReceiveBytesMax: 16_384,
    resumesTlsSession: true,
    cloudBackend: undefined,
    fota: undefined,
    linkTimeoutMs: 600_000,
  });
});

test("the sample's overlay switches to native TLS and says which file each value came from", () => {
  const { config, problems, warnings } = parseKconfig([fixture("prj.conf"), fixture("overlay-native_tls.conf")]);
  assert.deepEqual(problems, []);
  assert.deepEqual(warnings, []);
  assert.deepEqual(
    config.entries().filter(({ name }) => !(name in kconfigOptions)),
    [],
  );
  const settings = awsIotSettings(config);
  assert.equal(settings.usesNativeTls, true);
  assert.equal(settings.nativeTlsReceiveBytesMax, 5120);
  assert.equal(config.get("AWS_IOT_PROVISION_CERTIFICATES"), true);
  assert.equal(config.origin("MODEM_KEY_MGMT")?.file, "overlay-native_tls.conf");
  assert.equal(config.origin("AWS_IOT_SEC_TAG")?.file, "prj.conf");
  assert.equal(config.origin("AWS_IOT_PORT"), undefined);
});

test("a later file wins over an earlier one, and a later line over an earlier line with a warning", () => {
  const { config, warnings } = parseKconfig([
    { file: "prj.conf", text: `${required}CONFIG_MQTT_KEEPALIVE=10\nCONFIG_MQTT_KEEPALIVE=20\n` },
    { file: "overlay.conf", text: "CONFIG_AWS_IOT_PORT=8884\n# CONFIG_AWS_IOT_SEND_TIMEOUT is not set\n" },
    { file: "command line", text: 'CONFIG_AWS_IOT_PORT=443\nCONFIG_AWS_IOT_CLIENT_ID_STATIC="pump"' },
  ]);
  assert.equal(config.get("MQTT_KEEPALIVE"), 20);
  assert.deepEqual(config.origin("AWS_IOT_PORT"), { file: "command line", line: 1 });
  assert.equal(config.get("AWS_IOT_PORT"), 443);
  assert.equal(config.get("AWS_IOT_SEND_TIMEOUT"), false);
  assert.deepEqual(
    warnings.map(({ origin, name }) => [origin.file, origin.line, name]),
    [["prj.conf", 5, "MQTT_KEEPALIVE"]],
  );
});

test("unknown names under our prefixes are errors that name the nearest option", () => {
  const cases: [line: string, problem: string][] = [
    ["CONFIG_AWS_IOT_SECTAG=1", "there is no option CONFIG_AWS_IOT_SECTAG; did you mean CONFIG_AWS_IOT_SEC_TAG?"],
    [
      "CONFIG_AWS_IOT_BROKER_HOSTNAME=x",
      "there is no option CONFIG_AWS_IOT_BROKER_HOSTNAME; did you mean CONFIG_AWS_IOT_BROKER_HOST_NAME?",
    ],
    ["CONFIG_MQTT_KEEP_ALIVE=1", "there is no option CONFIG_MQTT_KEEP_ALIVE; did you mean CONFIG_MQTT_KEEPALIVE?"],
    [
      "CONFIG_MQTT_CLEAN_SESION=y",
      "there is no option CONFIG_MQTT_CLEAN_SESION; did you mean CONFIG_MQTT_CLEAN_SESSION?",
    ],
    ["CONFIG_FOTA_DOWNLAOD=y", "there is no option CONFIG_FOTA_DOWNLAOD; did you mean CONFIG_FOTA_DOWNLOAD?"],
    ["CONFIG_DOWNLOAD_CLEINT=y", "there is no option CONFIG_DOWNLOAD_CLEINT; did you mean CONFIG_DOWNLOAD_CLIENT?"],
    // Cut short, and close to nothing.
    [
      "CONFIG_AWS_IOT_BROKER=x",
      "there is no option CONFIG_AWS_IOT_BROKER; did you mean CONFIG_AWS_IOT_BROKER_HOST_NAME?",
    ],
    [
      "CONFIG_CLOUD_ZZZZZZZZZZZZZZZZZZZZZZZZ=y",
      "there is no option CONFIG_CLOUD_ZZZZZZZZZZZZZZZZZZZZZZZZ; the nearest is CONFIG_CLOUD_API",
    ],
    // Not under a prefix, but too close to be meant otherwise.
    ["CONFIG_AWS_IOTSEC_TAG=1", "there is no option CONFIG_AWS_IOTSEC_TAG; did you mean CONFIG_AWS_IOT_SEC_TAG?"],
    ["CONFIG_AWS_OIT=y", "there is no option CONFIG_AWS_OIT; did you mean CONFIG_AWS_IOT?"],
    ["CONFIG_QMTT_KEEPALIVE=5", "there is no option CONFIG_QMTT_KEEPALIVE; did you mean CONFIG_MQTT_KEEPALIVE?"],
  ];
  for (const [line, problem] of cases) assert.deepEqual(messages(line), [`prj.conf:4: ${problem}`], line);
});

test("other names are kept as they are written", () => {
  const { config, problems } = parse(
    "CONFIG_GPIO=y\nCONFIG_LOG_DEFAULT_LEVEL=3\nCONFIG_toString=y\nCONFIG_BT_NAME=x y",
  );
  assert.deepEqual(
    problems.map(({ kind, origin }) => [kind, origin?.line]),
    [["malformedLine", 6]],
  );
  assert.deepEqual(
    config
      .entries()
      .slice(3)
      .map(({ name, raw, origin }) => [name, raw, origin.line]),
    [
      ["GPIO", "y", 4],
      ["LOG_DEFAULT_LEVEL", "3", 5],
      ["BT_NAME", "x y", 7],
    ],
  );
});

test("a value of the wrong type is an error with file and line", () => {
  const cases: [line: string, expected: RegExp][] = [
    ["CONFIG_MQTT_CLEAN_SESSION=1", /type bool: expected y or n, got "1"/],
    ["CONFIG_MQTT_CLEAN_SESSION=", /type bool/],
    ['CONFIG_MQTT_CLEAN_SESSION="y"', /type bool/],
    ["CONFIG_MQTT_KEEPALIVE=20 # seconds", /type int/],
    ['CONFIG_MQTT_KEEPALIVE="20"', /type int/],
    ["CONFIG_MQTT_KEEPALIVE=0x14", /type int/],
    ["CONFIG_MQTT_KEEPALIVE=", /type int/],
    ["CONFIG_MQTT_KEEPALIVE=99999999999999999999", /too large/],
    ["CONFIG_MQTT_KEEPALIVE=65536", /must be 0 to 65535, got 65536/],
    ["CONFIG_AWS_IOT_PORT=-1", /must be 1 to 65535, got -1/],
    ["CONFIG_AWS_IOT_CLIENT_ID_STATIC=pump", /type string: expected text in double quotes, got "pump"/],
    ['CONFIG_AWS_IOT_CLIENT_ID_STATIC="pump', /closing double quote is missing/],
    ['CONFIG_AWS_IOT_CLIENT_ID_STATIC="pump\\"', /closing double quote is missing/],
    ['CONFIG_AWS_IOT_CLIENT_ID_STATIC=""', /must not be empty/],
    ['CONFIG_AWS_IOT_CLIENT_ID_STATIC="0123456789012345678901234567890"', /has 31 bytes, more than .*=30 allows/],
    ["CONFIG_AWS_IOT_STATIC_IPV4=y", /CONFIG_AWS_IOT_STATIC_IPV4_ADDR is missing/],
    ["CONFIG_LTE_AUTO_INIT_AND_CONNECT=true", /type bool/],
  ];
  for (const [line, expected] of cases) {
    const found = messages(line);
    assert.equal(found.length, 1, line);
    assert.match(found[0] ?? "", expected);
    if (!line.endsWith("STATIC_IPV4=y")) assert.match(found[0] ?? "", /^prj\.conf:4: /);
  }
});

test("lines that Zephyr does not take are errors, and comments and blank lines are not", () => {
  const malformed = [
    "CONFIG_MQTT_KEEPALIVE =20",
    "CONFIG_MQTT_KEEPALIVE= 20",
    " CONFIG_MQTT_KEEPALIVE=20",
    "\tCONFIG_MQTT_KEEPALIVE=20",
    "MQTT_KEEPALIVE=20",
    "CONFIG_mqtt_keepalive=20",
    "CONFIG_=1",
    "CONFIG_MQTT-KEEPALIVE=1",
    "CONFIG_MQTT_KEEPALIVE",
    "#include <other.conf>".slice(1),
    `CONFIG_BT_NAME="${"x".repeat(9000)}"`,
    `CONFIG_${"X".repeat(129)}=y`,
  ];
  for (const line of malformed) assert.equal(parse(line).problems[0]?.kind, "malformedLine", line);
  const ignored = [
    "",
    "   ",
    "# text",
    "  # text",
    "#CONFIG_MQTT_KEEPALIVE is not set",
    "#  CONFIG_AWS_IOT_SEC_TAG is not set",
  ];
  const { problems, config } = parse(ignored.join("\n"));
  assert.deepEqual(problems, []);
  assert.equal(config.entries().length, 3);
});

test("only the exact comment takes a bool back, and carriage returns and trailing blanks do no harm", () => {
  const { config, problems } = parse("CONFIG_MQTT_CLEAN_SESSION=y  \r\n# CONFIG_MQTT_CLEAN_SESSION is not set\r\n");
  assert.deepEqual(problems, []);
  assert.equal(config.get("MQTT_CLEAN_SESSION"), false);
  const untouched = parse("CONFIG_MQTT_CLEAN_SESSION=yes\n# CONFIG_MQTT_CLEAN_SESSION is not set!\n");
  assert.equal(untouched.config.get("MQTT_CLEAN_SESSION"), true);
});

test("in a string a backslash takes the next character as it is, and text after the closing quote is ignored", () => {
  const { config, problems } = parse('CONFIG_AWS_IOT_CLIENT_ID_STATIC="a\\"b\\\\c\\nd" # mine');
  assert.deepEqual(problems, []);
  assert.equal(config.get("AWS_IOT_CLIENT_ID_STATIC"), 'a"b\\cnd');
});

test("all that is wrong in all files is reported together, missing options last", () => {
  const files = [
    { file: "prj.conf", text: "CONFIG_AWS_IOT=y\nCONFIG_MQTT_KEEPALIVE=x\nnonsense\n" },
    { file: "overlay.conf", text: 'CONFIG_AWS_IOT_BROKER_HOST_NAME=""\n' },
  ];
  const error = (() => {
    try {
      loadKconfig(files);
      return undefined;
    } catch (thrown) {
      return thrown;
    }
  })();
  assert.ok(isThinglineError(error, "KCONFIG_INVALID"));
  assert.deepEqual(error.message.split("\n"), [
    'prj.conf:2: CONFIG_MQTT_KEEPALIVE is of type int: expected a decimal number without quotes, got "x"',
    'prj.conf:3: expected CONFIG_NAME=value, got "nonsense"',
    "CONFIG_AWS_IOT_SEC_TAG is missing in prj.conf, overlay.conf",
    "overlay.conf:1: CONFIG_AWS_IOT_BROKER_HOST_NAME must not be empty",
  ]);
  assert.deepEqual(error.details, { problems: 4, file: "prj.conf", line: 2 });
});

test("a private key that was named by mistake is not shown line by line", () => {
  const body = "MIIEpAIBAAKCAQEAuKbfOnwc6";
  for (const text of [
    `-----BEGIN PRIVATE KEY-----\n${body}\n-----END PRIVATE KEY-----\n`,
    `{"clientKey":"-----BEGIN PRIVATE KEY-----\\n${body}"}`,
    `nonsense\n${body}=\n  -----BEGIN PRIVATE KEY-----\n`,
  ]) {
    const { problems } = parseKconfig([{ file: "key.pem", text }]);
    assert.match(problems[0]?.message ?? "", /is a PEM/);
    assert.ok(!JSON.stringify(problems).includes(body));
  }
  const kept = `${required}CONFIG_X="-----BEGIN "\n# -----BEGIN \n`;
  assert.deepEqual(parseKconfig([{ file: "f", text: kept }]).problems, []);
});

test("values whose dependencies are not met have no effect, and a warning says so", () => {
  const { config, warnings, problems } = parse(
    'CONFIG_AWS_IOT_LAST_WILL_TOPIC="t"\nCONFIG_AWS_IOT_SEND_TIMEOUT=n\nCONFIG_AWS_IOT_SEND_TIMEOUT_SEC=5',
  );
  assert.deepEqual(problems, []);
  assert.equal(config.get("AWS_IOT_LAST_WILL_TOPIC"), "lastwilltopic");
  assert.equal(config.origin("AWS_IOT_LAST_WILL_TOPIC"), undefined);
  assert.deepEqual(
    warnings.map(({ name }) => name),
    ["AWS_IOT_LAST_WILL_TOPIC", "AWS_IOT_SEND_TIMEOUT_SEC"],
  );
  assert.equal(awsIotSettings(config).sendTimeoutMs, undefined);
  const without = parseKconfig([{ file: "f", text: required.replace("CONFIG_AWS_IOT=y\n", "") }]);
  assert.deepEqual(without.problems, []);
  assert.match(without.warnings[0]?.message ?? "", /CONFIG_AWS_IOT=y is missing/);
});

test("settings name the shadow topics, the last will and a fixed address", () => {
  const { config, problems } = parse(
    [
      "CONFIG_AWS_IOT_TOPIC_UPDATE_DELTA_SUBSCRIBE=y",
      "CONFIG_AWS_IOT_TOPIC_GET_ACCEPTED_SUBSCRIBE=y",
      "CONFIG_AWS_IOT_LAST_WILL=y",
      'CONFIG_AWS_IOT_LAST_WILL_TOPIC="gone"',
      "CONFIG_AWS_IOT_STATIC_IPV4=y",
      'CONFIG_AWS_IOT_STATIC_IPV4_ADDR="192.0.2.7"',
      "CONFIG_AWS_IOT_IPV6=y",
      "CONFIG_AWS_IOT_CLIENT_ID_APP=y",
    ].join("\n"),
  );
  assert.deepEqual(problems, []);
  const settings = awsIotSettings(config);
  assert.deepEqual(settings.shadowTopics, ["get/accepted", "update/delta"]);
  assert.deepEqual(settings.lastWill, { topic: "gone", message: '{"lastwill": "offline"}' });
  assert.equal(settings.staticIpv4Address, "192.0.2.7");
  assert.equal(settings.family, 6);
  assert.equal(settings.clientId, undefined);
});

test("the size of a file and the number of problems have limits", () => {
  const most = `${"#".repeat(63)}\n`.repeat(kconfigFileCharactersMax / 64);
  const fits = parseKconfig([{ file: "f", text: most }]);
  assert.ok(!fits.problems.some(({ kind }) => kind === "tooLarge"));
  const large = parseKconfig([{ file: "f", text: `${most}#` }]);
  assert.equal(large.problems[0]?.kind, "tooLarge");
  const many = parse("x\n".repeat(kconfigProblemsMax + 50));
  assert.equal(many.problems.length, kconfigProblemsMax + 1);
  assert.equal(many.problems.at(-1)?.message, "and 50 more");
});
