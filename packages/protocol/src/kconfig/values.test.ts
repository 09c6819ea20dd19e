import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import fc from "fast-check";
import { awsIotSettings } from "./aws-iot.js";
import { formatKconfigProblem, parseKconfig } from "./config.js";
import type { KconfigOption } from "./option-types.js";
import { kconfigOptions, type KconfigName } from "./options.js";

const required = 'CONFIG_AWS_IOT=y\nCONFIG_AWS_IOT_SEC_TAG=43\nCONFIG_AWS_IOT_BROKER_HOST_NAME="localhost"\n';
const parse = (...lines: string[]) => parseKconfig([{ file: "prj.conf", text: required + lines.join("\n") }]);
const warningsOf = (...lines: string[]) => parse(...lines).warnings.map(formatKconfigProblem);
const sample = (name: string) => {
  const url = new URL(`../../../../tests/fixtures/aws_iot/${name}`, import.meta.url);
  return { file: name, text: readFileSync(url, "utf8") };
};

test("the aws_iot sample's configuration is accepted as it is, last will, shadow topics and firmware updates included", () => {
  const { config, problems, warnings } = parseKconfig([sample("prj.conf")]);
  assert.deepEqual([problems, warnings], [[], []]);
  assert.ok(config.entries().every(({ isKnown }) => isKnown));
  const { host, secTag, clientId, appSubscriptionCount, ...settings } = awsIotSettings(config);
  assert.deepEqual([host, secTag, clientId, appSubscriptionCount], ["example.endpoint.com", 201, "my-thing", 2]);
  assert.deepEqual(settings.shadowTopics, ["get/accepted", "get/rejected", "update/delta"]);
  assert.deepEqual(settings.lastWill, { topic: "lastwilltopic", message: '{"lastwill": "offline"}' });
  assert.deepEqual(
    [settings.requestsShadow, settings.isCleanSession, settings.keepAliveSeconds, settings.payloadBytesMax],
    [true, false, 1200, 2304],
  );
  assert.deepEqual([settings.fota !== undefined, settings.usesNativeTls], [true, false]);
});

test("the aws_iot sample's overlay for QEMU does TLS in the application and takes last will and updates away", () => {
  const { config, problems, warnings } = parseKconfig([sample("prj.conf"), sample("boards/qemu_x86.conf")]);
  assert.deepEqual([problems, warnings], [[], []]);
  assert.ok(config.entries().every(({ isKnown }) => isKnown));
  const settings = awsIotSettings(config);
  assert.deepEqual(settings.shadowTopics, ["update/delta"]);
  assert.deepEqual([settings.fota, settings.usesNativeTls, settings.lastWill], [undefined, true, undefined]);
  assert.equal(settings.nativeTlsReceiveBytesMax, 16_384);
  const lastWill = config.entries().find(({ name }) => name === "AWS_IOT_LAST_WILL");
  assert.deepEqual(lastWill?.origin.file, "boards/qemu_x86.conf");
  assert.deepEqual(
    lastWill?.overridden.map(({ file }) => file),
    ["prj.conf"],
  );
});

test("updates are on by default with the library, when what they need is there, and never in QEMU", () => {
  const needs = ["CONFIG_DOWNLOAD_CLIENT=y", "CONFIG_DFU_TARGET=y", "CONFIG_FOTA_DOWNLOAD=y", "CONFIG_CJSON_LIB=y"];
  assert.equal(parse(...needs).config.get("AWS_FOTA"), true);
  assert.equal(parse(...needs).config.get("AWS_JOBS"), true, "selected");
  assert.equal(parse(...needs.slice(1)).config.get("AWS_FOTA"), false);
  assert.equal(parse(...needs, "CONFIG_BOARD_QEMU_X86=y").config.get("AWS_FOTA"), false);
  assert.deepEqual(warningsOf("CONFIG_CJSON_LIB=y", "CONFIG_AWS_FOTA=y"), [
    "prj.conf:5: CONFIG_AWS_FOTA=y has no effect: it needs CONFIG_FOTA_DOWNLOAD=y",
  ]);
  assert.deepEqual(warningsOf(...needs, "CONFIG_AWS_FOTA=y", "CONFIG_BOARD_QEMU_X86=y"), [
    "prj.conf:8: CONFIG_AWS_FOTA=y has no effect: it needs CONFIG_BOARD_QEMU_X86=n",
  ]);
});

test("n where a dependency makes it n anyway is no reason for a warning", () => {
  assert.deepEqual(warningsOf("CONFIG_AWS_FOTA=n", "# CONFIG_FOTA_DOWNLOAD is not set"), []);
});

