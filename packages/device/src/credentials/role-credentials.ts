import {
  checkOptionTypes,
  isThinglineError,
  optionInvalid,
  ThinglineError,
  type OptionTypes,
} from "@thingline/protocol";
import type { Pem } from "@thingline/protocol/x509";
import { clockOption, httpOption, type Clock, type Http, type HttpResponse } from "@thingline/transport";
import { abortedError } from "../errors.js";

/** Credentials of a role, as AWS's SDKs take them. */
export interface RoleCredentials {
  accessKeyId: string;
  secretAccessKey: string;
  sessionToken: string;
  /** From then on AWS refuses them. */
  expiration: Date;
}

export interface RoleCredentialsOptions {
  /** `HOST` or `HOST:PORT` of DescribeEndpoint, type `iot:CredentialProvider`. Default port: 443. */
  endpoint: string;
  /** The name under which the role may be assumed. */
  roleAlias: string;
  /** The device's thing, which its certificate is attached to: for variables of policies. Default: none is named. */
  thingName?: string;
  /** The device's own certificate and key, and the CA that signed the server's. PEM. */
  tls: { ca?: Pem; certificate: Pem; privateKey: Pem };
  http: Http;
  clock: Clock;
  /** Of one request. Default {@link roleCredentialsTimeoutMsDefault}. */
  timeoutMs?: number;
}

/** What a caller may ask for; the rest of what AWS's SDKs hand in says nothing here. */
export interface RoleCredentialsRequest {
  /** Ends the wait of this caller; others go on waiting. */
  signal?: AbortSignal | undefined;
  /** Whatever is remembered is not good enough. Default false. */
  forceRefresh?: boolean | undefined;
}

/**
 * Gives credentials that are good for some minutes at least: those that it remembers, or new ones. It is what AWS's SDKs take as
 * `credentials`.
 *
 * @throws {ThinglineError} ROLE_CREDENTIALS_FAILED when the provider refuses (`details.status`) or answers something else, and what the
 * HTTP client throws. While those that are remembered are good, they are given instead.
 */
export type RoleCredentialsProvider = (request?: RoleCredentialsRequest) => Promise<RoleCredentials>;

export const roleCredentialsTimeoutMsDefault = 10_000;
/** Credentials are fetched anew so long before they end. */
export const roleCredentialsRefreshMs = 300_000;
/** Of the provider's answer. */
export const roleCredentialsBytesMax = 16_384;

const optionTypes = {
  endpoint: "string",
  roleAlias: "string",
  thingName: "string",
  tls: { options: { ca: "any", certificate: "any", privateKey: "any" }, required: ["certificate", "privateKey"] },
  http: httpOption,
  clock: clockOption,
  timeoutMs: "number",
} as const satisfies OptionTypes<RoleCredentialsOptions>;

/** AWS's own pattern. */
const aliasPattern = /^[\w=,@-]{1,128}$/;
const thingNamePattern = /^[a-zA-Z0-9:_-]{1,128}$/;
const endpointPattern = /^(\[[0-9a-fA-F:.]+\]|[a-zA-Z0-9.-]+)(:\d{1,5})?$/;

/**
 * Credentials of an AWS role for a device that has a certificate and no access key, by AWS IoT's credentials provider. Callers at the same
 * time share one request.
 *
 * @throws {ThinglineError} OPTION_INVALID
 * @see AWS IoT developer guide, "Authorizing direct calls to AWS services"
 */
