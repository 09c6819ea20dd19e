import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import { fakeImage, FakeWorld } from "./fake-board.test.support.js";

test("an update is told step by step, and succeeds only when the new image is confirmed", async () => {
  const world = new FakeWorld();
  world.deploy();
  await world.run();
  assert.deepEqual(world.eventNames, [
    "started",
    "downloaded",
    "verified",
    "installed",
    "done",
    "rebooting",
    "booted",
    "healthy",
    "confirmed",
  ]);
  assert.equal(world.execution?.status, "SUCCEEDED");
  assert.deepEqual(world.board.boots, ["1.0.0", "2.0.0"]);
  assert.equal(world.board.trial, "confirmed");
  const { since, ...details } = world.execution.statusDetails;
  assert.match(since ?? "", /^\d{10}$/u);
  assert.deepEqual(details, {
    phase: "confirmed",
    progress: "100",
    versionRunning: "2.0.0",
    versionWanted: "2.0.0",
    target: "fake",
  });
  const phases = world.reports.map(({ phase, versionRunning }) => `${phase} ${versionRunning}`);
  assert.deepEqual(
    [...new Set(phases)],
    [
      "downloading 1.0.0",
      "downloaded 1.0.0",
      "verified 1.0.0",
      "installed 1.0.0",
      "rebooting 1.0.0",
      "booted 2.0.0",
      "healthy 2.0.0",
      "confirmed 2.0.0",
    ],
  );
});

test("a healthy-looking image that fails its check goes back by itself, and is reported with what runs", async () => {
  const world = new FakeWorld(fakeImage("2.0.0", { mood: "ill" }));
  world.deploy();
  await world.run();
  assert.equal(world.execution?.status, "FAILED");
  const { reason, versionRunning, versionWanted, phase } = world.execution.statusDetails;
  assert.deepEqual([reason, versionRunning, versionWanted, phase], ["healthCheckFailed", "1.0.0", "2.0.0", "booted"]);
  assert.deepEqual(world.board.boots, ["1.0.0", "2.0.0", "1.0.0"]);
  assert.equal(world.board.secondary.length, 0, "nothing is left of the image");
  const error = world.events.find(({ type }) => type === "error");
  assert.ok(error?.type === "error" && error.cause === "invalidUpdate" && error.versionRunning === "1.0.0");
});

test("an image that crashes is found reverted at the next boot; one that is none is not booted", async () => {
  const crashing = new FakeWorld(fakeImage("2.0.0", { mood: "crash" }));
  crashing.deploy();
  await crashing.run();
  assert.deepEqual([crashing.execution?.status, crashing.execution?.statusDetails["reason"]], ["FAILED", "reverted"]);
  assert.equal(crashing.execution?.statusDetails["versionRunning"], "1.0.0");

  const damaged = fakeImage("2.0.0");
  damaged[100] = (damaged[100] ?? 0) ^ 1;
  const world = new FakeWorld(damaged);
  world.deploy();
  await world.run();
  assert.deepEqual([world.execution?.status, world.execution?.statusDetails["reason"]], ["FAILED", "hashMismatch"]);
  assert.deepEqual(world.board.boots, ["1.0.0"]);
});

test("an image that never connects is gone back from in time", async () => {
  const world = new FakeWorld();
  world.options = {
    limits: { syncBytes: 512, healthTimeoutMs: 60_000 },
    onEvent: (event) => {
      world.events.push(event);
      if (event.type === "booted") world.isConnected = false;
      if (event.type === "rebooting" && event.why === "revert") world.isConnected = true;
    },
  };
  world.deploy();
  await world.run();
  assert.deepEqual(
    [world.execution?.status, world.execution?.statusDetails["reason"]],
    ["FAILED", "healthCheckTimeout"],
  );
  assert.deepEqual(world.board.boots, ["1.0.0", "2.0.0", "1.0.0"]);
});

const later = (details = {}) => new ThinglineError("DOWNLOAD_UNAVAILABLE", "the server answered 503", { details });
const gone = new ThinglineError("DOWNLOAD_GONE", "the server answered 403");

