import assert from "node:assert/strict";
import { test } from "node:test";
import type { ErrorCode } from "@thingline/protocol";
import { ThinglineError } from "@thingline/protocol";
import fc from "fast-check";
import { stepProvisioning } from "./machine.js";
import { keysOf, type ProvisioningMethod, type ProvisioningWay, wayOf } from "./method.js";
import type { DeviceKey, IssuedCertificate, Ownership, ProvisioningProgress, TagCredentials } from "./progress.js";
import { discardOpen, historyEntriesMax, newProgress, progressBytesMax, recordRequest } from "./progress.js";
import { decodeProgress, encodeProgress } from "./progress-file.js";
import { decideRecovery } from "./recovery.js";
import { newProvisioningState } from "./state.js";
import { provisioningSteps, provisioningStepsOf } from "./steps.js";
import type { ProvisioningConfig, ProvisioningEffect, ProvisioningInput, TagContent } from "./types.js";
import { defaultProvisioningLimits, tagItems, throttledRequestsMax } from "./types.js";

const config: ProvisioningConfig = {
  clientId: "pump-7",
  claimTag: 43,
  deviceTag: 50,
  limits: defaultProvisioningLimits,
  way: "splitCloudKeys",
  steps: provisioningSteps,
  keys: "cloud",
  registers: false,
  keepsOnline: false,
};
/** All ways that ask for something. */
const methods: readonly ProvisioningMethod[] = (["split", "fleet"] as const).flatMap((kind) =>
  (["cloud", "csr", "modem"] as const).map((keys) => ({ kind, keys, template: "t" })),
);
const configOf = (method: ProvisioningMethod, keepsOnline: boolean): ProvisioningConfig => ({
  ...config,
  ...{ way: wayOf(method), steps: provisioningStepsOf(method), keys: keysOf(method), keepsOnline },
  registers: method.kind === "fleet",
});
const digest = (letter: string) => letter.repeat(64);
const sha256 = { ca: digest("a"), certificate: digest("b"), privateKey: digest("c") };
const credentials: TagCredentials = { secTag: 50, certificateId: digest("d"), sha256 };
const claim: TagContent = { ca: digest("1"), certificate: digest("2"), privateKey: digest("3") };
const key: DeviceKey = { secTag: 50, sha256: sha256.privateKey, publicKey: "aa", requestPem: "request" };
const issuedWith = (ownership?: Ownership): IssuedCertificate => ({
  ...{ secTag: 50, certificateId: credentials.certificateId, certificatePem: "pem", key },
  sha256: { certificate: sha256.certificate, privateKey: sha256.privateKey },
  ...(ownership && { ownership }),
});
const progressIn = (phase: ProvisioningProgress["phase"]): ProvisioningProgress => ({
  ...newProgress("pump-7"),
  phase,
});

function deepFreeze<Value>(value: Value): Value {
  if (typeof value === "object" && value !== null && !Object.isFrozen(value) && !(value instanceof Error)) {
    Object.freeze(value);
    Object.values(value).forEach(deepFreeze);
  }
  return value;
}

test("what to do after a restart follows from what was remembered and what the tag holds", () => {
  const writing = progressIn({ name: "writing", credentials });
  const written = progressIn({ name: "written", credentials });
  const provisioned = progressIn({ name: "provisioned", credentials });
  const { ca: _, ...withoutCa } = sha256;
  const cases: [name: string, remembered: ProvisioningProgress | undefined, device: TagContent, action: string][] = [
    ["nothing", undefined, {}, "claim"],
    ["nothing remembered, tag full", undefined, sha256, "claim"],
    ["claim, tag empty", progressIn({ name: "claim" }), {}, "claim"],
    ["claim, tag full", progressIn({ name: "claim" }), sha256, "claim"],
    ["writing, nothing yet", writing, {}, "clean"],
    ["writing, key alone", writing, { privateKey: sha256.privateKey }, "clean"],
    ["writing, CA missing", writing, withoutCa, "completeCa"],
    ["writing, another CA", writing, { ...sha256, ca: digest("9") }, "clean"],
    ["writing, all there", writing, sha256, "prove"],
    ["writing, old key", writing, { ...sha256, privateKey: digest("9") }, "clean"],
    ["written, all there", written, sha256, "prove"],
    ["written, CA missing", written, withoutCa, "clean"],
    ["provisioned, all there", provisioned, sha256, "useDevice"],
    ["provisioned, tag empty", provisioned, {}, "clean"],
    ["provisioned, another certificate", provisioned, { ...sha256, certificate: digest("9") }, "clean"],
    ["provisioned as another", { ...provisioned, clientId: "pump-8" }, sha256, "clean"],
    [
      "provisioned in another tag",
      progressIn({ name: "provisioned", credentials: { ...credentials, secTag: 51 } }),
      sha256,
      "claim",
    ],
  ];
  for (const [name, remembered, device, action] of cases) {
    const decision = decideRecovery(remembered, device, config, 0);
    assert.equal(decision.action, action, name);
    if (action === "clean" || action === "claim") assert.equal(decision.progress.phase.name, "claim", name);
    assert.equal(decision.progress.clientId, "pump-7", name);
  }
});

