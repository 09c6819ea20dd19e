// What was acknowledged is there after kill -9.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { X509Certificate } from "node:crypto";
import { once } from "node:events";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { findCertificate, iterate, loadPrincipal, openLmdbStore } from "@thingline/cloud";

const scope = { account: "123456789012", region: "us-east-1" };

/** Runs a program of this folder until it printed so many lines, kills it, and gives back all that it printed. */
async function runAndKill(program: string, args: readonly string[], lineCount: number): Promise<string[]> {
  const path = fileURLToPath(new URL(program, import.meta.url));
  const child = spawn(process.execPath, [path, ...args], { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const lines: string[] = [];
  for await (const line of createInterface({ input: child.stdout })) {
    lines.push(line);
    if (lines.length === lineCount) child.kill("SIGKILL");
  }
  const [, signal] = (await exited) as [number | null, string | null];
  assert.equal(signal, "SIGKILL");
  return lines;
}

async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-kill-"));
  try {
    await body(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

for (const durability of ["process", "disk"] as const) {
  test(`every commit acknowledged before kill -9 is there, whole (${durability})`, () =>
    inFolder(async (folder) => {
      for (const lineCount of [1, 500]) {
        const lines = await runAndKill("store-process.test.support.js", [folder, durability], lineCount);
        // A line that was cut off in the middle was not heard by anybody.
        const acknowledged = lines.filter((line) => /^\d+ \d+$/.test(line)).map((line) => line.split(" ").map(Number));
        assert.ok(acknowledged.length >= lineCount);
        const store = await openLmdbStore({ folder, durability });
        for (const [worker = -1, count = -1] of acknowledged.slice(0, -1)) {
          const record = await store.get<{ count: number }>([scope.account, scope.region, "record", worker, count]);
          assert.equal(record?.value.count, count, `worker ${worker}, commit ${count}`);
        }
        const lastRecords = new Map<string, number>();
        for await (const { key } of iterate(store, [scope.account, scope.region, "record"])) {
          lastRecords.set(String(key[3]), Number(key[4]));
        }
        for await (const { key, value } of iterate<number>(store, [scope.account, scope.region, "counter"])) {
          assert.equal(value, lastRecords.get(String(key[3])), "a commit is there with all its parts, or not at all");
        }
        for await (const { key } of iterate(store, [])) await store.commit([{ key, delete: true }]);
        await store.close();
      }
    }));
}

test("what a killed cloud had decided is published by the next one, and good for its device", () =>
  inFolder(async (folder) => {
    const provisioned = await runAndKill("provisioning-process.test.support.js", [folder, "withhold"], 20);
    const lines = await runAndKill("provisioning-process.test.support.js", [folder], 2 * provisioned.length);
    const published = lines.flatMap((line) => {
      try {
        return [JSON.parse(line) as { topic: string; text: string }];
      } catch {
        return []; // cut off by the kill
      }
    });
    const store = await openLmdbStore({ folder: join(folder, "store") });
    const answered = new Map<string, string[]>();
    for (const { topic, text } of published) {
      const [, clientId = ""] = topic.split("/");
      answered.set(clientId, [...(answered.get(clientId) ?? []), topic.split("/").at(-1) ?? ""]);
      if (!topic.endsWith("/cert")) continue;
      const certificateId = new X509Certificate(text).fingerprint256.replaceAll(":", "").toLowerCase();
      const principal = await loadPrincipal(store, scope, { certificateId, clientId });
      assert.equal(principal?.certificate.status, "ACTIVE");
      assert.equal(principal.certificate.origin.clientId, clientId);
      assert.equal(principal.thing?.thingName, clientId);
      assert.equal(principal.policies.length, 1);
    }
    for (const clientId of provisioned) assert.deepEqual(answered.get(clientId), ["key", "cert"], clientId);
    // Whatever exists is explained: each thing's certificate says where it came from.
    for await (const { key } of iterate(store, [scope.account, scope.region, "thing"])) {
      const thingName = String(key.at(-1));
      const [principal] = await store.list([scope.account, scope.region, "principalOfThing", thingName], { limit: 1 });
      const certificateId = String(principal?.key.at(-1)).split("/").at(-1) ?? "";
      const certificate = await findCertificate(store, scope, certificateId);
      assert.deepEqual([certificate?.origin.source, certificate?.origin.clientId], ["split-provisioning", thingName]);
    }
    await store.close();
  }));
