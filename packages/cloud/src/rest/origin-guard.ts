/**
 * Whether a web page of somebody else may be behind a request. Unsigned requests are allowed, so a browser on the same
 * machine must not be talked into sending them: neither from a foreign page (`Origin`), nor under a foreign name that
 * was made to point here (DNS rebinding). Addresses and names without a dot cannot be made to.
 *
 * One guard for the REST APIs, `/_thingline/` and WebSocket upgrades; header fields that came twice are expected joined, and then refused.
 *
 * @param ownNames further host names under which the cloud is asked for; `*.` before one stands for one more label.
 * @returns what is wrong with it, for people; undefined when nothing is.
 */
export function originFault(
  headers: Readonly<Record<string, string>>,
  host: string,
  ownNames: readonly string[],
): string | undefined {
  const authority = parseAuthority(host);
  if (authority === undefined) return `the Host header ${shown(host)} is no host name or address with an optional port`;
  const { name, kind } = authority;
  const isLocal =
    kind === "address" || !name.includes(".") || /\.(localhost|local|internal|amazonaws\.com)$/.test(name);
  if (!isLocal && !ownNames.some((own) => isCalled(own, name))) return `"${name}" is not a name of this local cloud`;
  const origin = headers["origin"];
  if (origin === undefined || isSameOrigin(origin, authority)) return undefined;
  return "requests from web pages of other origins are refused";
}

export interface Authority {
  /** In lower case, without the dot at the end of a full name. An IPv6 address is in brackets. */
  name: string;
  kind: "name" | "address";
  port: number | undefined;
}

/**
 * Reads `HOST` or `HOST:PORT`: letters, digits, hyphens and dots, an IPv4 address of four decimal numbers, or an IPv6 address in brackets
 * without zone. Stricter than RFC 3986 §3.2.2: whatever programs read in different ways is none.
 *
 * @returns undefined for anything else.
 */
export function parseAuthority(text: string): Authority | undefined {
  const [, host, digits] = /^(\[[0-9a-f:.]{2,45}\]|[a-z0-9.-]{1,254})(?::([0-9]{1,5}))?$/i.exec(text) ?? [];
  if (host === undefined) return undefined;
  const port = digits === undefined ? undefined : Number(digits);
  if (port !== undefined && (port < 1 || port > 65_535)) return undefined;
  if (host.startsWith("[")) return isIpv6(host) ? { name: host.toLowerCase(), kind: "address", port } : undefined;
  const name = host.toLowerCase().replace(/\.$/, "");
  const labels = name.split(".");
  // A last label that is a number makes an address of the whole, for browsers in octal, in hexadecimal and with parts left out.
  if (/^(\d+|0x[0-9a-f]*)$/.test(labels.at(-1) ?? ""))
    return isIpv4(host) ? { name, kind: "address", port } : undefined;
  const isName = name.length <= 253 && labels.every((label) => /^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(label));
  return isName ? { name, kind: "name", port } : undefined;
}

function isIpv4(text: string): boolean {
  const numbers = text.split(".");
  return numbers.length === 4 && numbers.every((number) => /^(0|[1-9]\d{0,2})$/.test(number) && Number(number) <= 255);
}

/** The characters are known to be fine; the grammar is that of URLs. */
function isIpv6(bracketed: string): boolean {
  try {
    return new URL(`http://${bracketed}/`).hostname.startsWith("[");
  } catch {
    return false;
  }
}

function isCalled(own: string, name: string): boolean {
  const wanted = own.toLowerCase().replace(/\.$/, "");
  if (!wanted.startsWith("*.")) return wanted === name;
  const dot = name.indexOf(".");
  return dot > 0 && name.slice(dot) === wanted.slice(1);
}

/** Whichever scheme: a page from this very host and port is of this cloud. */
function isSameOrigin(origin: string, { name, port }: Authority): boolean {
  const [, scheme, rest = ""] = /^(https?):\/\/(.*)$/is.exec(origin) ?? [];
  const from = scheme === undefined ? undefined : parseAuthority(rest);
  if (from === undefined || from.name !== name) return false;
  const usual = scheme?.toLowerCase() === "https" ? 443 : 80;
  return (from.port ?? usual) === (port ?? usual);
}

const shown = (text: string) => JSON.stringify(text.slice(0, 100));
