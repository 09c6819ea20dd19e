import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { rejectionBytesMax, requestBytesMax } from "@thingline/protocol/provisioning";
import { awsError, csr, openAccount, requestPem, secret } from "./account.test.support.js";
import { backwardMs, forwardMaxMs } from "./handler.js";
import { certificatesPerThingMax, certificatesPerWindowMax, requestsPerMinuteMax, windowMs } from "./settings.js";

const event = { deviceId: "claim-pump-7" };

async function refused(run: Promise<unknown>, code: ErrorCode, words = /./): Promise<void> {
  await assert.rejects(run, (error: Error) => isThinglineError(error, code) && words.test(error.message));
}

test("a claim gets a thing, an active certificate with its policy, and two answers on its own topics", async () => {
  const account = openAccount();
  const { thingName, certificateId, keyOrigin } = await account.handler()(event);
  assert.deepEqual([thingName, keyOrigin], ["pump-7", "cloud"]);
  assert.deepEqual([...account.things], ["pump-7"]);
  const { status, policies, things } = account.certificates.get(certificateId)!;
  assert.deepEqual([status, [...policies], [...things]], ["ACTIVE", ["devices"], ["pump-7"]]);
  assert.deepEqual(account.published, [
    { topic: "certificate/claim-pump-7/create/accepted/cert", text: "certificate 1" },
    { topic: "certificate/claim-pump-7/create/accepted/key", text: secret },
  ]);
});

test("a device with a key of its own gets the certificate alone", async () => {
  const account = openAccount();
  const { keyOrigin } = await account.handler({ keys: "device" })({ ...event, csr });
  assert.equal(keyOrigin, "device");
  assert.ok(account.calls.includes("createCertificateFromCsr") && !account.calls.includes("createKeysAndCertificate"));
  assert.deepEqual(
    account.published.map(({ topic }) => topic),
    ["certificate/claim-pump-7/create/accepted/cert"],
  );
});

test("nothing opens a door before all is attached, and the private key goes last", async () => {
  const account = openAccount();
  await account.handler()(event);
  assert.deepEqual(account.calls, [
    "hasThing",
    "createThing",
    "createKeysAndCertificate",
    "attachPolicy",
    "attachThingPrincipal",
    "updateCertificate",
    "publish",
    "publish",
  ]);
});

test("whatever fails, nothing stays that the call has made, the device is told, and no line has a key", async () => {
  const requests = [event, { ...event, csr }];
  let count = 0;
  for (const request of requests) {
    for (const wasThere of [false, true]) {
      for (const how of ["fails", "answer is lost"] as const) {
        for (let call = 1; ; call++) {
          const account = openAccount();
          if (wasThere) account.things.add("pump-7");
          account.failAt(call, how);
          const outcome = await account
            .handler()(request)
            .catch((error: unknown) => error);
          if (!(outcome instanceof Error)) break;
          count++;
          const what = `${JSON.stringify(request).slice(0, 40)} ${wasThere} ${how} ${call}: ${account.calls.join(" ")}`;
          assert.ok(isThinglineError(outcome, "INTERNAL_FAILURE"), what);
          assert.deepEqual([...account.things], wasThere ? ["pump-7"] : [], what);
          // Of a certificate whose making was not heard of nobody knows the id; it was never active, so it opens nothing.
          const isUnheard = how === "answer is lost" && account.calls[call - 1]?.startsWith("createKeys");
          const isUnheardCsr = how === "answer is lost" && account.calls[call - 1]?.startsWith("createCertificate");
          assert.equal(account.certificates.size, isUnheard || isUnheardCsr ? 1 : 0, what);
          for (const { status } of account.certificates.values()) assert.equal(status, "INACTIVE", what);
          assert.deepEqual(
            account.rejections().map(({ statusCode, errorCode }) => [statusCode, errorCode]),
            [[500, "INTERNAL_FAILURE"]],
            what,
          );
          assert.doesNotMatch(account.lines.join("\n"), /PRIVATE|secret|certificate \d|MIIB/, what);
        }
      }
    }
  }
  assert.ok(count >= 50, `${count} failures were tried`);
});

test("what cannot be taken back is named in the log, and the rest is taken back all the same", async () => {
  for (let undo = 1; undo <= 5; undo++) {
    const account = openAccount();
    account.failAt(8);
    account.failAt(8 + undo);
    await refused(account.handler()(event), "INTERNAL_FAILURE", /private key failed/);
    const left = account.lines.filter((line) => line.includes("notTakenBack")).join();
    assert.match(left, /activating|attaching|making/, `undo ${undo}`);
    assert.match(left, /pump-7/);
    // Five steps back, and the rejection.
    assert.equal(account.calls.length, 8 + 5 + 1);
    assert.equal(account.rejections().length, 1);
  }
});

