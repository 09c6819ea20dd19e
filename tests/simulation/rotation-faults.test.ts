import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";
import { runJobs } from "@thingline/device/jobs";
import type { RotationOptions } from "@thingline/device/rotation";
import { isThinglineError, type JsonObject, ThinglineError } from "@thingline/protocol";
import { rotateCertificateOperation } from "@thingline/protocol/jobs";
import type { LinkControl } from "@thingline/transport";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { openRotatingDevice, type RotatingDevice } from "./rotating-device.test.support.js";
import { openRotationHouse, overlapMs, tags } from "./rotation-world.test.support.js";

const house = await openRotationHouse();
after(() => house.close());
const { clock, cloud } = house;

const openWorld = (t: TestContext, more?: Partial<RotationOptions>, from?: Parameters<typeof openRotatingDevice>[3]) =>
  openRotatingDevice(house, t, more, from);
const idOf = ({ rotation }: RotatingDevice): string => rotation.certificate?.certificateId ?? "";
const codeOf = (error: unknown): string => (isThinglineError(error) ? error.code : String(error));
const failed = new ThinglineError("MODEM_COMMAND_REJECTED", "the modem does not want to");

const jobOf = (jobId: string, document: JsonObject) => ({
  ...{ jobId, executionNumber: 1, operation: rotateCertificateOperation, statusDetails: {}, isResumed: false },
  ...{ document, signal: new AbortController().signal },
  freshDocument: () => Promise.reject(new Error("not asked for")),
  report: async () => undefined,
});

/** A link that fails as it is told. */
function makeLink(): LinkControl & { fails: number; offlineCount: number; isOffline: boolean } {
  const link = {
    ...{ fails: 0, offlineCount: 0, isOffline: false },
    connect: async () => void (link.isOffline = false),
    normal: async () => void (link.isOffline = false),
    powerOff: async () => undefined,
    async offline() {
      link.offlineCount += 1;
      if (link.fails-- > 0) throw failed;
      link.isOffline = true;
    },
  };
  return link;
}

test("a modem that does not go offline at the end of an overlap costs a moment, and not the connection", async (t) => {
  const link = makeLink();
  const world = await openWorld(t, { link });
  await world.run(world.rotation.connect());
  await world.run(world.rotation.rotate());
  link.fails = 1;
  await clock.advance(overlapMs + 30_000);
  assert.equal(world.device.state, "ready");
  assert.equal(world.told1("error").length, 1);
  assert.equal(world.rotation.record.state.name, "overlapping");
  await clock.advance(3_600_000);
  assert.deepEqual(world.told1("oldCredentialsDeleted"), [{ secTag: tags[0] }]);
  assert.equal(world.device.state, "ready");
});

test("credentials that cannot be deleted do not cost a connection every second", async (t) => {
  const link = makeLink();
  const world = await openWorld(t, { link });
  await world.run(world.rotation.connect());
  await world.run(world.rotation.rotate());
  const before = link.offlineCount;
  link.fails = Infinity;
  await clock.advance(overlapMs + 3_600_000);
  assert.ok(link.offlineCount - before <= 4, `${link.offlineCount - before} times`);
  assert.equal(world.device.state, "ready");
  // Nor the connection of the next start, nor the next rotation for good.
  await world.run(world.device.disconnect());
  await world.run(world.rotation.connect());
  assert.equal(world.device.state, "ready");
  link.fails = 0;
  await world.run(world.rotation.rotate());
  assert.equal(world.rotation.secTag, tags[0]);
});

