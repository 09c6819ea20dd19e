// The process is killed before and after each commit while a device is provisioned; another one goes on with what is stored.
import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  decodeCreateKeysAndCertificateAnswer,
  decodeRegisterThingAnswer,
  encodeRegisterThingRequest,
  fleetProvisioningTopics,
} from "@thingline/protocol/fleet-provisioning";
import { createVirtualClock, createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { createFunctions } from "../../functions/functions.js";
import { silentLog as log } from "../../log.js";
import { createMemoryStore } from "../../store/memory.js";
import type { Store } from "../../store/store.js";
import type { ServiceMessage } from "../operation.js";
import type { PublishEffect } from "../outbox.js";
import { createCertificateIssuer, openDeviceAuthority } from "../registry/certificate-issuer.js";
import { findCertificate, type CertificateRecord } from "../registry/model.js";
import { createRegistry } from "../registry/service.js";
import { createRequestSigner } from "../registry/sign-request.js";
import { openOperationRunner } from "../runner.js";
import { createProvisionThing } from "../thing-provisioning/provision-thing.js";
import { scope } from "../world.test.support.js";
import { claimCertificateId, roleArn, templateBody, templateName } from "./fleet-world.test.support.js";
import { createFleetProvisioningService } from "./index.js";
import { ownershipTokenLifetimeMs, pendingKeys } from "./pending-model.js";

const random = createVirtualRandom(11);
const keys = createVirtualKeys({ random });
const topics = fleetProvisioningTopics({ templateName, format: "json" });

type Kill = "before" | "after";

/** A store whose process is dead at a commit: before or after it is done, and nothing is answered from then on. */
function mortal(store: Store, commitMax: number, kill: Kill) {
  let commits = 0;
  let die: () => void = () => undefined;
  const died = new Promise<"died">((resolve) => (die = () => resolve("died")));
  const commit: Store["commit"] = async (operations) => {
    if (++commits <= commitMax) return store.commit(operations);
    if (commits === commitMax + 1 && kill === "after") await store.commit(operations);
    die();
    return new Promise(() => undefined);
  };
  return { store: Object.assign(Object.create(store) as Store, { commit }), died, commitCount: () => commits };
}

interface Device {
  token: string | undefined;
  certificateId: string | undefined;
  thingName: string | undefined;
}

async function openProcess(store: Store, clock: ReturnType<typeof createVirtualClock>, device: Device) {
  const authority = openDeviceAuthority({ keys, random, nowMs: () => clock.unixMs() });
  const issuer = createCertificateIssuer({ keys, random, authority });
  const registry = createRegistry({
    ...{ issuer, parsePolicyDocument: JSON.parse, endpointAddress: () => undefined },
    signRequest: createRequestSigner({ issuer }),
  });
  const service = createFleetProvisioningService(
    {
      ...{ clock, log, issuer, signRequest: createRequestSigner({ issuer }) },
      provisionThing: createProvisionThing(registry),
      functions: createFunctions({}, { clock, log }),
    },
    { isLimited: false },
  );
  const hear = ({ topic, payload }: PublishEffect): void => {
    if (topic === topics.createKeysAndCertificate.accepted) {
      const created = decodeCreateKeysAndCertificateAnswer(payload, "json");
      device.token ??= created.certificateOwnershipToken;
      device.certificateId ??= created.certificateId;
    }
    if (topic === topics.registerThing.accepted)
      device.thingName = decodeRegisterThingAnswer(payload, "json").thingName;
    assert.ok(!topic.endsWith("/rejected"), new TextDecoder().decode(payload));
  };
  const runner = await openOperationRunner({ store, clock, random, keys, log });
  await runner.start({
    wakeHandlers: new Map([[service.name, service.wake!]]),
    performer: {
      publish: async (_scope, effect) => hear(effect),
      disconnect: async () => undefined,
      recheckPrincipal: async () => undefined,
    },
  });
  const ask = (topic: string, payload: Uint8Array): Promise<void> =>
    new Promise((resolve, reject) => {
      const message: ServiceMessage = {
        ...{ scope, topic, payload, clientId: "factory", certificateId: claimCertificateId, source: "client" },
      };
      service.topics?.handle(message, runner, (error) => (error === undefined ? resolve() : reject(error)));
    });
  return { runner, registry, service, ask };
}

/** As far as the process lives: a key and a certificate, then the thing. */
async function provision({ ask, runner }: Awaited<ReturnType<typeof openProcess>>, device: Device): Promise<void> {
  if (device.token === undefined) await ask(topics.createKeysAndCertificate.request, new Uint8Array());
  await runner.idle();
  const request = { certificateOwnershipToken: device.token ?? "", parameters: { SerialNumber: "7" } };
  await ask(topics.registerThing.request, encodeRegisterThingRequest(request, "json"));
  await runner.idle();
}

/** @returns whether the process was killed */
async function runWorld(commitMax: number, kill: Kill): Promise<boolean> {
  const store = createMemoryStore();
  const clock = createVirtualClock();
  const device: Device = { token: undefined, certificateId: undefined, thingName: undefined };
  const first = await openProcess(store, clock, device);
  await first.runner.run(scope, first.registry.createPolicy, { policyName: "device", policyDocument: "{}" });
  await first.runner.run(scope, first.service.operations.createProvisioningTemplate, {
    ...{ templateName, templateBody, enabled: true, provisioningRoleArn: roleArn },
  });
  await first.runner.close();

  const dying = mortal(store, commitMax, kill);
  const second = await openProcess(dying.store, clock, device);
  const outcome = await clock.untilSettled(Promise.race([dying.died, provision(second, device)]));
  const told = device.thingName;

  const third = await openProcess(store, clock, device);
  await third.runner.idle();
  await clock.untilSettled(provision(third, device));
  assert.equal(device.thingName, "pump-7");
  assert.ok(told === undefined || told === "pump-7");
  const certificateId = device.certificateId ?? "";
  assert.equal((await findCertificate(store, scope, certificateId))?.status, "ACTIVE");
  await clock.advance(ownershipTokenLifetimeMs);
  await third.runner.idle();
  const entries = await store.list<CertificateRecord>([scope.account, scope.region, "certificate"], { limit: 9 });
  assert.deepEqual(
    entries.map(({ value }) => [value.certificateId, value.status]),
    [[certificateId, "ACTIVE"]],
    "whatever else was issued is gone",
  );
  assert.equal((await store.get(pendingKeys.count(scope)))?.value, 0);
  const kinds = (await store.list([], { limit: 999 })).map(({ key }) => String(key[2]));
  assert.ok(
    !kinds.some((kind) => ["ownershipToken", "pendingOfClient", "outbox", "wake"].includes(kind)),
    String(kinds),
  );
  await third.runner.close();
  return outcome === "died";
}

test("whenever the process is killed, the device is provisioned by the next one, and nothing is left behind", async (t) => {
  let worlds = 0;
  for (const kill of ["before", "after"] as const) {
    for (let commitMax = 0; ; commitMax++) {
      try {
        if (!(await runWorld(commitMax, kill))) break;
      } catch (error) {
        const code = isThinglineError(error) ? ` (${error.code})` : "";
        throw new Error(`killed ${kill} commit ${commitMax + 1}${code}`, { cause: error });
      }
      worlds++;
    }
  }
  assert.ok(worlds >= 8, String(worlds));
  t.diagnostic(`killed at ${worlds} places`);
});
