import assert from "node:assert/strict";
import { test } from "node:test";
import { arrowRules } from "./arrow-rules.mjs";
import { arrowFaults } from "./check-arrows.mjs";
import { connectedSets, shortestCircles } from "./import-circles.mjs";

const manifests = {
  "packages/cloud": { dependencies: { "@thingline/protocol": "0.1.0", "@thingline/device": "0.1.0" } },
  "packages/device": { dependencies: { "@thingline/protocol": "0.1.0", "@thingline/transport": "0.1.0" } },
  "packages/transport": { dependencies: { "@thingline/protocol": "0.1.0" } },
  "apps/cli": { dependencies: { "@thingline/device": "0.1.0" } },
};

const importing = (specifier) => `import { x } from "${specifier}";`;

/** The real rules, with nothing left to tolerate. */
const rules = { ...arrowRules, tolerated: { arrows: [], circles: [] } };

/**
 * In every folder that the rules name a file that imports nothing, and one that uses every arrow of the folder; a shell that uses `node:*`
 * wherever one may.
 */
function cleanTree() {
  const files = new Map();
  for (const [home, rooms] of Object.entries(rules.rooms)) {
    const placeOf = (folder) => {
      if (folder === "*.ts") return "top.ts";
      return folder.endsWith(".ts") ? folder : `${folder.replace("*", "some")}/own.ts`;
    };
    for (const [folder, arrows] of Object.entries(rooms)) {
      const up = "../".repeat(folder.split("/").length - (folder.endsWith(".ts") ? 1 : 0));
      const uses = arrows.map((arrow) => importing(`${up}${placeOf(arrow).replace(/\.ts$/, ".js")}`)).join("\n");
      const own = placeOf(folder);
      files.set(`${home}/src/${own}`, folder.endsWith(".ts") ? uses : "");
      if (!folder.endsWith(".ts")) files.set(`${home}/src/${own.replace("own.ts", "uses.ts")}`, uses);
    }
  }
  const shells = [
    "packages/modem/src/serial.ts",
    "packages/transport/src/node/own.ts",
    "packages/cloud/src/store/lmdb.ts",
    "packages/cloud/src/rest/server.ts",
    "packages/cloud/src/node.ts",
    "apps/cli/src/main.ts",
    "packages/cloud/src/store/own.test.ts",
    "tests/integration/own.test.ts",
    "bench/own.ts",
    "examples/own.ts",
  ];
  for (const shell of shells) files.set(shell, 'import { x } from "node:fs";');
  return files;
}