test("a rotation that its caller ends leaves the device connected, wherever it stands, and the next one goes on", async (t) => {
  let effects = 0;
  const endAt = async (at: number) => {
    const stop = new AbortController();
    const link = makeLink();
    const world = await openWorld(t, {
      link,
      onStep({ index, when }) {
        if (when === "before") effects = Math.max(effects, index);
        if (when === "before" && index === at && world.told1("rotated").length === 0) stop.abort();
      },
    });
    await world.run(world.rotation.connect());
    const old = idOf(world);
    const failure = await world.run(world.rotation.rotate({ signal: stop.signal }).then(() => undefined, codeOf));
    if (at === 0) return;
    assert.equal(failure, "ABORTED", `at ${at}`);
    assert.deepEqual([world.device.state, link.isOffline], ["ready", false], `at ${at}`);
    await world.run(world.rotation.rotate());
    await clock.advance(2 * overlapMs);
    assert.deepEqual(
      [await world.statusOf(old), await world.statusOf(idOf(world))],
      ["INACTIVE", "ACTIVE"],
      `at ${at}`,
    );
    assert.equal(world.device.state, "ready");
    await world.run(world.rotation.close());
    await world.run(world.device.close());
  };
  await endAt(0);
  const count = effects;
  const isLong = process.env["THINGLINE_TEST_LONG"] !== undefined;
  for (let at = 1; at <= count; at += isLong ? 1 : 4) await endAt(at);
});

test("a disk that is full for a while costs the rotation, not the connection", async (t) => {
  const fullFrom = async (from: number) => {
    const world = await openWorld(t);
    await world.run(world.rotation.connect());
    const replace = world.files.replace.bind(world.files);
    let writes = 0;
    let isFull = true;
    world.files.replace = async (...args) => {
      writes += 1;
      if (isFull && writes >= from) throw new ThinglineError("FILE_UNREADABLE", "the disk is full");
      return replace(...args);
    };
    const failure = await world.run(world.rotation.rotate().then(() => undefined, codeOf));
    if (from === Infinity) return writes;
    assert.equal(failure, "FILE_UNREADABLE", `from ${from}`);
    await clock.advance(10_000);
    assert.equal(world.device.state, "ready", `from ${from}`);
    isFull = false;
    await world.run(world.rotation.rotate());
    assert.equal(world.device.state, "ready", `from ${from}`);
    await world.run(world.rotation.close());
    await world.run(world.device.close());
    return writes;
  };
  const count = await fullFrom(Infinity);
  for (let from = 1; from <= count; from++) await fullFrom(from);
});

test("the overlap that a job asked for holds over a power cut", async (t) => {
  const world = await openWorld(t, {
    onStep({ effect, when }) {
      if (effect === "writeCredential" && when === "before") throw new Error("the power is gone");
    },
  });
  await world.run(world.rotation.connect());
  const job = jobOf(world.thingName, { operation: rotateCertificateOperation, overlapSeconds: 7 });
  await world.run(world.rotation.jobHandler(job).catch(() => undefined));
  await world.run(world.rotation.close());
  await world.run(world.device.close());
  const again = await openWorld(t, {}, world);
  await again.run(again.rotation.connect());
  const [rotated] = again.told1("rotated");
  assert.equal(rotated?.overlapUntilUnixMs, (again.rotation.record.history.at(-1)?.atUnixMs ?? 0) + 7_000);
});

test("a job that finds a rotation cut short is the one that is remembered", async (t) => {
  let isCut = true;
  const world = await openWorld(t, {
    onStep({ effect, when }) {
      if (isCut && effect === "publishRequest" && when === "before") throw new Error("not now");
    },
  });
  await world.run(world.rotation.connect());
  await world.run(world.rotation.rotate().catch(() => undefined));
  isCut = false;
  const job = jobOf(world.thingName, { operation: rotateCertificateOperation });
  const outcome = await world.run(world.rotation.jobHandler(job));
  assert.equal(outcome?.status, "SUCCEEDED");
  const inUse = idOf(world);
  assert.deepEqual((await world.run(world.rotation.jobHandler(job)))?.status, "SUCCEEDED");
  assert.equal(idOf(world), inUse, "the same job rotates once");
});

test("a device that is running goes back by itself when its new certificate is refused within the overlap", async (t) => {
  const world = await openWorld(t, { overlapMs: 3_600_000 });
  await world.run(world.rotation.connect());
  const old = idOf(world);
  const { certificateId } = await world.run(world.rotation.rotate());
  await clock.untilSettled(cloud.run(cloud.registry.updateCertificate, { certificateId, newStatus: "REVOKED" }));
  await clock.advance(60_000);
  assert.deepEqual([world.device.state, world.rotation.secTag, idOf(world)], ["ready", tags[0], old]);
  assert.equal(world.told1("wentBack").length, 1);
});

