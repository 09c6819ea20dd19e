import assert from "node:assert/strict";
import { mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { fillPattern } from "./line-sources.js";
import { UsageError } from "../failure.js";
import { boardsMax } from "./board-result.js";
import { linePorts } from "./line-ports.js";

const options = { modemDir: "nowhere", atOnce: 1 };
const context = { signal: new AbortController().signal, onPassedOver: () => undefined };
const names = (count: number) => Array.from({ length: count }, (_, at) => `/dev/none${at}`).join(",");

test("a port that is named twice, be it by a link, is of one board", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-ports-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const [device, link] = [join(folder, "ttyACM0"), join(folder, "by-id")];
  await writeFile(device, "");
  await symlink(device, link);
  const passedOver: string[] = [];
  const onPassedOver = (path: string, why: string) => void passedOver.push(`${path}: ${why}`);
  const ports = await linePorts([link, device, link].join(","), options, { ...context, onPassedOver });
  assert.deepEqual(
    ports.map(({ path }) => path),
    [link],
  );
  assert.deepEqual(passedOver, [`${device}: the same port as ${link}`, `${link}: the same port as ${link}`]);
  await assert.rejects(linePorts("a,,b", options, context), UsageError);
});

test("what a board says of itself leads to no other folder", () => {
  assert.equal(fillPattern("things/{imei}-{serial}", { imei: "35", serial: "00960" }), "things/35-00960");
  for (const serial of [undefined, "", "..", "a/../../b", "a b", "$&".repeat(9), "x".repeat(65)]) {
    const fill = () => fillPattern("things/{serial}", { imei: "35", serial });
    assert.throws(fill, { code: "CREDENTIAL_MISSING" }, serial);
  }
});

test("ports that are named are taken as they are, up to a bound", async () => {
  const ports = await linePorts(names(boardsMax), options, context);
  assert.equal(ports.length, boardsMax);
  assert.deepEqual(ports[0], { path: "/dev/none0", serial: undefined });
  await assert.rejects(
    linePorts(names(boardsMax + 1), options, context),
    (error) => error instanceof UsageError && /takes 256 ports at the most, got 257/.test(error.message),
  );
});