test("what another option selects stays y", () => {
  const { config } = parse("CONFIG_MQTT_LIB=n");
  assert.equal(config.get("MQTT_LIB"), true);
  assert.equal(config.origin("MQTT_LIB"), undefined);
  assert.deepEqual(warningsOf("CONFIG_MQTT_LIB=n"), [
    "prj.conf:4: CONFIG_MQTT_LIB=n has no effect: CONFIG_AWS_IOT=y needs it",
  ]);
});

test("of a choice the member set last is y, else the default, and a number that follows from it cannot be set", () => {
  const level = (...lines: string[]) => {
    const { config } = parse(...lines);
    return (["OFF", "ERR", "WRN", "INF", "DBG", "DEFAULT"] as const).filter((name) =>
      config.get(`AWS_IOT_LOG_LEVEL_${name}`),
    );
  };
  assert.deepEqual(level(), ["DEFAULT"]);
  assert.deepEqual(level("CONFIG_AWS_IOT_LOG_LEVEL_DBG=y"), ["DBG"]);
  assert.deepEqual(level("CONFIG_AWS_IOT_LOG_LEVEL_DBG=y", "CONFIG_AWS_IOT_LOG_LEVEL_ERR=y"), ["ERR"]);
  assert.deepEqual(warningsOf("CONFIG_AWS_IOT_LOG_LEVEL_DBG=y", "CONFIG_AWS_IOT_LOG_LEVEL_ERR=y"), [
    "prj.conf:4: CONFIG_AWS_IOT_LOG_LEVEL_DBG=y has no effect: of these options one is y, and that is " +
      "CONFIG_AWS_IOT_LOG_LEVEL_ERR (prj.conf:5)",
  ]);

  const size = (...lines: string[]) =>
    parse("CONFIG_DOWNLOAD_CLIENT=y", ...lines).config.get("DOWNLOAD_CLIENT_HTTP_FRAG_SIZE");
  assert.equal(size(), 2048);
  assert.equal(size("CONFIG_DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_1024=y"), 1024);
  assert.equal(size("CONFIG_DOWNLOAD_CLIENT_BUF_SIZE=600"), 512, "a fragment has to fit into the buffer");
  assert.equal(size("CONFIG_DOWNLOAD_CLIENT_BUF_SIZE=4096", "CONFIG_DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_4096=y"), 4096);
  const tooLarge = [
    "CONFIG_DOWNLOAD_CLIENT=y",
    "CONFIG_DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_4096=y",
    "CONFIG_NRF_MODEM_LIB=y",
  ];
  assert.deepEqual(warningsOf(...tooLarge), [
    "prj.conf:5: CONFIG_DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_4096=y has no effect: it needs " +
      "CONFIG_DOWNLOAD_CLIENT_BUF_SIZE of at least 4096 and CONFIG_NRF_MODEM_LIB=n",
  ]);
  assert.deepEqual(warningsOf("CONFIG_DOWNLOAD_CLIENT=y", "CONFIG_DOWNLOAD_CLIENT_HTTP_FRAG_SIZE=100"), [
    "prj.conf:5: CONFIG_DOWNLOAD_CLIENT_HTTP_FRAG_SIZE=100 has no effect: it follows from other options",
  ]);
  const block = parse("CONFIG_DOWNLOAD_CLIENT=y", "CONFIG_COAP=y", "CONFIG_DOWNLOAD_CLIENT_COAP_BLOCK_SIZE_128=y");
  assert.equal(block.config.get("DOWNLOAD_CLIENT_COAP_BLOCK_SIZE"), 3);
});

