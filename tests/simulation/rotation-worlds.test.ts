import assert from "node:assert/strict";
import { after, test, type TestContext } from "node:test";
import { runJobs } from "@thingline/device/jobs";
import { ageRetryMsMin, type RotationOptions } from "@thingline/device/rotation";
import { isThinglineError } from "@thingline/protocol";
import { rotateCertificateOperation } from "@thingline/protocol/jobs";
import { createVirtualRandom } from "@thingline/transport/virtual";
import { openRotatingDevice, type RotatingDevice } from "./rotating-device.test.support.js";
import {
  openRotationHouse,
  overlapMs,
  policyName,
  rotationTemplate,
  tags,
  untilDone,
} from "./rotation-world.test.support.js";

const house = await openRotationHouse();
after(() => house.close());
const { clock, cloud } = house;
const dayMs = 86_400_000;

const openWorld = (t: TestContext, more?: Partial<RotationOptions>, from?: Partial<RotatingDevice>) =>
  openRotatingDevice(house, t, more, from);

const idOf = ({ rotation }: RotatingDevice): string => rotation.certificate?.certificateId ?? "";

test("by command: the other tag is in use, the old certificate is INACTIVE and its credentials are gone", async (t) => {
  const world = await openWorld(t);
  await world.run(world.rotation.connect());
  const old = idOf(world);
  const [result, joined] = await world.run(Promise.all([world.rotation.rotate(), world.rotation.rotate()]));
  assert.deepEqual(joined, result, "who asks meanwhile waits for the same");
  assert.equal(result.replacedCertificateId, old);
  assert.equal(world.rotation.secTag, tags[1]);
  assert.equal(world.device.state, "ready");
  assert.equal(world.device.connection?.secure?.isResumed, false);
  assert.equal(await world.statusOf(old), "ACTIVE", "within the overlap");
  await clock.advance(overlapMs + 1_000);
  assert.equal(await world.statusOf(old), "INACTIVE");
  assert.equal(await world.statusOf(result.certificateId), "ACTIVE");
  assert.deepEqual(world.told1("oldCredentialsDeleted"), [{ secTag: tags[0] }]);
  // And back to the first tag.
  const again = await world.run(world.rotation.rotate());
  assert.equal(again.secTag, tags[0]);
  assert.equal(again.replacedCertificateId, result.certificateId);
  assert.deepEqual(
    world.told.map(({ name }) => name),
    ["rotationStarted", "rotated", "oldCredentialsDeleted", "rotationStarted", "rotated"],
  );
});

test("a cloud that does not answer leaves the device connected with what it had", async (t) => {
  const limits = { answerTimeoutMs: 5_000, claimConnectionsMax: 1, requestsPerConnectionMax: 1 };
  const world = await openWorld(t, { limits });
  await world.run(world.rotation.connect());
  const old = idOf(world);
  const target = `arn:aws:iot:us-east-1:123456789012:cert/${old}`;
  await clock.untilSettled(cloud.run(cloud.registry.detachPolicy, { policyName, target }));
  const narrow = "narrow";
  const policyDocument = JSON.stringify({
    Version: "2012-10-17",
    Statement: [
      { Effect: "Allow", Action: "iot:Connect", Resource: "*" },
      { Effect: "Allow", Action: ["iot:Subscribe", "iot:Receive"], Resource: "*" },
    ],
  });
  await clock.untilSettled(cloud.run(cloud.registry.createPolicy, { policyName: narrow, policyDocument }));
  await clock.untilSettled(cloud.run(cloud.registry.attachPolicy, { policyName: narrow, target }));
  const failure = await world.run(
    world.rotation.rotate().then(
      () => undefined,
      (error: unknown) => error,
    ),
  );
  assert.ok(isThinglineError(failure), String(failure));
  await clock.advance(60_000);
  assert.equal(world.device.state, "ready");
  assert.equal(idOf(world), old);
  assert.equal(world.rotation.record.state.name, "settled");
  assert.equal(world.rotation.record.history[0]?.outcome, "failed");
});

