import assert from "node:assert/strict";
import { test } from "node:test";
import * as mqttClient from "./mqtt/client.js";
import * as mqtt from "./mqtt/index.js";
import * as shadowClient from "./shadow/client.js";
import * as shadow from "./shadow/index.js";

const entries = [
  ["mqtt", mqttClient, mqtt],
  ["shadow", shadowClient, shadow],
] as const;

for (const [name, client, all] of entries) {
  test(`${name}/client has nothing that ${name} has not`, () => {
    const known = all as Readonly<Record<string, unknown>>;
    for (const [member, value] of Object.entries(client)) assert.equal(value, known[member], member);
    assert.ok(Object.keys(client).length > 0);
  });
}
