import assert from "node:assert/strict";
import { test } from "node:test";
import { type ErrorCode, isThinglineError, ThinglineError } from "@thingline/protocol";
import { amazonRootCa1 } from "./amazon-root-ca.js";
import { digestOf } from "./inspect.js";
import { claimTag, clientId, deviceTag, makeWorld, pki, progressPath, type World } from "./world.test.support.js";

const allSteps = [
  "1 connectLte done",
  "2 connectClaim done",
  "3 subscribe done",
  "4 request done",
  "5 receiveKey done",
  "6 receiveCertificate done",
  "7 disconnect done",
  "8 modemOffline done",
  "9 writeCredentials done",
  "10 clearSubscriptions done",
  "11 modemNormal done",
  "12 connectDevice done",
];
const lost = new ThinglineError("CONNECTION_LOST", "the server closed the connection without answering CONNECT");

async function failure(run: Promise<unknown>, code: ErrorCode): Promise<ThinglineError> {
  try {
    await run;
  } catch (error) {
    assert.ok(isThinglineError(error), `expected ${code}, got ${String(error)}`);
    assert.equal(error.code, code, error.message);
    return error;
  }
  throw new assert.AssertionError({ message: `expected ${code}, but it succeeded` });
}

/** Whatever went wrong: nothing of the device's tag is left, the claim is there, no timer and no connection is left. */
function assertBackToClaim(world: World): void {
  assert.deepEqual(world.violations, []);
  assert.deepEqual(world.store.contentOf(deviceTag), {});
  assert.equal(Object.keys(world.store.contentOf(claimTag)).length, 3);
  assert.equal((world.progress()["phase"] as { name: string }).name, "claim");
  assertQuiet(world);
}

function assertQuiet(world: World): void {
  assert.equal(world.devices.size, 0);
  assert.equal(world.clock.timerCount, 0);
}

function historyOf(world: World): { certificateId?: string; outcome: string; reason?: string }[] {
  return world.progress()["history"] as { certificateId?: string; outcome: string; reason?: string }[];
}

test("a device goes from the claim to credentials of its own in the sample's twelve steps", async () => {
  const world = makeWorld();
  const { device, ...result } = await world.provision();
  assert.deepEqual(world.steps(), allSteps);
  const [issued] = world.cloud.issued;
  assert.ok(issued);
  assert.deepEqual(
    [result.secTag, result.certificateId, result.isNew, result.caSource],
    [deviceTag, issued.id, true, "claimTag"],
  );
  assert.deepEqual(world.store.contentOf(deviceTag), {
    ca: pki.ca.certificatePem,
    certificate: issued.certificate.certificatePem,
    privateKey: issued.certificate.privateKeyPem,
  });
  assert.deepEqual(
    result.history.map(({ certificateId, outcome }) => [certificateId, outcome]),
    [[issued.id, "provisioned"]],
  );
  assert.equal(world.cloud.requestCount, 1);
  assert.ok(device.isConnected);
  await device.disconnect();
  assert.deepEqual(world.violations, []);
  assertQuiet(world);
});

test("steps tell how long they took, and the CA where it came from", async () => {
  const world = makeWorld();
  const { device } = await world.provision();
  const durations = world.events.flatMap((event) => (event.type === "stepFinished" ? [event.durationMs] : []));
  assert.deepEqual(durations, [200, 300, 100, 0, 100, 100, 0, 50, 60, 0, 200, 330]);
  assert.deepEqual(
    world.events.filter(({ type }) => type === "caChosen"),
    [{ type: "caChosen", source: "claimTag" }],
  );
  await device.disconnect();
});

test("the progress file tells everything but the key and the certificate", async () => {
  const world = makeWorld();
  const seen = new Set<string>();
  const { device } = await world.provision({ onStep: () => void seen.add(world.progressText()) });
  await device.disconnect();
  for (const text of seen) {
    assert.doesNotMatch(text, /BEGIN|PRIVATE KEY|[A-Za-z0-9+/]{65}/u);
  }
  assert.equal(world.files.modeOf(progressPath), 0o600);
  assert.deepEqual(world.progress()["phase"], {
    name: "provisioned",
    credentials: {
      secTag: deviceTag,
      certificateId: world.cloud.issued[0]?.id,
      sha256: {
        privateKey: digestOf(world.cloud.issued[0]?.certificate.privateKeyPem ?? "", world.keys),
        certificate: digestOf(world.cloud.issued[0]?.certificate.certificatePem ?? "", world.keys),
        ca: digestOf(pki.ca.certificatePem, world.keys),
      },
    },
  });
});

