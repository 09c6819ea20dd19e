import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isThinglineError, ThinglineError } from "@thingline/protocol";
import { digestOf } from "./inspect.js";
import { type ProvisioningMethod, wayOf } from "./method.js";
import { provisioningStepsOf } from "./steps.js";
import { throttledRequestsMax, type ProvisioningEvent } from "./types.js";
import { claimTag, deviceTag, makeWorld, pki, type World } from "./world.test.support.js";

const template = "line-1";
const parameters = { SerialNumber: "7" };
const fleet = (keys: "cloud" | "csr" | "modem", format: "json" | "cbor" = "cbor"): ProvisioningMethod => {
  return { kind: "fleet", template, parameters, format, keys };
};
const methods: readonly ProvisioningMethod[] = [
  { kind: "split", keys: "csr" },
  { kind: "split", keys: "modem" },
  fleet("cloud"),
  fleet("cloud", "json"),
  fleet("csr"),
  fleet("csr", "json"),
  fleet("modem"),
];

/** Keys of the cloud go to native TLS alone, whose store takes them while connected. */
function makeMethodWorld(method: ProvisioningMethod, seed?: string): World {
  const world = makeWorld(seed);
  world.store.isWritableOnline = method.kind === "fleet" && method.keys === "cloud";
  return world;
}

async function failure(run: Promise<unknown>, code: ErrorCode): Promise<ThinglineError> {
  const error: unknown = await run.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(isThinglineError(error), `expected ${code}, got ${String(error)}`);
  assert.equal(error.code, code, error.message);
  return error;
}

const failedStep = (world: World) => {
  const failed = world.events.filter((event): event is Extract<ProvisioningEvent, { result: "failed" }> => {
    return event.type === "stepFinished" && event.result === "failed";
  });
  return failed.at(-1);
};

for (const method of methods) {
  const name = `${wayOf(method)}${"format" in method ? ` in ${method.format}` : ""}`;

  test(`${name}: every step is done, in order, and the device connects with what was issued`, async () => {
    const world = makeMethodWorld(method);
    const { device, ...result } = await world.provision({ method });
    assert.deepEqual(
      world.steps(),
      provisioningStepsOf(method).map((step) => `${step.number} ${step.name} done`),
    );
    const [issued] = world.fleet.issued;
    assert.equal(world.fleet.issued.length, 1);
    assert.equal(result.certificateId, issued?.id);
    assert.equal(world.store.contentOf(deviceTag).certificate, issued?.pem);
    assert.equal(world.store.contentOf(deviceTag).ca, pki.ca.certificatePem);
    if (method.kind === "fleet") {
      assert.deepEqual([result.thingName, result.deviceConfiguration], ["pump-7", { url: "mqtts://x" }]);
      assert.deepEqual(world.fleet.parameters, [parameters]);
    } else assert.deepEqual([result.thingName, result.deviceConfiguration], [undefined, {}]);
    assert.deepEqual(world.violations, []);
    assert.doesNotMatch(world.progressText(), /PRIVATE KEY|token-/u, "the token is gone when it is used");
    await device.disconnect();
    assert.equal(world.clock.timerCount, 0);

    const again = await world.provision({ method });
    assert.equal(again.isNew, false);
    assert.deepEqual([again.thingName, again.deviceConfiguration], [result.thingName, result.deviceConfiguration]);
    assert.equal(world.fleet.createCount, 1);
    await again.device.disconnect();
  });

  test(`${name}: a device whose certificate was revoked gets another one`, async () => {
    const world = makeMethodWorld(method);
    await (await world.provision({ method })).device.disconnect();
    for (const each of world.fleet.issued) each.status = "PENDING";
    const first = world.fleet.issued[0]?.token;
    const { device, certificateId } = await world.provision({ method });
    assert.notEqual(first, undefined);
    assert.equal(certificateId, world.fleet.issued[1]?.id);
    assert.deepEqual(world.violations, []);
    await device.disconnect();
  });
}

