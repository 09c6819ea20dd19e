// The fidelity data against the server, both ways: what a record calls built is served, what is served has a record, and what is not acted
// on is told.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import type { Shape } from "../model/shapes.js";
import type { ActedMembers } from "../model/validate.js";
import { openRestWorld } from "./rest-world.test.support.js";

const root = fileURLToPath(new URL("../../../..", import.meta.url));

interface FidelityRecord {
  behaviour: string;
  state: "faithful" | "simplified" | "absent";
  remark?: string;
}

function recordsOf(api: string): FidelityRecord[] {
  const path = join(root, `docs/fidelity/data/operations-${api}.json`);
  return (JSON.parse(readFileSync(path, "utf8")) as { records: FidelityRecord[] }).records;
}

/** The paths of members that hold no others. */
function leaves(shape: Shape, path: string): string[] {
  if (shape.type === "list") return leaves(shape.of, path);
  if (shape.type !== "structure") return [path];
  return [...shape.members.values()].flatMap((member) =>
    leaves(member.shape, path === "" ? member.name : `${path}.${member.name}`),
  );
}

function actedPaths(acted: ActedMembers, path = ""): string[] {
  return Object.entries(acted).flatMap(([name, inner]) => {
    const at = path === "" ? name : `${path}.${name}`;
    return inner === true ? [at] : actedPaths(inner, at);
  });
}

test("the fidelity data has every operation of AWS, and says what the server says", async () => {
  const { model, operations, api } = await openRestWorld();
  const served = new Map(operations.map(({ aws }) => [`${aws.api}:${aws.name}`, aws]));
  assert.deepEqual([...api.operationNames].sort(), [...served.keys()].sort());
  let count = 0;
  for (const apiName of new Set(model.operations.map((operation) => operation.api))) {
    const records = recordsOf(apiName);
    const known = model.operations.filter((operation) => operation.api === apiName).map(({ name }) => name);
    assert.deepEqual(records.map(({ behaviour }) => behaviour).sort(), known.sort(), apiName);
    for (const { behaviour: name, state } of records) {
      const isServed = served.has(`${apiName}:${name}`);
      assert.equal(
        state === "absent",
        !isServed,
        `${apiName}:${name} is ${state}, and ${isServed ? "" : "not "}served`,
      );
      count++;
    }
  }
  assert.equal(count, 310);
});

test("every member that AWS has is acted on, or refused by its name and told in the fidelity data", async () => {
  const { model, operations } = await openRestWorld();
  for (const { aws } of operations) {
    const all = leaves(model.operation(aws.api, aws.name).input, "");
    const acted = actedPaths(aws.acted);
    assert.deepEqual(
      acted.filter((path) => !all.includes(path)),
      [],
      `${aws.name} acts on what AWS does not have`,
    );
    const refused = all.filter((path) => !acted.includes(path)).map((path) => path.split(".")[0]);
    const record = recordsOf(aws.api).find(({ behaviour }) => behaviour === aws.name);
    const told = [...(record?.remark ?? "").matchAll(/`(\w+)`/g)].map(([, member]) => member);
    assert.deepEqual([...new Set(refused)].sort(), told.sort(), `${aws.name}: the record and the service differ`);
    assert.equal(record?.state, refused.length > 0 ? "simplified" : "faithful", aws.name);
  }
});