test("a download that is cut goes on where it stood, with growing pauses, and what the server says is waited for", async () => {
  const world = new FakeWorld();
  world.downloads.plan.push(
    { error: later() },
    { error: later({ retryAfterMs: 7_000 }) },
    { error: later(), atOffset: 1_000 },
  );
  world.deploy();
  await world.run();
  assert.equal(world.execution?.status, "SUCCEEDED");
  const { requests } = world.downloads;
  assert.deepEqual(
    requests.map(({ offset }) => offset),
    [0, 0, 0, 512],
  );
  assert.deepEqual(requests[3]?.expected, { sizeBytes: 2_068, version: '"1"' });
  assert.ok(
    world.reports.some(({ reason }) => reason === "downloadUnavailable"),
    "the cloud is told why it waits",
  );
  assert.ok(world.clock.monotonicMs() > 8_000);
  assert.equal(world.downloads.openCount, 0);
});

test("without a version of the file a download begins again, and one that changed as well, a few times", async () => {
  const world = new FakeWorld();
  world.downloads.file.version = undefined;
  world.downloads.plan.push({ error: later(), atOffset: 1_000 });
  world.deploy();
  await world.run();
  assert.deepEqual(
    world.downloads.requests.map(({ offset }) => offset),
    [0, 0],
  );
  assert.equal(world.execution?.status, "SUCCEEDED");

  const changing = new FakeWorld();
  const change = new ThinglineError("DOWNLOAD_CHANGED", "another file");
  for (let count = 0; count < 10; count++) changing.downloads.plan.push({ error: change, atOffset: 600 });
  changing.deploy();
  await changing.run();
  assert.deepEqual(
    changing.downloads.requests.map(({ offset }) => offset),
    [0, 0, 0, 0],
  );
  assert.equal(changing.execution?.statusDetails["reason"], "downloadChanging");
});

test("a file that is gone is asked for with a fresh document, and in the end given up", async () => {
  const world = new FakeWorld();
  world.downloads.plan.push({ error: gone }, undefined);
  world.deploy();
  await world.run();
  assert.deepEqual([world.execution?.status, world.freshDocuments], ["SUCCEEDED", 1]);

  const never = new FakeWorld();
  for (let count = 0; count < 10; count++) never.downloads.plan.push({ error: gone });
  never.deploy();
  await never.run();
  assert.deepEqual([never.execution?.status, never.execution?.statusDetails["reason"]], ["FAILED", "downloadGone"]);
  assert.equal(never.freshDocuments, 3);

  const other = new FakeWorld();
  other.downloads.plan.push({ error: gone });
  other.deploy();
  other.options = {
    onEvent: ({ type }) => {
      if (type === "note" && other.execution) other.execution.document = { location: { url: "https://h/other.bin" } };
    },
  };
  await other.run();
  assert.equal(other.execution?.statusDetails["reason"], "documentInvalid");
});

test("retries are bounded; progress begins the count anew", async () => {
  const world = new FakeWorld();
  world.options = { limits: { fruitlessAttemptsMax: 3, syncBytes: 512 } };
  for (let count = 0; count < 3; count++) world.downloads.plan.push({ error: later() });
  for (let count = 0; count < 3; count++) world.downloads.plan.push({ error: later(), atOffset: 600 });
  for (let count = 0; count < 9; count++) world.downloads.plan.push({ error: later() });
  world.deploy();
  await world.run();
  assert.deepEqual(
    [world.execution?.status, world.execution?.statusDetails["reason"]],
    ["FAILED", "downloadUnavailable"],
  );
  assert.equal(world.downloads.requests.length, 3 + 3 + 2, "a page that is fetched again is no progress");

  const capped = new FakeWorld(fakeImage("2.0.0", { bytes: 20_000 }));
  capped.options = { limits: { attemptsMax: 5, syncBytes: 512 } };
  for (let count = 1; count < 9; count++) capped.downloads.plan.push({ error: later(), atOffset: count * 1_100 });
  capped.deploy();
  await capped.run();
  assert.equal(capped.execution?.statusDetails["reason"], "downloadUnavailable");
  assert.equal(capped.downloads.requests.length, 5);
});

const unknown = fakeImage("2.0.0");
unknown.set([1, 2, 3], 0);