test("a second start connects with the device's tag and asks for nothing", async () => {
  const world = makeWorld();
  await (await world.provision()).device.disconnect();
  world.events.length = 0;
  const { device, isNew, certificateId } = await world.provision();
  assert.equal(isNew, false);
  assert.equal(certificateId, world.cloud.issued[0]?.id);
  assert.equal(world.cloud.requestCount, 1);
  assert.deepEqual(
    world.steps().filter((step) => step.endsWith("done")),
    ["1 connectLte done", "12 connectDevice done"],
  );
  assert.match(world.notes().join(), /already provisioned/);
  await device.disconnect();
});

test("the claim's list of subscriptions is not taken over to the device's connection", async () => {
  const world = makeWorld();
  const { device } = await world.provision({ applicationTopics: ["my/topic"], settings: { isCleanSession: false } });
  const { options } = device as unknown as { options: { applicationTopics: string[]; isCleanSession: boolean } };
  assert.deepEqual(options.applicationTopics, ["my/topic"]);
  assert.equal(options.isCleanSession, false);
  await device.disconnect();
});

test("with the claim a PUBACK is waited for as long as an answer, and else as long as ever", async () => {
  for (const [given, answerTimeoutMs, expected] of [
    [undefined, 60_000, 60_000],
    [undefined, 10_000, 30_000],
    [undefined, 5_000_000, 3_600_000],
    [2_000, 60_000, 2_000],
  ] as const) {
    const world = makeWorld();
    const { connect } = world.options();
    const asked: (number | undefined)[] = [];
    const { device } = await world.provision({
      limits: { answerTimeoutMs },
      settings: given === undefined ? {} : { ackTimeoutMs: given },
      connect: (options) => {
        asked.push(options.ackTimeoutMs);
        return connect!(options);
      },
    });
    assert.deepEqual(asked, [expected, given]);
    await device.disconnect();
  }
});

test("the CA is the option, else the claim's, else Amazon Root CA 1", async () => {
  const other = pki.selfSigned.certificatePem;
  const cases: [name: string, prepare: (world: World) => { ca?: string }, expected: string, source: string][] = [
    ["option", () => ({ ca: other.replaceAll("\n", "\r\n") }), other, "option"],
    ["claim", () => ({}), pki.ca.certificatePem, "claimTag"],
    ["unreadable", (world) => ((world.store.caReadable = false), {}), amazonRootCa1, "builtIn"],
    ["no PEM", (world) => (world.store.put(claimTag, "ca", "junk"), {}), amazonRootCa1, "builtIn"],
  ];
  for (const [name, prepare, expected, source] of cases) {
    const world = makeWorld();
    const { device, caSource } = await world.provision(prepare(world));
    assert.equal(caSource, source, name);
    assert.equal(world.store.contentOf(deviceTag).ca, expected, name);
    await device.disconnect();
  }
});

