// The index against a scan of all rows, over the routes of AWS and paths that are made to be confused with each other.
import assert from "node:assert/strict";
import { test } from "node:test";
import { encodePercent, matchPath, parsePathTemplate } from "@thingline/protocol/restjson";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { loadModel, type ModelOperation } from "./model.js";
import { RouteIndex } from "./route.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";

/** What {@link RouteIndex} stands for: every row is tried. */
function scan(operations: readonly ModelOperation[], method: string, rawPath: string) {
  return operations
    .flatMap((operation, order) => {
      // A slash at the end of a path of AWS may be left out.
      const template = parsePathTemplate(operation.path);
      const shorter = parsePathTemplate(operation.path.replace(/(?<=.)\/$/, ""));
      const isOfMethod = operation.method === method;
      const labels = isOfMethod ? (matchPath(template, rawPath) ?? matchPath(shorter, rawPath)) : undefined;
      const labelCount = template.segments.filter((segment) => "label" in segment).length;
      return labels === undefined ? [] : [{ target: operation, labels, labelCount, order }];
    })
    .sort((left, right) => left.labelCount - right.labelCount || left.order - right.order)
    .map(({ target, labels }) => ({ target, labels }));
}

async function restOperations() {
  return (await loadModel()).operations.filter(({ protocol }) => protocol === "rest-json");
}

test("every route of AWS finds its operation", async () => {
  const model = await loadModel();
  const counts: Record<string, number> = {};
  for (const operation of model.operations) {
    const { api, name, method, path, protocol } = operation;
    const [signingName] = model.signingNames(api);
    const rawPath = path.replace(/\{\w+\+?\}/g, "1");
    const target = protocol === "json" ? `IoTSecuredTunneling.${name}` : undefined;
    const route = model.route({ method, rawPath, target }, signingName);
    assert.equal(route?.operation, operation, `${method} ${path}`);
    counts[api] = (counts[api] ?? 0) + 1;
  }
  assert.deepEqual(counts, {
    iot: 272,
    "iot-data": 11,
    "iot-jobs-data": 5,
    iotdeviceadvisor: 14,
    iotsecuretunneling: 8,
  });
});

test("the index finds what a scan of all rows finds", async () => {
  const operations = await restOperations();
  const index = new RouteIndex(operations);
  const random = createVirtualRandom(11);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(random.fraction() * values.length)]!;
  const segments = [...new Set(operations.flatMap(({ path }) => path.slice(1).split("/")))].filter(
    (one) => !/[{}]/.test(one),
  );
  const odd = ["", "a", "a%2Fb", "%", "%ff", "{thingName}", "ä", "..", "$aws", "+", "things%20", "x:y", "%74hings"];
  const methods = ["GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "get"];
  let found = 0;
  const rounds = isLong ? 20_000 : 500;
  for (let round = 0; round < rounds; round++) {
    const { path } = pick(operations);
    const parts = path
      .slice(1)
      .split("/")
      .map((segment) => {
        if (segment.startsWith("{")) return pick([pick(segments), pick(odd), encodePercent("a/b"), "7"]);
        return random.fraction() < 0.05 ? pick([...odd, pick(segments)]) : segment;
      });
    const chance = random.fraction();
    if (chance < 0.1) parts.push(pick([...segments, ...odd]));
    else if (chance < 0.15) parts.pop();
    const rawPath = `/${parts.join("/")}`;
    for (const method of random.fraction() < 0.2 ? methods : [pick(methods)]) {
      const expected = scan(operations, method, rawPath);
      assert.deepEqual(index.findAll(method, rawPath), expected, `${method} ${rawPath}`);
      found += expected.length;
    }
  }
  assert.ok(found > rounds / 4, String(found));
});

test("literal segments come before labels, and a greedy label takes slashes", () => {
  const paths = ["/a/{x}", "/a/b", "/g/{rest+}", "/g/{rest+}/end", "/{one}/{two}", "/g/z", "/s/", "/s/{x}/"];
  const index = new RouteIndex(paths.map((path) => ({ method: "GET", path })));
  const first = (rawPath: string) => {
    const [match] = index.findAll("GET", rawPath);
    return match && [match.target.path, match.labels];
  };
  assert.deepEqual(first("/a/b"), ["/a/b", {}]);
  assert.deepEqual(first("/a/c"), ["/a/{x}", { x: "c" }]);
  assert.deepEqual(first("/a/%62"), ["/a/b", {}]);
  assert.deepEqual(first("/a/b%2Fc"), ["/a/{x}", { x: "b/c" }]);
  assert.deepEqual(first("/g/z"), ["/g/z", {}]);
  assert.deepEqual(first("/g/p/q//r"), ["/g/{rest+}", { rest: "p/q//r" }]);
  assert.deepEqual(
    index.findAll("GET", "/g/p/end").map(({ target, labels }) => [target.path, labels]),
    [
      ["/g/{rest+}", { rest: "p/end" }],
      ["/g/{rest+}/end", { rest: "p" }],
    ],
  );
  assert.equal(first("/g/"), undefined);
  assert.deepEqual(first("/s"), ["/s/", {}]);
  assert.deepEqual(first("/s/"), ["/s/", {}]);
  assert.deepEqual(first("/s/7"), ["/s/{x}/", { x: "7" }]);
  assert.equal(first("/s//"), undefined);
  assert.equal(first("/"), undefined);
  assert.equal(first("a/b"), undefined);
  assert.equal(first("/a/%ff"), undefined);
  assert.deepEqual(index.findAll("PUT", "/a/b"), []);
  assert.deepEqual(index.methodsAt("/a/b"), ["GET"]);
  assert.throws(() => new RouteIndex([{ method: "GET", path: "a" }]), /does not begin with/);
});

test("where paths of two APIs overlap, the signature tells which one is meant", async () => {
  const model = await loadModel();
  const request = { method: "GET", rawPath: "/things/t/jobs/j" };
  const found = (signingName?: string) => {
    const { api, name } = model.route(request, signingName)!.operation;
    return `${api}:${name}`;
  };
  const rawPath = "/things/t/jobs";
  assert.equal(model.route({ method: "GET", rawPath }, "iot-jobs-data")?.operation.name, "GetPendingJobExecutions");
  assert.equal(model.route({ method: "GET", rawPath }, "iot")?.operation.name, "ListJobExecutionsForThing");
  assert.equal(model.route({ method: "GET", rawPath })?.operation.name, "ListJobExecutionsForThing");
  assert.equal(found("iot-jobs-data"), "iot-jobs-data:DescribeJobExecution");
  assert.equal(found("iot"), "iot:DescribeJobExecution");
  assert.equal(found("execute-api"), "iot:DescribeJobExecution");
  assert.equal(found(), "iot:DescribeJobExecution");
  assert.equal(model.route({ method: "POST", rawPath: "/", target: "IoTSecuredTunneling.Nothing" }), undefined);
  assert.equal(model.route({ method: "GET", rawPath: "/", target: "IoTSecuredTunneling.OpenTunnel" }), undefined);
});