test("a key and a certificate that were kept are gone on with as long as they hold", () => {
  const hourMs = 3_600_000;
  const kept = { privateKey: sha256.privateKey };
  const ownership = (isUsed: boolean): Ownership => ({ token: "t", receivedAtUnixMs: hourMs, isUsed });
  const [unused, used] = [issuedWith(ownership(false)), issuedWith(ownership(true))];
  const { key: _, ...ofCloud } = unused;
  const writing = { name: "writing", credentials, certificatePem: "pem" } as const;
  type Case = [name: string, phase: ProvisioningProgress["phase"], device: TagContent, afterMs: number, action: string];
  const cases: Case[] = [
    ["a key", { name: "keyReady", key }, kept, 0, "claim keyReady"],
    ["a key that is gone", { name: "keyReady", key }, {}, 0, "clean claim"],
    ["another key", { name: "keyReady", key }, { privateKey: digest("9") }, 0, "clean claim"],
    ["a certificate", { name: "issued", issued: unused }, kept, 0, "register issued"],
    ["a certificate, a clock that went back", { name: "issued", issued: unused }, kept, -hourMs, "register issued"],
    [
      "a certificate, its token about to end",
      { name: "issued", issued: unused },
      kept,
      hourMs - 60_001,
      "register issued",
    ],
    ["a certificate, its token gone", { name: "issued", issued: unused }, kept, hourMs - 60_000, "claim keyReady"],
    ["a certificate with the cloud's key", { name: "issued", issued: ofCloud }, kept, hourMs, "clean claim"],
    ["a token that was used", { name: "issued", issued: used }, kept, 0, "register issued"],
    ["a token that was used long ago", { name: "issued", issued: used }, kept, hourMs, "write issued"],
    ["a certificate that is registered", { name: "issued", issued: issuedWith() }, kept, 9 * hourMs, "write issued"],
    ["a certificate whose key is gone", { name: "issued", issued: issuedWith() }, {}, 0, "clean claim"],
    ["half of a certificate written", writing, kept, 0, "write writing"],
    ["a certificate written without its key", writing, { certificate: sha256.certificate }, 0, "clean claim"],
  ];
  for (const [name, phase, device, afterMs, expected] of cases) {
    const remembered: ProvisioningProgress = { ...progressIn(phase), way: "fleetCsr" };
    const fleet = configOf({ kind: "fleet", template: "t", keys: "csr" }, false);
    const decision = decideRecovery(remembered, device, fleet, hourMs + afterMs);
    assert.equal(`${decision.action} ${decision.progress.phase.name}`, expected, name);
    assert.deepEqual(decodeProgress(encodeProgress(remembered)), remembered, name);
    const isHalfway = phase.name !== "writing";
    const other = decideRecovery(remembered, device, config, hourMs + afterMs);
    if (isHalfway) assert.equal(other.action, "clean", `${name}, another method`);
  }
});

test("what version 1 remembered is understood", () => {
  const progress = progressIn({ name: "provisioned", credentials });
  const old = new TextEncoder().encode(JSON.stringify({ ...progress, version: 1 }));
  assert.deepEqual(decodeProgress(old), progress);
});

