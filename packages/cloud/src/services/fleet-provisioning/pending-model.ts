import type { StoreKey } from "../../store/store.js";
import type { JsonObject } from "@thingline/protocol";
import type { Scope } from "../operation.js";

/** Of an ownership token; then a certificate that was not activated is deleted. */
export const ownershipTokenLifetimeMs = 3_600_000;
/** Of a token: in base64url it has a third more characters. AWS's have hundreds of them. */
export const ownershipTokenBytes = 192;
/** Certificates of one client that wait to be registered; one more takes the place of the oldest. */
export const pendingOfClientMax = 8;
/** Of all clients of an account and region. */
export const pendingCertificatesMax = 10_000;
/** Of them, those that came with one claim: what is left is there for the others, however much the holder of that claim asks for. */
export const pendingCertificatesPerClaimMax = 7_500;

/** What an ownership token is good for. It stands under the digest of the token: whoever reads the store does not learn it. */
export type TokenRecord = {
  certificateId: string;
  expiresAtMs: number;
  clientId: string;
  /** What the client was connected with: nobody else may use the token. Absent for one without a certificate. */
  claimCertificateId?: string;
  /** The token was used, and this came of it. The same request gets the same answer until the token ends. */
  registered?: RegisteredRecord;
};

export type RegisteredRecord = {
  templateName: string;
  /** Of the parameters. */
  parametersDigest: string;
  thingName?: string;
  deviceConfiguration: JsonObject;
};

/** Whose tokens are counted: another certificate under the same client id is another client, and displaces nothing of the first. */
export type PendingOwner = Pick<TokenRecord, "clientId"> & { claimCertificateId?: string | undefined };

/** Digests of the tokens of one client that were not used, oldest first. */
export type PendingOfClientRecord = string[];

const key = ({ account, region }: Scope, ...rest: string[]): StoreKey => [account, region, ...rest];

export const pendingKeys = {
  token: (scope: Scope, digest: string) => key(scope, "ownershipToken", digest),
  ofClient: (scope: Scope, { clientId, claimCertificateId }: PendingOwner) =>
    key(scope, "pendingOfClient", clientId, ...(claimCertificateId === undefined ? [] : [claimCertificateId])),
  count: (scope: Scope) => key(scope, "pendingCertificateCount"),
  /** Those of clients without a certificate are counted as those of one claim. */
  countOfClaim: (scope: Scope, claimCertificateId = "") => key(scope, "pendingOfClaimCount", claimCertificateId),
};
