import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { awsIotSettings, loadKconfig } from "@thingline/protocol/kconfig";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import { checkOptions } from "../client/check-options.js";
import { createDevice } from "../client/create-device.js";
import { deviceOptionsOf } from "./kconfig-options.js";

const required = 'CONFIG_AWS_IOT=y\nCONFIG_AWS_IOT_SEC_TAG=43\nCONFIG_AWS_IOT_BROKER_HOST_NAME="cloud.example"\n';
const settingsOf = (...lines: string[]) =>
  awsIotSettings(loadKconfig([{ file: "prj.conf", text: required + lines.join("\n") }]).config);
const checked = (...lines: string[]) => {
  const secTagDialer = { name: "none", dial: () => Promise.reject(new Error("not called")) };
  const [clock, random] = [createVirtualClock(), createVirtualRandom(1)];
  const options = { ...deviceOptionsOf(settingsOf(...lines)), secTagDialer, secTag: 43, clock, random };
  return { options, checked: checkOptions(options), device: createDevice(options) };
};

test("the defaults of the original become a device's options", () => {
  assert.deepEqual(deviceOptionsOf(settingsOf()), {
    host: "cloud.example",
    port: 8883,
    clientId: "my-thing",
    handshake: "resume",
    keepAliveSeconds: 60,
    isCleanSession: false,
    payloadBytesMax: 2304,
    sendTimeoutMs: 60_000,
    shadowTopics: [],
    requestsShadow: true,
    family: 4,
    driver: "library",
  });
});

test("every option that a device has is taken over, and the device accepts it", () => {
  const { options, checked: result } = checked(
    "CONFIG_AWS_IOT_PORT=443",
    'CONFIG_AWS_IOT_CLIENT_ID_STATIC="pump-7"',
    "CONFIG_AWS_IOT_TLS_SESSION_CACHING=n",
    "CONFIG_MQTT_KEEPALIVE=1200",
    "CONFIG_MQTT_CLEAN_SESSION=y",
    "CONFIG_AWS_IOT_MQTT_PAYLOAD_BUFFER_LEN=512",
    "CONFIG_AWS_IOT_SEND_TIMEOUT_SEC=5",
    "CONFIG_AWS_IOT_TOPIC_UPDATE_DELTA_SUBSCRIBE=y",
    "CONFIG_AWS_IOT_TOPIC_GET_ACCEPTED_SUBSCRIBE=y",
    "CONFIG_AWS_IOT_AUTO_DEVICE_SHADOW_REQUEST=n",
    "CONFIG_AWS_IOT_STATIC_IPV4=y",
    'CONFIG_AWS_IOT_STATIC_IPV4_ADDR="192.0.2.7"',
    "CONFIG_AWS_IOT_LAST_WILL=y",
    'CONFIG_AWS_IOT_LAST_WILL_TOPIC="gone"',
    'CONFIG_AWS_IOT_LAST_WILL_MESSAGE="bye"',
    "CONFIG_AWS_IOT_CONNECTION_POLL_THREAD=n",
  );
  assert.deepEqual(result.shadowTopics, ["get/accepted", "update/delta"]);
  assert.deepEqual(
    [result.host, result.port, result.alpnProtocols, result.payloadBytesMax, result.sendTimeoutMs],
    ["cloud.example", 443, ["x-amzn-mqtt-ca"], 512, 5000],
  );
  assert.equal(result.requestsShadow, false);
  assert.deepEqual([options.driver, result.session.isKeepAliveAutomatic], ["application", false]);
  assert.deepEqual(
    [result.session.clientId, result.session.keepAliveSeconds, result.session.isCleanSession],
    ["pump-7", 1200, true],
  );
  assert.deepEqual(result.session.will?.topic, "gone");
  assert.deepEqual([result.session.will?.qos, result.session.will?.isRetained], [0, false]);
  assert.deepEqual([options.staticAddress, options.family, options.handshake], ["192.0.2.7", 4, "full"]);
});

test("without a send time-out there is none, and a keep alive that AWS IoT does not go by is its longest", () => {
  assert.equal(checked("CONFIG_AWS_IOT_SEND_TIMEOUT=n").checked.sendTimeoutMs, 0);
  assert.equal(checked("CONFIG_MQTT_KEEPALIVE=0").checked.session.keepAliveSeconds, 1200);
  assert.equal(checked("CONFIG_MQTT_KEEPALIVE=65535").checked.session.keepAliveSeconds, 1200);
  assert.equal(checked("CONFIG_AWS_IOT_IPV6=y").options.family, 6);
});

test("the samples' own files make a device", () => {
  for (const sample of ["aws_iot", "aws_iot_provisioning"]) {
    const url = new URL(`../../../../tests/fixtures/${sample}/prj.conf`, import.meta.url);
    const { config } = loadKconfig([{ file: "prj.conf", text: readFileSync(url, "utf8") }]);
    assert.equal(deviceOptionsOf(awsIotSettings(config)).keepAliveSeconds, 1200);
  }
});

test("a client id that the application gives has to be there, and to be shorter than the longest", () => {
  const settings = settingsOf("CONFIG_AWS_IOT_CLIENT_ID_APP=y");
  assert.equal(deviceOptionsOf(settings, { clientId: "x".repeat(29) }).clientId.length, 29);
  const invalid = (error: unknown) =>
    isThinglineError(error, "OPTION_INVALID") && error.details["option"] === "clientId";
  assert.throws(() => deviceOptionsOf(settings), invalid);
  assert.throws(() => deviceOptionsOf(settings, { clientId: "x".repeat(30) }), invalid);
  assert.equal(deviceOptionsOf(settingsOf(), { clientId: "other" }).clientId, "other");
});