export function createRoleCredentials(options: RoleCredentialsOptions): RoleCredentialsProvider {
  const of = "createRoleCredentials()";
  checkOptionTypes(options, optionTypes, { of, required: ["endpoint", "roleAlias", "tls", "http", "clock"] });
  const { endpoint, roleAlias, thingName, http, clock, timeoutMs = roleCredentialsTimeoutMsDefault } = options;
  if (!endpointPattern.test(endpoint)) throw optionInvalid("endpoint", "HOST or HOST:PORT", endpoint);
  if (!aliasPattern.test(roleAlias)) throw optionInvalid("roleAlias", "the name of a role alias", roleAlias);
  if (thingName !== undefined && !thingNamePattern.test(thingName)) {
    throw optionInvalid("thingName", "the name of a thing", thingName);
  }
  const { ca, certificate, privateKey } = options.tls;
  const tls = { certificate, privateKey, ...(ca !== undefined && { ca }) };
  let known: RoleCredentials | undefined;
  let fetching: Promise<RoleCredentials> | undefined;

  const leftMs = (credentials: RoleCredentials) => credentials.expiration.getTime() - clock.unixMs();
  const fetchOnce = async (): Promise<RoleCredentials> => {
    const url = `https://${endpoint}/role-aliases/${encodeURIComponent(roleAlias)}/credentials`;
    const headers: Record<string, string> = thingName === undefined ? {} : { "x-amzn-iot-thingname": thingName };
    const answer = await http.request(
      { method: "GET", url, headers },
      { timeoutMs, bodyBytesMax: roleCredentialsBytesMax, tls },
    );
    return readCredentials(answer, { endpoint, roleAlias });
  };
  const refresh = (): Promise<RoleCredentials> => {
    fetching ??= fetchOnce().then(
      (credentials) => {
        fetching = undefined;
        return (known = credentials);
      },
      (error: unknown) => {
        fetching = undefined;
        throw error;
      },
    );
    return fetching;
  };

  return async ({ signal, forceRefresh = false } = {}) => {
    if (signal?.aborted === true) throw abortedError(signal);
    if (known !== undefined && !forceRefresh && leftMs(known) > roleCredentialsRefreshMs) return copyOf(known);
    try {
      return copyOf(await untilAborted(refresh(), signal));
    } catch (error) {
      // The old ones are better than none for as long as they are good.
      const isGivenUp = isThinglineError(error, "ABORTED");
      if (known !== undefined && !forceRefresh && !isGivenUp && leftMs(known) > 0) return copyOf(known);
      throw error;
    }
  };
}

/** A caller may change what it gets. */
const copyOf = (credentials: RoleCredentials): RoleCredentials => ({
  ...credentials,
  expiration: new Date(credentials.expiration),
});

function untilAborted<Value>(promise: Promise<Value>, signal: AbortSignal | undefined): Promise<Value> {
  if (signal === undefined) return promise;
  return new Promise((resolve, reject) => {
    const abort = () => reject(abortedError(signal));
    signal.addEventListener("abort", abort, { once: true });
    promise.then(resolve, reject).finally(() => signal.removeEventListener("abort", abort));
  });
}

interface Asked {
  endpoint: string;
  roleAlias: string;
}

/** @throws {ThinglineError} ROLE_CREDENTIALS_FAILED */
function readCredentials({ status, body }: HttpResponse, asked: Asked): RoleCredentials {
  const answer = parse(body);
  if (status !== 200) {
    const { message } = answer;
    const why = typeof message === "string" && message !== "" ? message.slice(0, 200) : "no reason given";
    throw failed(`refused role alias ${asked.roleAlias} with ${status}: ${why}`, asked, status);
  }
  const { accessKeyId, secretAccessKey, sessionToken, expiration } = Object(answer["credentials"]) as Record<
    string,
    unknown
  >;
  const atMs = typeof expiration === "string" ? Date.parse(expiration) : NaN;
  const isText = (value: unknown): value is string => typeof value === "string" && value !== "";
  if (!isText(accessKeyId) || !isText(secretAccessKey) || !isText(sessionToken) || Number.isNaN(atMs)) {
    throw failed("gave an answer that is no credentials", asked, status);
  }
  return { accessKeyId, secretAccessKey, sessionToken, expiration: new Date(atMs) };
}

function failed(what: string, { endpoint, roleAlias }: Asked, status: number): ThinglineError {
  const message = `the credentials provider at ${endpoint} ${what}`;
  return new ThinglineError("ROLE_CREDENTIALS_FAILED", message, { details: { endpoint, roleAlias, status } });
}

function parse(body: Uint8Array): Record<string, unknown> {
  try {
    return Object(JSON.parse(new TextDecoder().decode(body))) as Record<string, unknown>;
  } catch {
    return {};
  }
}
