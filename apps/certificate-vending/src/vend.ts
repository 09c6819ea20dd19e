import { ThinglineError } from "@thingline/protocol";
import { splitProvisioningTopics } from "@thingline/protocol/provisioning";
import { keyOriginOf, type VendingRequest } from "./event.js";
import { createFromCsrWords, describeError, failureOf, isNamed } from "./failure.js";
import type { IssuedCertificate, VendedCertificate, VendingCloud, VendingLog } from "./types.js";

export interface VendDependencies {
  cloud: VendingCloud;
  policyName: string;
  log: VendingLog;
  /** Whether there is no time, or no wish, to begin another step. */
  isOver: () => boolean;
}

/** How one step is taken back. */
interface Undo {
  what: string;
  run: () => Promise<void>;
}

/**
 * Thing, certificate, policy, attachment, answers; in an order in which a function that is ended at any instant leaves nothing that opens a
 * door: the certificate stays INACTIVE until all is attached to it, and the private key is sent last. What fails is taken back, the last step
 * first, and the step that failed as well: its answer may be what got lost.
 *
 * @param isThere whether the thing was there before
 */
export async function vend(
  request: VendingRequest,
  isThere: boolean,
  { cloud, policyName, log, isOver }: VendDependencies,
): Promise<VendedCertificate> {
  const { thingName, clientId } = request;
  const undos: Undo[] = [];
  const step = async <Result>(
    what: string,
    run: () => Promise<Result>,
    undo?: () => Promise<void>,
  ): Promise<Result> => {
    if (isOver()) throw new ThinglineError("TIMEOUT", `there was no time left for ${what}`);
    if (undo) undos.unshift({ what, run: undo });
    try {
      return await run();
    } catch (error) {
      throw failureOf(what, error);
    }
  };
  try {
    if (!isThere) {
      const isOurs = await step(
        "making the thing",
        () => createThing(cloud, thingName),
        () => cloud.deleteThing(thingName),
      );
      if (!isOurs) undos.length = 0;
    }
    const issued = await step(request.csr === undefined ? "making a certificate" : createFromCsrWords, () =>
      issue(cloud, request),
    );
    const { certificateId, certificateArn } = issued;
    undos.unshift({ what: "making a certificate", run: () => cloud.deleteCertificate(certificateId) });
    await step(
      "attaching the policy",
      () => cloud.attachPolicy(policyName, certificateArn),
      () => cloud.detachPolicy(policyName, certificateArn),
    );
    await step(
      "attaching the certificate to the thing",
      () => cloud.attachThingPrincipal(thingName, certificateArn),
      () => cloud.detachThingPrincipal(thingName, certificateArn),
    );
    await step(
      "activating the certificate",
      () => cloud.updateCertificate(certificateId, "ACTIVE"),
      () => cloud.updateCertificate(certificateId, "INACTIVE"),
    );
    await answerDevice(step, cloud, clientId, issued);
    return { thingName, certificateId, keyOrigin: keyOriginOf(request) };
  } catch (error) {
    await takeBack(undos, { log, thingName });
    throw error;
  }
}

type Step = <Result>(what: string, run: () => Promise<Result>) => Promise<Result>;

async function answerDevice(
  step: Step,
  cloud: VendingCloud,
  clientId: string,
  issued: IssuedCertificate,
): Promise<void> {
  const topics = splitProvisioningTopics(clientId);
  const publish = (topic: string, text: string) => cloud.publish(topic, new TextEncoder().encode(text));
  const { certificatePem, privateKeyPem } = issued;
  await step("sending the certificate", () => publish(topics.certificate, certificatePem));
  if (privateKeyPem !== undefined) await step("sending the private key", () => publish(topics.key, privateKeyPem));
}

/**
 * One that is there by now, with attributes of its own, is as good, and its maker's.
 *
 * @returns whether this call may take it away again
 */
async function createThing(cloud: VendingCloud, thingName: string): Promise<boolean> {
  try {
    await cloud.createThing(thingName);
    return true;
  } catch (error) {
    if (!isNamed(error, "ResourceAlreadyExistsException")) throw error;
    return false;
  }
}

function issue(cloud: VendingCloud, { csr }: VendingRequest): Promise<IssuedCertificate> {
  return csr === undefined ? cloud.createKeysAndCertificate() : cloud.createCertificateFromCsr(csr);
}

/** Each is tried, whatever became of the others; what cannot be taken back is named, for a person to find. */
async function takeBack(undos: readonly Undo[], where: { log: VendingLog; thingName: string }): Promise<void> {
  const { log, thingName } = where;
  for (const { what, run } of undos) {
    try {
      await run();
    } catch (error) {
      if (isNamed(error, "ResourceNotFoundException")) continue;
      log.error("notTakenBack", { what, thingName, ...describeError(error) });
    }
  }
}
