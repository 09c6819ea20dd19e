import { isThinglineError } from "@thingline/protocol";
import type { HttpRequest, HttpResponse } from "@thingline/transport";
import type { Cloud } from "./cloud.js";

/** Paths below this are Thingline's own, beside AWS's. */
export const adminPathPrefix = "/_thingline/";

export interface AdminOptions {
  cloud: Pick<Cloud, "reset" | "snapshot" | "restore"> & { stats(): unknown };
  /** Names besides localhost and IP addresses under which the API may be asked for. */
  serverNames: readonly string[];
}

/**
 * `POST reset`, `GET snapshot`, `POST restore`, `GET stats`. Not signed, so a web page in the browser of the same machine
 * must not be able to send them: a foreign `Origin` and a host name that is not ours (DNS rebinding) are refused.
 */
export async function handleAdmin(request: HttpRequest, { cloud, serverNames }: AdminOptions): Promise<HttpResponse> {
  const { pathname, host, hostname } = new URL(request.url);
  const origin = request.headers?.["origin"];
  if (!isOwnName(hostname, serverNames)) return answer(403, { message: `"${hostname}" is no name of this cloud` });
  if (origin !== undefined && origin !== `http://${host}`)
    return answer(403, { message: "requests of other web pages are refused" });
  try {
    switch (`${request.method} ${pathname.slice(adminPathPrefix.length)}`) {
      case "POST reset":
        await cloud.reset();
        return answer(200, {});
      case "GET snapshot":
        return answer(200, await cloud.snapshot());
      case "POST restore":
        await cloud.restore(parse(request.body));
        return answer(200, {});
      case "GET stats":
        return answer(200, cloud.stats());
      default:
        return answer(404, { message: "there are POST reset, GET snapshot, POST restore and GET stats" });
    }
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    const isTheirs = error.code === "REQUEST_INVALID" || error.code === "STORE_VERSION_UNKNOWN";
    return answer(isTheirs ? 400 : 500, { code: error.code, message: error.message });
  }
}

/** An address cannot be rebound, a name of somebody else's can. */
function isOwnName(hostname: string, serverNames: readonly string[]): boolean {
  return (
    hostname === "localhost" ||
    /^\d+\.\d+\.\d+\.\d+$/.test(hostname) ||
    hostname.startsWith("[") ||
    serverNames.some((name) => name.toLowerCase() === hostname)
  );
}

/** What is no JSON is no snapshot either. */
function parse(body: Uint8Array | undefined): unknown {
  try {
    return JSON.parse(new TextDecoder().decode(body));
  } catch {
    return undefined;
  }
}

function answer(status: number, body: unknown): HttpResponse {
  return {
    status,
    headers: { "content-type": "application/json" },
    body: new TextEncoder().encode(JSON.stringify(body)),
  };
}
