import { administer } from "../administration.js";
import { forEachAtOnce } from "../each.js";
import { isAwsError } from "../fota/plane.js";
import { lifeOfTold, type CertLife, type ToldLife } from "./life.js";
import type { CertPlace } from "./place.js";

/** Of one page: of the local cloud's own list, and of AWS's. */
export const certPageSize = 100;
/** An answer with a page of the local cloud's list. */
export const certPageBytesMax = 2 * 1024 * 1024;

/** All certificates, page by page, in the order in which they were made. No more than a page is held. */
export async function* certificateLives(place: CertPlace): AsyncGenerator<CertLife> {
  yield* place.dataDir === undefined ? awsLives(place) : localLives(place, place.dataDir);
}

async function* localLives({ signal }: CertPlace, dataDir: string): AsyncGenerator<CertLife> {
  let nextToken: string | undefined;
  do {
    const token: string = nextToken === undefined ? "" : `&nextToken=${encodeURIComponent(nextToken)}`;
    const page = await ask<{ certificates: ToldLife[]; nextToken?: string }>(
      { signal, dataDir },
      `certificates?pageSize=${certPageSize}${token}`,
    );
    yield* page.certificates.map(lifeOfTold);
    ({ nextToken } = page);
  } while (nextToken !== undefined);
}

async function ask<Answer>(where: { signal: AbortSignal; dataDir: string }, path: string): Promise<Answer> {
  const { body } = await administer(where, { method: "GET", path, bytesMax: certPageBytesMax });
  return JSON.parse(new TextDecoder().decode(body)) as Answer;
}

async function* awsLives(place: CertPlace): AsyncGenerator<CertLife> {
  const { client, sdk, send } = place;
  let marker: string | undefined;
  do {
    const command = new sdk.ListCertificatesCommand({ pageSize: certPageSize, ascendingOrder: true, marker });
    const { certificates = [], nextMarker } = await client.send(command, send);
    yield* await described(
      place,
      certificates.map(({ certificateId = "" }) => certificateId),
    );
    marker = nextMarker === "" ? undefined : nextMarker;
  } while (marker !== undefined);
}

/** The certificates of a thing. @throws AWS's ResourceNotFoundException */
export async function livesOfThing(place: CertPlace, thingName: string): Promise<CertLife[]> {
  const { client, sdk, send } = place;
  const ids: string[] = [];
  for await (const page of sdk.paginateListThingPrincipals({ client, pageSize: certPageSize }, { thingName }, send)) {
    for (const principal of page.principals ?? []) {
      const certificateId = /:cert\/([0-9a-f]{64})$/u.exec(principal)?.[1];
      if (certificateId !== undefined) ids.push(certificateId);
    }
  }
  return described(place, ids);
}

/** In the order of the ids; those that are gone are left out. */
async function described(place: CertPlace, ids: readonly string[]): Promise<CertLife[]> {
  const found = new Map<string, CertLife>();
  const all = (async function* () {
    yield* ids;
  })();
  await forEachAtOnce(all, async (certificateId) => {
    const life = await readLife(place, certificateId).catch((error: unknown) => {
      if (isAwsError(error, "ResourceNotFoundException")) return undefined;
      throw error;
    });
    if (life !== undefined) found.set(certificateId, life);
  });
  return ids.flatMap((id) => found.get(id) ?? []);
}

/** @throws AWS's ResourceNotFoundException */
export async function readLife(place: CertPlace, certificateId: string): Promise<CertLife> {
  const { client, sdk, send, dataDir, signal } = place;
  const { certificateDescription: facts = {} } = await client.send(
    new sdk.DescribeCertificateCommand({ certificateId }),
    send,
  );
  if (dataDir !== undefined) {
    return lifeOfTold(await ask<ToldLife>({ signal, dataDir }, `certificates/${certificateId}`));
  }
  const { certificateArn: principal = "", status = "", creationDate, validity } = facts;
  const { things = [] } = await client.send(new sdk.ListPrincipalThingsCommand({ principal, maxResults: 10 }), send);
  const { policies = [] } = await client.send(new sdk.ListAttachedPoliciesCommand({ target: principal }), send);
  return {
    ...{ certificateId, status, createdAtMs: creationDate?.getTime() ?? 0, notAfterMs: validity?.notAfter?.getTime() },
    ...{ thingNames: things, policyNames: policies.map(({ policyName = "" }) => policyName) },
  };
}
