import assert from "node:assert/strict";
import { test } from "node:test";
import { runProgram } from "./cli-process.test.support.js";

// A loader for which ws is not installed.
const hook = `export async function resolve(specifier, context, next) {
  if (specifier === "ws") throw Object.assign(new Error("Cannot find package 'ws'"), { code: "ERR_MODULE_NOT_FOUND" });
  return next(specifier, context);
}`;

const program = `
import { register } from "node:module";
register("data:text/javascript," + encodeURIComponent(${JSON.stringify(hook)}));
const { createDevice } = await import("@thingline/device");
const { createNodeClock, createNodeNetwork, createNodeRandom } = await import("@thingline/transport/node");
const network = createNodeNetwork();
const adapters = { dialer: network, clock: createNodeClock(), random: createNodeRandom() };
const options = { host: "127.0.0.1", port: 1, clientId: "pump-7", ...adapters };
const codeOf = (error) => error.code + ": " + error.message;
console.log(await createDevice({ ...options, webSocket: { path: "/mqtt" } }).connect().catch(codeOf));
console.log(await network.listen({ host: "127.0.0.1", port: 0, webSocket: { path: "/mqtt" } }, () => {}).catch(codeOf));
console.log(await createDevice(options).connect().catch((error) => error.code));
`;

test("without the package ws a device works, and WebSocket says what to install", async (t) => {
  const { code, stdout, stderr } = await runProgram(t, process.execPath, ["--input-type=module", "--eval", program]);
  assert.equal(code, 0, stderr);
  const [dialed = "", listened = "", plain] = stdout.trim().split("\n");
  assert.match(dialed, /^DEPENDENCY_MISSING: .*npm install ws/);
  assert.match(listened, /^DEPENDENCY_MISSING: .*npm install ws/);
  assert.equal(plain, "CONNECTION_REFUSED");
});
