import {
  AttachPolicyCommand,
  AttachThingPrincipalCommand,
  CreateCertificateFromCsrCommand,
  CreateKeysAndCertificateCommand,
  CreateThingCommand,
  DeleteCertificateCommand,
  DeleteThingCommand,
  DescribeCertificateCommand,
  DescribeThingCommand,
  DetachPolicyCommand,
  DetachThingPrincipalCommand,
  type IoTClient,
  ListThingPrincipalsCommand,
  UpdateCertificateCommand,
} from "@aws-sdk/client-iot";
import { type IoTDataPlaneClient, PublishCommand } from "@aws-sdk/client-iot-data-plane";
import { ThinglineError } from "@thingline/protocol";
import { isNamed, isTransient } from "./failure.js";
import type { IssuedCertificate, ThingCertificate, VendingCloud } from "./types.js";

/** Of one request to the service. */
export const requestTimeoutMs = 3_000;
/** Of an operation that may be asked again: its effect is the same when it happens twice. */
export const attemptsMax = 3;
/** Before the second attempt; twice as long before the third, and up to as much again by chance. */
export const retryMinMs = 200;
/** Principals of a thing that are looked at; one with more has too many anyway. */
export const principalsMax = 50;

export interface AwsVendingCloudOptions {
  /** With `maxAttempts: 1`: the SDK must not repeat what makes a certificate, of which nobody would know. */
  iot: Pick<IoTClient, "send">;
  /** With `maxAttempts: 1`. */
  iotData: Pick<IoTDataPlaneClient, "send">;
  wait: (delayMs: number) => Promise<void>;
  /** From 0 to 1. */
  random: () => number;
}

/** An account of AWS, or a local cloud, by the SDK's clients. */
export function createAwsVendingCloud({ iot, iotData, wait, random }: AwsVendingCloudOptions): VendingCloud {
  const again = async <Result>(
    call: (timeout: Timeout) => Promise<Result>,
    isWorthIt = isTransient,
  ): Promise<Result> => {
    for (let attempt = 1; ; attempt++) {
      try {
        return await call(timeout());
      } catch (error) {
        if (attempt >= attemptsMax || !isWorthIt(error)) throw error;
        await wait(retryMinMs * 2 ** (attempt - 1) * (1 + random()));
      }
    }
  };
  // Detaching takes AWS a moment, and until then a deletion is refused.
  const untilDetached = (error: unknown) =>
    isTransient(error) || isNamed(error, "DeleteConflictException", "InvalidRequestException");

  return {
    async hasThing(thingName) {
      try {
        await again((options) => iot.send(new DescribeThingCommand({ thingName }), options));
        return true;
      } catch (error) {
        if (isNamed(error, "ResourceNotFoundException")) return false;
        throw error;
      }
    },
    async createThing(thingName) {
      await again((options) => iot.send(new CreateThingCommand({ thingName }), options));
    },
    async deleteThing(thingName) {
      await again((options) => iot.send(new DeleteThingCommand({ thingName }), options), untilDetached);
    },
    async listThingCertificates(thingName) {
      const list = new ListThingPrincipalsCommand({ thingName, maxResults: principalsMax });
      const { principals = [] } = await again((options) => iot.send(list, options));
      const ids = principals.flatMap((principal) => /:cert\/([0-9a-f]{64})$/.exec(principal)?.[1] ?? []);
      return Promise.all(
        ids.map(async (certificateId): Promise<ThingCertificate> => {
          const describe = new DescribeCertificateCommand({ certificateId });
          const { certificateDescription } = await again((options) => iot.send(describe, options));
          // One of unknown age counts as new: it makes the limits narrower, never the door wider.
          const createdAtMs = certificateDescription?.creationDate?.getTime() ?? Infinity;
          return { certificateId, createdAtMs };
        }),
      );
    },
    async createKeysAndCertificate() {
      const made = await iot.send(new CreateKeysAndCertificateCommand({ setAsActive: false }), timeout());
      const privateKeyPem = made.keyPair?.PrivateKey;
      if (privateKeyPem === undefined) throw incomplete();
      return { ...issued(made), privateKeyPem };
    },
    async createCertificateFromCsr(certificateSigningRequest) {
      const command = new CreateCertificateFromCsrCommand({ certificateSigningRequest, setAsActive: false });
      return issued(await iot.send(command, timeout()));
    },
    async updateCertificate(certificateId, newStatus) {
      await again((options) => iot.send(new UpdateCertificateCommand({ certificateId, newStatus }), options));
    },
    async deleteCertificate(certificateId) {
      await again((options) => iot.send(new DeleteCertificateCommand({ certificateId }), options), untilDetached);
    },
    async attachPolicy(policyName, target) {
      await again((options) => iot.send(new AttachPolicyCommand({ policyName, target }), options));
    },
    async detachPolicy(policyName, target) {
      await again((options) => iot.send(new DetachPolicyCommand({ policyName, target }), options));
    },
    async attachThingPrincipal(thingName, principal) {
      await again((options) => iot.send(new AttachThingPrincipalCommand({ thingName, principal }), options));
    },
    async detachThingPrincipal(thingName, principal) {
      await again((options) => iot.send(new DetachThingPrincipalCommand({ thingName, principal }), options));
    },
    async publish(topic, payload) {
      await again((options) => iotData.send(new PublishCommand({ topic, payload, qos: 1 }), options));
    },
  };
}

type Timeout = { abortSignal: AbortSignal };

function timeout(): Timeout {
  return { abortSignal: AbortSignal.timeout(requestTimeoutMs) };
}

interface Made {
  certificateId?: string;
  certificateArn?: string;
  certificatePem?: string;
}

function issued({ certificateId, certificateArn, certificatePem }: Made): IssuedCertificate {
  if (certificateId === undefined || certificateArn === undefined || certificatePem === undefined) throw incomplete();
  return { certificateId, certificateArn, certificatePem };
}

function incomplete(): ThinglineError {
  return new ThinglineError("INTERNAL_FAILURE", "AWS IoT made a certificate and did not say all of it");
}
