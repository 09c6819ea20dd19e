import assert from "node:assert/strict";
import { test } from "node:test";
import { signImage } from "@thingline/protocol/image";
import type { ChildEnd, ProcessCommand, Processes } from "@thingline/transport";
import { createNodeImageCrypto } from "@thingline/transport/node/firmware";
import { createVirtualClock, createVirtualFiles, type VirtualClock } from "@thingline/transport/virtual";
import { createApplicationTarget, installApplication } from "../targets/application-directory.js";
import { packApplication } from "./bundle.js";
import {
  defaultRestartFirstMs,
  defaultRestartLastMs,
  defaultStableAfterMs,
  defaultStopTimeoutMs,
  defaultTrialTimeoutMs,
  superviseApplication,
  type SupervisorOptions,
} from "./supervise.js";

const crypto = createNodeImageCrypto();
const { signal: never } = new AbortController();
const folder = "/app";

const imageOf = (major: number): Promise<Uint8Array> =>
  signImage(packApplication({ "main.js": Uint8Array.of(major) }, { main: "main.js", crypto }), {
    crypto,
    version: { major, minor: 0, revision: 0, build: 0 },
    headerBytes: 32,
    padsHeader: true,
  });
const [image1, image2] = [await imageOf(1), await imageOf(2)];

interface Started {
  command: ProcessCommand;
  end: (end: Partial<ChildEnd>) => void;
  isStopped: boolean;
  isKilled: boolean;
}

/** Programs that do what the test says. */
class Programs implements Processes {
  readonly started: Started[] = [];
  /** What becomes of each; undefined: it runs on. */
  script: (started: Started, count: number) => void = () => undefined;
  isDeaf = false;

  start(command: ProcessCommand) {
    let resolve: (end: ChildEnd) => void = () => undefined;
    const ended = new Promise<ChildEnd>((settle) => (resolve = settle));
    const end = (how: Partial<ChildEnd>): void => resolve({ exitCode: undefined, endedBy: undefined, ...how });
    const started: Started = { command, end, isStopped: false, isKilled: false };
    this.started.push(started);
    this.script(started, this.started.length);
    return {
      ended,
      stop: () => {
        started.isStopped = true;
        if (!this.isDeaf) end({ endedBy: "SIGTERM" });
      },
      kill: () => {
        started.isKilled = true;
        end({ endedBy: "SIGKILL" });
      },
    };
  }
}

class Gateway {
  readonly clock: VirtualClock = createVirtualClock();
  readonly files = createVirtualFiles();
  readonly programs = new Programs();
  readonly events: string[] = [];
  readonly target = createApplicationTarget({ folder, files: this.files, crypto });
  readonly #stop = new AbortController();
  #running: Promise<void> | undefined;

  async open(more: Partial<SupervisorOptions> = {}): Promise<void> {
    await installApplication({ folder, files: this.files, crypto }, image1);
    this.#running = superviseApplication({
      folder,
      files: this.files,
      crypto,
      clock: this.clock,
      processes: this.programs,
      command: ({ folder: at, main }) => ({ program: "node", arguments: [`${at}/${main}`] }),
      onEvent: (event) => {
        const { type } = event;
        if (type === "started") this.events.push(`${type} ${event.version} ${event.slot} ${event.why}`);
        else if (type === "ended") this.events.push(`${type} ${event.version} ${event.exitCode ?? event.endedBy}`);
        else if (type === "restarting") this.events.push(`${type} after ${event.afterMs}`);
        else if (type === "failed") this.events.push(`${type} ${event.error.code}`);
        else this.events.push(type);
      },
      signal: this.#stop.signal,
      ...more,
    });
    await this.clock.settle();
  }

  async schedule(): Promise<void> {
    await this.target.begin({ sizeBytes: image2.length }, { signal: never });
    await this.target.write(0, image2);
    await this.target.sync();
    await this.target.schedule();
  }

  async close(): Promise<void> {
    this.#stop.abort();
    const running = this.#running as Promise<void>;
    await this.clock.until(running);
    assert.equal(this.clock.timerCount, 0);
  }

  get last(): Started {
    return this.programs.started.at(-1) ?? assert.fail("nothing was started");
  }
}

test("an application runs in its folder, and a new one is tried at once and stays when it confirms itself", async () => {
  const gateway = new Gateway();
  await gateway.open();
  assert.deepEqual(gateway.last.command, { program: "node", arguments: ["/app/a/main.js"], folder: "/app/a" });
  await gateway.schedule();
  gateway.last.end({ exitCode: 0 });
  await gateway.clock.settle();
  await gateway.target.confirm();
  await gateway.clock.advance(defaultTrialTimeoutMs + 1);
  gateway.last.end({ exitCode: 0 });
  await gateway.clock.advance(defaultRestartFirstMs);
  assert.deepEqual(gateway.events, [
    "started 1.0.0+0 a asBefore",
    "ended 1.0.0+0 0",
    "started 2.0.0+0 b trial",
    "ended 2.0.0+0 0",
    `restarting after ${defaultRestartFirstMs}`,
    "started 2.0.0+0 b asBefore",
  ]);
  await gateway.close();
  assert.ok(gateway.last.isStopped);
});