test("the keys of a device never leave it: they are asked for with a request, and nothing else has them", async () => {
  for (const keys of ["csr", "modem"] as const) {
    const world = makeWorld();
    const seen = new Set<string>();
    const { device } = await world.provision({
      method: fleet(keys),
      onStep: () => void seen.add(world.progressText()),
    });
    await device.disconnect();
    const { privateKey = "" } = world.store.contentOf(deviceTag);
    assert.match(privateKey, /PRIVATE KEY/u);
    for (const text of seen) assert.equal(text.includes(privateKey.slice(60, 100)), false);
    assert.ok([...seen].some((text) => text.includes("CERTIFICATE REQUEST")));
  }
});

test("a template may name the thing otherwise, and the device connects as that thing where it is told to", async () => {
  for (const [connectsAs, clientId] of [
    ["thingName", "thing-of-7"],
    ["clientId", "pump-7"],
  ] as const) {
    const world = makeWorld();
    world.fleet.registered = { thingName: "thing-of-7", deviceConfiguration: {} };
    const method: ProvisioningMethod = { kind: "fleet", template, keys: "csr", connectsAs };
    const { device, thingName } = await world.provision({ method });
    assert.deepEqual([thingName, device.clientId], ["thing-of-7", clientId]);
    await device.disconnect();
    const again = await world.provision({ method });
    assert.equal(again.device.clientId, clientId, "also at the next start");
    await again.device.disconnect();
  }
});

// What the cloud says no to

