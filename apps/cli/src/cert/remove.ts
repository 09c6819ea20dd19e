import { isAwsError } from "../fota/plane.js";
import type { CertPlace } from "./place.js";

/** First what matters: nobody gets in with it any more. Then it is detached, and deleted. */
export async function removeCertificate(place: CertPlace, certificateId: string): Promise<void> {
  const { client, sdk, send } = place;
  const described = await client.send(new sdk.DescribeCertificateCommand({ certificateId }), send);
  const { certificateArn: principal = "", status } = described.certificateDescription ?? {};
  if (status === "ACTIVE" || status === "PENDING_ACTIVATION") {
    await client.send(new sdk.UpdateCertificateCommand({ certificateId, newStatus: "INACTIVE" }), send);
  }
  // All of them first: AWS goes on listing for a while what was detached.
  const thingNames: string[] = [];
  for await (const { things = [] } of sdk.paginateListPrincipalThings({ client }, { principal }, send)) {
    thingNames.push(...things);
  }
  for (const thingName of thingNames) {
    await unlessGone(client.send(new sdk.DetachThingPrincipalCommand({ thingName, principal }), send));
  }
  const { policies = [] } = await client.send(new sdk.ListAttachedPoliciesCommand({ target: principal }), send);
  for (const { policyName = "" } of policies) {
    await unlessGone(client.send(new sdk.DetachPolicyCommand({ policyName, target: principal }), send));
  }
  await client.send(new sdk.DeleteCertificateCommand({ certificateId }), send);
}

async function unlessGone(work: Promise<unknown>): Promise<void> {
  await work.catch((error: unknown) => {
    if (!isAwsError(error, "ResourceNotFoundException")) throw error;
  });
}
