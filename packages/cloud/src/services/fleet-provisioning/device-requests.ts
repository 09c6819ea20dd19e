import { isThinglineError } from "@thingline/protocol";
import {
  encodeCreateCertificateFromCsrAnswer,
  encodeCreateKeysAndCertificateAnswer,
  encodeFleetProvisioningRejection,
  type CreateCertificateFromCsrRequest,
  type FleetProvisioningRejection,
  type RegisterThingRequest,
} from "@thingline/protocol/fleet-provisioning";
import type { Log } from "../../log.js";
import type { Operation, SagaContext } from "../operation.js";
import type { AddCertificateInput, CertificateIssuer, SignRequest } from "../registry/index.js";
import { saga } from "../saga.js";
import { accepted, answerTo, digestOf, type Asker } from "./asker.js";
import { fleetProvisioningName } from "./model.js";
import { ownershipTokenBytes } from "./pending-model.js";
import { addPending, requireRoom, type AddPendingInput } from "./pending.js";
import { internalFailure, ProvisioningRefusal, rejectionOf } from "./refusal.js";
import type { RegisterThing } from "./register-thing.js";
import type { ProvisioningThrottle } from "./throttle.js";

export type Asked =
  | { type: "createKeysAndCertificate" }
  | { type: "createCertificateFromCsr"; request: CreateCertificateFromCsrRequest }
  | { type: "registerThing"; templateName: string; request: RegisterThingRequest }
  | { type: "rejected"; rejection: FleetProvisioningRejection };

export interface DeviceRequestsDependencies {
  issuer: CertificateIssuer;
  signRequest: SignRequest;
  registerThing: RegisterThing;
  throttle: ProvisioningThrottle;
  log: Log;
  /** Hears of each certificate that a device was given. */
  onIssued: (asker: Asker, certificateId: string) => void;
}

export type DeviceRequests = ReturnType<typeof createDeviceRequests>;

/** What devices ask for over MQTT. Each is answered with one message to the client that asked, also when it is refused. */
export function createDeviceRequests({
  issuer,
  signRequest,
  registerThing,
  throttle,
  log,
  onIssued,
}: DeviceRequestsDependencies) {
  const createKeysAndCertificate = async (context: SagaContext, asker: Asker): Promise<void> => {
    await context.run(requireRoom, asker);
    // Outside of the operation: a conflict must not cost another key.
    const { privateKeyPem: privateKey, publicKeyPem } = await context.keys.generate("rsa-2048");
    const issued = await issuer.issueForKey({ publicKeyPem, nowMs: context.clock.unixMs() });
    await addWithToken(context, asker, { issued }, (token) =>
      encodeCreateKeysAndCertificateAnswer(
        { ...issued, privateKey, certificateOwnershipToken: token },
        asker.topic.format,
      ),
    );
    onIssued(asker, issued.certificateId);
  };

  const createCertificateFromCsr = async (
    context: SagaContext,
    asker: Asker,
    { certificateSigningRequest }: CreateCertificateFromCsrRequest,
  ): Promise<void> => {
    await context.run(requireRoom, asker);
    const { clientId, claimCertificateId } = asker;
    const request = { certificateSigningRequest, clientId, claimCertificateId };
    const { issued, signer } = await signRequest(context, request).catch((error: unknown) => {
      throw refusalToSign(error, (reason) => log.warn("requestNotSigned", { clientId, reason }));
    });
    await addWithToken(context, asker, { issued, signer }, (token) =>
      encodeCreateCertificateFromCsrAnswer({ ...issued, certificateOwnershipToken: token }, asker.topic.format),
    );
    onIssued(asker, issued.certificateId);
  };

  const answer = (context: SagaContext, asker: Asker, asked: Exclude<Asked, { type: "rejected" }>): Promise<void> => {
    throttle.take(context.scope, asked.type);
    if (asked.type === "createKeysAndCertificate") return createKeysAndCertificate(context, asker);
    if (asked.type === "createCertificateFromCsr") return createCertificateFromCsr(context, asker, asked.request);
    return registerThing(context, asker, asked);
  };

  /**
   * Answers a request. Never fails for what is the device's fault.
   *
   * @returns how it was refused, for the log
   * @throws what is a fault of the cloud, when the device has been told
   */
  const answerRequest = saga(
    fleetProvisioningName,
    async (
      context,
      { asker, asked }: { asker: Asker; asked: Asked },
    ): Promise<FleetProvisioningRejection | undefined> => {
      let rejection: FleetProvisioningRejection;
      let fault: Error | undefined;
      try {
        if (asked.type !== "rejected") return void (await answer(context, asker, asked));
        rejection = asked.rejection;
      } catch (error) {
        const told = rejectionOf(error);
        if (told === undefined)
          fault = error instanceof Error ? error : new Error("provisioning failed", { cause: error });
        rejection = told ?? internalFailure;
      }
      await context.run(reject, { asker, rejection });
      if (fault !== undefined) throw fault;
      return rejection;
    },
  );

  return { answerRequest };
}

async function addWithToken(
  context: SagaContext,
  asker: Asker,
  { issued, signer = {} }: Pick<AddPendingInput, "issued"> & { signer?: Partial<AddCertificateInput["origin"]> },
  encode: (token: string) => Uint8Array,
): Promise<void> {
  const { clientId, claimCertificateId } = asker;
  const token = base64Url(context.random.bytes(ownershipTokenBytes));
  await context.run(addPending, {
    ...{ issued, clientId, claimCertificateId, digest: digestOf(context, token) },
    origin: {
      ...{ source: "fleet-provisioning", clientId, ...signer },
      ...(claimCertificateId !== undefined && { claimCertificateId }),
    },
    effects: [accepted(asker, encode(token))],
  });
}

/** Changes no state, so it is done when the message is handed over. */
const reject: Operation<{ asker: Asker; rejection: FleetProvisioningRejection }, void> = (_context, input) => {
  const { asker, rejection } = input;
  const payload = encodeFleetProvisioningRejection(rejection, asker.topic.format);
  return { result: undefined, operations: [], effects: [answerTo(asker, asker.topic.rejected, payload)] };
};

/** A provider that fails may sign the next time, and why it failed is not for the device to know. */
function refusalToSign(error: unknown, tell: (reason: string) => void): unknown {
  if (isThinglineError(error, "REQUEST_INVALID")) return new ProvisioningRefusal(400, "InvalidCSR", error.message);
  if (!isThinglineError(error, "CERTIFICATE_PROVIDER_FAILED")) return error;
  tell(error.message);
  const { statusCode, errorCode } = internalFailure;
  return new ProvisioningRefusal(statusCode, errorCode, "The certificate provider did not sign the request");
}

const base64Url = (bytes: Uint8Array): string =>
  btoa(String.fromCharCode(...bytes))
    .replaceAll("+", "-")
    .replaceAll("/", "_")
    .replaceAll("=", "");
