import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock } from "@thingline/transport/virtual";
import { silentLog } from "../../log.js";
import type { OperationRunner, ServiceMessage } from "../operation.js";
import { scope } from "../world.test.support.js";
import type { Asked } from "./device-requests.js";
import { ProvisioningRefusal } from "./refusal.js";
import { awsProvisioningRates, ProvisioningThrottle, throttledScopesMax } from "./throttle.js";
import {
  answeredProvisioningRequestsMax,
  createFleetProvisioningTopics,
  provisioningRequestsMax,
  waitingProvisioningRequestsMax,
} from "./topics.js";

/** Requests that are begun and end when they are told to; the refused ones end at once. */
function makeTopics() {
  const begun: (() => void)[] = [];
  let refused = 0;
  const runner = {
    submit: (_scope: unknown, _operation: unknown, { asked }: { asked: Asked }, settled: () => void) => {
      if (asked.type === "rejected") refused++;
      else begun.push(settled);
    },
  } as unknown as OperationRunner;
  const topics = createFleetProvisioningTopics({
    requests: { answerRequest: (() => undefined) as never },
    log: silentLog,
  });
  const ask = (clientId: string) => {
    const message: ServiceMessage = {
      ...{ scope, topic: "$aws/certificates/create/json", clientId, payload: new Uint8Array() },
      ...{ certificateId: undefined, source: "client" },
    };
    topics.handle(message, runner, () => undefined);
  };
  return { ask, begun, refusedCount: () => refused };
}

test("a client has one request answered at a time, so many wait behind it, and one more is told to wait", () => {
  const { ask, begun, refusedCount } = makeTopics();
  for (let count = 0; count <= waitingProvisioningRequestsMax; count++) ask("one");
  assert.deepEqual([begun.length, refusedCount()], [1, 0]);
  ask("one");
  assert.deepEqual([begun.length, refusedCount()], [1, 1]);
  begun[0]?.();
  assert.equal(begun.length, 2);
});

test("so many requests are answered at one time, so many wait in sum, and one more is told to wait", () => {
  const { ask, begun, refusedCount } = makeTopics();
  for (let count = 0; count < provisioningRequestsMax; count++) ask(`client-${count}`);
  assert.deepEqual([begun.length, refusedCount()], [answeredProvisioningRequestsMax, 0]);
  ask("one more");
  assert.equal(refusedCount(), 1);
});

test("each account and region has a rate of its own, and so many of them are remembered", () => {
  const clock = createVirtualClock();
  const throttle = new ProvisioningThrottle(clock, awsProvisioningRates);
  const take = (account: string) => throttle.take({ account, region: "us-east-1" }, "registerThing");
  for (let count = 0; count < awsProvisioningRates.registerThing; count++) take("first");
  assert.throws(() => take("first"), ProvisioningRefusal);
  throttle.take({ account: "first", region: "us-east-1" }, "createCertificateFromCsr");
  for (let count = 0; count < throttledScopesMax - 2; count++) take(`other-${count}`);
  assert.throws(() => take("first"), ProvisioningRefusal);
  take("one more");
  take("first");
});