test("one that ends before it has confirmed itself is gone back from, at once", async () => {
  const gateway = new Gateway();
  await gateway.open();
  await gateway.schedule();
  gateway.programs.script = (started) => {
    if (started.command.folder === "/app/b") started.end({ endedBy: "SIGSEGV" });
  };
  gateway.last.end({ exitCode: 0 });
  await gateway.clock.settle();
  assert.deepEqual(gateway.events.slice(2), [
    "started 2.0.0+0 b trial",
    "ended 2.0.0+0 SIGSEGV",
    "started 1.0.0+0 a reverted",
  ]);
  assert.equal((await gateway.target.state()).running.trial, "reverted");
  await gateway.close();
});

test("one that hangs on trial is ended, killed if it has to be, and gone back from", async () => {
  const gateway = new Gateway();
  await gateway.open();
  await gateway.schedule();
  gateway.programs.isDeaf = true;
  gateway.last.end({ exitCode: 0 });
  await gateway.clock.advance(defaultTrialTimeoutMs);
  const tried = gateway.last;
  assert.deepEqual([tried.isStopped, tried.isKilled], [true, false]);
  await gateway.clock.advance(defaultStopTimeoutMs);
  assert.ok(tried.isKilled);
  await gateway.clock.settle();
  assert.deepEqual(gateway.events.slice(3), ["trialTimedOut", "ended 2.0.0+0 SIGKILL", "started 1.0.0+0 a reverted"]);
  await gateway.close();
});

test("a crash loop is survived: with pauses that grow up to a bound, and shrink when it has run for a while", async () => {
  const gateway = new Gateway();
  gateway.programs.script = (started, count) => {
    if (count < 30) started.end({ exitCode: 1 });
  };
  await gateway.open();
  await gateway.clock.advance(30 * defaultRestartLastMs);
  const pauses = gateway.events
    .filter((event) => event.startsWith("restarting"))
    .map((event) => Number(event.split(" ")[2]));
  assert.equal(pauses.length, 29);
  assert.deepEqual(
    pauses.slice(0, 3),
    [1, 2, 4].map((times) => times * defaultRestartFirstMs),
  );
  assert.equal(pauses.at(-1), defaultRestartLastMs);
  await gateway.clock.advance(defaultStableAfterMs);
  gateway.last.end({ exitCode: 1 });
  await gateway.clock.settle();
  assert.equal(gateway.events.at(-1), `restarting after ${defaultRestartFirstMs}`);
  await gateway.close();
});

test("what cannot be started, and a folder in which nothing is whole, are tried again", async () => {
  const gateway = new Gateway();
  let isBroken = true;
  await gateway.open({
    command: () => {
      if (isBroken) throw new Error("no program");
      return { program: "node" };
    },
  });
  assert.deepEqual(gateway.events.slice(0, 2), ["started 1.0.0+0 a asBefore", "failed ADAPTER_FAILED"]);
  isBroken = false;
  const main = "/app/a/main.js";
  await gateway.files.replace(main, Uint8Array.of(9));
  await gateway.clock.advance(defaultRestartFirstMs);
  assert.ok(gateway.events.includes("failed STORE_CORRUPT"));
  await gateway.files.replace(main, Uint8Array.of(1));
  await gateway.clock.advance(2 * defaultRestartFirstMs);
  assert.equal(gateway.programs.started.length, 1);
  await gateway.close();
});

test("a folder has one supervisor, and options are checked", async () => {
  const gateway = new Gateway();
  await gateway.open();
  const options = {
    folder,
    files: gateway.files,
    crypto,
    clock: gateway.clock,
    processes: gateway.programs,
    command: () => ({ program: "x" }),
  };
  await assert.rejects(superviseApplication(options), { code: "LOCKED" });
  await assert.rejects(superviseApplication({ ...options, restartFirstMs: 0 }), { code: "OPTION_INVALID" });
  await assert.rejects(superviseApplication({ ...options, processes: {} as Processes }), { code: "OPTION_INVALID" });
  await gateway.close();
});

test("what crashes on trial, with nothing to go back to, is started with growing pauses", async () => {
  const gateway = new Gateway();
  await gateway.open();
  await gateway.schedule();
  gateway.last.end({ exitCode: 0 });
  await gateway.clock.settle();
  await gateway.files.remove(`${folder}/a/main.js`);
  gateway.programs.script = (started, count) => {
    // It would never end otherwise, should it go on without a pause.
    if (count < 50) started.end({ exitCode: 1 });
  };
  gateway.last.end({ exitCode: 1 });
  await gateway.clock.settle();
  assert.equal(gateway.programs.started.length, 3, "the one that nothing could be gone back from, once");
  await gateway.clock.advance(defaultRestartFirstMs * 3);
  assert.deepEqual(
    gateway.events.filter((event) => event.startsWith("restarting")),
    [1, 2, 4].map((times) => `restarting after ${times * defaultRestartFirstMs}`),
  );
  await gateway.close();
});