test("what the cloud refuses for good ends it at once with its words and what to do; what is busy is asked again", async () => {
  const cases: [of: "create" | "thing", statusCode: number, errorCode: string, isForGood: boolean, next: RegExp][] = [
    ["create", 403, "AccessDenied", true, /claim's policy/u],
    ["create", 400, "InvalidCSR", true, /P-256 or RSA/u],
    ["create", 429, "ThrottlingException", false, /asked too often/u],
    ["create", 500, "InternalFailure", false, /later/u],
    ["thing", 404, "ResourceNotFound", true, /template/u],
    ["thing", 403, "AccessDenied", true, /hook/u],
    ["thing", 400, "InvalidParameters", true, /parameters/u],
    ["thing", 409, "ResourceConflict", true, /OverrideSettings/u],
    ["thing", 429, "TooManyRequests", false, /asked too often/u],
    ["thing", 503, "ServiceUnavailable", false, /later/u],
  ];
  for (const [of, statusCode, errorCode, isForGood, next] of cases) {
    const refusal = { statusCode, errorCode, errorMessage: "said so" };
    const world = makeWorld();
    if (of === "create") world.fleet.refuseCreate = () => refusal;
    else world.fleet.refuseThing = () => refusal;
    const error = await failure(world.provision({ method: fleet("csr") }), "PROVISIONING_REJECTED");
    assert.equal(error.details["cloudCode"], errorCode);
    const asked = of === "create" ? world.fleet.createCount : world.fleet.registrationCount;
    // One without an answer is made again as before when those for a busy cloud are used up.
    const again = statusCode === 429 ? throttledRequestsMax + 2 : 3;
    assert.equal(asked, isForGood ? 1 : again, errorCode);
    const failed = failedStep(world);
    assert.equal(failed?.name, of === "create" ? "receiveCertificate" : "registerThing");
    assert.match(failed?.reason ?? "", /said so/u);
    assert.match(failed?.next ?? "", next);
    assert.equal(world.clock.timerCount, 0);

    // The cause is gone: a certificate that was issued is registered, and no other one asked for.
    world.fleet.refuseCreate = () => undefined;
    world.fleet.refuseThing = () => undefined;
    const { device } = await world.provision({ method: fleet("csr") });
    assert.equal(world.fleet.issued.length, 1, errorCode);
    await device.disconnect();
    const busy = makeWorld();
    if (of === "create") busy.fleet.refuseCreate = (count) => (count < 3 ? refusal : undefined);
    else busy.fleet.refuseThing = (count) => (count < 3 ? refusal : undefined);
    if (isForGood) continue;
    await (await busy.provision({ method: fleet("csr") })).device.disconnect();
    assert.equal(busy.fleet.issued.length, 1);
  }
});

test("a cloud that is busy is asked again after one second and a little, then after twice as long, each at another time", async () => {
  const refusal = { statusCode: 429, errorCode: "TooManyRequests", errorMessage: "later" };
  for (const of of ["create", "thing"] as const) {
    const pauses: number[] = [];
    for (const seed of ["one", "another"]) {
      const world = makeWorld(seed);
      const askedAtMs: number[] = [];
      const refuse = (count: number) => {
        askedAtMs.push(world.clock.monotonicMs());
        return count < 4 ? refusal : undefined;
      };
      if (of === "create") world.fleet.refuseCreate = refuse;
      else world.fleet.refuseThing = refuse;
      await (await world.provision({ method: fleet("csr") })).device.disconnect();
      assert.equal(world.fleet.issued.length, 1);
      const found = askedAtMs.slice(1).map((atMs, at) => atMs - (askedAtMs[at] ?? 0));
      for (const [at, pauseMs] of found.entries()) {
        const [least, most] = [750 * 2 ** at, 1_250 * 2 ** at + 1_000];
        assert.ok(pauseMs >= least && pauseMs <= most, `${of}: ${pauseMs} of ${least} to ${most}`);
      }
      pauses.push(found[0] ?? 0);
    }
    assert.notEqual(pauses[0], pauses[1]);
  }
});

test("a token that is refused at its first use is not used again: another certificate is asked for, once", async () => {
  for (const keys of ["csr", "cloud"] as const) {
    const method = fleet(keys);
    const refusal = { statusCode: 400, errorCode: "InvalidCertificateOwnershipToken", errorMessage: "not valid" };
    const world = makeMethodWorld(method);
    world.fleet.refuseThing = (count) => (count === 1 ? refusal : undefined);
    const { device, certificateId, history } = await world.provision({ method });
    assert.equal(certificateId, world.fleet.issued[1]?.id);
    assert.deepEqual(
      history.map((entry) => [entry.certificateId, entry.outcome]),
      [
        [world.fleet.issued[0]?.id, "discarded"],
        [world.fleet.issued[1]?.id, "provisioned"],
      ],
    );
    await device.disconnect();
    const never = makeMethodWorld(method);
    never.fleet.refuseThing = () => refusal;
    await failure(never.provision({ method }), "PROVISIONING_REJECTED");
    assert.equal(never.fleet.issued.length, 2);
    assert.equal(never.clock.timerCount, 0);
    assert.deepEqual(never.violations, []);
    never.fleet.refuseThing = () => undefined;
    await (await never.provision({ method })).device.disconnect();
  }
});

test("an answer of RegisterThing that is lost is not lost for the device: connecting tells that it took effect", async () => {
  for (const keys of ["csr", "cloud"] as const) {
    const method = fleet(keys);
    const world = makeMethodWorld(method);
    world.fleet.isLost = (operation, count) => operation === "registerThing" && count === 1;
    const { device, thingName } = await world.provision({ method });
    assert.equal(world.fleet.registrationCount, 2, "the second use of the token is refused, and no word on the first");
    assert.equal(world.fleet.issued.length, 1);
    assert.equal(thingName, undefined, "its answer was lost");
    assert.ok(world.notes().some((note) => note.includes("connecting will tell")));
    await device.disconnect();
  }
});

test("a certificate that no answer tells of costs a second request, and both can be named as far as is known", async () => {
  const world = makeWorld();
  world.fleet.isLost = (_operation, count) => count === 1;
  const { device, history } = await world.provision({ method: fleet("csr") });
  assert.deepEqual(
    history.map(({ certificateId, outcome }) => [certificateId, outcome]),
    [
      [world.fleet.issued[1]?.id, "provisioned"],
      [undefined, "discarded"],
    ],
  );
  await device.disconnect();
});

test("what was issued is registered by the next run while its token holds, and asked for anew when it does not", async () => {
  for (const [minutes, isReused] of [
    [30, true],
    [58, true],
    [60, false],
    [90, false],
  ] as const) {
    const world = makeWorld();
    const refusal = { statusCode: 403, errorCode: "AccessDenied", errorMessage: "no" };
    world.fleet.refuseThing = () => refusal;
    await failure(world.provision({ method: fleet("csr") }), "PROVISIONING_REJECTED");
    const key = world.store.contentOf(deviceTag).privateKey;
    world.fleet.refuseThing = () => undefined;
    await world.clock.advance(minutes * 60_000);
    world.events.length = 0;
    const { device } = await world.provision({ method: fleet("csr") });
    assert.equal(world.fleet.issued.length, isReused ? 1 : 2, `after ${minutes} minutes`);
    assert.equal(world.store.contentOf(deviceTag).privateKey, key, "the key is the same in any case");
    const skipped = world.steps().filter((step) => step.endsWith("skipped"));
    if (isReused) {
      assert.deepEqual(skipped, [
        "1 makeKey skipped",
        "5 request skipped",
        "6 receiveCertificate skipped",
        "7 keepIssued skipped",
      ]);
    }
    await device.disconnect();
  }
});

test("a run that goes on tells every step: what the one before has done is skipped", async () => {
  const world = makeWorld();
  const { certificate, privateKey } = world.store.contentOf(claimTag);
  if (certificate === undefined || privateKey === undefined) throw new Error("the world has a claim");
  const claim = { certificatePem: certificate, privateKeyPem: privateKey };
  world.fleet.refuseThing = () => ({ statusCode: 403, errorCode: "AccessDenied", errorMessage: "no" });
  await failure(world.provision({ method: fleet("csr"), claim }), "PROVISIONING_REJECTED");
  world.fleet.refuseThing = () => undefined;
  world.events.length = 0;
  const { device } = await world.provision({ method: fleet("csr"), claim });
  assert.deepEqual(world.steps().slice(0, 3), ["1 writeClaim skipped", "2 makeKey skipped", "3 connectLte done"]);
  assert.equal(new Set(world.steps().map((step) => step.split(" ")[1])).size, world.steps().length);
  await device.disconnect();
});

// What does not fit

test("keys of the cloud are refused beforehand where no TLS record could bring them, with what to do instead", async () => {
  const world = makeWorld();
  const dialer = { ...world.options().dialer, name: "modem TLS", receivedRecordBytesMax: 2_048 };
  const error = await failure(world.provision({ method: fleet("cloud"), dialer }), "PROVISIONING_METHOD_UNFIT");
  assert.match(
    error.message,
    /modem TLS takes records of at most 2048 bytes.*"csr" or "modem".*split messages.*native TLS/u,
  );
  assert.equal(world.points.length, 0, "nothing was done");
  await (await world.provision({ method: fleet("csr"), dialer })).device.disconnect();
});

test("options that no method can go by are refused by name", async () => {
  const world = makeWorld();
  const refused = async (method: unknown, option: string, more: object = {}) => {
    const run = world.provision({ method: method as ProvisioningMethod, ...more });
    const error = await failure(run, "OPTION_INVALID");
    assert.equal(error.details["option"], option, error.message);
  };
  await refused({ kind: "magic" }, "method.kind");
  await refused({ kind: "fleet", keys: "csr" }, "method.template");
  await refused({ kind: "fleet", template }, "method.keys");
  await refused({ kind: "fleet", template: "a/b", keys: "csr" }, "templateName");
  await refused({ kind: "fleet", template, keys: "moon" }, "method.keys");
  await refused({ kind: "fleet", template, keys: "csr", format: "xml" }, "method.format");
  await refused({ kind: "fleet", template, keys: "csr", parameters: { a: 1 } }, "method.parameters");
  await refused({ kind: "fleet", template, keys: "csr", connectsAs: "x" }, "method.connectsAs");
  await refused({ kind: "split", keys: "csr", keyKind: "rsa-512" }, "method.keyKind");
  await refused({ kind: "split", keys: "modem" }, "keyMaker", { keyMaker: undefined });
  await refused({ kind: "split", colour: "red" }, "method.colour");
  await refused({ kind: "split", template }, "method.template");
  await refused({ kind: "ownCertificate", keys: "csr" }, "method.keys");
  await refused({ kind: "fleet", template, keys: "csr", certificateId: "0".repeat(64) }, "method.certificateId");
  await refused({ kind: "split", keyKind: "rsa-2048" }, "method.keyKind");
  await refused({ kind: "split", keys: "modem", keyKind: "rsa-2048" }, "method.keyKind");
  await refused({ kind: "split", subject: [["CN", "pump"]] }, "method.subject");
  await refused({ kind: "split", keys: "csr", subject: [["XX", "pump"]] }, "method.subject");
  await refused({ kind: "split", keys: "csr", subject: ["CN"] }, "method.subject");
  await failure(world.provision({ method: { kind: "split", keys: "csr", subject: [["C", "x"]] } }), "OPTION_INVALID");
  await refused({ kind: "split" }, "claimClientId", { claimClientId: "x" });
  await refused({ kind: "split" }, "claim.privateKeyPem", { claim: { certificatePem: "x" } });
  assert.equal(world.points.length, 0);
});

// Claims

test("a temporary claim is written to its tag, used, and never tried after its end", async () => {
  const claim = { certificatePem: pki.otherClient.certificatePem, privateKeyPem: pki.otherClient.privateKeyPem };
  const prepared = () => {
    const world = makeWorld();
    world.store.isClaimWritable = true;
    for (const item of ["certificate", "privateKey"] as const) world.store.remove(claimTag, item);
    return world;
  };
  const world = prepared();
  const expiresAtUnixMs = world.clock.unixMs() + 300_000;
  const { device } = await world.provision({ method: fleet("csr"), claim: { ...claim, expiresAtUnixMs } });
  assert.deepEqual(world.steps()[0], "1 writeClaim done");
  assert.equal(world.store.contentOf(claimTag).certificate, claim.certificatePem);
  await device.disconnect();

  const late = prepared();
  const ended = late.provision({ method: fleet("csr"), claim: { ...claim, expiresAtUnixMs: late.clock.unixMs() } });
  await failure(ended, "PROVISIONING_CLAIM_EXPIRED");
  assert.match(failedStep(late)?.next ?? "", /another claim/u);
  assert.equal(late.fleet.createCount, 0);

  // Without a CA anywhere, Amazon's.
  const bare = prepared();
  bare.store.remove(claimTag, "ca");
  await (await bare.provision({ method: fleet("csr"), claim })).device.disconnect();
  assert.match(bare.store.contentOf(claimTag).ca ?? "", /BEGIN CERTIFICATE/u);
});

test("while it has only its claim a device is another client, whose topics are its own", async () => {
  const world = makeWorld();
  const clientIds: string[] = [];
  const { connect } = world.options();
  const { device } = await world.provision({
    method: fleet("csr"),
    claimClientId: "prefix",
    connect: async (options) => {
      clientIds.push(options.clientId);
      return connect!(options);
    },
  });
  assert.deepEqual(clientIds, ["claim-pump-7", "pump-7"]);
  await device.disconnect();
});

// Certificates of one's own CA

test("a certificate of one's own CA is shown until the cloud has registered it; there is no claim, and nothing to ask for", async () => {
  const method: ProvisioningMethod = { kind: "ownCertificate" };
  const closed = new ThinglineError("CONNECTION_LOST", "the server closed the connection without answering CONNECT");
  const world = makeWorld();
  const own = await world.fleet.issue();
  world.store.put(deviceTag, "ca", pki.ca.certificatePem);
  world.store.put(deviceTag, "certificate", own.pem);
  world.store.put(deviceTag, "privateKey", own.privateKeyPem ?? "");
  for (const item of ["ca", "certificate", "privateKey"] as const) world.store.remove(claimTag, item);
  world.deviceFailures = [closed, closed, closed, undefined];
  own.status = "ACTIVE";
  const { device, certificateId, isNew } = await world.provision({ method });
  assert.deepEqual([certificateId, isNew], [own.id, true]);
  assert.deepEqual(world.steps(), ["1 connectLte done", "2 introduceCertificate done", "3 connectDevice done"]);
  assert.equal(world.deviceDials, 4);
  await device.disconnect();
  world.events.length = 0;
  const again = await world.provision({ method });
  assert.equal(again.isNew, false);
  assert.deepEqual(world.steps(), ["1 connectLte done", "3 connectDevice done"]);
  await again.device.disconnect();

  // A cloud that never lets it in: bounded, and the credentials stay.
  world.deviceFailures = [closed];
  world.deviceDials = 0;
  const error = await failure(world.provision({ method }), "PROVISIONING_NOT_PROVED");
  assert.match(error.message, /in 10 attempts.*still there/u);
  assert.match(failedStep(world)?.next ?? "", /register the CA/u);
  assert.equal(world.deviceDials, 10);
  assert.equal(Object.keys(world.store.contentOf(deviceTag)).length, 3);
  assert.deepEqual(world.violations, []);

  world.store.remove(deviceTag, "privateKey");
  assert.match(
    (await failure(world.provision({ method }), "CREDENTIAL_MISSING")).message,
    /lacks the device's own private key/u,
  );
});

// What goes wrong on the device

test("a store that refuses for a while loses nothing: the same certificate is written by the next run", async () => {
  const full = new ThinglineError("CREDENTIAL_REFUSED", "+CME ERROR: 515", { details: { cme: 515 } });
  const world = makeWorld();
  // The key, then the certificate.
  world.store.failWrite = { at: 2, error: full };
  await failure(world.provision({ method: fleet("csr") }), "CREDENTIAL_REFUSED");
  assert.equal(world.isOnline, true, "the link is back");
  const { device } = await world.provision({ method: fleet("csr") });
  assert.equal(world.fleet.issued.length, 1);
  assert.equal(world.fleet.registrationCount, 1);
  await device.disconnect();
  // What the store calls bad content is given up.
  const bad = new ThinglineError("CREDENTIAL_REFUSED", "+CME ERROR: 527", { details: { cme: 527 } });
  const other = makeWorld();
  other.store.failWrite = { at: 2, error: bad };
  await failure(other.provision({ method: fleet("csr") }), "CREDENTIAL_REFUSED");
  assert.deepEqual(other.store.contentOf(deviceTag), {});
  await (await other.provision({ method: fleet("csr") })).device.disconnect();
  assert.equal(other.fleet.issued.length, 2);
  assert.equal(other.progressText().includes(other.fleet.issued[0]?.id ?? "?"), true, "the first can be named");
});

test("a key that a store does not show, or loses, is never asked a certificate for", async () => {
  const world = makeWorld();
  world.store.corruptWrite = 1;
  await failure(world.provision({ method: fleet("csr") }), "CREDENTIAL_NOT_VERIFIED");
  assert.equal(world.fleet.createCount, 0);
  world.fleet.refuseThing = () => ({ statusCode: 403, errorCode: "AccessDenied", errorMessage: "no" });
  await failure(world.provision({ method: fleet("csr") }), "PROVISIONING_REJECTED");
  world.store.remove(deviceTag, "privateKey");
  world.fleet.refuseThing = () => undefined;
  await (await world.provision({ method: fleet("csr") })).device.disconnect();
  assert.equal(world.fleet.issued.length, 2);
});

test("another method, tag or client id than in the run before begins anew, and what was issued can be named", async () => {
  const world = makeWorld();
  world.fleet.refuseThing = () => ({ statusCode: 403, errorCode: "AccessDenied", errorMessage: "no" });
  await failure(world.provision({ method: fleet("csr") }), "PROVISIONING_REJECTED");
  world.fleet.refuseThing = () => undefined;
  const { device, history } = await world.provision();
  assert.equal(history[0]?.certificateId, world.fleet.issued[0]?.id);
  assert.equal(history[0]?.outcome, "discarded");
  assert.equal(world.store.contentOf(deviceTag).privateKey, world.cloud.issued[0]?.certificate.privateKeyPem);
  assert.equal(
    digestOf(world.store.contentOf(deviceTag).ca ?? "", world.keys),
    digestOf(pki.ca.certificatePem, world.keys),
  );
  await device.disconnect();
});

test("a device configuration that no record can bring ends the connection, and the device is provisioned without it", async () => {
  const world = makeWorld();
  world.fleet.isLost = (operation, count) => {
    if (operation !== "registerThing" || count > 1) return false;
    world.clock.setTimer(10, () => [...world.devices].forEach((each) => each.lose("a record was too large")));
    return true;
  };
  const { device, thingName, deviceConfiguration } = await world.provision({ method: fleet("modem") });
  assert.deepEqual([thingName, deviceConfiguration], [undefined, {}]);
  assert.equal(world.fleet.issued.length, 1);
  assert.ok(world.notes().some((note) => note.includes("connecting will tell")));
  assert.deepEqual(world.violations, []);
  await device.disconnect();
});
