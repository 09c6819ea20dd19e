import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { createNativeCredentialStore } from "../native-tls/store.js";
import type { Device } from "../device.js";
import { checkRotationOptions, rotationOverlapMsMax, type RotationOptions, warnDaysMax } from "./options.js";
import { rotationRecordBytesMax } from "./record.js";
import { RotationFile } from "./rotation-file.js";

const device = { clientId: "pump-7", connect() {}, disconnect() {}, on() {}, subscribe() {} } as unknown as Device;
const random = createVirtualRandom("options");
const keys = createVirtualKeys({ random });
const good: RotationOptions = {
  tags: [50, 51],
  store: createNativeCredentialStore({ keys }),
  method: { kind: "split" },
  ...{ files: createVirtualFiles(), folder: "/rotation", keys, clock: createVirtualClock(), random },
};

test("options are checked before anything is opened, each by its name", () => {
  checkRotationOptions(device, {
    ...good,
    overlapMs: rotationOverlapMsMax,
    warnDays: Array<number>(warnDaysMax).fill(0),
  });
  const bad: [option: string, change: object][] = [
    ["tags", { tags: [50, 50] }],
    ["tags", { tags: [50] }],
    ["tags", { tags: [-1, 50] }],
    ["method", { method: { kind: "ownCertificate" } }],
    ["method.template", { method: { kind: "fleet", keys: "csr" } }],
    ["keyMaker", { method: { kind: "split", keys: "modem" } }],
    ["limits.requestMax", { limits: { requestMax: 1 } }],
    ["limits.requestsMax", { limits: { requestsMax: 0 } }],
    ["policy.atLifetimePercent", { policy: { atLifetimePercent: 0 } }],
    ["policy.daysBeforeEnd", { policy: { daysBeforeEnd: -1 } }],
    ["policy.maxAgeDays", { policy: { maxAgeDays: Number.NaN } }],
    ["overlapMs", { overlapMs: rotationOverlapMsMax + 1 }],
    ["spreadMs", { spreadMs: 1.5 }],
    ["warnDays", { warnDays: Array<number>(warnDaysMax + 1).fill(0) }],
    ["warnDays", { warnDays: [-1] }],
    ["overlap", { overlap: 1 }],
    ["link", { link: {} }],
  ];
  for (const [option, change] of bad) {
    assert.throws(
      () => checkRotationOptions(device, { ...good, ...change }),
      (error: Error & { code?: string; details?: { option?: string } }) =>
        error.code === "OPTION_INVALID" && error.details?.option === option,
      option,
    );
  }
  assert.throws(() => checkRotationOptions({} as Device, good), { code: "OPTION_INVALID" });
});

test("keys of the cloud in one message are refused for a modem, whose TLS cannot take them", () => {
  const method = { kind: "fleet", template: "rotate", keys: "cloud" } as const;
  checkRotationOptions(device, { ...good, method });
  const nothing = () => Promise.resolve();
  const link = { connect: nothing, normal: nothing, offline: nothing, powerOff: nothing };
  checkRotationOptions(device, { ...good, link });
  assert.throws(() => checkRotationOptions(device, { ...good, link, method }), { code: "PROVISIONING_METHOD_UNFIT" });
});

test("a record that is larger than any of ours is refused, and the folder is free again", async () => {
  const files = createVirtualFiles();
  await files.makeFolder("/rotation");
  await files.replace("/rotation/rotation.json", new Uint8Array(rotationRecordBytesMax + 1));
  for (let time = 0; time < 2; time++) {
    await assert.rejects(RotationFile.open(files, "/rotation"), { code: "FILE_TOO_LARGE" });
  }
  await files.replace("/rotation/rotation.json", new Uint8Array(rotationRecordBytesMax));
  const { problem, file } = await RotationFile.open(files, "/rotation");
  assert.equal(problem?.code, "FILE_UNREADABLE");
  await assert.rejects(RotationFile.open(files, "/rotation"), { code: "LOCKED" });
  await file.close();
});
