import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { type ErrorCode, ThinglineError } from "@thingline/protocol";
import { createVirtualRandom } from "@thingline/transport/virtual";
import {
  freshReconnectState,
  isFinal,
  nextAttempt,
  reconnectAfterCutMs,
  type ReconnectRules,
  stableAfterMs,
  takeoverWithinMs,
} from "./reconnect.js";

const rules: ReconnectRules = { baseMs: 1000, capMs: 60_000, attemptsMax: Infinity, firstAttempt: "fail" };
const lost = new ThinglineError("CONNECTION_LOST", "lost");
const almostOne = 1 - 2 ** -53;

/** The waits after failures in a row, each with the same draw. */
function waits(count: number, fraction: number, end: Partial<Parameters<typeof nextAttempt>[1]> = {}): number[] {
  let state = freshReconnectState;
  return Array.from({ length: count }, () => {
    const whole = { error: lost, wasOpen: false, readyForMs: undefined, cut: undefined, ...end };
    const [next, verdict] = nextAttempt(state, whole, rules, () => fraction);
    state = next;
    assert.ok(typeof verdict === "object");
    return verdict.retryInMs;
  });
}

describe("the wait before the next attempt", () => {
  test("its upper end doubles from the base to the cap", () => {
    assert.deepEqual(waits(9, almostOne), [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000]);
    assert.equal(waits(5000, almostOne).at(-1), 60_000);
  });

  test("its lower end is nothing, but a second after a connection that was open", () => {
    assert.deepEqual(waits(3, 0), [0, 0, 0]);
    assert.deepEqual(waits(3, 0, { wasOpen: true }), [1000, 1000, 1000]);
  });

  for (const seed of [1, 2, 3]) {
    test(`a fleet that was cut off together spreads over the whole range (seed ${seed})`, () => {
      const random = createVirtualRandom(seed);
      const state = { ...freshReconnectState, failures: 5, unstable: 5 };
      const tenths = new Set<number>();
      let sum = 0;
      for (let device = 0; device < 1000; device++) {
        const end = { error: lost, wasOpen: true, readyForMs: undefined, cut: undefined };
        const [, verdict] = nextAttempt(state, end, rules, () => random.fraction());
        assert.ok(typeof verdict === "object");
        assert.ok(verdict.retryInMs >= reconnectAfterCutMs && verdict.retryInMs <= 32_000);
        tenths.add(Math.floor(verdict.retryInMs / 3200));
        sum += verdict.retryInMs;
      }
      assert.equal(tenths.size >= 10, true);
      assert.ok(sum / 1000 > 14_000 && sum / 1000 < 18_000, `mean ${sum / 1000}`);
    });
  }

  test("a stable connection starts anew, one that was ready for a moment does not", () => {
    const end = { error: lost, wasOpen: true, readyForMs: stableAfterMs, cut: undefined };
    const before = { ...freshReconnectState, unstable: 5 };
    assert.deepEqual(
      nextAttempt(before, end, rules, () => almostOne),
      [{ ...freshReconnectState, unstable: 1 }, { retryInMs: 1000 }],
    );
    assert.deepEqual(
      nextAttempt(before, { ...end, readyForMs: stableAfterMs - 1 }, rules, () => almostOne),
      [{ ...freshReconnectState, unstable: 6 }, { retryInMs: 32_000 }],
    );
  });

  test("attemptsMax counts attempts in a row that did not get ready", () => {
    const bounded = { ...rules, attemptsMax: 2 };
    const failed = { error: lost, wasOpen: false, readyForMs: undefined, cut: undefined };
    const [first] = nextAttempt(freshReconnectState, { ...failed, readyForMs: 5 }, bounded, () => 0);
    const [second, verdict] = nextAttempt(first, failed, bounded, () => 0);
    assert.equal(typeof verdict, "object");
    assert.equal(nextAttempt(second, failed, bounded, () => 0)[1], "exhausted");
  });
});

describe("another holder of the client id", () => {
  /** The verdicts after cuts in a row. */
  function cuts(...list: ({ isExplained: boolean; connectedForMs?: number } | "lost")[]): string[] {
    let state = freshReconnectState;
    return list.map((cut) => {
      const end =
        cut === "lost"
          ? { readyForMs: 10, cut: undefined }
          : { readyForMs: cut.connectedForMs ?? 10, cut: { connectedForMs: 10, ...cut } };
      const [next, verdict] = nextAttempt(state, { error: lost, wasOpen: true, ...end }, rules, () => 0);
      state = next;
      return typeof verdict === "string" ? verdict : "retry";
    });
  }
  const unexplained = { isExplained: false };
  const explained = { isExplained: true };

  test("is concluded from five cuts that nothing explains", () => {
    assert.deepEqual(cuts(...Array<typeof unexplained>(5).fill(unexplained)), [
      ...Array<string>(4).fill("retry"),
      "takenOver",
    ]);
  });

  test("a cut that something explains neither counts nor ends the row, a long connection and another end do", () => {
    const four = Array<typeof unexplained>(4).fill(unexplained);
    assert.equal(cuts(...four, explained, explained, unexplained).at(-1), "takenOver");
    assert.equal(cuts(...four, { isExplained: false, connectedForMs: takeoverWithinMs }, unexplained).at(-1), "retry");
    assert.equal(cuts(...four, "lost", unexplained).at(-1), "retry");
    assert.equal(cuts(...Array<typeof explained>(50).fill(explained)).at(-1), "retry");
  });
});

describe("what no further attempt can mend", () => {
  const codes: [ErrorCode, boolean][] = [
    ["OPTION_INVALID", true],
    ["CREDENTIAL_MISSING", true],
    ["CREDENTIAL_REFUSED", true],
    ["CERTIFICATE_INVALID", true],
    ["KEY_INVALID", true],
    ["KEY_MISMATCH", true],
    ["CONNECTION_LOST", false],
    ["CONNECTION_REFUSED", false],
    ["HOST_NOT_FOUND", false],
    ["LINK_FAILED", false],
    ["MQTT_DISCONNECTED", false],
    ["TIMEOUT", false],
    ["TLS_HANDSHAKE_FAILED", false],
    ["TLS_PEER_UNTRUSTED", false],
  ];
  for (const [code, expected] of codes) {
    test(`${code}: ${expected}`, () => assert.equal(isFinal(new ThinglineError(code, "why")), expected));
  }

  test("CONNACK codes about the CONNECT itself, but no denial", () => {
    const refused = (reasonCode: number): boolean =>
      isFinal(new ThinglineError("MQTT_CONNECT_REFUSED", "no", { details: { reasonCode } }));
    assert.deepEqual([1, 2, 0x84, 0x85, 0x9c].filter(refused), [1, 2, 0x84, 0x85, 0x9c]);
    assert.deepEqual([3, 4, 5, 0x80, 0x86, 0x87, 0x88, 0x89, 0x97, 0x9f].filter(refused), []);
    const [, verdict] = nextAttempt(
      freshReconnectState,
      { error: new ThinglineError("KEY_MISMATCH", "no"), wasOpen: false, readyForMs: undefined, cut: undefined },
      rules,
      () => 0,
    );
    assert.equal(verdict, "final");
  });
});
