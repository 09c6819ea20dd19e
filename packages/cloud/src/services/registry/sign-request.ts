import {
  bytesEqual,
  isThinglineError,
  ThinglineError,
  type ErrorCode,
  type JsonObject,
  type JsonValue,
} from "@thingline/protocol";
import { parseCertificates } from "@thingline/protocol/x509";
import type { Functions } from "../../functions/index.js";
import { answer, type Operation, type SagaContext } from "../operation.js";
import {
  describeCertificate,
  requireSoundRequest,
  type CertificateIssuer,
  type IssuedCertificate,
} from "./certificate-issuer.js";
import { findCertificateProvider, type CertificateProviderRecord } from "./certificate-providers.js";
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
 * Throws REQUEST_INVALID for a request that AWS refuses; CERTIFICATE_PROVIDER_FAILED when the provider gave no certificate for it.
 */
export type SignRequest = (context: SagaContext, request: RequestToSign) => Promise<SignedRequest>;

export interface RequestSignerDependencies {
  issuer: CertificateIssuer;
  /** Where certificate providers are. Default: there is none. */
  functions?: Functions | undefined;
}

/** From the call of a provider to its answer. */
export const certificateProviderTimeoutMs = 5_000;
/** Of the PEM that a provider answers with. AWS: of a certificate. */
export const providedCharactersMax = 65_536;

export function createRequestSigner({ issuer, functions }: RequestSignerDependencies): SignRequest {
  return async (context, request) => {
    const { certificateSigningRequest } = request;
    const provider = await context.run(findProvider, {});
    if (provider === undefined) {
      const issued = await issuer.issueForRequest({ certificateSigningRequest, nowMs: context.clock.unixMs() });
      return { issued, signer: {} };
    }
    // What the local CA would refuse reaches no provider.
    const { publicKey } = requireSoundRequest(context.keys, certificateSigningRequest);
    const { certificateProviderName, lambdaFunctionArn } = provider;
    const failed = (reason: string, cause?: unknown) => providerFailed(certificateProviderName, reason, cause);
    if (functions === undefined) throw failed("this cloud calls no functions");
    let given: JsonValue;
    try {
      const event = eventOf(context, request);
      given = await functions.invoke(lambdaFunctionArn, event, { timeoutMs: certificateProviderTimeoutMs });
    } catch (error) {
      if (!isThinglineError(error) || !callFailures.has(error.code)) throw error;
      throw failed(error.message, error);
    }
    const issued = readProvided(context, given, { publicKey, failed });
    return { issued, signer: { certificateProviderName } };
  };
}

const findProvider: Operation<object, CertificateProviderRecord | undefined> = async ({ store, scope }) =>
  answer(await findCertificateProvider(store, scope));

const callFailures: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  "FUNCTION_FAILED",
  "FUNCTION_UNKNOWN",
  "LIMIT_EXCEEDED",
  "TIMEOUT",
]);

/** Members as AWS's guide has them; nobody is connected who asks by the control plane. */
function eventOf(
  { scope }: SagaContext,
  { certificateSigningRequest, clientId, claimCertificateId }: RequestToSign,
): JsonObject {
  const principalId = claimCertificateId ?? scope.account;
  return { certificateSigningRequest, principalId, ...(clientId !== undefined && { clientId }) };
}

function readProvided(
  { keys, clock }: SagaContext,
  given: JsonValue,
  { publicKey, failed }: { publicKey: Uint8Array; failed: (reason: string, cause?: unknown) => ThinglineError },
): IssuedCertificate {
  const isObject = typeof given === "object" && given !== null && !Array.isArray(given);
  const pem = isObject ? (given as JsonObject)["certificatePem"] : undefined;
  if (typeof pem !== "string") throw failed("it answered without certificatePem");
  if (pem.length > providedCharactersMax)
    throw failed(`its certificate has more than ${providedCharactersMax} characters`);
  try {
    const [certificate] = parseCertificates(pem, "its certificate");
    // The device could never use it, and whoever holds the other key could.
    if (!bytesEqual(certificate.publicKey, publicKey))
      throw failed("its certificate is for another key than the request");
    if (clock.unixMs() > certificate.notAfter * 1000) throw failed("its certificate has expired");
    return describeCertificate(keys, certificate.pem);
  } catch (error) {
    if (isThinglineError(error, "CERTIFICATE_INVALID")) throw failed(error.message, error);
    throw error;
  }
}

function providerFailed(name: string, reason: string, cause: unknown): ThinglineError {
  const message = `The certificate provider ${name} did not sign the request: ${reason}`;
  return new ThinglineError("CERTIFICATE_PROVIDER_FAILED", message, {
    details: { certificateProviderName: name },
    ...(cause !== undefined && { cause }),
  });
}