test("progress reads back as it was, and anything else is not trusted", () => {
  const progress = recordRequest(progressIn({ name: "written", credentials }), 7);
  assert.deepEqual(decodeProgress(encodeProgress(progress)), progress);
  const bytes = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));
  const bad: unknown[] = [
    null,
    [],
    {},
    { ...progress, version: 3 },
    { ...progress, clientId: "a/b" },
    { ...progress, requestCount: -1 },
    { ...progress, phase: { name: "written" } },
    { ...progress, phase: { name: "proved", credentials } },
    { ...progress, phase: { name: "written", credentials: { ...credentials, certificateId: "x" } } },
    { ...progress, phase: { name: "written", credentials: { ...credentials, sha256: { ca: digest("a") } } } },
    { ...progress, history: [{ outcome: "requested" }] },
    { ...progress, history: new Array(historyEntriesMax + 1).fill(progress.history[0]) },
  ];
  for (const value of bad) assert.equal(decodeProgress(bytes(value)), undefined, JSON.stringify(value));
  // JSON may end in blanks.
  const padded = (lengthBytes: number) => new TextEncoder().encode(JSON.stringify(progress).padEnd(lengthBytes));
  assert.deepEqual(decodeProgress(padded(progressBytesMax)), progress);
  assert.equal(decodeProgress(padded(progressBytesMax + 1)), undefined);
  const full = { ...progress, history: new Array(historyEntriesMax).fill(progress.history[0]) };
  assert.deepEqual(decodeProgress(bytes(full)), full);
  const encoded = encodeProgress(progress);
  for (let length = 0; length < encoded.length - 2; length++) {
    assert.equal(decodeProgress(encoded.subarray(0, length)), undefined, `cut to ${length} bytes`);
  }
});

test("the history has a limit and says what it dropped", () => {
  let progress = newProgress("pump-7");
  for (let request = 0; request < historyEntriesMax + 5; request++) progress = recordRequest(progress, request);
  assert.equal(progress.history.length, historyEntriesMax);
  assert.equal(progress.historyDropped, 5);
  assert.equal(progress.requestCount, historyEntriesMax + 5);
  assert.ok(discardOpen(progress, "x".repeat(9999)).history.every(({ reason }) => (reason?.length ?? 0) <= 512));
});

const codes: ErrorCode[] = [
  "CONNECTION_LOST",
  "TIMEOUT",
  "LINK_FAILED",
  "CREDENTIAL_REFUSED",
  "FILE_UNREADABLE",
  "MQTT_CONNECT_REFUSED",
  "MQTT_SUBSCRIPTION_REFUSED",
  "TLS_PEER_UNTRUSTED",
];

const ownershipNow: Ownership = { token: "t", receivedAtUnixMs: 0, isUsed: false };
const rememberedPhases: readonly (ProvisioningProgress["phase"] | undefined)[] = [
  undefined,
  { name: "writing", credentials },
  { name: "written", credentials },
  { name: "provisioned", credentials },
  { name: "keyReady", key },
  { name: "issued", issued: issuedWith(ownershipNow) },
  { name: "issued", issued: issuedWith({ ...ownershipNow, isUsed: true }) },
  { name: "issued", issued: issuedWith() },
  { name: "writing", credentials, certificatePem: "pem" },
];

/** What can happen to an effect, drawn from a list of numbers; 0 is always success. */
function outcomeOf(effect: ProvisioningEffect, draw: () => number, way: ProvisioningWay): ProvisioningInput {
  const fate = draw();
  if (fate === 1 || fate === 9) {
    const code = codes[draw() % codes.length] ?? "TIMEOUT";
    return { type: "failed", error: new ThinglineError(code, `${effect.type} failed`) };
  }
  switch (effect.type) {
    case "loadProgress": {
      const phase = rememberedPhases[fate % rememberedPhases.length];
      const progress = phase && { ...progressIn(phase), way };
      return { type: "succeeded", result: { of: effect.type, progress } };
    }
    case "makeKey":
      return { type: "succeeded", result: { of: effect.type, key } };
    case "inspectTags": {
      const held = tagItems.filter((_, index) => ((fate >> index) & 1) === 0);
      const device = Object.fromEntries(held.map((item) => [item, sha256[item]]));
      return { type: "succeeded", result: { of: effect.type, claim: fate === 7 ? {} : claim, device } };
    }
    case "connect":
      return { type: "succeeded", result: { of: effect.type, isResumed: fate === 2 } };
    case "chooseCa":
      return { type: "succeeded", result: { of: effect.type, source: "claimTag", sha256: sha256.ca } };
    case "readDigest":
      return { type: "succeeded", result: { of: effect.type, sha256: fate === 3 ? undefined : sha256[effect.item] } };
    default:
      return { type: "succeeded", result: { of: "nothing" } };
  }
}

