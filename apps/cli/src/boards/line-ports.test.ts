import assert from "node:assert/strict";
import { test } from "node:test";
import { UsageError } from "../failure.js";
import { boardsMax } from "./board-result.js";
import { linePorts } from "./line-ports.js";

const options = { modemDir: "nowhere", atOnce: 1 };
const context = { signal: new AbortController().signal, onPassedOver: () => undefined };
const names = (count: number) => Array.from({ length: count }, (_, at) => `/dev/none${at}`).join(",");

test("ports that are named are taken as they are, up to a bound", async () => {
  const ports = await linePorts(names(boardsMax), options, context);
  assert.equal(ports.length, boardsMax);
  assert.deepEqual(ports[0], { path: "/dev/none0", serial: undefined });
  await assert.rejects(
    linePorts(names(boardsMax + 1), options, context),
    (error) => error instanceof UsageError && /takes 256 ports at the most, got 257/.test(error.message),
  );
});