test("what cannot be installed ends with its reason, and leaves nothing behind", async () => {
  const location = { url: "https://h/app.bin" };
  const cases: readonly [string, string, (world: FakeWorld) => void][] = [
    [
      "FAILED",
      "downloadInvalid",
      ({ downloads }) => downloads.plan.push({ error: new ThinglineError("DOWNLOAD_INVALID", "no") }),
    ],
    [
      "FAILED",
      "downloadRefused",
      ({ downloads }) => downloads.plan.push({ error: new ThinglineError("TLS_PEER_UNTRUSTED", "no") }),
    ],
    [
      "FAILED",
      "downloadRefused",
      ({ downloads }) =>
        downloads.plan.push({ error: new ThinglineError("TLS_RECORD_TOO_LARGE", "no"), atOffset: 300 }),
    ],
    ["FAILED", "sizeMismatch", (world) => world.deploy({ location, size: 1 })],
    ["FAILED", "versionMismatch", (world) => world.deploy({ location, fwversion: "v2.0.1" })],
    ["FAILED", "imageUnknown", ({ downloads }) => (downloads.file.bytes = unknown)],
    ["FAILED", "imageUnknown", ({ downloads }) => (downloads.file.bytes = new Uint8Array(0))],
    ["FAILED", "imageTooLarge", ({ board }) => (board.capacity = 2_000)],
    ["FAILED", "targetFailed", ({ board }) => board.failing.set("begin", 1)],
    ["FAILED", "targetFailed", ({ board }) => board.failing.set("write", 1)],
    ["FAILED", "targetFailed", ({ board }) => board.failing.set("sync", 1)],
    ["FAILED", "targetFailed", ({ board }) => board.failing.set("verify", 1)],
    ["FAILED", "targetFailed", ({ board }) => board.failing.set("schedule", 1)],
    ["REJECTED", "operationUnknown", (world) => world.deploy({ operation: "restart" })],
    ["REJECTED", "documentInvalid", (world) => world.deploy({ location: {} })],
    [
      "REJECTED",
      "sourceUnsupported",
      (world) => world.deploy({ afr_ota: { protocols: ["MQTT"], streamname: "s", files: [{}] } }),
    ],
  ];
  for (const [status, reason, prepare] of cases) {
    const world = new FakeWorld();
    world.deploy({ location });
    prepare(world);
    await world.run();
    const { execution, board } = world;
    assert.deepEqual([execution?.status, execution?.statusDetails["reason"]], [status, reason], reason);
    assert.equal(execution?.statusDetails["versionRunning"], "1.0.0", reason);
    assert.ok((execution?.statusDetails["message"] ?? "").length > 0, reason);
    assert.deepEqual([board.isScheduled, board.secondary.length, board.boots.length], [false, 0, 1], reason);
    assert.equal(world.downloads.openCount, 0, reason);
    assert.equal(world.clock.timerCount, 0, reason);
  }
});

test("a version that differs is installed when that is wanted, and one that is the same by number always", async () => {
  const location = { url: "https://h/app.bin" };
  const world = new FakeWorld();
  world.options = { ignoresVersion: true };
  world.deploy({ location, fwversion: "release-7" });
  await world.run();
  assert.equal(world.execution?.status, "SUCCEEDED");
  const same = new FakeWorld();
  same.deploy({ location, fwversion: "v2.0" });
  await same.run();
  assert.equal(same.execution?.status, "SUCCEEDED");
});

test("an image that runs already is not installed again", async () => {
  const world = new FakeWorld(fakeImage("1.0.0"));
  world.deploy();
  await world.run();
  assert.equal(world.execution?.status, "SUCCEEDED");
  assert.deepEqual([world.board.boots, world.board.isScheduled], [["1.0.0"], false]);
});

test("a target that cannot go back says what runs, whatever its health", async () => {
  const world = new FakeWorld(fakeImage("2.0.0", { mood: "ill" }), { canRevert: false });
  world.deploy();
  await world.run();
  const { status, statusDetails } = world.execution ?? {};
  assert.deepEqual(
    [status, statusDetails?.["reason"], statusDetails?.["versionRunning"]],
    ["FAILED", "healthCheckFailed", "2.0.0"],
  );
  assert.deepEqual(world.board.boots, ["1.0.0", "2.0.0"]);
});

