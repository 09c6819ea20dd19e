import type { SerialModemDialect } from "./dialect.js";
import { isWithin } from "./is-within.js";

/** Where an image lies. */
export interface FotaUrl {
  isSecure: boolean;
  host: string;
  port: number;
  /** For the Host field: as in the URL, with its port. */
  authority: string;
  /** With its query and without the slash before it. */
  path: string;
}

/** Longest parts of a URL. The host counts with its scheme and port, as the original keeps it. */
export const fotaUrlLimits: Readonly<
  Record<SerialModemDialect, { urlBytesMax: number; hostBytesMax: number; pathBytesMax: number }>
> = {
  "slm-1.x": { urlBytesMax: 256, hostBytesMax: 64, pathBytesMax: 128 },
  "slm-2.x": { urlBytesMax: 256, hostBytesMax: 64, pathBytesMax: 128 },
  serialModem: { urlBytesMax: 2304, hostBytesMax: 255, pathBytesMax: 2048 },
};

/** `https://host:8443/path?query`: @returns undefined when it is no such URL, or longer than the application takes. */
export function parseFotaUrl(url: string, dialect: SerialModemDialect): FotaUrl | undefined {
  const match = /^(https?):\/\/(([^/?#:@\s]+|\[[0-9a-f:.]+\])(?::(\d{1,5}))?)\/([^#\s]*)$/iu.exec(url);
  if (match === null) return undefined;
  const [, scheme = "", authority = "", host = "", portText, path = ""] = match;
  const isSecure = scheme.toLowerCase() === "https";
  const port = portText === undefined ? (isSecure ? 443 : 80) : Number(portText);
  const { urlBytesMax, hostBytesMax, pathBytesMax } = fotaUrlLimits[dialect];
  const fits =
    isWithin(url, urlBytesMax) &&
    isWithin(`${scheme}://${authority}`, hostBytesMax) &&
    isWithin(path, pathBytesMax) &&
    port <= 65_535;
  return fits ? { isSecure, host: host.replace(/^\[(.*)\]$/u, "$1"), port, authority, path } : undefined;
}
