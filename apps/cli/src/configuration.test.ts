import assert from "node:assert/strict";
import { test } from "node:test";
import { awsIotSettings, loadKconfig } from "@thingline/protocol/kconfig";
import { createVirtualFiles } from "@thingline/transport/virtual";
import { receivedPayloadBytesMax } from "./configuration.js";
import { findCerts } from "./credentials-folder.js";

test("TLS in the application takes what AWS sends, unless the configuration says otherwise", () => {
  const base = 'CONFIG_AWS_IOT=y\nCONFIG_AWS_IOT_BROKER_HOST_NAME="localhost"\nCONFIG_AWS_IOT_SEC_TAG=1\n';
  const bytesMaxOf = (more: string, isNativeTls: boolean) => {
    const { config } = loadKconfig([{ file: "prj.conf", text: base + more }]);
    return receivedPayloadBytesMax(config, awsIotSettings(config), isNativeTls);
  };
  assert.equal(bytesMaxOf("", false), 2304);
  assert.equal(bytesMaxOf("", true), 131_072);
  for (const isNativeTls of [true, false]) {
    assert.equal(bytesMaxOf("CONFIG_AWS_IOT_MQTT_PAYLOAD_BUFFER_LEN=3000\n", isNativeTls), 3000);
  }
});

test("credentials are looked for beside each configuration, then in certs", async () => {
  const files = createVirtualFiles({ content: { "claim/private-key.pem": "x" } });
  assert.equal(await findCerts(files, ["prj.conf", "claim/prj.conf"]), "claim");
  assert.equal(await findCerts(files, ["prj.conf", "other/prj.conf"]), "certs");
});
