// What the tests of fleet provisioning share: the service over a memory store in virtual time, and devices that ask.
import {
  decodeCreateCertificateFromCsrAnswer,
  decodeCreateKeysAndCertificateAnswer,
  decodeFleetProvisioningRejection,
  decodeRegisterThingAnswer,
  encodeCreateCertificateFromCsrRequest,
  encodeCreateKeysAndCertificateRequest,
  encodeRegisterThingRequest,
  fleetProvisioningTopics,
  type CreateCertificateFromCsrAnswer,
  type CreateKeysAndCertificateAnswer,
  type FleetProvisioningOperation,
  type FleetProvisioningRejection,
  type FleetProvisioningTopics,
  type RegisterThingAnswer,
} from "@thingline/protocol/fleet-provisioning";
import type { CloudFunction } from "../../functions/index.js";
import { createFunctions } from "../../functions/functions.js";
import { answered } from "../operation.js";
import type { PublishEffect } from "../outbox.js";
import type { CertificateRecord } from "../registry/model.js";
import { createRequestSigner, type SignRequest } from "../registry/sign-request.js";
import { createProvisionThing } from "../thing-provisioning/provision-thing.js";
import type { CloudService } from "../service.js";
import { openServiceWorld, scope, type ServiceWorld } from "../world.test.support.js";
import { createFleetProvisioningService, type FleetProvisioning } from "./index.js";

type Format = "json" | "cbor";

export const templateName = "line";
export const claimCertificateId = "c".repeat(64);
export const hookArn = "arn:aws:lambda:us-east-1:123456789012:function:hook";
export const roleArn = "arn:aws:iam::123456789012:role/provisioning";

export const templateBody = JSON.stringify({
  Parameters: { SerialNumber: { Type: "String" }, "AWS::IoT::Certificate::Id": { Type: "String" } },
  Resources: {
    thing: {
      Type: "AWS::IoT::Thing",
      Properties: { ThingName: { "Fn::Join": ["", ["pump-", { Ref: "SerialNumber" }]] } },
    },
    certificate: {
      Type: "AWS::IoT::Certificate",
      Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
    },
    policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "device" } },
  },
  DeviceConfiguration: { FallbackUrl: "https://example.com/", Serial: { Ref: "SerialNumber" } },
});

export interface AskOptions {
  clientId?: string;
  /** Null: a client without a certificate. */
  certificateId?: string | null;
  format?: Format;
  templateName?: string;
  /** In place of the request. */
  payload?: Uint8Array;
}

/** What a client was told, by the name of the answer. */
export interface Told {
  publish: PublishEffect;
  isAccepted: boolean;
  rejection: FleetProvisioningRejection | undefined;
}

export interface FleetWorld extends ServiceWorld {
  service: CloudService<FleetProvisioning>;
  /** Resolves when the request is acknowledged. */
  request: (
    operation: FleetProvisioningOperation,
    payload: Uint8Array,
    options?: AskOptions,
  ) => Promise<FleetProvisioningTopics>;
  ask: (operation: FleetProvisioningOperation, payload: Uint8Array, options?: AskOptions) => Promise<Told>;
  createKeys: (options?: AskOptions) => Promise<CreateKeysAndCertificateAnswer>;
  createFromCsr: (csr: string, options?: AskOptions) => Promise<CreateCertificateFromCsrAnswer>;
  register: (token: string, parameters?: Record<string, string>, options?: AskOptions) => Promise<RegisterThingAnswer>;
  /** What the same request is refused with. */
  refusedRegister: (
    token: string,
    parameters?: Record<string, string>,
    options?: AskOptions,
  ) => Promise<FleetProvisioningRejection>;
  certificates: () => Promise<CertificateRecord[]>;
  takePublishes: () => Promise<PublishEffect[]>;
}