test("that a rejection cannot be sent hides no reason", async () => {
  const account = openAccount();
  account.failAt(1);
  account.failAt(2);
  await refused(account.handler()(event), "INTERNAL_FAILURE", /looking at the thing/);
  assert.match(account.lines.join(), /rejectionNotSent/);
});

test("AWS's reasons become what a device can go by: later, or never", async () => {
  const cases: [Error, object, number, string][] = [
    [awsError("ThrottlingException", 400), event, 429, "THROTTLED"],
    [awsError("TooManyRequestsException", 429), event, 429, "THROTTLED"],
    [awsError("InvalidRequestException", 400), { ...event, csr }, 400, "REQUEST_INVALID"],
    [awsError("InvalidRequestException", 400), event, 500, "INTERNAL_FAILURE"],
    [awsError("UnauthorizedException", 401), event, 500, "INTERNAL_FAILURE"],
    [awsError("TimeoutError"), event, 500, "INTERNAL_FAILURE"],
  ];
  for (const [error, request, statusCode, errorCode] of cases) {
    const account = openAccount();
    account.failAt(3, "fails", error);
    await assert.rejects(account.handler()(request));
    const [rejection] = account.rejections();
    assert.deepEqual([rejection?.statusCode, rejection?.errorCode], [statusCode, errorCode], error.name);
    assert.doesNotMatch(rejection?.errorMessage ?? "", /of a test/);
  }
});

test("an event that names no client is refused without an answer", async () => {
  for (const wrong of [undefined, null, 7, [], {}, { deviceId: 7 }, ...["", "a/b", "a b", "+", "x".repeat(129)]]) {
    const account = openAccount();
    const request = typeof wrong === "string" ? { deviceId: wrong } : wrong;
    await refused(account.handler()(request), "REQUEST_INVALID", /deviceId of the event/);
    assert.deepEqual([account.calls, account.published], [[], []]);
  }
});

test("names and certificate requests that are none are rejected before anything is made", async () => {
  const big = Buffer.from(requestPem.padEnd(requestBytesMax + 1, "A")).toString("base64");
  const asBase64 = (text: string) => Buffer.from(text).toString("base64");
  const cases: object[] = [
    { deviceId: "claim-" },
    { deviceId: "claim-claim-pump-7" },
    { ...event, csr: 7 },
    { ...event, csr: "" },
    { ...event, csr: "not base64!" },
    { ...event, csr: asBase64("{}") },
    { ...event, csr: asBase64(secret) },
    { ...event, csr: asBase64(`${requestPem}\u0000`) },
    { ...event, csr: big },
  ];
  for (const request of cases) {
    const account = openAccount();
    await refused(account.handler()(request), "REQUEST_INVALID");
    assert.deepEqual(account.calls, ["publish"], JSON.stringify(request).slice(0, 60));
    assert.equal(account.rejections()[0]?.statusCode, 400);
    assert.ok(Buffer.byteLength(account.published[0]?.text ?? "") <= rejectionBytesMax);
  }
});

test("by default a thing in use cannot be taken over by whoever has the claim, and asks for its next certificate itself", async () => {
  const account = openAccount();
  const handle = account.handler();
  await refused(handle({ deviceId: "pump-7" }), "REQUEST_FORBIDDEN", /as claim-pump-7/);
  await handle(event);
  await handle(event);
  account.pass(windowMs + 1);
  await refused(handle(event), "REQUEST_FORBIDDEN", /delete that certificate/);
  assert.deepEqual(account.rejections().at(-1)?.statusCode, 403);
  assert.equal((await handle({ deviceId: "pump-7", csr })).thingName, "pump-7", "it renews its own");
  const original = account.handler({ clients: "any", provisionedThings: "allow" });
  assert.equal((await original({ deviceId: "pump-7" })).thingName, "pump-7");
  assert.equal(account.published.at(-1)?.topic, "certificate/pump-7/create/accepted/key");
});

test("names, registered things and keys of the device's own can be asked for", async () => {
  const account = openAccount();
  await refused(account.handler({ names: ["meter-*", "*-8"] })(event), "REQUEST_FORBIDDEN", /no name/);
  await refused(account.handler({ keys: "device" })(event), "REQUEST_FORBIDDEN", /create-from-csr/);
  await refused(account.handler({ things: "registered" })(event), "REQUEST_FORBIDDEN", /no thing "pump-7"/);
  assert.equal(account.certificates.size, 0);
  account.things.add("pump-7");
  const settings = { names: ["meter-*", "pump-*"], keys: "device", things: "registered" } as const;
  assert.equal((await account.handler(settings)({ ...event, csr })).keyOrigin, "device");
});