test("the defaults are the original's", () => {
  const { config, problems, warnings } = parse("");
  assert.deepEqual([problems, warnings], [[], []]);
  const expected = {
    AWS_IOT_PORT: 8883,
    AWS_IOT_SEND_TIMEOUT: true,
    AWS_IOT_SEND_TIMEOUT_SEC: 60,
    AWS_IOT_STATIC_IPV4: false,
    AWS_IOT_MQTT_RX_TX_BUFFER_LEN: 1000,
    AWS_IOT_MQTT_PAYLOAD_BUFFER_LEN: 2304,
    AWS_IOT_IPV6: false,
    AWS_IOT_APP_SUBSCRIPTION_LIST_COUNT: 0,
    AWS_IOT_CLIENT_ID_MAX_LEN: 30,
    AWS_IOT_PROVISION_CERTIFICATES: false,
    AWS_IOT_CERTIFICATES_FILE: "../include/aws-certs.h",
    AWS_IOT_CLIENT_ID_STATIC: "my-thing",
    AWS_IOT_CLIENT_ID_APP: false,
    AWS_IOT_AUTO_DEVICE_SHADOW_REQUEST: true,
    AWS_IOT_LAST_WILL: false,
    AWS_IOT_LAST_WILL_MESSAGE: '{"lastwill": "offline"}',
    AWS_IOT_LAST_WILL_TOPIC: "lastwilltopic",
    AWS_IOT_CONNECTION_POLL_THREAD: true,
    AWS_IOT_TLS_SESSION_CACHING: true,
    MQTT_LIB_TLS: true,
    MQTT_KEEPALIVE: 60,
    MQTT_CLEAN_SESSION: false,
    AWS_FOTA_PAYLOAD_SIZE: 1350,
    AWS_FOTA_HOSTNAME_MAX_LEN: 255,
    AWS_FOTA_FILE_PATH_MAX_LEN: 255,
    AWS_FOTA_DOWNLOAD_SECURITY_TAG: -1,
    CLIENT_ID_MAX_LEN: 64,
    UPDATE_JOB_PAYLOAD_LEN: 1350,
    FOTA_SOCKET_RETRIES: 2,
    FOTA_DOWNLOAD_PROGRESS_EVT: false,
    FOTA_DOWNLOAD_MCUBOOT_FLASH_BUF_SZ: 512,
    FOTA_DOWNLOAD_NATIVE_TLS: false,
    DOWNLOAD_CLIENT_BUF_SIZE: 2048,
    DOWNLOAD_CLIENT_MAX_HOSTNAME_SIZE: 64,
    DOWNLOAD_CLIENT_MAX_FILENAME_SIZE: 192,
    DOWNLOAD_CLIENT_TCP_SOCK_TIMEO_MS: 30_000,
    DOWNLOAD_CLIENT_RANGE_REQUESTS: false,
    DOWNLOAD_CLIENT_IPV6: false,
    DFU_TARGET_MODEM_TIMEOUT: 60,
    DFU_TARGET_STREAM_SAVE_PROGRESS: false,
  } as const;
  for (const [name, value] of Object.entries(expected)) {
    assert.equal(config.get(name as keyof typeof expected), value, name);
  }
});

test("of firmware updates some options take effect, and the others say that they do not", () => {
  const inEffect = Object.entries(kconfigOptions)
    .filter(([name]) => /^(AWS_FOTA|FOTA_|DOWNLOAD_CLIENT|DFU_TARGET|AWS_JOBS|CJSON)/.test(name))
    .filter(([, option]) => !("withoutEffect" in option && option.withoutEffect))
    .map(([name]) => name)
    .filter((name) => !/^DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_\d+$/.test(name));
  assert.deepEqual(inEffect.sort(), [
    "AWS_FOTA",
    "AWS_FOTA_DOWNLOAD_SECURITY_TAG",
    "AWS_JOBS",
    "CJSON_LIB",
    "DFU_TARGET",
    "DFU_TARGET_MODEM_DELTA",
    "DOWNLOAD_CLIENT",
    "DOWNLOAD_CLIENT_HTTP_FRAG_SIZE",
    "DOWNLOAD_CLIENT_TCP_SOCK_TIMEO_MS",
    "FOTA_DOWNLOAD",
    "FOTA_DOWNLOAD_NATIVE_TLS",
    "FOTA_SOCKET_RETRIES",
  ]);
  const entry = parse("CONFIG_FOTA_DOWNLOAD_FILE_NAME_LENGTH=3").config.entries().at(-1);
  assert.deepEqual([entry?.name, entry?.withoutEffect], ["FOTA_DOWNLOAD_FILE_NAME_LENGTH", "fota"]);
});

test("what a configuration says of firmware updates is told apart from what it leaves open", () => {
  const on = ["AWS_IOT", "AWS_FOTA", "FOTA_DOWNLOAD", "DOWNLOAD_CLIENT", "DFU_TARGET", "CJSON_LIB"];
  const lines = on.map((name) => `CONFIG_${name}=y`);
  const fotaOf = (...more: string[]) => awsIotSettings(parse([...lines, ...more].join("\n")).config).fota;
  assert.deepEqual(fotaOf(), {
    ...{ downloadSecTag: undefined, usesNativeTls: false, fragmentBytes: undefined },
    ...{ socketRetries: undefined, receiveTimeoutMs: undefined, updatesModem: false },
  });
  const more = [
    "CONFIG_AWS_FOTA_DOWNLOAD_SECURITY_TAG=7",
    "CONFIG_FOTA_DOWNLOAD_NATIVE_TLS=y",
    "CONFIG_DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_1024=y",
    "CONFIG_FOTA_SOCKET_RETRIES=0",
    "CONFIG_DOWNLOAD_CLIENT_TCP_SOCK_TIMEO_MS=5000",
    "CONFIG_DFU_TARGET_MODEM_DELTA=y",
  ];
  assert.deepEqual(fotaOf(...more), {
    ...{ downloadSecTag: 7, usesNativeTls: true, fragmentBytes: 1_024, socketRetries: 0, receiveTimeoutMs: 5_000 },
    updatesModem: true,
  });
  assert.equal(fotaOf("CONFIG_DOWNLOAD_CLIENT_TCP_SOCK_TIMEO_MS=-1")?.receiveTimeoutMs, undefined);
  assert.equal(fotaOf("CONFIG_AWS_FOTA=n"), undefined);
});

