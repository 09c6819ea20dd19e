/**
 * Whether a web page of somebody else may be behind a request. Unsigned requests are allowed, so a browser on the same
 * machine must not be talked into sending them: neither from a foreign page (`Origin`), nor under a foreign name that
 * was made to point here (DNS rebinding). Addresses and names without a dot cannot be made to.
 *
 * @param ownNames further host names under which the API is asked for.
 * @returns what is wrong with it, for people; undefined when nothing is.
 */
export function originFault(
  headers: Readonly<Record<string, string>>,
  host: string,
  ownNames: readonly string[],
): string | undefined {
  const name = host.replace(/:\d+$/, "").toLowerCase();
  const isAddress = /^\d+\.\d+\.\d+\.\d+$/.test(name) || /^\[[0-9a-f:.]+\]$/.test(name);
  const isLocal = !name.includes(".") || /\.(localhost|local|internal|amazonaws\.com)$/.test(name);
  if (!isAddress && !isLocal && !ownNames.some((own) => own.toLowerCase() === name)) {
    return `"${name}" is not a name of this local cloud`;
  }
  const origin = headers["origin"];
  if (origin === undefined || origin.replace(/^https?:\/\//, "").toLowerCase() === host.toLowerCase()) return undefined;
  return "requests from web pages of other origins are refused";
}
