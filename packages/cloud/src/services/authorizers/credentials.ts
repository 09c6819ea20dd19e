import type { JsonObject } from "@thingline/protocol";
import { encodeBase64 } from "@thingline/protocol/x509";

/** Characters of one token; AWS takes no longer ones in TestInvokeAuthorizer. */
export const tokenCharactersMax = 6_144;
/** Characters of the query of a request, and of what stands behind the `?` of a user name. */
export const credentialQueryCharactersMax = 16_384;
/** Names in one of them. */
export const credentialNamesMax = 100;

export const authorizerNameKey = "x-amz-customauthorizer-name";
export const authorizerSignatureKey = "x-amz-customauthorizer-signature";

/** All that a client has presented, by the protocols that it came by. */
export interface Presented {
  serverName?: string | undefined;
  /** Proved in the TLS handshake, and let through by the registry. */
  certificate?: { certificateId: string; certificatePem: string } | undefined;
  http?: { headers: Readonly<Record<string, string>>; queryString: string } | undefined;
  mqtt?:
    | { username?: string | undefined; password?: Uint8Array | undefined; clientId?: string | undefined }
    | undefined;
}

/** Where a client says by which authorizer, and with which token: headers, then the query, then the user name. */
export class Credentials {
  readonly #parts: readonly ReadonlyMap<string, string>[];

  constructor({ http, mqtt }: Pick<Presented, "http" | "mqtt">) {
    const username = mqtt?.username ?? "";
    const question = username.indexOf("?");
    this.#parts = [
      new Map(Object.entries(http?.headers ?? {}).map(([name, value]) => [name.toLowerCase(), value])),
      readQuery(http?.queryString ?? ""),
      readQuery(question < 0 ? "" : username.slice(question + 1)),
    ];
  }

  /** Names of headers have no case; those in a query are taken alike. */
  get(name: string): string | undefined {
    const lower = name.toLowerCase();
    for (const part of this.#parts) {
      const value = part.get(lower);
      if (value !== undefined && value !== "") return value;
    }
    return undefined;
  }

  get authorizerName(): string | undefined {
    return this.get(authorizerNameKey);
  }

  /**
   * Base64. A `+` that nobody has escaped is a `+`, not a blank.
   */
  get signature(): string | undefined {
    return this.get(authorizerSignatureKey);
  }
}

/** Whoever writes a name twice means the first one. What cannot be decoded is taken as it stands. */
function readQuery(query: string): ReadonlyMap<string, string> {
  const values = new Map<string, string>();
  if (query.length > credentialQueryCharactersMax) return values;
  for (const pair of query.replace(/^\?/, "").split("&").slice(0, credentialNamesMax)) {
    const equals = pair.indexOf("=");
    if (equals < 1) continue;
    const name = decode(pair.slice(0, equals)).toLowerCase();
    if (!values.has(name)) values.set(name, decode(pair.slice(equals + 1)));
  }
  return values;
}

function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

/**
 * What the function of an authorizer is called with.
 *
 * @see AWS IoT developer guide, "Defining your Lambda function"
 */
export function authorizerEvent(
  { serverName, certificate, http, mqtt }: Presented,
  { token, isVerified, connectionId }: { token: string | undefined; isVerified: boolean; connectionId: string },
): JsonObject {
  const hasTls = serverName !== undefined || certificate !== undefined;
  const tls = {
    ...(serverName !== undefined && { serverName }),
    ...(certificate !== undefined && {
      x509CertificatePem: certificate.certificatePem,
      principalId: certificate.certificateId,
    }),
  };
  return {
    ...(token !== undefined && { token }),
    signatureVerified: isVerified,
    protocols: [...(hasTls ? ["tls"] : []), ...(http ? ["http"] : []), ...(mqtt ? ["mqtt"] : [])],
    protocolData: {
      ...(hasTls && { tls }),
      ...(http && { http: { headers: { ...http.headers }, queryString: http.queryString } }),
      ...(mqtt && { mqtt: mqttPart(mqtt) }),
    },
    connectionMetadata: { id: connectionId },
  };
}

function mqttPart({ username, password, clientId }: NonNullable<Presented["mqtt"]>): JsonObject {
  return {
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: encodeBase64(password) }),
    ...(clientId !== undefined && clientId !== "" && { clientId }),
  };
}