// Each rule broken once: the file, what it imports, and what must be said of it; undefined where nothing is wrong.
const cases = [
  // packages
  ["packages/device/src/device.ts", "@thingline/protocol/mqtt", undefined],
  ["packages/cloud/src/cloud.ts", "@thingline/device", "cloud may not import device"],
  ["packages/device/src/client/a.test.ts", "@thingline/cloud", "device may not import cloud"],
  ["packages/transport/src/clock.test.ts", "@thingline/transport/node", "transport may not import transport"],
  ["packages/device/src/client/a.ts", "../../../modem/src/session.js", "leaves its package by a relative path"],
  ["packages/device/src/client/a.ts", "ws", "is not in the dependencies of packages/device/package.json"],
  ["apps/cli/src/a.ts", "@thingline/cloud", "is not in the dependencies of apps/cli/package.json"],
  // the shells
  ["packages/protocol/src/mqtt/decode.ts", "node:crypto", "node:* is for the shells only"],
  ["packages/cloud/src/rest/rest-api.ts", "node:http", "node:* is for the shells only"],
  ["packages/transport/src/node/tcp.ts", "node:net", undefined],
  ["packages/device/src/client/a.ts", "@thingline/transport/node", "Node's adapters are for the entry points alone"],
  [
    "packages/device/src/client/a.ts",
    "@thingline/transport/node/firmware",
    "Node's adapters are for the entry points alone",
  ],
  ["packages/device/src/node.ts", "@thingline/transport/node", undefined],
  // folders of the cloud
  ["packages/cloud/src/cloud.ts", "./broker/own.js", undefined],
  [
    "packages/cloud/src/services/jobs/service.ts",
    "../../broker/own.js",
    "cloud/services/jobs may not import cloud/broker",
  ],
  [
    "packages/cloud/src/services/jobs/service.ts",
    "../registry/service.js",
    "cloud/services/jobs may not import cloud/services/registry",
  ],
  ["packages/cloud/src/services/jobs/service.ts", "../registry/index.js", undefined],
  ["packages/cloud/src/services/jobs/service.ts", "./deep/model.js", undefined],
  ["packages/cloud/src/services/jobs/deep/model.ts", "../service.js", undefined],
  [
    "packages/cloud/src/services/jobs/service.ts",
    "../all.js",
    "cloud/services/jobs may not import cloud/services/all.ts",
  ],
  ["packages/cloud/src/services/jobs/service.ts", "../../policy/own.js", undefined],
  ["packages/cloud/src/services/jobs/service.ts", "../../store/own.js", undefined],
  ["packages/cloud/src/services/jobs/service.ts", "../../model/own.js", undefined],
  [
    "packages/cloud/src/services/jobs/service.ts",
    "../../engine.js",
    "cloud/services/jobs may not import cloud/engine.ts",
  ],
  [
    "packages/cloud/src/services/runner.ts",
    "./registry/model.js",
    "cloud/services may not import cloud/services/registry",
  ],
  ["packages/cloud/src/services/all.ts", "./registry/index.js", undefined],
  ["packages/cloud/src/broker/a.ts", "../services/own.js", undefined],
  [
    "packages/cloud/src/broker/a.ts",
    "../services/messages/model.js",
    "cloud/broker may not import cloud/services/messages",
  ],
  ["packages/cloud/src/broker/a.ts", "../gateway/own.js", "cloud/broker may not import cloud/gateway"],
  ["packages/cloud/src/bus/a.ts", "../broker/own.js", "cloud/bus may not import cloud/broker"],
  ["packages/cloud/src/policy/a.ts", "../store/own.js", "cloud/policy may not import cloud/store"],
  ["packages/cloud/src/store/a.ts", "../services/own.js", "cloud/store may not import cloud/services"],
  ["packages/cloud/src/model/a.ts", "../services/own.js", "cloud/model may not import cloud/services"],
  ["packages/cloud/src/rest/a.ts", "../broker/own.js", "cloud/rest may not import cloud/broker"],
  ["packages/cloud/src/gateway/a.ts", "../rest/own.js", "cloud/gateway may not import cloud/rest"],
  ["packages/cloud/src/services/jobs/a.test.ts", "../../broker/own.js", undefined],
  ["packages/cloud/src/services/a.test.support.ts", "../broker/own.js", undefined],
  // folders of the device
  ["packages/device/src/offline-queue/a.ts", "../client/own.js", "device/offline-queue may not import device/client"],
  ["packages/device/src/connection/a.ts", "../client/own.js", "device/connection may not import device/client"],
  ["packages/device/src/connection/a.ts", "../topics/own.js", "device/connection may not import device/topics"],
  ["packages/device/src/topics/a.ts", "../device.js", "device/topics may not import device/device.ts"],
  ["packages/device/src/shadow/a.ts", "../topics/own.js", undefined],
  // folders of the others
  ["packages/protocol/src/mqtt/a.ts", "../x509/own.js", "protocol/mqtt may not import protocol/x509"],
  ["packages/modem/src/commands/a.ts", "../simulator/own.js", "modem/commands may not import modem/simulator"],
  // tests
  ["packages/cloud/src/broker/a.ts", "./world.test.support.js", "what ships does not lean on a test"],
];
for (const [file, specifier, fault] of cases) {
  test(`${file} importing ${specifier}: ${fault ?? "nothing is wrong"}`, () => {
    const files = cleanTree();
    files.set(file, `${files.get(file) ?? ""}\n${importing(specifier)}`);
    const expected = fault === undefined ? [] : [`${file}: imports "${specifier}": ${fault}`];
    assert.deepEqual(arrowFaults(files, manifests, rules), expected);
  });
}

const forms = [
  'import type { x } from "X";',
  'export type { x } from "X";',
  'type T = import("X").T;',
  'void import("X");',
];
for (const form of forms) {
  test(`an arrow is broken by ${form} as well`, () => {
    const file = "packages/cloud/src/store/a.ts";
    const files = cleanTree().set(file, form.replace("X", "../broker/own.js"));
    assert.deepEqual(arrowFaults(files, manifests, rules), [
      `${file}: imports "../broker/own.js": cloud/store may not import cloud/broker`,
    ]);
  });
}

test("a tree that keeps to the rules has no faults", () => {
  assert.deepEqual(arrowFaults(cleanTree(), manifests, rules), []);
});

test("a folder that the rules do not know is a fault, in every package that has rows", () => {
  for (const home of Object.keys(rules.rooms)) {
    const file = `${home}/src/attic/box.ts`;
    assert.deepEqual(arrowFaults(cleanTree().set(file, ""), manifests, rules), [
      `${file}: the folder attic has no arrows; give it some in scripts/arrow-rules.mjs`,
    ]);
  }
});

test("a new service needs no row of its own", () => {
  const files = cleanTree().set("packages/cloud/src/services/sample/index.ts", importing("../own.js"));
  const all = "packages/cloud/src/services/all.ts";
  files.set(all, `${files.get(all)}\n${importing("./sample/index.js")}`);
  assert.deepEqual(arrowFaults(files, manifests, rules), []);
});

test("a row whose folder is gone is a fault", () => {
  const files = cleanTree();
  files.delete("packages/cloud/src/bus/own.ts");
  files.delete("packages/cloud/src/bus/uses.ts");
  assert.deepEqual(arrowFaults(files, manifests, rules), [
    "scripts/arrow-rules.mjs: packages/cloud/src/bus is not there any more",
  ]);
});

