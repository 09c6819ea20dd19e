import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import fc from "fast-check";
import { type QueueEffect, type QueueInput, type QueueLimits, QueueMachine, quotaPauseMs, cutsMax } from "./machine.js";
import { checkOfflineQueue } from "./options.js";
import { defaultOfflineBytesMax, defaultOfflineMessagesMax } from "./types.js";

const isLong = process.env["THINGLINE_TEST_LONG"] === "1";
const message = { topic: "t", payload: new Uint8Array(0), isRetained: false };
const unlimited: QueueLimits = {
  messagesMax: 1000,
  bytesMax: 1_000_000,
  overflow: "refuseNewest",
  messagesPerSecondMax: Infinity,
  isOnDisk: false,
};

class Driver {
  readonly machine: QueueMachine;
  nowMs = 0;
  constructor(limits: Partial<QueueLimits> = {}) {
    this.machine = new QueueMachine({ ...unlimited, ...limits });
  }
  step(input: QueueInput): QueueEffect[] {
    return this.machine.step(input, { monotonicMs: this.nowMs, unixMs: this.nowMs });
  }
  publish({ bytes = 10, expiresAtUnixMs = Infinity } = {}): QueueEffect[] {
    return this.step({ type: "publish", message, bytes, expiresAtUnixMs });
  }
  /** Sequences that are sent when the session takes `count`. */
  send(count = 1): number[] {
    return Array.from({ length: count }, () => this.step({ type: "room" })).flatMap(sentIn);
  }
  settle(sequence: number, error?: ThinglineError): QueueEffect[] {
    return this.step({ type: "settled", sequence, error });
  }
}

const sentIn = (effects: readonly QueueEffect[]): number[] =>
  effects.flatMap((effect) => (effect.type === "send" ? [effect.entry.sequence] : []));

/** In short: `forget 1`, `failed 1 overflow LIMIT_EXCEEDED`. */
const short = (effects: readonly QueueEffect[]): string[] =>
  effects.map((effect) => {
    if (effect.type === "refused") return `refused ${effect.error.code}`;
    const sequence = "entry" in effect ? effect.entry.sequence : effect.sequence;
    if (effect.type !== "failed") return `${effect.type} ${sequence}`;
    return `failed ${sequence} ${effect.dropReason ?? "-"} ${effect.error.code}`;
  });

const refused = ["refused LIMIT_EXCEEDED"];
const lost = new ThinglineError("CONNECTION_LOST", "lost");

test("messages are sent in order, one for each room, and PUBACK frees them", () => {
  const driver = new Driver();
  assert.deepEqual(short(driver.publish()), ["stored 1"]);
  driver.publish();
  driver.publish();
  assert.deepEqual(driver.send(2), [1, 2]);
  assert.deepEqual(short(driver.settle(2)), ["forget 2", "acknowledged 2"]);
  assert.deepEqual(driver.send(2), [3]);
  assert.deepEqual(driver.machine.stats.messageCount, 2);
});

test("on disk nothing is sent before it is stored, and nothing overtakes what is being stored", () => {
  const driver = new Driver({ isOnDisk: true });
  assert.deepEqual(short(driver.publish()), ["write 1"]);
  driver.publish();
  assert.deepEqual(driver.send(2), []);
  assert.deepEqual(short(driver.step({ type: "stored", sequences: [1] })), ["stored 1"]);
  assert.deepEqual(driver.send(2), [1]);
  const error = new ThinglineError("FILE_UNREADABLE", "ENOSPC");
  assert.deepEqual(short(driver.step({ type: "storeFailed", sequences: [2], error })), ["failed 2 - FILE_UNREADABLE"]);
  assert.equal(driver.machine.stats.messageCount, 1);
});

test("a message whose connection was lost is sent again, before the newer ones", () => {
  const driver = new Driver();
  for (let count = 0; count < 4; count++) driver.publish();
  assert.deepEqual(driver.send(3), [1, 2, 3]);
  driver.settle(1);
  assert.deepEqual([driver.settle(2, lost), driver.settle(3, lost)], [[], []]);
  assert.deepEqual(driver.send(4), [2, 3, 4]);
});

test("a message that the cloud refuses is dropped and told", () => {
  const driver = new Driver();
  driver.publish();
  driver.send();
  const refusal = new ThinglineError("MQTT_PUBLISH_REFUSED", "no", { details: { reasonCode: 0x87 } });
  assert.deepEqual(short(driver.settle(1, refusal)), ["forget 1", "failed 1 refused MQTT_PUBLISH_REFUSED"]);
  assert.equal(driver.machine.stats.refusedCount, 1);
});

