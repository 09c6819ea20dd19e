import { isThinglineError, toHex } from "@thingline/protocol";
import { decodePercent, encodeRestJsonError, requestIdHeader } from "@thingline/protocol/restjson";
import type { Clock, HttpRequest, HttpResponse, Keys, Random } from "@thingline/transport";
import { checkCertificate } from "./gateway/certificate-check.js";
import { createPrincipals } from "./gateway/principals.js";
import { createRoleAuthorizer } from "./gateway/role-authorizer.js";
import type { Log } from "./log.js";
import type { RestPeer } from "./rest/admission.js";
import { originFault } from "./rest/origin-guard.js";
import type { OperationRunner, Scope } from "./services/operation.js";
import { assumeRole, roleAliasArn, type AssumedRole } from "./services/role-aliases/index.js";
import type { StoreReader } from "./store/store.js";

// The credentials provider: a device shows its certificate, and gets credentials for the role behind an alias.

export interface CredentialsDoorDependencies {
  store: StoreReader;
  clock: Clock;
  keys: Keys;
  random: Random;
  log: Log;
  run: OperationRunner["run"];
}

export interface CredentialsDoorOptions {
  /** Whose devices come here. */
  scope: Scope;
  /** Host names of this cloud besides addresses, local names and AWS's own. */
  ownNames: readonly string[];
}

/** Answers a request. Never throws. */
export type CredentialsDoor = (request: HttpRequest, peer: RestPeer) => Promise<HttpResponse>;

/** What a device is told, and what the log is. */
interface Refusal {
  status: number;
  code: string;
  message: string;
  explanation: string;
}

const thingNameHeader = "x-amzn-iot-thingname";
/** Longer ones name no alias and no thing. */
const nameCharactersMax = 128;

/**
 * The order and the texts of the refusals are AWS's, as they were captured: the thing's name first, then the policies, then the alias.
 *
 * @see AWS IoT developer guide, "Authorizing direct calls to AWS services"; repo gadams999/awsiot-credentialhelper: docs, development
 */
export function createCredentialsDoor(
  { store, clock, keys, random, log, run }: CredentialsDoorDependencies,
  { scope, ownNames }: CredentialsDoorOptions,
): CredentialsDoor {
  const unixMs = () => clock.unixMs();
  const principals = createPrincipals({ store, scope, unixMs });
  const authorize = createRoleAuthorizer({ store, scope, unixMs });

  const judge = async (request: HttpRequest, peer: RestPeer): Promise<Refusal | (AssumedRole & Asked)> => {
    const headers = request.headers ?? {};
    const foreign = originFault(headers, headers["host"] ?? "", ownNames);
    if (foreign !== undefined) return refuse(403, "AccessDeniedException", "Access Denied", foreign);
    const roleAlias = aliasOf(request);
    if (roleAlias === undefined) {
      const explanation = "there is GET /role-aliases/<alias>/credentials";
      return refuse(404, "ResourceNotFoundException", "Not Found", explanation);
    }
    const check = await checkCertificate({
      ...{ certificate: peer.certificate, nowMs: unixMs() },
      fingerprint: (der) => toHex(keys.sha256(der)),
      findStatus: (certificateId) => principals.findStatus(certificateId),
      findElsewhere: (certificateId) => principals.findElsewhere(certificateId),
    });
    if ("refusal" in check) return refuseCertificate(check.refusal.explanation);
    const { certificateId, facts } = check;
    const thingName = headers[thingNameHeader];
    const asked = { certificateId, roleAlias, thingName };
    const origin = { certificateId, facts, sourceIp: peer.sourceIp, serverName: peer.serverName };
    const isName = thingName === undefined || (thingName !== "" && thingName.length <= nameCharactersMax);
    const decision = isName
      ? await authorize(origin, { resource: roleAliasArn(scope, roleAlias), thingName })
      : ({ isAllowed: false, reason: "thingName", explanation: "there is no such name" } as const);
    if (decision.isAllowed) return { ...asked, ...(await run(scope, assumeRole, asked)) };
    if (decision.reason === "certificate") return refuseCertificate(decision.explanation);
    const message = decision.reason === "thingName" ? "Invalid thing name passed" : "Access Denied";
    return refuse(403, "AccessDeniedException", message, decision.explanation);
  };

  const answer = async (request: HttpRequest, peer: RestPeer, requestId: string): Promise<HttpResponse> => {
    const outcome = await judge(request, peer);
    if ("status" in outcome) {
      const { explanation, ...refusal } = outcome;
      log.warn("credentialsRefused", { message: refusal.message, explanation, sourceIp: peer.sourceIp, requestId });
      return answerError(refusal, requestId);
    }
    const { accessKeyId, secretAccessKey, sessionToken, expiresAtMs, ...facts } = outcome;
    const { certificateId, roleAlias, roleArn, thingName } = facts;
    const expiration = new Date(expiresAtMs).toISOString().replace(/\.\d{3}Z$/, "Z");
    const named = thingName === undefined ? {} : { thingName };
    log.info("credentialsIssued", { certificateId, roleAlias, roleArn, accessKeyId, expiration, requestId, ...named });
    const body = { credentials: { accessKeyId, secretAccessKey, sessionToken, expiration } };
    const headers = { "content-type": "application/json", [requestIdHeader]: requestId };
    return { status: 200, headers, body: new TextEncoder().encode(JSON.stringify(body)) };
  };

  return async (request, peer) => {
    const requestId = random.uuid();
    try {
      return await answer(request, peer, requestId);
    } catch (error) {
      if (isThinglineError(error, "RESOURCE_NOT_FOUND")) {
        log.warn("credentialsRefused", { message: noAlias.message, explanation: error.message, requestId });
        return answerError(noAlias, requestId);
      }
      log.error("credentialsFailed", { error: String(error), requestId });
      const message = "The local cloud failed to process the request; its log says more.";
      return answerError({ status: 500, code: "InternalFailureException", message }, requestId);
    }
  };
}

interface Asked {
  certificateId: string;
  roleAlias: string;
  thingName: string | undefined;
}

const noAlias = { status: 404, code: "ResourceNotFoundException", message: "Role alias does not exist" };

const refuse = (status: number, code: string, message: string, explanation: string): Refusal => ({
  ...{ status, code, message, explanation },
});

const refuseCertificate = (explanation: string): Refusal =>
  refuse(403, "AccessDeniedException", "Certificate is invalid on this endpoint", explanation);

/** @returns undefined for what is no request for credentials */
function aliasOf({ method, url }: HttpRequest): string | undefined {
  const [, name = ""] = /^https?:\/\/[^/?#]*\/role-aliases\/([^/?#]+)\/credentials(?:\?[^#]*)?$/i.exec(url) ?? [];
  const roleAlias = decodePercent(name);
  return method === "GET" && roleAlias ? roleAlias.slice(0, nameCharactersMax + 1) : undefined;
}

function answerError({ status, ...error }: Omit<Refusal, "explanation">, requestId: string): HttpResponse {
  return { status, ...encodeRestJsonError(error, requestId) };
}
