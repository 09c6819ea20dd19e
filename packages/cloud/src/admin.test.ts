import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { handleAdmin, type AdminOptions } from "./admin.js";

function world(restore: (snapshot: unknown) => Promise<void> = async () => undefined) {
  const calls: unknown[] = [];
  const cloud: AdminOptions["cloud"] = {
    reset: async () => void calls.push("reset"),
    snapshot: async () => ({ format: "thingline-snapshot", version: 1, entries: [] }),
    restore: async (snapshot: unknown) => {
      calls.push(snapshot);
      await restore(snapshot);
    },
    stats: () => ({ pendingEffects: 3 }),
  };
  const send = async (method: string, url: string, { origin, body }: { origin?: string; body?: string } = {}) => {
    const headers: Record<string, string> = origin === undefined ? {} : { origin };
    const bytes = body === undefined ? {} : { body: new TextEncoder().encode(body) };
    const response = await handleAdmin(
      { method, url, headers, ...bytes },
      {
        cloud,
        ownNames: ["cloud.example"],
        explainCertificate: async (certificateId) => {
          if (certificateId !== "known") throw new ThinglineError("RESOURCE_NOT_FOUND", "no such certificate");
          return { certificateId };
        },
        listCertificates: async (page) => ({ page }),
        listFleetMetrics: async () => ({ fleetMetrics: [] }),
        listConnections: async (page) => ({ connections: page }),
        vending: { get: async () => ({ vending: "off" }), set: async (input) => input },
      },
    );
    return { status: response.status, body: JSON.parse(new TextDecoder().decode(response.body)) as unknown };
  };
  return { calls, send };
}

const base = "http://localhost:4680/_thingline";

test("reset, snapshot, restore and stats are answered", async () => {
  const { calls, send } = world();
  assert.deepEqual(await send("GET", `${base}/fleet-metrics`), { status: 200, body: { fleetMetrics: [] } });
  assert.deepEqual(await send("POST", `${base}/reset`), { status: 200, body: {} });
  assert.deepEqual(await send("GET", `${base}/snapshot`), {
    status: 200,
    body: { format: "thingline-snapshot", version: 1, entries: [] },
  });
  assert.deepEqual(await send("POST", `${base}/restore`, { body: '{"a":1}' }), { status: 200, body: {} });
  assert.deepEqual(await send("GET", `${base}/stats`), { status: 200, body: { pendingEffects: 3 } });
  assert.deepEqual(calls, ["reset", { a: 1 }]);
});

test("who answers devices is told, and switched", async () => {
  const { send } = world();
  assert.deepEqual(await send("GET", `${base}/vending`), { status: 200, body: { vending: "off" } });
  const body = { vending: { function: "mine" }, whereUndecided: true };
  assert.deepEqual(await send("POST", `${base}/vending`, { body: JSON.stringify(body) }), { status: 200, body });
  for (const wrong of ["", "null", "1", "{"]) {
    assert.deepEqual(await send("POST", `${base}/vending`, { body: wrong }), {
      status: 200,
      body: { whereUndecided: false },
    });
  }
  // Whoever means "only where nobody has decided" must not overrule somebody by a wrong type.
  for (const whereUndecided of ["yes", 1, null, []]) {
    const wrong = JSON.stringify({ vending: "builtin", whereUndecided });
    assert.equal((await send("POST", `${base}/vending`, { body: wrong })).status, 400, wrong);
  }
});

test("health and the reason of a certificate are told", async () => {
  const { send } = world();
  assert.deepEqual(await send("GET", `${base}/health`), { status: 200, body: { status: "ok" } });
  assert.deepEqual(await send("GET", `${base}/certificates/known`), { status: 200, body: { certificateId: "known" } });
  assert.equal((await send("GET", `${base}/certificates/other`)).status, 404);
  assert.equal((await send("POST", `${base}/certificates/known`)).status, 404);
  assert.deepEqual(await send("GET", `${base}/certificates`), { status: 200, body: { page: {} } });
  assert.deepEqual(await send("GET", `${base}/certificates?nextToken=a%2Bb&pageSize=3`), {
    status: 200,
    body: { page: { nextToken: "a+b", pageSize: 3 } },
  });
  assert.deepEqual(await send("GET", `${base}/connections?pageSize=3`), {
    status: 200,
    body: { connections: { pageSize: 3 } },
  });
});

test("anything else is not found", async () => {
  const { send } = world();
  assert.equal((await send("GET", `${base}/reset`)).status, 404);
  assert.equal((await send("POST", `${base}/other`)).status, 404);
});

test("a body that is no snapshot is the sender's fault", async () => {
  const { calls, send } = world(async () => {
    throw new ThinglineError("REQUEST_INVALID", "no snapshot");
  });
  const expected = { status: 400, body: { code: "REQUEST_INVALID", message: "no snapshot" } };
  assert.deepEqual(await send("POST", `${base}/restore`, { body: "{" }), expected);
  assert.deepEqual(calls, [undefined]);
});

const hosts: [url: string, origin: string | undefined, status: number][] = [
  ["http://127.0.0.1:4680", undefined, 200],
  ["http://[::1]:4680", undefined, 200],
  ["http://cloud.example:4680", undefined, 200],
  ["http://localhost:4680", "http://localhost:4680", 200],
  ["http://localhost:4680", "http://localhost:3000", 403],
  ["http://localhost:4680", "https://attacker.example", 403],
  ["http://localhost:4680", "null", 403],
  ["http://attacker.example:4680", "http://attacker.example:4680", 403],
];
for (const [url, origin, status] of hosts) {
  test(`a reset at ${url} from ${origin ?? "no web page"} is answered with ${status}`, async () => {
    const { calls, send } = world();
    const response = await send("POST", `${url}/_thingline/reset`, origin === undefined ? {} : { origin });
    assert.equal(response.status, status);
    assert.equal(calls.length, status === 200 ? 1 : 0);
  });
}
