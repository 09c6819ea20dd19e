import type { SagaContext } from "../operation.js";
import type { CertificateIssuer, IssuedCertificate } from "./certificate-issuer.js";
import type { CertificateOrigin } from "./model.js";

export interface RequestToSign {
  /** PKCS#10, PEM. */
  certificateSigningRequest: string;
  /** The device that asks, over MQTT. */
  clientId?: string;
  /** The certificate that it is connected with. */
  claimCertificateId?: string | undefined;
}

export interface SignedRequest {
  issued: IssuedCertificate;
  /** What its origin says of who signed it. */
  signer: Pick<CertificateOrigin, "certificateProviderName">;
}

/**
 * Signs a request: by the account's certificate provider where there is one, else by the local cloud's own CA. What comes of it is not
 * registered yet.
 *
 * @throws {ThinglineError} REQUEST_INVALID for a request that AWS refuses.
 */
export type SignRequest = (context: SagaContext, request: RequestToSign) => Promise<SignedRequest>;

export function createRequestSigner({ issuer }: { issuer: CertificateIssuer }): SignRequest {
  return async ({ clock }, { certificateSigningRequest }) => {
    const issued = await issuer.issueForRequest({ certificateSigningRequest, nowMs: clock.unixMs() });
    return { issued, signer: {} };
  };
}
