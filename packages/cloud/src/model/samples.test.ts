// What a client makes of an input, the interpreter makes into the same input again, for every operation of AWS.
import assert from "node:assert/strict";
import { test } from "node:test";
import { checkInput } from "./check-input.js";
import { decodeInput } from "./decode.js";
import { loadModel } from "./model.js";
import { encodeRequest, sampleStructure } from "./samples.test.support.js";

for (const isFull of [true, false]) {
  test(`an input of every operation ${isFull ? "with all its members" : "with what it needs"} comes through and is taken`, async () => {
    const model = await loadModel();
    let members = 0;
    for (const operation of model.operations) {
      const input = sampleStructure(operation.input, isFull);
      const { method, rawPath, rawQuery, headers, body } = encodeRequest(operation, input);
      const target = operation.protocol === "json" ? `IoTSecuredTunneling.${operation.name}` : undefined;
      const route = model.route({ method, rawPath, target }, model.signingNames(operation.api)[0]);
      assert.equal(route?.operation, operation, `${method} ${rawPath}`);
      const decoded = decodeInput(operation, { labels: route.labels, rawQuery, headers, body });
      assert.ok("input" in decoded, `${operation.name}: ${JSON.stringify(decoded)}`);
      // A body that is not there is an empty one.
      const { payload } = operation.input;
      const isEmptyBlob = payload !== undefined && operation.input.members.get(payload)?.shape.type === "blob";
      const expected = isEmptyBlob ? { [payload]: new Uint8Array(), ...input } : input;
      assert.deepEqual(decoded.input, expected, operation.name);
      assert.deepEqual(checkInput(operation, decoded.input), expected, operation.name);
      members += Object.keys(input).length;
    }
    assert.ok(members > (isFull ? 900 : 300), String(members));
  });
}
