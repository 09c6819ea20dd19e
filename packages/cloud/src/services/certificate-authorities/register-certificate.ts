import { ThinglineError } from "@thingline/protocol";
import { awsOperation } from "../aws-operation.js";
import { answer, type Operation, type OperationContext } from "../operation.js";
import {
  addCertificate,
  arnOf,
  requireRegisteredStatus,
  type CertificateOrigin,
  type CertificateStatus,
  type IssuedCertificate,
} from "../registry/index.js";
import { casNamed, whyNotOf } from "./issuers.js";
import type { CaCertificateRecord } from "./model.js";
import { invalid, readSigned, whyNotValid, type SignedCertificate } from "./signing.js";

const what = "The certificate";

/** Publishes no event, whatever the status (measured: ministackorg/ministack#1755). */
export const registerCertificate = awsOperation(
  "iot",
  "RegisterCertificate",
  ["certificatePem", "caCertificatePem", "setAsActive", "status"],
  async (context, input) => {
    const status = input.status ?? (input.setAsActive === true ? "ACTIVE" : undefined);
    const { certificatePem, caCertificatePem } = input;
    const origin = { source: "RegisterCertificate" as const };
    const { certificateId } = await context.call(registerSignedCertificate, {
      ...{ certificatePem, caCertificatePem, status, origin },
    });
    return answer({ certificateArn: arnOf.certificate(context.scope, certificateId), certificateId });
  },
);

export interface RegisterSignedInput {
  certificatePem: string;
  /** Needed where several registered CAs have the issuer's name. */
  caCertificatePem?: string | undefined;
  /** Default INACTIVE. */
  status?: CertificateStatus | undefined;
  origin: Omit<CertificateOrigin, "atMs">;
}

/**
 * Registers a certificate of a registered CA, for whoever says where it comes from.
 *
 * Throws CERTIFICATE_INVALID, CERTIFICATE_CONFLICT, CERTIFICATE_STATE_INVALID, RESOURCE_EXISTS.
 */
export const registerSignedCertificate: Operation<RegisterSignedInput, { certificateId: string }> = async (
  context,
  input,
) => {
  const status = requireRegisteredStatus(input.status);
  const certificate = readSigned(context.keys, input.certificatePem, what);
  const ca = await requireIssuer(context, certificate, input.caCertificatePem);
  if (ca.status !== "ACTIVE") {
    const message = `The CA certificate that signed the certificate is ${ca.status} (id=${ca.certificateId})`;
    throw new ThinglineError("CERTIFICATE_STATE_INVALID", message);
  }
  const fault = whyNotValid(certificate, context.nowMs);
  if (fault !== undefined) throw invalid(`${what} is not valid now: ${fault}`);
  if (context.nowMs > ca.notAfterMs)
    throw invalid(`The CA certificate that signed it has expired (id=${ca.certificateId})`);
  const { certificateId } = certificate;
  const { certificateMode, certificateId: caCertificateId } = ca;
  const issued = issuedOf(certificate);
  await context.call(addCertificate, { issued, status, origin: input.origin, certificateMode, caCertificateId });
  return answer({ certificateId });
};

/** As the registry takes it. */
export function issuedOf(certificate: SignedCertificate & { pem: string }): IssuedCertificate {
  const { certificateId, pem, notBefore, notAfter } = certificate;
  return { certificateId, certificatePem: pem, notBeforeMs: notBefore * 1000, notAfterMs: notAfter * 1000 };
}

/** @throws {ThinglineError} CERTIFICATE_INVALID, CERTIFICATE_CONFLICT */
async function requireIssuer(
  context: OperationContext,
  certificate: SignedCertificate,
  caCertificatePem: string | undefined,
): Promise<CaCertificateRecord> {
  const { keys } = context;
  const named = await casNamed(context, certificate.issuerDigest);
  const given = caCertificatePem === undefined ? undefined : readSigned(keys, caCertificatePem, "The CA certificate");
  const meant =
    given === undefined ? named : named.filter(({ certificateId }) => certificateId === given.certificateId);
  const [ca, other] = meant;
  if (ca === undefined) {
    throw invalid(
      given === undefined
        ? `${what} was signed by "${certificate.issuer}", and no CA certificate with this subject is registered`
        : "The CA certificate is not registered, or has another subject than the certificate's issuer",
    );
  }
  if (other !== undefined) {
    const message =
      "Several CA certificates with this subject are registered; give the one that signed the certificate";
    throw new ThinglineError("CERTIFICATE_CONFLICT", message, { details: { caCertificates: named.length } });
  }
  const fault = whyNotOf(keys, certificate, ca);
  if (fault !== undefined)
    throw invalid(`${what} was not signed by the CA certificate (id=${ca.certificateId}): ${fault}`);
  return ca;
}