test("an outcome that did not arrive is told again, and a new execution of the job is a new update", async () => {
  const world = new FakeWorld();
  world.deploy();
  await world.run();
  assert.ok(world.execution);
  world.execution.status = "IN_PROGRESS";
  world.execution.statusDetails = {};
  await world.run();
  assert.deepEqual([world.execution.status, world.execution.statusDetails["versionRunning"]], ["SUCCEEDED", "2.0.0"]);
  assert.equal(world.downloads.requests.length, 1);
  world.downloads.file = { bytes: fakeImage("3.0.0"), version: '"3"' };
  world.deploy();
  await world.run();
  assert.deepEqual([world.execution.status, world.board.boots], ["SUCCEEDED", ["1.0.0", "2.0.0", "3.0.0"]]);
});

test("an image on trial without a job, or with a journal that is lost, is judged all the same", async () => {
  for (const mood of ["good", "ill"]) {
    const world = new FakeWorld();
    world.board.secondary = fakeImage("2.0.0", { mood }) as Uint8Array<ArrayBuffer>;
    world.board.isScheduled = true;
    world.board.boot();
    await world.run();
    assert.equal(world.board.running.version, mood === "good" ? "2.0.0" : "1.0.0");
    assert.equal(world.board.trial, mood === "good" ? "confirmed" : "reverted");
  }
  const lost = new FakeWorld();
  lost.deploy();
  // Before the effects that follow, the restart among them.
  lost.atEffect = () => {
    if (lost.eventNames.includes("rebooting") && lost.board.boots.length === 1)
      void lost.files.remove("state/fota.json");
  };
  await lost.run();
  assert.equal(lost.execution?.status, "SUCCEEDED");
  assert.equal(lost.downloads.requests.length, 2, "it is fetched again, found to run already, and so it is true");
});

test("a journal that cannot be written ends the update before anything is scheduled", async () => {
  const world = new FakeWorld();
  world.deploy();
  world.failingWrites = Infinity;
  await world.run();
  assert.deepEqual([world.execution?.status, world.execution?.statusDetails["reason"]], ["FAILED", "journalFailed"]);
  assert.deepEqual(world.board.boots, ["1.0.0"]);
  world.failingWrites = 2;
  world.deploy();
  await world.run();
  assert.equal(world.execution?.status, "SUCCEEDED", "a write that fails twice is tried a third time");
});

interface Scenario {
  name: string;
  image: Uint8Array;
  status: string;
  reasons: readonly (string | undefined)[];
  document?: { fwversion: string };
}
const damagedImage = fakeImage("2.0.0");
damagedImage[700] = (damagedImage[700] ?? 0) ^ 1;
const scenarios: readonly Scenario[] = [
  { name: "good", image: fakeImage("2.0.0"), status: "SUCCEEDED", reasons: [undefined] },
  {
    name: "ill",
    image: fakeImage("2.0.0", { mood: "ill" }),
    status: "FAILED",
    reasons: ["healthCheckFailed", "reverted"],
  },
  { name: "crash", image: fakeImage("2.0.0", { mood: "crash" }), status: "FAILED", reasons: ["reverted"] },
  { name: "damaged", image: damagedImage, status: "FAILED", reasons: ["hashMismatch"] },
  {
    name: "wrong version",
    image: fakeImage("2.0.0"),
    status: "FAILED",
    reasons: ["versionMismatch"],
    document: { fwversion: "3.0.0" },
  },
];

/** What must hold when a world has come to rest. */
function checkTruth({ execution, board, downloads }: FakeWorld, place: string): void {
  assert.ok(
    execution && ["SUCCEEDED", "FAILED", "REJECTED", "CANCELED"].includes(execution.status),
    `${place}: the job has no end`,
  );
  assert.notEqual(board.trial, "onTrial", `${place}: an image stays on trial`);
  assert.ok(!board.isScheduled, `${place}: an image stays scheduled`);
  assert.equal(downloads.openCount, 0, `${place}: a download is open`);
  if (execution.status === "CANCELED") return;
  assert.equal(execution.statusDetails["versionRunning"], board.running.version, `${place}: another version runs`);
  if (execution.status === "SUCCEEDED") assert.equal(board.running.version, "2.0.0", place);
}