test("what is valid and hardly meant so is a warning with file and line", () => {
  const cases: [lines: string[], warning: string][] = [
    [
      ["CONFIG_AWS_IOT_SEC_TAG=16842753"],
      "CONFIG_AWS_IOT_SEC_TAG=16842753 is the security tag of nRF Cloud's credentials; take another one",
    ],
    [["CONFIG_MQTT_KEEPALIVE=1201"], "CONFIG_MQTT_KEEPALIVE=1201: AWS IoT goes by 1200 seconds"],
    [["CONFIG_MQTT_KEEPALIVE=0"], "CONFIG_MQTT_KEEPALIVE=0: AWS IoT goes by 1200 seconds"],
    [
      ["CONFIG_AWS_IOT_IPV6=y", "CONFIG_AWS_IOT_STATIC_IPV4=y", 'CONFIG_AWS_IOT_STATIC_IPV4_ADDR="192.0.2.7"'],
      "CONFIG_AWS_IOT_IPV6=y has no effect: CONFIG_AWS_IOT_STATIC_IPV4_ADDR is the address",
    ],
  ];
  for (const [lines, warning] of cases) assert.equal(warningsOf(...lines).at(-1), `prj.conf:4: ${warning}`);
});

test("a host name with a scheme or a port, and an address that is none, are refused where they stand", () => {
  const problemsOf = (line: string) => parse(line).problems.map(formatKconfigProblem);
  for (const host of ["https://example.com", "example.com/x", "example com"]) {
    const [problem] = problemsOf(`CONFIG_AWS_IOT_BROKER_HOST_NAME="${host}"`);
    assert.match(problem ?? "", /^prj\.conf:4: CONFIG_AWS_IOT_BROKER_HOST_NAME: expected a host name or an address/);
  }
  for (const address of ["localhost", "1.2.3", "1.2.3.256", "1.2.3.4.5", "1.2.3.4.", "01.2.3.4"]) {
    const line = `CONFIG_AWS_IOT_STATIC_IPV4=y\nCONFIG_AWS_IOT_STATIC_IPV4_ADDR="${address}"`;
    assert.match(problemsOf(line)[0] ?? "", /^prj\.conf:5: .*expected an IPv4 address/, address);
  }
  for (const address of ["127.0.0.1", "255.255.255.255", "0.0.0.0"]) {
    assert.deepEqual(
      problemsOf(`CONFIG_AWS_IOT_STATIC_IPV4=y\nCONFIG_AWS_IOT_STATIC_IPV4_ADDR="${address}"`),
      [],
      address,
    );
  }
});

test("whatever is assigned, the last line of a name wins, each choice has one member, and nothing is thrown", () => {
  const names = Object.keys(kconfigOptions) as KconfigName[];
  const choices = new Map<string, KconfigName[]>();
  for (const name of names) {
    const option: KconfigOption = kconfigOptions[name];
    if (option.type !== "bool" || option.choice === undefined) continue;
    choices.set(option.choice.name, [...(choices.get(option.choice.name) ?? []), name]);
  }
  const assignment = fc.tuple(fc.constantFrom(...names), fc.constantFrom("y", "n", "5", "4096", '"x"', '""', ""));
  fc.assert(
    fc.property(fc.array(fc.array(assignment, { maxLength: 30 }), { minLength: 1, maxLength: 3 }), (files) => {
      const { config, problems } = parseKconfig(
        files.map((lines, at) => ({
          file: `${at}`,
          text: lines.map(([name, raw]) => `CONFIG_${name}=${raw}`).join("\n"),
        })),
      );
      const last = new Map<string, [raw: string, file: string, line: number]>();
      files.forEach((lines, at) => {
        lines.forEach(([name, raw], index) => last.set(name, [raw, `${at}`, index + 1]));
      });
      assert.deepEqual(
        new Map(config.entries().map(({ name, raw, origin: { file, line } }) => [name, [raw, file, line]])),
        last,
      );
      for (const members of choices.values()) {
        assert.ok(members.filter((name) => config.get(name) === true).length <= 1);
      }
      for (const name of names) {
        const [value, option] = [config.get(name) as unknown, kconfigOptions[name] as KconfigOption];
        const isWrong = problems.some((problem) => problem.name === name);
        if (value !== undefined && !isWrong) {
          const type = { bool: "boolean", int: "number", hex: "number", string: "string" }[option.type];
          assert.equal(typeof value, type, name);
        }
      }
    }),
    { numRuns: 100 },
  );
});
