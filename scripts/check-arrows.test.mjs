import assert from "node:assert/strict";
import { test } from "node:test";
import { brokenArrows } from "./check-arrows.mjs";

const manifest = { dependencies: { "@thingline/protocol": "0.1.0", "@thingline/device": "0.1.0" } };

const cases = [
  ["packages/device/src/client.ts", "@thingline/protocol/mqtt", 0],
  ["packages/cloud/src/cloud.ts", "@thingline/device", 1],
  ["packages/device/src/client.ts", "ws", 1],
  ["packages/device/src/node.ts", "@thingline/protocol", 0],
  ["packages/device/src/client.ts", "@thingline/transport/node", 2],
  ["packages/protocol/src/mqtt/decode.ts", "node:crypto", 1],
  ["packages/transport/src/node/tcp.ts", "node:net", 0],
  ["packages/cloud/src/services/registry/service.ts", "../../broker/broker.js", 1],
  ["packages/cloud/src/services/registry/service.ts", "../../store/store.js", 0],
  ["packages/cloud/src/cloud.ts", "./broker/broker.js", 0],
  ["packages/device/src/client.ts", "../../modem/src/session.js", 1],
];
for (const [file, specifier, faults] of cases) {
  test(`${file} importing ${specifier} has ${faults} faults`, () => {
    assert.equal(brokenArrows(file, `import { x } from "${specifier}";`, manifest).length, faults);
  });
}
