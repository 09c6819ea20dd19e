import { ThinglineError } from "@thingline/protocol";

/** A presigned URL of AWS has 1 to 2 KB. */
export const urlCharactersMax = 8_192;

export interface HttpUrl {
  isSecure: boolean;
  /** Lower case, without the brackets of an IPv6 address. */
  host: string;
  port: number;
  /** Path and query as they were written, beginning with `/`. May hold a signature: a secret. */
  target: string;
}

const pattern = /^(https?):\/\/(\[[0-9a-f:.]+\]|[a-z0-9_.-]+)(?::([0-9]{1,5}))?([/?][^#]*)?(?:#.*)?$/iu;
const hostCharactersMax = 253;

/**
 * Takes an absolute URL apart and changes nothing of its path and query: a presigned URL is signed as it stands.
 *
 * @throws {ThinglineError} DOWNLOAD_INVALID; the message does not hold the URL.
 */
export function parseHttpUrl(url: string): HttpUrl {
  if (url.length > urlCharactersMax) {
    throw invalid(`a URL has at most ${urlCharactersMax} characters, this one has ${url.length}`);
  }
  // Visible ASCII only: a space or a line end would end the request line, or begin a header of somebody else's.
  if (!/^[!-~]*$/u.test(url)) throw invalid("a URL has a character that must be percent-encoded");
  const match = pattern.exec(url);
  if (!match) throw invalid("a URL is no absolute http: or https: URL");
  const [, scheme = "", authority = "", portText, rest = "/"] = match;
  const isSecure = scheme.toLowerCase() === "https";
  const host = authority.replace(/^\[|\]$/gu, "").toLowerCase();
  const port = portText === undefined ? (isSecure ? 443 : 80) : Number(portText);
  if (host.length > hostCharactersMax) throw invalid(`a host name has at most ${hostCharactersMax} characters`);
  if (port < 1 || port > 65_535) throw invalid(`a port is 1 to 65535, this one is ${port}`);
  return { isSecure, host, port, target: rest.startsWith("/") ? rest : `/${rest}` };
}

/** Where a redirect leads: absolute, or an absolute path on the same host. @throws {ThinglineError} DOWNLOAD_INVALID */
export function resolveLocation(from: HttpUrl, location: string): HttpUrl {
  if (!location.startsWith("/") || location.startsWith("//")) {
    return parseHttpUrl(location.startsWith("//") ? `${from.isSecure ? "https" : "http"}:${location}` : location);
  }
  return parseHttpUrl(`${from.isSecure ? "https" : "http"}://${hostHeader(from)}${location}`);
}

/** The value of a Host header: the port only when it is not the scheme's. */
export function hostHeader({ host, port, isSecure }: HttpUrl): string {
  const name = host.includes(":") ? `[${host}]` : host;
  return port === (isSecure ? 443 : 80) ? name : `${name}:${port}`;
}

/** For people and logs: without path and query. */
export function originOf(url: HttpUrl): string {
  return `${url.isSecure ? "https" : "http"}://${hostHeader(url)}`;
}

function invalid(message: string): ThinglineError {
  return new ThinglineError("DOWNLOAD_INVALID", message);
}