export async function openFleetWorld({
  functions = {},
  isLimited = false,
  isStarted = true,
  signRequest,
}: {
  functions?: Readonly<Record<string, CloudFunction>>;
  isLimited?: boolean;
  isStarted?: boolean;
  /** In place of the cloud's own. */
  signRequest?: SignRequest;
} = {}): Promise<FleetWorld> {
  // Its wake-ups may come as soon as the world is open.
  const made: { service?: CloudService<FleetProvisioning> } = {};
  const world = await openServiceWorld({
    isStarted,
    wakeHandlers: new Map([
      ["fleet-provisioning", async (where, name, runner) => made.service?.wake?.(where, name, runner)],
    ]),
  });
  const provisionThing = createProvisionThing(world.registry);
  const service = (made.service = createFleetProvisioningService(
    {
      ...world,
      signRequest: signRequest ?? createRequestSigner({ issuer: world.issuer }),
      provisionThing,
      functions: createFunctions(functions, world),
    },
    { isLimited },
  ));
  const { topics } = service;
  const takePublishes = async () =>
    (await world.takeEffects()).filter((effect): effect is PublishEffect => effect.type === "publish");

  const request: FleetWorld["request"] = async (operation, payload, options = {}) => {
    const { clientId = "pump-7", certificateId = claimCertificateId, format = "json" } = options;
    const topic = fleetProvisioningTopics({ templateName: options.templateName ?? templateName, format })[operation];
    const message = { scope, topic: topic.request, clientId, payload: options.payload ?? payload };
    const from = { certificateId: certificateId ?? undefined, source: "client" as const };
    await world.clock.untilSettled(answered(topics!, { ...message, ...from }, world.runner));
    return topic;
  };

  const ask: FleetWorld["ask"] = async (operation, payload, options = {}) => {
    const { clientId = "pump-7", certificateId = claimCertificateId, format = "json" } = options;
    const { accepted } = await request(operation, payload, options);
    const [publish, ...others] = await takePublishes();
    const isToAsker =
      publish?.onlyToClientId === clientId && publish.onlyToCertificateId === (certificateId ?? undefined);
    if (publish === undefined || others.length > 0 || !isToAsker)
      throw new Error(`one answer, to the client that asked: ${JSON.stringify([publish, ...others])}`);
    const isAccepted = publish.topic === accepted;
    const bytes = publish.payload;
    return { publish, isAccepted, rejection: isAccepted ? undefined : decodeFleetProvisioningRejection(bytes, format) };
  };
  const acceptedBytes = ({ publish, rejection }: Told): Uint8Array => {
    if (rejection !== undefined) throw new Error(JSON.stringify(rejection));
    return publish.payload;
  };

  return Object.assign(world, {
    service,
    request,
    ask,
    takePublishes,
    createKeys: async (options: AskOptions = {}) => {
      const { format = "json" } = options;
      const told = await ask("createKeysAndCertificate", encodeCreateKeysAndCertificateRequest(format), options);
      return decodeCreateKeysAndCertificateAnswer(acceptedBytes(told), format);
    },
    createFromCsr: async (certificateSigningRequest: string, options: AskOptions = {}) => {
      const { format = "json" } = options;
      const payload = encodeCreateCertificateFromCsrRequest({ certificateSigningRequest }, format);
      const told = await ask("createCertificateFromCsr", payload, options);
      return decodeCreateCertificateFromCsrAnswer(acceptedBytes(told), format);
    },
    register: async (
      token: string,
      parameters: Record<string, string> = { SerialNumber: "7" },
      options: AskOptions = {},
    ) => {
      const { format = "json" } = options;
      const request = { certificateOwnershipToken: token, parameters };
      const told = await ask("registerThing", encodeRegisterThingRequest(request, format), options);
      return decodeRegisterThingAnswer(acceptedBytes(told), format);
    },
    refusedRegister: async (
      token: string,
      parameters: Record<string, string> = { SerialNumber: "7" },
      options: AskOptions = {},
    ) => {
      const request = { certificateOwnershipToken: token, parameters };
      const told = await ask("registerThing", encodeRegisterThingRequest(request, options.format ?? "json"), options);
      if (told.rejection === undefined) throw new Error("it was accepted");
      return told.rejection;
    },
    certificates: async () => {
      const prefix = [scope.account, scope.region, "certificate"];
      const entries = await world.store.list<CertificateRecord>(prefix, { limit: 99 });
      return entries.map(({ value }) => value);
    },
  });
}

/** The template, and the policy that it names. */
export async function addTemplate(
  world: FleetWorld,
  options: { enabled?: boolean; hook?: boolean; body?: string; type?: "JITP" } = {},
): Promise<void> {
  const { enabled = true, hook = false, body = templateBody, type } = options;
  await world.run(world.registry.createPolicy, { policyName: "device", policyDocument: '{"Statement":[]}' });
  await world.run(world.service.operations.createProvisioningTemplate, {
    ...{ templateName, templateBody: body, enabled, provisioningRoleArn: roleArn },
    ...(hook && { preProvisioningHook: { targetArn: hookArn } }),
    ...(type !== undefined && { type }),
  });
}