test("without a complete claim it fails at step 2 and says what is missing", async () => {
  for (const type of ["ca", "certificate", "privateKey"] as const) {
    const world = makeWorld();
    world.store.remove(claimTag, type);
    const error = await failure(world.provision(), "CREDENTIAL_MISSING");
    assert.match(error.message, /security tag 43 lacks the claim's (CA|client certificate|private key)$/);
    assert.deepEqual(error.details, { secTag: 43, missing: type });
    assert.deepEqual(world.steps(), ["1 connectLte done", "2 connectClaim failed"]);
    assertQuiet(world);
  }
});

test("answers may come in any order, twice, with strangers between them, and before the request is done", async () => {
  const world = makeWorld();
  world.cloud.answerDelayMs = 0;
  world.cloud.answer = async () => {
    const [key, certificate] = await world.cloud.newPair();
    assert.ok(key && certificate);
    return [certificate, certificate, { topic: "accepted/foo", payload: "x".repeat(4500) }, key, key];
  };
  const { device } = await world.provision();
  await device.disconnect();
  assert.deepEqual(world.violations, []);
  const codes = world.events.flatMap((event) => (event.type === "note" && event.code ? [event.code] : []));
  assert.deepEqual(codes, ["PROVISIONING_DUPLICATE", "PROVISIONING_TOPIC_UNKNOWN"]);
});

test("of the pairs of two requests that come interleaved, key and certificate of one are taken", async () => {
  const world = makeWorld();
  world.cloud.answer = async (request) => {
    if (request > 1) return [];
    const [first, second] = [await world.cloud.newPair(), await world.cloud.newPair()];
    const [[keyA, certificateA], [keyB, certificateB]] = [first, second];
    assert.ok(keyA && certificateA && keyB && certificateB);
    return [keyA, certificateB, { ...certificateA, delayMs: 200 }];
  };
  const { device, certificateId, history } = await world.provision();
  assert.equal(certificateId, world.cloud.issued[0]?.id);
  assert.deepEqual(
    history.map((entry) => [entry.certificateId, entry.outcome]).sort(),
    [
      [world.cloud.issued[0]?.id, "provisioned"],
      [world.cloud.issued[1]?.id, "discarded"],
    ].sort(),
  );
  assert.ok(world.notes().some((note) => note.includes("do not belong together")));
  await device.disconnect();
});

test("bad answers fail with a code of their own after the last request, and nothing is written", async () => {
  const other = pki.otherClient;
  const cases: [code: ErrorCode, messages: { topic: string; payload: Uint8Array | string }[], text: RegExp][] = [
    ["PROVISIONING_TIMEOUT", [], /neither key nor certificate came within 60 s of 3 requests/],
    ["PROVISIONING_TIMEOUT", [{ topic: "accepted/key", payload: other.privateKeyPem }], /the key came, the cert/],
    [
      "PROVISIONING_TIMEOUT",
      [{ topic: "accepted/cert", payload: other.certificatePem }],
      /the certificate came, the key/,
    ],
    ["PROVISIONING_TIMEOUT", [{ topic: "accepted/foo", payload: "?" }], /neither key nor certificate/],
    ["PROVISIONING_ANSWER_EMPTY", [{ topic: "accepted/key", payload: "" }], /was empty/],
    [
      "PROVISIONING_ANSWER_TOO_LARGE",
      [{ topic: "accepted/cert", payload: "x".repeat(2048) }],
      /2048 bytes, more than 2047/,
    ],
    ["KEY_INVALID", [{ topic: "accepted/key", payload: "key" }], /not a PEM/],
    ["KEY_INVALID", [{ topic: "accepted/key", payload: other.certificatePem }], /must be one of/],
    ["CERTIFICATE_INVALID", [{ topic: "accepted/cert", payload: new Uint8Array(10) }], /not a PEM/],
    [
      "KEY_MISMATCH",
      [
        { topic: "accepted/key", payload: pki.client.privateKeyPem },
        { topic: "accepted/cert", payload: other.certificatePem },
      ],
      /none belong together/,
    ],
  ];
  for (const [code, messages, expected] of cases) {
    const world = makeWorld();
    world.cloud.answer = async () => messages;
    const error = await failure(world.provision(), code);
    assert.match(error.message, expected);
    assert.equal(world.cloud.requestCount, 3);
    assert.equal(world.clock.monotonicMs() - 600, 60_000);
    assert.equal(world.store.writeCount, 0);
    assert.ok(historyOf(world).every(({ outcome }) => outcome === "discarded"));
    assertBackToClaim(world);
  }
});

test("a lost request is repeated, and the answer to the second one is taken", async () => {
  const world = makeWorld();
  world.cloud.answer = async (request) => (request === 1 ? [] : world.cloud.newPair());
  const { device, history } = await world.provision();
  assert.equal(history.length, 2);
  assert.equal(world.cloud.requestCount, 2);
  await device.disconnect();
});

test("a refusal by the cloud ends it at once with the cloud's code and reason", async () => {
  const world = makeWorld();
  const rejection = { statusCode: 403, errorCode: "CertificateLimit", errorMessage: "this device has 10 certificates" };
  world.cloud.answer = async () => [world.cloud.rejection(rejection)];
  const error = await failure(world.provision(), "PROVISIONING_REJECTED");
  assert.match(error.message, /CertificateLimit \(403\): this device has 10 certificates/);
  const { errorCode: cloudCode, errorMessage: cloudReason } = rejection;
  assert.deepEqual(error.details, { cloudCode, cloudReason, statusCode: 403 });
  assert.equal(world.cloud.requestCount, 1);
  assertBackToClaim(world);
});

test("a refusal that comes before the request is done ends it as well", async () => {
  const world = makeWorld();
  world.cloud.answerDelayMs = 0;
  const rejection = { statusCode: 400, errorCode: "Bad", errorMessage: "no" };
  world.cloud.answer = async () => [world.cloud.rejection(rejection)];
  await failure(
    world.provision({ onStep: ({ effect }) => world.tick(effect === "publishRequest" ? 5 : 0) }),
    "PROVISIONING_REJECTED",
  );
  assertBackToClaim(world);
});

test("a busy cloud is asked again", async () => {
  const world = makeWorld();
  const busy = { statusCode: 429, errorCode: "TooManyRequests", errorMessage: "later" };
  world.cloud.answer = async (request) => (request < 3 ? [world.cloud.rejection(busy)] : world.cloud.newPair());
  const { device } = await world.provision();
  assert.equal(world.cloud.requestCount, 3);
  await device.disconnect();
  const always = makeWorld();
  always.cloud.answer = async () => [always.cloud.rejection(busy)];
  await failure(always.provision(), "PROVISIONING_REJECTED");
});

test("a connection that is lost while waiting is made again, a bounded number of times", async () => {
  const world = makeWorld();
  world.cloud.answer = async (request) => {
    if (request > 1) return world.cloud.newPair();
    world.clock.setTimer(10, () => [...world.devices].forEach((device) => device.lose("a record was too large")));
    return [];
  };
  const { device } = await world.provision();
  await device.disconnect();
  assert.deepEqual(world.violations, []);
  assert.ok(world.steps().includes("5 receiveKey failed"));

  const always = makeWorld();
  always.cloud.answer = async () => {
    always.clock.setTimer(10, () => [...always.devices].forEach((each) => each.lose("a record was too large")));
    return [];
  };
  const error = await failure(always.provision(), "CONNECTION_LOST");
  assert.match(error.message, /record was too large/);
  assert.equal(always.cloud.requestCount, 3);
  assertBackToClaim(always);
});

test("writes that are refused or read back differently are undone, and the link is restored", async () => {
  const refuse = (cme: number) => new ThinglineError("CREDENTIAL_REFUSED", `+CME ERROR: ${cme}`, { details: { cme } });
  for (const at of [1, 2, 3]) {
    for (const cme of [515, 518, 527]) {
      const world = makeWorld();
      world.store.failWrite = { at, error: refuse(cme) };
      const error = await failure(world.provision(), "CREDENTIAL_REFUSED");
      assert.equal(error.details["cme"], cme);
      assert.ok(world.isOnline);
      assert.equal(world.steps().at(-1), "9 writeCredentials failed");
      assert.deepEqual(
        historyOf(world).map(({ outcome, reason }) => [outcome, reason]),
        [["discarded", `+CME ERROR: ${cme}`]],
      );
      assertBackToClaim(world);
    }
    const world = makeWorld();
    world.store.corruptWrite = at;
    const error = await failure(world.provision(), "CREDENTIAL_NOT_VERIFIED");
    assert.equal(error.details["item"], ["privateKey", "certificate", "ca"][at - 1]);
    assertBackToClaim(world);
  }
});

test("a modem that does not go offline is left as it was, and nothing is written", async () => {
  const world = makeWorld();
  world.linkFailures.offline = new ThinglineError("LINK_FAILED", "AT+CFUN=4 was refused");
  await failure(world.provision(), "LINK_FAILED");
  assert.ok(world.isOnline);
  assert.equal(world.store.writeCount, 0);
  assertBackToClaim(world);
});

test("without a network it fails at step 1, and at step 11 what was written is kept and proved at the next start", async () => {
  const noNetwork = new ThinglineError("LINK_FAILED", "no network");
  const first = makeWorld();
  first.linkFailures.connect = noNetwork;
  await failure(first.provision(), "LINK_FAILED");
  assert.deepEqual(first.steps(), ["1 connectLte failed"]);

  const world = makeWorld();
  await failure(
    world.provision({
      onStep: ({ step }) => void (step === "modemNormal" && (world.linkFailures.connect = noNetwork)),
    }),
    "LINK_FAILED",
  );
  assertQuiet(world);
  world.linkFailures = {};
  const { device, isNew } = await world.provision();
  assert.equal(isNew, true);
  assert.equal(world.cloud.requestCount, 1);
  await device.disconnect();
});

test("a resumed session proves nothing: the device connects again until the handshake is full", async () => {
  const world = makeWorld();
  const { device } = await world.provision({
    onStep: ({ step, when, effect }) => {
      if (step === "connectDevice" && effect === "connect" && when === "before" && world.deviceDials === 0) {
        world.resumedConnections = 2;
      }
    },
  });
  assert.equal(world.deviceDials, 3);
  assert.equal(device.connection?.secure?.isResumed, false);
  await device.disconnect();

  const always = makeWorld();
  const error = await failure(
    always.provision({ onStep: ({ step }) => void (step === "connectDevice" && (always.resumedConnections = 99)) }),
    "PROVISIONING_NOT_PROVED",
  );
  assert.match(error.message, /was resumed/);
  assertBackToClaim(always);
});

test("new credentials that the cloud refuses are deleted after bounded attempts, with the reason", async () => {
  const world = makeWorld();
  world.deviceFailures = [lost];
  const error = await failure(world.provision(), "PROVISIONING_NOT_PROVED");
  assert.match(error.message, /not accepted in 5 attempts: the server closed the connection/);
  assert.equal(world.deviceDials, 5);
  assert.equal(world.cloud.requestCount, 1);
  assert.equal(world.progress()["unprovedCount"], 1);
  assert.equal(historyOf(world)[0]?.outcome, "discarded");
  assertBackToClaim(world);
});

test("a policy that is attached a moment later is waited for", async () => {
  const world = makeWorld();
  world.deviceFailures = [lost, lost, undefined];
  const { device } = await world.provision();
  assert.equal(world.deviceDials, 3);
  await device.disconnect();
});

test("a network that fails at the proof costs no certificate: the next start proves it", async () => {
  const world = makeWorld();
  world.deviceFailures = [new ThinglineError("TIMEOUT", "no answer")];
  await failure(world.provision(), "TIMEOUT");
  assert.equal(Object.keys(world.store.contentOf(deviceTag)).length, 3);
  world.deviceFailures = [];
  const { device, isNew } = await world.provision();
  assert.equal(isNew, true);
  assert.equal(world.cloud.requestCount, 1);
  await device.disconnect();
});

test("a provisioned device whose certificate is revoked goes back to the claim and says why", async () => {
  const world = makeWorld();
  await (await world.provision()).device.disconnect();
  const [old] = world.cloud.issued;
  assert.ok(old);
  old.isActive = false;
  world.events.length = 0;
  const { device, certificateId, isNew } = await world.provision();
  assert.equal(isNew, true);
  assert.equal(certificateId, world.cloud.issued[1]?.id);
  assert.match(world.notes().join("\n"), /security tag 50 is refused, back to the claim/);
  assert.equal(world.steps().length, 1 + 10 + 1 + 11);
  await device.disconnect();
  assert.deepEqual(world.violations, []);
});

test("a provisioned device that neither tag connects keeps its credentials", async () => {
  const world = makeWorld();
  await (await world.provision()).device.disconnect();
  world.deviceFailures = [lost];
  world.claimFailures = [lost];
  await failure(world.provision(), "CONNECTION_LOST");
  assert.equal((world.progress()["phase"] as { name: string }).name, "provisioned");
  world.deviceFailures = [];
  const { device, isNew } = await world.provision();
  assert.equal(isNew, false);
  assert.equal(world.cloud.requestCount, 1);
  await device.disconnect();
});

test("certificates that are refused again and again are not asked for without end", async () => {
  const world = makeWorld();
  world.deviceFailures = [lost];
  for (let run = 0; run < 5; run++) await failure(world.provision(), "PROVISIONING_NOT_PROVED");
  const error = await failure(world.provision(), "PROVISIONING_EXHAUSTED");
  assert.match(error.message, /may be made in \d+ s/);
  assert.equal(world.cloud.issued.length, 5);
  await world.clock.advance(3_600_000);
  world.deviceFailures = [];
  const { device } = await world.provision();
  assert.equal(world.progress()["unprovedCount"], 0);
  await device.disconnect();
});

test("a progress file that cannot be understood is kept aside, and the claim is used", async () => {
  const world = makeWorld();
  await (await world.provision()).device.disconnect();
  await world.files.replace(progressPath, new TextEncoder().encode('{"version":2}'));
  const { device, isNew } = await world.provision();
  assert.equal(isNew, true);
  assert.ok(await world.files.exists(`${progressPath}.unreadable`));
  assert.match(world.notes().join("\n"), /cannot be understood.*[\s\S]*unknown origin/);
  await device.disconnect();
});

test("credentials of another client id, another tag or with another content are not used", async () => {
  const changes: [name: string, change: (world: World) => object][] = [
    ["client id", () => ({ clientId: "pump-8" })],
    ["device tag", () => ({ deviceTag: 51 })],
    ["missing CA", (world) => (world.store.remove(deviceTag, "ca"), {})],
    ["other key", (world) => (world.store.put(deviceTag, "privateKey", pki.client.privateKeyPem), {})],
  ];
  for (const [name, change] of changes) {
    const world = makeWorld();
    await (await world.provision()).device.disconnect();
    const options = change(world);
    if (name === "client id") {
      world.cloud.answer = async () => [];
      await failure(world.provision(options), "PROVISIONING_TIMEOUT");
      assert.equal(world.deviceDials, 1, name);
      continue;
    }
    const { device, isNew } = await world.provision(options);
    assert.equal(isNew, true, name);
    await device.disconnect();
    assert.equal(world.violations.length, 0, name);
  }
});

test("aborting ends it at every effect without a timer or connection left", async () => {
  const counting = makeWorld();
  await (await counting.provision()).device.disconnect();
  const last = Math.max(...counting.points.map(({ index }) => index));
  for (let index = 1; index <= last; index++) {
    const world = makeWorld();
    const controller = new AbortController();
    const onStep = (point: { index: number }): void => void (point.index === index && controller.abort());
    await failure(world.provision({ signal: controller.signal, onStep }), "ABORTED");
    await world.clock.advance(120_000);
    assertQuiet(world);
    assert.deepEqual(world.violations, []);
  }
  const waiting = makeWorld();
  const controller = new AbortController();
  waiting.cloud.answer = async () => {
    waiting.clock.setTimer(5_000, () => controller.abort());
    return [];
  };
  await failure(waiting.provision({ signal: controller.signal }), "ABORTED");
  assertQuiet(waiting);
  await failure(waiting.provision({ signal: AbortSignal.abort() }), "ABORTED");
});

test("options are checked at the door", async () => {
  const world = makeWorld();
  const cases: [options: object, option: string | undefined][] = [
    [{ clientId: "a/b" }, "clientId"],
    [{ claimTag: -1 }, "claimTag"],
    [{ deviceTag: 2 ** 31 }, "deviceTag"],
    [{ deviceTag: claimTag }, "deviceTag"],
    [{ limits: { answerTimeoutMs: 0 } }, "limits.answerTimeoutMs"],
  ];
  for (const [options, option] of cases) {
    const error = await failure(world.provision(options), "OPTION_INVALID");
    assert.equal(error.details["option"], option);
  }
  await failure(world.provision({ ca: "no PEM" }), "CERTIFICATE_INVALID");
  assert.equal(clientId.length > 0, true);
});

test("a message that is too large for the modem's TLS is no word on the credentials: the session that holds it goes", async () => {
  const world = makeWorld();
  const details = { lengthBytes: 3_000, recordBytesMax: 2_048 };
  const cut = new ThinglineError("TLS_RECORD_TOO_LARGE", "a TLS record of 3000 bytes came", { details });
  world.deviceFailures = [cut, cut, cut, undefined];
  const { device } = await world.provision({ settings: { isCleanSession: false } });
  const { options } = device as unknown as { options: { isCleanSession: boolean } };
  assert.equal(options.isCleanSession, true);
  assert.ok(
    world.events.some((event) => event.type === "note" && /session at the cloud is discarded/.test(event.message)),
  );
  world.deviceFailures = [];

  const keeping = makeWorld();
  keeping.deviceFailures = [cut];
  const failed = keeping.provision({ settings: { oversizeRecords: "keepTrying" } });
  await assert.rejects(failed, (error) => isThinglineError(error, "TLS_RECORD_TOO_LARGE"));
  assert.equal(
    keeping.events.some((event) => event.type === "note" && /is discarded/.test(event.message)),
    false,
  );
});