test("a thing gets so many certificates in a window, and has so many in all", async () => {
  const account = openAccount();
  const handle = account.handler({ provisionedThings: "allow" });
  for (let count = 0; count < certificatesPerWindowMax; count++) await handle(event);
  await refused(handle(event), "THROTTLED", /later/);
  assert.equal(account.rejections().at(-1)?.statusCode, 429);
  assert.equal((await handle({ deviceId: "claim-pump-8" })).thingName, "pump-8", "others go on");
  account.pass(windowMs);
  while (account.certificates.size < certificatesPerThingMax + 1) await handle(event);
  account.pass(windowMs);
  await refused(handle(event), "QUOTA_EXCEEDED", /has 10 certificates/);
  assert.equal(account.rejections().at(-1)?.statusCode, 409);
});

test("an instance answers so many requests in a minute, whoever asks", async () => {
  const account = openAccount();
  const handle = account.handler();
  for (let count = 0; count < requestsPerMinuteMax; count++) await handle({ deviceId: `claim-pump-${count}` });
  await refused(handle({ deviceId: "claim-other" }), "THROTTLED", /60 devices/);
  account.pass(60_000);
  await handle({ deviceId: "claim-other" });
  account.pass(-120_000);
  await handle({ deviceId: "claim-another" });
});

test("a hook decides, by the word true alone, before anything is made", async () => {
  const asked: unknown[] = [];
  const account = openAccount();
  const answer = (value: unknown) =>
    account.handler({}, { hook: (asking) => (asked.push(asking), Promise.resolve(value)) })(event);
  await refused(answer({ allowProvisioning: false }), "REQUEST_FORBIDDEN", /"pump-7" may not/);
  for (const wrong of [undefined, null, true, {}, { allowProvisioning: "true" }, { allowProvisioning: 1 }, []]) {
    await refused(answer(wrong), "INTERNAL_FAILURE", /must answer/);
  }
  const broken = account.handler({}, { hook: () => Promise.reject(new Error(secret)) });
  await refused(broken(event), "INTERNAL_FAILURE", /decides who may be provisioned failed/);
  assert.doesNotMatch(account.lines.join(), /secret|PRIVATE/);
  assert.deepEqual([...account.things, ...account.certificates.keys()], []);
  await answer({ allowProvisioning: true });
  assert.deepEqual(asked.at(-1), {
    clientId: "claim-pump-7",
    parameters: { SerialNumber: "pump-7", ThingName: "pump-7" },
  });
});

test("a call that has no time left, or is aborted, takes back what it made", async () => {
  const late: [string, (account: ReturnType<typeof openAccount>, calls: () => number) => object | undefined][] = [
    [
      "Lambda's time",
      (_account, calls) => ({ getRemainingTimeInMillis: () => (calls() < 5 ? backwardMs : backwardMs - 1) }),
    ],
    [
      "the handler's own",
      (account, calls) => ({ getRemainingTimeInMillis: () => (calls() === 5 && account.pass(forwardMaxMs), 1e6) }),
    ],
    [
      "the caller's",
      (account, calls) => {
        const controller = new AbortController();
        const before = { ...account.cloud };
        account.cloud.attachPolicy = async (...args) => (
          await before.attachPolicy(...args),
          calls() >= 4 && controller.abort(),
          undefined
        );
        return { signal: controller.signal };
      },
    ],
  ];
  for (const [name, contextOf] of late) {
    const account = openAccount();
    await refused(
      account.handler()(
        event,
        contextOf(account, () => account.calls.length),
      ),
      "TIMEOUT",
      /no time left/,
    );
    assert.deepEqual([...account.things, ...account.certificates.keys()], [], name);
    assert.equal(account.rejections()[0]?.statusCode, 500, name);
  }
});

test("two calls for one new thing leave what one of them gave, when the other fails", async () => {
  const account = openAccount();
  const before = { ...account.cloud };
  let other: Promise<unknown> | undefined;
  account.cloud.createKeysAndCertificate = async () => {
    if (other !== undefined) return before.createKeysAndCertificate();
    other = account.handler()(event);
    await other;
    throw awsError("ServiceUnavailableException", 503);
  };
  await refused(account.handler()(event), "INTERNAL_FAILURE");
  assert.deepEqual([[...account.things], account.certificates.size], [["pump-7"], 1]);
});

test("a thing that somebody made with attributes meanwhile is used, and stays whatever becomes of the call", async () => {
  for (const isToFail of [false, true]) {
    const account = openAccount();
    account.cloud.createThing = async (name) => {
      account.things.add(name);
      throw awsError("ResourceAlreadyExistsException", 409);
    };
    if (isToFail) account.cloud.attachPolicy = () => Promise.reject(awsError("InternalFailureException", 500));
    const outcome = await account
      .handler()(event)
      .catch((error: unknown) => error);
    assert.equal(isThinglineError(outcome, "INTERNAL_FAILURE"), isToFail);
    assert.deepEqual([[...account.things], account.certificates.size], [["pump-7"], isToFail ? 0 : 1]);
  }
});