test("after a cut by the server messages are sent one by one until PUBACK comes, then more and more", () => {
  const driver = new Driver();
  for (let count = 0; count < 9; count++) driver.publish();
  assert.deepEqual(driver.send(4), [1, 2, 3, 4]);
  assert.deepEqual(driver.step({ type: "cut", isByServer: true }), []);
  assert.deepEqual(driver.send(9), [1]);
  driver.settle(1);
  assert.deepEqual(driver.send(9), [2, 3]);
  driver.settle(3);
  assert.deepEqual(driver.send(9), [4, 5, 6]);
});

test("a message that is alone on its way at ten cuts is dropped and told, and the next one is tried", () => {
  const driver = new Driver();
  driver.publish();
  driver.publish();
  driver.send(2);
  driver.step({ type: "cut", isByServer: true });
  for (let count = 1; count < cutsMax; count++) {
    assert.deepEqual(driver.send(2), [1]);
    assert.deepEqual(driver.step({ type: "cut", isByServer: true }), []);
    assert.deepEqual(driver.send(2), [1]);
    // A dead link is nobody's fault.
    assert.deepEqual(driver.step({ type: "cut", isByServer: false }), []);
  }
  assert.deepEqual(driver.send(2), [1]);
  const effects = short(driver.step({ type: "cut", isByServer: true }));
  assert.deepEqual(effects, ["forget 1", "failed 1 refused CONNECTION_LOST"]);
  assert.deepEqual(driver.send(2), [2]);
});

test("refuseNewest: a message that does not fit is refused, by number and by bytes, and nothing else changes", () => {
  const driver = new Driver({ messagesMax: 3, bytesMax: 25 });
  driver.publish();
  driver.publish();
  assert.deepEqual(short(driver.publish()), refused);
  driver.publish({ bytes: 5 });
  assert.deepEqual(short(driver.publish({ bytes: 0 })), refused);
  assert.deepEqual([driver.machine.stats.messageCount, driver.machine.stats.overflowCount], [3, 0]);
});

test("without options the queue holds its default of messages and of bytes, and refuses one more", () => {
  const { messagesMax, bytesMax } = checkOfflineQueue({});
  for (const [count, bytes] of [
    [defaultOfflineMessagesMax, 1],
    [2, defaultOfflineBytesMax / 2],
  ] as const) {
    const driver = new Driver({ messagesMax, bytesMax });
    for (let number = 1; number <= count; number++)
      assert.deepEqual(short(driver.publish({ bytes })), [`stored ${number}`]);
    assert.deepEqual(short(driver.publish({ bytes: 1 })), refused);
  }
});

test("dropOldest: the oldest that are not on their way give way, as many as needed", () => {
  const driver = new Driver({ messagesMax: 4, bytesMax: 40, overflow: "dropOldest" });
  for (let count = 0; count < 4; count++) driver.publish();
  driver.send();
  const effects = short(driver.publish({ bytes: 15 }));
  assert.deepEqual(effects, [
    "forget 2",
    "failed 2 overflow LIMIT_EXCEEDED",
    "forget 3",
    "failed 3 overflow LIMIT_EXCEEDED",
    "stored 5",
  ]);
  assert.deepEqual(driver.send(5), [4, 5]);
  assert.deepEqual(short(driver.publish({ bytes: 41 })), refused, "larger than the queue");
  assert.deepEqual(short(driver.publish({ bytes: 30 })), refused, "all are on their way");
  assert.equal(driver.machine.stats.overflowCount, 2);
});

test("what expires while it waits is dropped; what is on its way is not, until it comes back", () => {
  const driver = new Driver();
  driver.publish({ expiresAtUnixMs: 100 });
  driver.publish({ expiresAtUnixMs: 100 });
  driver.publish();
  driver.send();
  driver.nowMs = 99;
  assert.equal(driver.machine.expiryInMs({ monotonicMs: 99, unixMs: 99 }), 1);
  assert.deepEqual(driver.step({ type: "tick" }), []);
  driver.nowMs = 100;
  assert.deepEqual(short(driver.step({ type: "tick" })), ["forget 2", "failed 2 expired TIMEOUT"]);
  driver.settle(1, lost);
  assert.deepEqual(driver.send(), [3], "1 has expired before it was its turn again");
  assert.equal(driver.machine.stats.expiredCount, 2);
});

test("expired messages make room before anything is refused", () => {
  const driver = new Driver({ messagesMax: 1 });
  driver.publish({ expiresAtUnixMs: 100 });
  driver.nowMs = 100;
  assert.deepEqual(short(driver.publish()), ["forget 1", "failed 1 expired TIMEOUT", "stored 2"]);
});

test("what expired is told even when the message that found out is refused", () => {
  const driver = new Driver({ messagesMax: 1, bytesMax: 20 });
  driver.publish({ expiresAtUnixMs: 100 });
  driver.nowMs = 100;
  const effects = ["forget 1", "failed 1 expired TIMEOUT", "refused LIMIT_EXCEEDED"];
  assert.deepEqual(short(driver.publish({ bytes: 30 })), effects);
});

