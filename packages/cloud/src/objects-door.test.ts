// Objects in a world without a network, as simulations have them: a device follows the URL of its job.
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualHttp,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { createCloud } from "./cloud.js";
import { defaultObjectsPort } from "./default-ports.js";
import { silentLog } from "./log.js";
import { createMemoryStore } from "./store/memory.js";

test("the URL in a job leads to the object, through reset and restore, until it expires", async () => {
  const clock = createVirtualClock();
  const random = createVirtualRandom(1);
  const wait = <T>(promise: Promise<T>): Promise<T> => clock.untilSettled(promise, { stepMs: 1 });
  const address = (port: number) => ({ host: "localhost", port, optionName: "port" });
  const adapters = {
    ...{ clock, random, network: createVirtualNetwork({ clock, random }), keys: createVirtualKeys({ random }) },
    ...{ files: createVirtualFiles(), store: createMemoryStore(), log: silentLog },
  };
  // Whoever has access keys for other accounts only can still be given URLs.
  const accessKeys = [{ accessKeyId: "other", secretAccessKey: "secret", account: "999999999999" }];
  const options = { folder: "/cloud", mqtts: address(8883), https: address(8443), accessKeys };
  const cloud = await wait(createCloud(adapters, options));
  const http = createVirtualHttp({ clock });
  http.serve(`https://localhost:${defaultObjectsPort}`, (request) => cloud.handleRest(request));

  const content = Uint8Array.from({ length: 200_000 }, (_none, at) => at & 0xff);
  const put = (path: string, body?: Uint8Array) =>
    wait(
      cloud.handleRest({
        ...{ method: "PUT", url: `http://s3.localhost${path}` },
        headers: { host: "s3.localhost", "content-length": String(body?.length ?? 0) },
        ...(body && { body }),
      }),
    );
  assert.equal((await put("/firmware")).status, 200);
  assert.equal((await put("/firmware/app.bin", content)).status, 200);

  await wait(cloud.run(cloud.registry.createThing, { thingName: "pump" }));
  const url = "https://firmware.s3.eu-west-1.amazonaws.com/app.bin";
  const job = {
    ...{ jobId: "update", targets: ["arn:aws:iot:us-east-1:123456789012:thing/pump"] },
    document: JSON.stringify({ url: `\${aws:iot:s3-presigned-url-v2:${url}}` }),
    presignedUrlConfig: { roleArn: "arn:aws:iam::123456789012:role/files", expiresInSec: 60 },
  };
  await wait(cloud.run(cloud.jobs.createJob, job));
  const started = await wait(cloud.run(cloud.jobs.startNextPendingJobExecution, { thingName: "pump" }));
  const document = JSON.parse(started.execution?.jobDocument ?? "{}") as { url: string };
  const fetchFirmware = (headers: Record<string, string> = {}) =>
    wait(http.request({ method: "GET", url: document.url, headers }));

  const whole = await fetchFirmware();
  assert.deepEqual([whole.status, Buffer.from(whole.body).compare(content)], [200, 0]);
  const part = await fetchFirmware({ range: "bytes=100-199" });
  assert.deepEqual([part.status, part.body], [206, content.slice(100, 200)]);

  const snapshot = await wait(cloud.snapshot());
  await wait(cloud.reset());
  assert.equal((await fetchFirmware()).status, 404);
  await wait(cloud.restore(snapshot));
  assert.equal((await fetchFirmware()).status, 200);

  await clock.advance(60_000);
  const expired = await fetchFirmware();
  assert.equal(expired.status, 403);
  assert.match(new TextDecoder().decode(expired.body), /Request has expired/);
  await wait(cloud.close());
  assert.equal(clock.timerCount, 0);
});