test("an arrow that nothing uses is a fault", () => {
  const file = "packages/cloud/src/nodes/uses.ts";
  const files = cleanTree();
  files.set(file, files.get(file).replace(importing("../log.js"), ""));
  assert.deepEqual(arrowFaults(files, manifests, rules), [
    "scripts/arrow-rules.mjs: nothing uses the arrow cloud/nodes → log.ts",
  ]);
});

test("a shell that uses nothing of Node is a fault", () => {
  const files = cleanTree().set("packages/cloud/src/store/lmdb.ts", "");
  assert.deepEqual(arrowFaults(files, manifests, rules), [
    `scripts/arrow-rules.mjs: nothing at ${/^packages\/cloud\/src\/store\/(lmdb|blob-files)\.ts$/} imports node:*`,
  ]);
});

test("helpers of tests have one suffix, in the packages and beside them", () => {
  for (const file of ["packages/cloud/src/bus/world.test.helper.ts", "tests/integration/world.ts"]) {
    assert.deepEqual(arrowFaults(cleanTree().set(file, ""), manifests, rules), [
      `${file}: helpers of tests end in .test.support.ts`,
    ]);
  }
});

test("a circle is a fault, of types alone as well, and told by its path", () => {
  const files = cleanTree()
    .set("packages/cloud/src/bus/a.ts", 'import type { B } from "./b.js";')
    .set("packages/cloud/src/bus/b.ts", 'export type { C } from "./c.js";')
    .set("packages/cloud/src/bus/c.ts", 'export type C = import("./a.js").A;');
  assert.deepEqual(arrowFaults(files, manifests, rules), [
    "a circle of imports (3 files reach each other): " +
      ["a", "b", "c", "a"].map((name) => `packages/cloud/src/bus/${name}.ts`).join(" → "),
  ]);
});

test("a tolerated circle is no fault while it is there, and one when it is gone", () => {
  const tolerant = { ...rules, tolerated: { ...rules.tolerated, circles: ["packages/cloud/src/bus/"] } };
  const files = cleanTree()
    .set("packages/cloud/src/bus/a.ts", importing("./b.js"))
    .set("packages/cloud/src/bus/b.ts", importing("./a.js"));
  assert.deepEqual(arrowFaults(files, manifests, tolerant), []);
  assert.deepEqual(arrowFaults(cleanTree(), manifests, tolerant), [
    "scripts/arrow-rules.mjs: the tolerated circle in packages/cloud/src/bus/ is gone; take it out",
  ]);
});

test("a tolerated arrow is no fault while it is there, and one when it is gone", () => {
  const tolerant = { ...rules, tolerated: { ...rules.tolerated, arrows: ["cloud/bus → cloud/store"] } };
  const files = cleanTree().set("packages/cloud/src/bus/a.ts", importing("../store/own.js"));
  assert.deepEqual(arrowFaults(files, manifests, tolerant), []);
  assert.deepEqual(arrowFaults(cleanTree(), manifests, tolerant), [
    "scripts/arrow-rules.mjs: the tolerated arrow cloud/bus → cloud/store is gone; take it out",
  ]);
});

const graph = (edges) => new Map(Object.entries(edges).map(([file, next]) => [file, new Set(next)]));

test("circles are found apart from each other, the shortest way round each of their files, shortest first", () => {
  const imports = graph({
    a: ["b"],
    b: ["c"],
    c: ["d", "a"],
    d: ["a", "e"],
    e: ["f"],
    f: ["g", "outside"],
    g: ["f"],
    h: ["h"],
    i: ["a"],
  });
  assert.deepEqual(connectedSets(imports), [["a", "b", "c", "d"], ["f", "g"], ["h"]]);
  assert.deepEqual(shortestCircles(imports, ["a", "b", "c", "d"]), [
    ["a", "b", "c"],
    ["a", "b", "c", "d"],
  ]);
  assert.deepEqual(shortestCircles(imports, ["f", "g"]), [["f", "g"]]);
  assert.deepEqual(shortestCircles(imports, ["h"]), [["h"]]);
});

test("of many circles among the same files the shortest are told, and how many are left", () => {
  const files = cleanTree();
  const name = (index) => `packages/cloud/src/bus/n${String(index).padStart(2, "0")}.ts`;
  for (let index = 0; index < 12; index++) files.set(name(index), importing("./hub.js"));
  files.set(
    "packages/cloud/src/bus/hub.ts",
    Array.from({ length: 12 }, (_none, at) => importing(`./${name(at).split("/").pop().replace(".ts", ".js")}`)).join(
      "\n",
    ),
  );
  const faults = arrowFaults(files, manifests, rules);
  assert.equal(faults.length, 11);
  assert.match(faults[0], /13 files reach each other\): packages\/cloud\/src\/bus\/hub\.ts → \S+n00\.ts → \S+hub\.ts$/);
  assert.equal(faults[10], "and 2 more circles among these 13 files");
});