/** Something that comes by itself while the machine waits. */
function surpriseOf(fate: number, registers: boolean): ProvisioningInput {
  const token = registers ? { token: "t" } : {};
  const publicKey = fate < 24 ? "aa" : "y";
  switch (fate % 8) {
    case 0:
    case 4:
      return { type: "answer", answer: { kind: "key", sha256: sha256.privateKey, publicKey: "aa" } };
    case 1:
    case 5: {
      const { certificateId } = credentials;
      return {
        type: "answer",
        answer: { kind: "certificate", sha256: sha256.certificate, publicKey, certificateId, pem: "pem", ...token },
      };
    }
    case 2:
      return { type: "connectionLost", error: new ThinglineError("CONNECTION_LOST", "gone") };
    case 3: {
      const rejection = {
        statusCode: fate % 16 === 3 ? 400 : fate > 16 ? 429 : 503,
        errorCode: fate > 16 ? "Ownership" : "Code",
        errorMessage: "text",
      };
      return {
        type: "answer",
        answer: { kind: "rejected", of: fate % 16 > 8 || !registers ? "request" : "registerThing", rejection },
      };
    }
    case 6: {
      const error = new ThinglineError("PROVISIONING_ANSWER_EMPTY", "empty");
      return { type: "answer", answer: { kind: "unusable", error } };
    }
    default:
      return registers && fate > 8
        ? { type: "answer", answer: { kind: "registered", registration: { deviceConfiguration: {} } } }
        : { type: "tick" };
  }
}

/** How it goes on when nothing is left to chance: all goes well, nobody answers, or one thing fails each time. */
const endings = ["kind", "silent", "connect", "publishRequest", "prove", "writeCredential"] as const;

const fatesOf = fc.array(fc.nat(31), { maxLength: 120, size: "max" });

test("whatever happens, the machine ends, asks a bounded number of times and never trusts what was not verified", () => {
  const numRuns = process.env["THINGLINE_TEST_LONG"] === "1" ? 50_000 : 400;
  fc.assert(
    fc.property(
      fatesOf,
      fc.constantFrom(...endings),
      fc.constantFrom(...methods),
      fc.boolean(),
      (fates, ending, method, keepsOnline) => {
        const config = configOf(method, keepsOnline);
        let saved: ProvisioningProgress | undefined;
        const draws = [...fates];
        const draw = () => draws.shift() ?? 0;
        let state = deepFreeze(newProvisioningState(config));
        let monotonicMs = 0;
        let input: ProvisioningInput = { type: "start" };
        let requests = 0;
        for (let turn = 0; turn < 2_000; turn++) {
          const before = JSON.stringify(state);
          const [next, outputs] = stepProvisioning(state, input, { monotonicMs, unixMs: monotonicMs, fraction: 0.5 });
          assert.equal(JSON.stringify(state), before, "the state that was given was changed");
          state = deepFreeze(next);
          const effects = outputs.flatMap((output) => (output.type === "run" ? [output.effect] : []));
          assert.ok(effects.length <= 1);
          const [effect] = effects;
          if (effect) assert.equal(state.inFlight, effect);
          if (state.stage.name === "finished") {
            assert.deepEqual(state.openSteps, {});
            if (state.stage.outcome.type === "provisioned") assert.equal(state.progress.phase.name, "provisioned");
            return;
          }
          if (effect?.type === "publishRequest") requests++;
          const asked = 3 + throttledRequestsMax;
          assert.ok(
            requests <= 2 * 3 * asked,
            "more requests than three connections with so many each, and all once more",
          );
          if (effect?.type === "connect" && effect.as === "device") {
            assert.ok(["written", "provisioned"].includes(state.progress.phase.name), "an unverified tag was used");
          }
          if (effect?.type === "saveProgress") saved = effect.progress;
          if (effect?.type === "registerThing" && saved !== undefined) {
            assert.ok(
              saved.phase.name === "issued" && saved.phase.issued.ownership?.isUsed,
              "a token was used unremembered",
            );
          }
          if (effect?.type === "writeCredential" && state.stage.name !== "keeping") {
            assert.ok(state.progress.phase.name === "writing", "a tag was written before that was remembered");
          }
          monotonicMs += 100;
          if (state.inFlight) {
            const isSurprised = draw() === 5;
            input = isSurprised ? surpriseOf(draw(), config.registers) : outcomeOf(state.inFlight, draw, config.way);
            const isLost = draws.length === 0 && state.inFlight.type === ending;
            if (isLost) input = { type: "failed", error: new ThinglineError("CONNECTION_LOST", "gone") };
          } else {
            monotonicMs += 5_000;
            // Of what comes in the end by itself, two of four are a key and its certificate.
            input =
              draws.length > 0 || ending === "kind"
                ? surpriseOf(draws.shift() ?? turn % 4, config.registers)
                : { type: "tick" };
          }
        }
        assert.fail("it did not end");
      },
    ),
    { numRuns },
  );
});
