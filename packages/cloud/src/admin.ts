import { isThinglineError } from "@thingline/protocol";
import type { HttpRequest, HttpResponse } from "@thingline/transport";
import type { Cloud } from "./cloud.js";
import { originFault } from "./rest/origin-guard.js";

/** Paths below `/_thingline/` are Thingline's own, beside AWS's. A host name may be anything that a client sent. */
const adminUrl = /^https?:\/\/([^/?#]*)\/_thingline\/([^?#]*)/i;

export function isAdminUrl(url: string): boolean {
  return adminUrl.test(url);
}

export interface AdminOptions {
  cloud: Pick<Cloud, "reset" | "snapshot" | "restore"> & { stats(): unknown };
  /** Names besides addresses and local names under which the API may be asked for. */
  ownNames: readonly string[];
}

/**
 * `POST reset`, `GET snapshot`, `POST restore`, `GET stats`. Not signed, so a web page in a browser of the same machine
 * must not be able to send them: see {@link originFault}.
 */
export async function handleAdmin(request: HttpRequest, { cloud, ownNames }: AdminOptions): Promise<HttpResponse> {
  const [, host = "", name = ""] = adminUrl.exec(request.url) ?? [];
  const fault = originFault(request.headers ?? {}, host, ownNames);
  if (fault !== undefined) return answer(403, { message: fault });
  try {
    switch (`${request.method} ${name}`) {
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