test("a backlog is sent at the pace of messagesPerSecondMax, after a short burst", () => {
  const driver = new Driver({ messagesPerSecondMax: 50 });
  for (let count = 0; count < 200; count++) driver.publish();
  assert.equal(driver.send(100).length, 5);
  assert.equal(driver.machine.paceInMs({ monotonicMs: 0, unixMs: 0 }), 20);
  let sent = 5;
  for (; driver.nowMs < 1000; driver.nowMs += 10) sent += driver.send(10).length;
  assert.ok(sent <= 55 && sent >= 54, String(sent));
});

for (const messagesPerSecondMax of [50, Infinity]) {
  test(`at ${messagesPerSecondMax} a second, a quota that the cloud says was hit pauses the queue, and drops nothing`, () => {
    const driver = new Driver({ messagesPerSecondMax });
    driver.publish();
    driver.publish();
    driver.send();
    const quota = new ThinglineError("MQTT_PUBLISH_REFUSED", "slow down", { details: { reasonCode: 0x97 } });
    assert.deepEqual(driver.settle(1, quota), []);
    assert.deepEqual(driver.send(2), []);
    driver.nowMs = quotaPauseMs - 1;
    assert.deepEqual(driver.send(2), []);
    driver.nowMs = quotaPauseMs + 20;
    assert.deepEqual(driver.send(1), [1]);
  });
}

test("restored messages go first, and may be more than the limit of today", () => {
  const driver = new Driver({ messagesMax: 1 });
  const entries = [5, 7].map((sequence) => ({ sequence, message, bytes: 10, expiresAtUnixMs: Infinity }));
  driver.step({ type: "restore", entries, nextSequence: 9 });
  assert.deepEqual(short(driver.publish()), refused);
  assert.deepEqual(driver.send(3), [5, 7]);
  driver.settle(5);
  driver.settle(7);
  assert.deepEqual(short(driver.publish()), ["stored 9"]);
  assert.deepEqual([driver.machine.stats.restoredCount, driver.machine.stats.acknowledgedCount], [2, 2]);
});

// ---- against a list -----------------------------------------------------------------------------------------------

interface Listed {
  sequence: number;
  bytes: number;
  cuts: number;
  expiresAtMs: number;
  state: "storing" | "stored" | "sent";
}

/** The queue as one would write it down on paper: a list in order. */
class Model {
  list: Listed[] = [];
  nextSequence = 1;
  window = Infinity;
  /** How each message ended. */
  readonly ends = new Map<number, string>();

  readonly limits: QueueLimits;

  constructor(limits: QueueLimits) {
    this.limits = limits;
  }

  end(entry: Listed, how: string): void {
    this.list = this.list.filter((other) => other !== entry);
    assert.ok(!this.ends.has(entry.sequence), `${entry.sequence} ends twice`);
    this.ends.set(entry.sequence, how);
  }

  publish(bytes: number, expiresAtMs: number, nowMs: number): boolean {
    const { messagesMax, bytesMax, overflow } = this.limits;
    if (this.list.length >= messagesMax) this.expire(nowMs);
    const gone: Listed[] = [];
    const fits = (): boolean => {
      const kept = this.list.filter((entry) => !gone.includes(entry));
      return kept.length < messagesMax && kept.reduce((sum, entry) => sum + entry.bytes, bytes) <= bytesMax;
    };
    for (const entry of this.list) {
      if (fits() || overflow === "refuseNewest") break;
      if (entry.state !== "sent") gone.push(entry);
    }
    if (!fits()) return false;
    for (const entry of gone) this.end(entry, "overflow");
    this.list.push({
      sequence: this.nextSequence++,
      cuts: 0,
      bytes,
      expiresAtMs,
      state: this.limits.isOnDisk ? "storing" : "stored",
    });
    return true;
  }

  expire(nowMs: number): void {
    for (const entry of [...this.list]) {
      if (entry.state !== "sent" && entry.expiresAtMs <= nowMs) this.end(entry, "expired");
    }
  }

  cut(isByServer: boolean): void {
    const sent = this.list.filter(({ state }) => state === "sent");
    for (const entry of sent) entry.state = "stored";
    if (!isByServer || sent.length === 0) return;
    this.window = 1;
    const [only] = sent;
    if (only !== undefined && sent.length === 1 && ++only.cuts === cutsMax) this.end(only, "refused");
  }

  next(nowMs: number): number[] {
    this.expire(nowMs);
    if (this.list.filter(({ state }) => state === "sent").length >= this.window) return [];
    const entry = this.list.find(({ state }) => state !== "sent");
    if (entry?.state !== "stored") return [];
    entry.state = "sent";
    return [entry.sequence];
  }
}

