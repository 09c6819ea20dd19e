// The tables against the newest AWS SDK that is installed: an operation or a member that AWS has added is seen here first.
import assert from "node:assert/strict";
import { test } from "node:test";
import * as iotSdk from "@aws-sdk/client-iot";
import * as dataSdk from "@aws-sdk/client-iot-data-plane";
import { loadModel } from "./model.js";
import type { ApiName } from "./table.js";

type Sdk = Readonly<Record<string, unknown>>;
const sdks: readonly [ApiName, Sdk][] = [
  ["iot", iotSdk],
  ["iot-data", dataSdk],
];

const hint = "run `npm run model` with a newer release of AWS's models, see packages/cloud/src/model/tables/README.md";

for (const [api, sdk] of sdks) {
  test(`the table of ${api} has the operations of the AWS SDK, and no others`, async () => {
    const { operations } = await loadModel();
    const known = operations.filter((operation) => operation.api === api).map(({ name }) => name);
    const commands = Object.keys(sdk).filter((name) => /^[A-Z]\w+Command$/.test(name));
    assert.deepEqual(known.sort(), commands.map((name) => name.slice(0, -"Command".length)).sort(), hint);
  });

  test(`each operation of ${api} is where the AWS SDK sends it`, async () => {
    const model = await loadModel();
    for (const operation of model.operations.filter((one) => one.api === api)) {
      const { name, status } = operation;
      const [, , , { http }] = sdk[`${name}$`] as [unknown, unknown, unknown, { http: [string, string, number] }];
      const [method, path, sentStatus] = http;
      const route = model.route({ method, rawPath: path.replace(/\{\w+\+?\}/g, "1") }, model.signingNames(api)[0]);
      assert.equal(route?.operation.name, name, `${name} is at ${method} ${path}: ${hint}`);
      assert.equal(status, sentStatus, name);
    }
  });

  test(`each operation of ${api} takes the members that the AWS SDK sends`, async () => {
    const { operations } = await loadModel();
    let count = 0;
    for (const { name, input } of operations.filter((operation) => operation.api === api)) {
      // The schemas of the SDK are tuples: the names of the members are at 4.
      const schema = sdk[`${name}Request$`] as [unknown, unknown, unknown, unknown, string[]] | undefined;
      if (schema === undefined) continue;
      assert.deepEqual([...input.members.keys()].sort(), [...schema[4]].sort(), `${name}: ${hint}`);
      count++;
    }
    assert.ok(count > 5, String(count));
  });
}

for (const api of ["iot-jobs-data", "iotdeviceadvisor", "iotsecuretunneling"]) {
  test(
    `the table of ${api} has the operations of the AWS SDK`,
    { skip: "its client is not a development dependency" },
    () => {},
  );
}