// Every effect with the long variant; otherwise a third of them, from another one on in each scenario.
const stride = process.env["THINGLINE_TEST_LONG"] === "1" ? 1 : 3;

test("the power may be cut before and after everything that an update does", async () => {
  let cuts = 0;
  for (const [index, { name, image, status, reasons, document }] of scenarios.entries()) {
    for (let effect = 1 + (index % stride), isThere = true; isThere; effect += stride) {
      for (const when of ["before", "after"] as const) {
        const world = new FakeWorld(image);
        world.deploy({ location: { url: "https://h/app.bin" }, ...document });
        world.cutAt = { effect, when };
        await world.run();
        const place = `${name}, cut ${when} effect ${effect}`;
        checkTruth(world, place);
        // A power cut on trial is as good a reason to go back as any other.
        const isReverted =
          world.execution?.statusDetails["reason"] === "reverted" && world.board.boots.includes("2.0.0");
        if (!isReverted || name !== "good") {
          assert.equal(world.execution?.status, status, place);
          assert.ok(
            reasons.includes(world.execution?.statusDetails["reason"]),
            `${place}: ${world.execution?.statusDetails["reason"]}`,
          );
        }
        isThere = world.effectCount >= effect;
        cuts += 1;
      }
    }
  }
  assert.ok(cuts > 150 / stride, `${cuts} cuts`);
});

test("a job may be taken away, and the process may end, at everything that an update does", async () => {
  for (const how of ["cancel", "close"] as const) {
    for (const { name, image } of scenarios.slice(0, 2)) {
      for (let effect = 1, isThere = true; isThere; effect++) {
        const world = new FakeWorld(image);
        world.deploy();
        let isDone = false;
        world.atEffect = (count) => {
          if (count !== effect || isDone) return;
          isDone = true;
          if (how === "cancel") world.cancel();
          else world.closeProcess();
        };
        await world.run();
        checkTruth(world, `${how} ${name} at effect ${effect}`);
        if (how === "close" && name === "good") assert.equal(world.execution?.status, "SUCCEEDED", `${effect}`);
        isThere = isDone;
      }
    }
  }
});

test("a job whose process ended too often comes to what is so, wherever the last one ended", async () => {
  const rehearsal = new FakeWorld();
  rehearsal.deploy();
  await rehearsal.run();
  const seen = new Set<string>();
  const phases = new Set<string>();
  for (let effect = 1; effect <= rehearsal.effectCount; effect += 1) {
    for (const when of ["before", "after"] as const) {
      const world = new FakeWorld();
      world.isExhausted = true;
      world.cutAt = { effect, when };
      world.deploy();
      await world.run();
      const { status, statusDetails } = world.execution ?? {};
      world.board.boot();
      const { version } = (await world.board.state()).running;
      const what = `${when} ${effect}: ${status} ${statusDetails?.["reason"]}, and ${version} runs`;
      assert.equal(status, version === "2.0.0" ? "SUCCEEDED" : "FAILED", what);
      assert.equal(statusDetails?.["versionRunning"], version, what);
      seen.add(statusDetails?.["reason"] ?? "none");
      if (statusDetails?.["reason"] !== "JOB_ATTEMPTS_EXHAUSTED") continue;
      phases.add(statusDetails["phase"] ?? "none");
      assert.equal(world.board.secondary.length, 0, `${what}, and nothing is left`);
    }
  }
  assert.deepEqual([...phases], ["none", "downloading", "downloaded", "verified"]);
  assert.deepEqual([...seen].sort(), ["JOB_ATTEMPTS_EXHAUSTED", "none", "reverted"]);
});

test("a listener that throws holds up no update, and is told", async () => {
  const world = new FakeWorld();
  world.options = {
    onEvent: (event) => {
      world.events.push(event);
      if (event.type !== "note") throw new Error("a full pipe");
    },
  };
  world.deploy();
  await world.run();
  assert.equal(world.execution?.status, "SUCCEEDED");
  assert.equal(world.board.trial, "confirmed");
  const notes = world.events.filter((event) => event.type === "note" && event.code === "ADAPTER_FAILED");
  assert.equal(notes.length, world.events.length - notes.length);
});