const anyCommand = fc.oneof(
  {
    weight: 4,
    arbitrary: fc.tuple(
      fc.constant("publish" as const),
      fc.integer({ min: 1, max: 30 }),
      fc.integer({ min: 1, max: 60 }),
    ),
  },
  { weight: 4, arbitrary: fc.tuple(fc.constant("room" as const), fc.nat(), fc.nat()) },
  { weight: 3, arbitrary: fc.tuple(fc.constant("acknowledge" as const), fc.nat(), fc.nat()) },
  { weight: 2, arbitrary: fc.tuple(fc.constant("stored" as const), fc.nat(), fc.nat()) },
  fc.tuple(
    fc.constantFrom("lose" as const, "storeFailed" as const, "abandon" as const, "cut" as const),
    fc.nat(),
    fc.nat(),
  ),
  fc.tuple(fc.constant("pass" as const), fc.integer({ min: 1, max: 20 }), fc.nat()),
);

test("the queue behaves as a list on paper would: order, limits, one end for each message", () => {
  const limits = fc.record({
    messagesMax: fc.integer({ min: 1, max: 6 }),
    bytesMax: fc.integer({ min: 20, max: 100 }),
    overflow: fc.constantFrom("refuseNewest" as const, "dropOldest" as const),
    isOnDisk: fc.boolean(),
  });
  fc.assert(
    fc.property(limits, fc.array(anyCommand, { maxLength: 80 }), (some, commands) => {
      const whole = { ...some, messagesPerSecondMax: Infinity };
      const model = new Model(whole);
      const driver = new Driver(whole);
      const ends = new Map<number, string>();
      const note = (effects: readonly QueueEffect[]): void => {
        for (const effect of effects) {
          if (effect.type === "acknowledged") ends.set(effect.entry.sequence, "acknowledged");
          if (effect.type === "failed") ends.set(effect.entry.sequence, effect.dropReason ?? effect.error.code);
        }
      };
      const pick = (state: Listed["state"], index: number): Listed | undefined => {
        const fitting = model.list.filter((entry) => entry.state === state);
        return fitting[index % Math.max(1, fitting.length)];
      };
      for (const [type, first, second] of commands) {
        if (type === "publish") {
          const expiresAtMs = second > 40 ? Infinity : driver.nowMs + second;
          const isTaken = model.publish(first, expiresAtMs, driver.nowMs);
          const input = { type: "publish", message, bytes: first, expiresAtUnixMs: expiresAtMs } as const;
          const effects = driver.step(input);
          note(effects);
          assert.equal(
            effects.some((effect) => effect.type === "refused"),
            !isTaken,
          );
        } else if (type === "room") {
          const effects = driver.step({ type: "room" });
          note(effects);
          assert.deepEqual(sentIn(effects), model.next(driver.nowMs));
        } else if (type === "pass") {
          driver.nowMs += first;
          model.expire(driver.nowMs);
          note(driver.step({ type: "tick" }));
        } else if (type === "stored" || type === "storeFailed") {
          const entry = pick("storing", 0);
          if (entry === undefined) continue;
          const sequences = [entry.sequence];
          if (type === "stored") {
            entry.state = "stored";
            note(driver.step({ type, sequences }));
          } else {
            model.end(entry, "FILE_UNREADABLE");
            note(driver.step({ type, sequences, error: new ThinglineError("FILE_UNREADABLE", "EIO") }));
          }
        } else if (type === "cut") {
          model.cut(first % 4 > 0);
          note(driver.step({ type, isByServer: first % 4 > 0 }));
        } else if (type === "abandon") {
          const entry = model.list[first % Math.max(1, model.list.length)];
          if (entry === undefined) continue;
          model.end(entry, "ABORTED");
          note(driver.step({ type, sequence: entry.sequence, error: new ThinglineError("ABORTED", "given up") }));
        } else {
          const entry = pick("sent", first);
          if (entry === undefined) continue;
          if (type === "acknowledge") {
            model.end(entry, "acknowledged");
            model.window *= 2;
          } else entry.state = "stored";
          note(driver.settle(entry.sequence, type === "lose" ? lost : undefined));
        }
        const { messageCount, bytes } = driver.machine.stats;
        assert.equal(messageCount, model.list.length);
        assert.equal(
          bytes,
          model.list.reduce((sum, entry) => sum + entry.bytes, 0),
        );
        assert.equal(driver.machine.waitingCount, model.list.filter(({ state }) => state !== "sent").length);
        assert.deepEqual(ends, model.ends);
      }
    }),
    { numRuns: isLong ? 20_000 : 300 },
  );
});