test("without its record a device with two sets finds the one that the cloud takes", async (t) => {
  for (const good of ["new", "old"] as const) {
    const world = await openWorld(t, { overlapMs: 3_600_000 });
    await world.run(world.rotation.connect());
    const old = idOf(world);
    const { certificateId } = await world.run(world.rotation.rotate());
    await world.run(world.rotation.close());
    await world.run(world.device.close());
    const refused = good === "new" ? old : certificateId;
    await clock.untilSettled(
      cloud.run(cloud.registry.updateCertificate, { certificateId: refused, newStatus: "REVOKED" }),
    );
    await world.files.replace("/rotation/rotation.json", new TextEncoder().encode("{"));
    const again = await openWorld(t, {}, world);
    await again.run(again.rotation.connect());
    assert.equal(idOf(again), good === "new" ? certificateId : old);
    assert.equal(again.device.state, "ready");
    // What it found is where the next rotation begins.
    const { replacedCertificateId } = await again.run(again.rotation.rotate());
    assert.equal(replacedCertificateId, good === "new" ? certificateId : old);
  }
});

test("a device that was provisioned anew, to the tag that it had left, finds what it was given", async (t) => {
  const world = await openWorld(t);
  await world.run(world.rotation.connect());
  const { certificateId } = await world.run(world.rotation.rotate());
  await clock.advance(overlapMs + 1_000);
  assert.equal(world.rotation.record.state.name, "settled");
  await world.run(world.rotation.close());
  await world.run(world.device.close());
  await clock.untilSettled(cloud.run(cloud.registry.updateCertificate, { certificateId, newStatus: "REVOKED" }));
  const given = await world.manufacture();
  const again = await openWorld(t, {}, world);
  assert.equal(again.rotation.secTag, tags[1], "what it remembers comes first");
  await again.run(again.rotation.connect());
  assert.deepEqual([again.device.state, again.rotation.secTag, idOf(again)], ["ready", tags[0], given]);
});

test("a job that is cancelled in the middle leaves the device connected, and the next job rotates", async (t) => {
  let cancel: (() => Promise<unknown>) | undefined;
  const world = await openWorld(t, {
    async onStep({ effect, when }) {
      if (effect !== "writeCredential" || when !== "before") return;
      const order = cancel;
      cancel = undefined;
      await order?.();
    },
  });
  await world.run(world.rotation.connect());
  const old = idOf(world);
  const random = createVirtualRandom("jobs");
  const handlers = { [rotateCertificateOperation]: world.rotation.jobHandler };
  const jobs = await world.run(runJobs(world.device, { handlers, clock, random }));
  t.after(() => clock.until(jobs.close()));
  const create = (jobId: string) =>
    cloud.run(cloud.jobs.createJob, {
      ...{ jobId, targets: [`arn:aws:iot:us-east-1:123456789012:thing/${world.thingName}`] },
      document: JSON.stringify({ operation: rotateCertificateOperation }),
    });
  const untilEnded = async (jobId: string) => {
    for (;;) {
      const { execution } = await cloud.run(cloud.jobs.describeJobExecution, { jobId, thingName: world.thingName });
      if (execution?.status !== "QUEUED" && execution?.status !== "IN_PROGRESS") return execution?.status;
      await clock.sleep(500);
    }
  };
  const [first, second] = [`one-${world.thingName}`, `two-${world.thingName}`];
  cancel = () => cloud.run(cloud.jobs.cancelJob, { jobId: first, force: true });
  await clock.untilSettled(create(first));
  assert.equal(await world.run(untilEnded(first)), "CANCELED");
  await clock.advance(60_000);
  assert.equal(world.device.state, "ready");
  await clock.untilSettled(create(second));
  assert.equal(await world.run(untilEnded(second)), "SUCCEEDED");
  assert.notEqual(idOf(world), old);
  assert.equal(world.device.state, "ready");
});