test("within the overlap a device whose new certificate is refused goes back, and the cloud lets it", async (t) => {
  const world = await openWorld(t);
  await world.run(world.rotation.connect());
  const old = idOf(world);
  const { certificateId } = await world.run(world.rotation.rotate());
  await world.run(world.device.disconnect());
  await clock.untilSettled(cloud.run(cloud.registry.updateCertificate, { certificateId, newStatus: "REVOKED" }));
  await world.run(world.rotation.connect());
  assert.equal(world.rotation.secTag, tags[0]);
  assert.equal(idOf(world), old);
  assert.equal(world.told1("wentBack").length, 1);
  assert.equal(world.device.state, "ready");
});

test("by age: a device rotates when its time has come, tells before its certificate ends, and tries again when it fails", async (t) => {
  const world = await openWorld(t, { policy: { maxAgeDays: 1 }, spreadMs: 0 });
  await world.run(world.rotation.connect());
  const old = idOf(world);
  const { notBeforeMs = 0 } = world.rotation.certificate ?? {};
  await clock.advance(notBeforeMs + dayMs - clock.unixMs() - 3_700_000);
  assert.equal(idOf(world), old);
  while (world.told1("rotationStarted").length === 0) await clock.advance(10_000);
  await untilDone(
    clock,
    (async () => {
      while (world.told1("rotated").length === 0) await clock.sleep(10);
    })(),
  );
  assert.notEqual(idOf(world), old);
  assert.ok(clock.unixMs() < notBeforeMs + dayMs + 2 * 3_700_000);
  assert.equal(world.told1("rotated")[0]?.reason, "age");
});

test("a rotation by age that fails is tried again after a growing pause", async (t) => {
  const limits = { answerTimeoutMs: 1_000, claimConnectionsMax: 1, requestsPerConnectionMax: 1 };
  const world = await openWorld(t, {
    ...{ policy: { maxAgeDays: 1 }, spreadMs: 0, limits },
    onStep: ({ effect, when }) => {
      if (effect === "publishRequest" && when === "before") world.device.disconnect().catch(() => undefined);
    },
  });
  await world.run(world.rotation.connect());
  await clock.advance(dayMs + 3_700_000);
  const [first] = world.told1("rotationFailed");
  assert.equal(first?.retryInMs, ageRetryMsMin);
  await clock.advance(ageRetryMsMin * 4);
  assert.equal(world.told1("rotationFailed")[1]?.retryInMs, 2 * ageRetryMsMin);
  assert.equal(world.device.state, "ready");
});

test("a job rotates, and a process that was cut says what the job came to when it is asked again", async (t) => {
  const world = await openWorld(t);
  await world.run(world.rotation.connect());
  const old = idOf(world);
  const random = createVirtualRandom("jobs");
  const handlers = { [rotateCertificateOperation]: world.rotation.jobHandler };
  const jobs = await world.run(runJobs(world.device, { handlers, clock, random }));
  t.after(() => clock.until(jobs.close()));
  const jobId = `rotate-${world.thingName}`;
  const create = (id: string, document: object) =>
    cloud.run(cloud.jobs.createJob, {
      ...{ jobId: id, targets: [`arn:aws:iot:us-east-1:123456789012:thing/${world.thingName}`] },
      document: JSON.stringify(document),
    });
  const untilEnded = async (id: string) => {
    for (;;) {
      const execution = await executionOf(id);
      if (execution?.status !== "QUEUED" && execution?.status !== "IN_PROGRESS") return execution;
      await clock.sleep(500);
    }
  };
  const executionOf = async (id: string) =>
    (await cloud.run(cloud.jobs.describeJobExecution, { jobId: id, thingName: world.thingName })).execution;
  await clock.untilSettled(create(jobId, { operation: rotateCertificateOperation, overlapSeconds: 30 }));
  const execution = await world.run(untilEnded(jobId));
  assert.equal(execution?.status, "SUCCEEDED");
  const details = execution?.statusDetails?.detailsMap ?? {};
  assert.deepEqual([details["certificateId"], details["replacedCertificateId"]], [idOf(world), old]);
  await clock.untilSettled(create(`${jobId}-2`, { operation: rotateCertificateOperation, overlapSeconds: -1 }));
  assert.equal((await world.run(untilEnded(`${jobId}-2`)))?.status, "REJECTED");
  // Asked again for the first job, as after a power cut before the cloud knew.
  const inUse = idOf(world);
  const again = await world.rotation.jobHandler({
    ...{ jobId, executionNumber: 1, operation: rotateCertificateOperation, statusDetails: {}, isResumed: true },
    ...{ document: { operation: rotateCertificateOperation }, signal: new AbortController().signal },
    freshDocument: () => Promise.reject(new Error("not asked for")),
    report: async () => undefined,
  });
  assert.equal(again?.status === "SUCCEEDED" && again.statusDetails?.["certificateId"], inUse);
  assert.equal(idOf(world), inUse, "nothing was rotated twice");
});

test("the application is told before its certificate ends, with a clock that was reset as well", async (t) => {
  const world = await openWorld(t, { warnDays: [36_500], isClockTrusted: () => false });
  const [told] = world.told1("certificateEnding");
  assert.equal(told?.isClockTrusted, false);
  assert.equal(told?.certificateId, idOf(world));
  assert.ok((told?.daysLeft ?? 0) > 1_000);
  const trusted = await openWorld(t, { warnDays: [36_500] });
  assert.equal(trusted.told1("certificateEnding")[0]?.isClockTrusted, true);
});

test("a record that cannot be read is kept, and the tags are looked at", async (t) => {
  const world = await openWorld(t);
  await world.run(world.rotation.connect());
  const { secTag } = await world.run(world.rotation.rotate());
  await clock.advance(overlapMs + 1_000);
  await world.run(world.rotation.close());
  await world.run(world.device.close());
  await world.files.replace("/rotation/rotation.json", new TextEncoder().encode("{"));
  const again = await openWorld(t, {}, world);
  assert.equal(again.rotation.secTag, secTag);
  assert.equal(again.told1("error").length, 1);
  assert.ok(await again.files.exists("/rotation/rotation.json.unreadable"));
});

test("a device cannot have a certificate of another thing, whatever it calls itself", async (t) => {
  const other = await openWorld(t);
  const fleet = { kind: "fleet", template: rotationTemplate, keys: "csr" } as const;
  const world = await openWorld(t, { method: { ...fleet, parameters: { ThingName: other.thingName } } });
  await world.run(world.rotation.connect());
  const { certificateId } = await world.run(world.rotation.rotate());
  const principal = `arn:aws:iot:us-east-1:123456789012:cert/${certificateId}`;
  const { things } = await cloud.run(cloud.registry.listPrincipalThings, { principal });
  assert.deepEqual(things, [world.thingName]);
});

test("a cloud that goes down in the middle and comes back costs a retry, at whatever step it is", async (t) => {
  const isLong = process.env["THINGLINE_TEST_LONG"] !== undefined;
  let effects = 0;
  const downAt = async (at: number) => {
    const world = await openWorld(t, {
      async onStep({ index, when }) {
        if (when === "before") effects = Math.max(effects, index);
        // Everybody is disconnected, and what goes on is what was stored.
        if (when === "before" && index === at) await cloud.restore(await cloud.snapshot());
      },
    });
    await world.run(world.rotation.connect());
    const old = idOf(world);
    for (let attempt = 0; world.told1("rotated").length === 0; attempt++) {
      assert.ok(attempt < 3, `down at ${at}: ${JSON.stringify(world.told)}`);
      await world.run(world.rotation.rotate().catch(() => undefined));
      await clock.advance(10_000);
    }
    await clock.advance(2 * overlapMs);
    assert.equal(world.device.state, "ready", `down at ${at}`);
    assert.deepEqual([await world.statusOf(old), await world.statusOf(idOf(world))], ["INACTIVE", "ACTIVE"]);
    await world.run(world.rotation.close());
    await world.run(world.device.close());
  };
  await downAt(0);
  const count = effects;
  assert.ok(count > 10);
  for (let at = 1; at <= count; at += isLong ? 1 : 11) await downAt(at);
  t.diagnostic(`of ${count} effects`);
});
