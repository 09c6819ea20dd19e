import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { HttpRequest, HttpResponse } from "@thingline/transport";
import type { RequestHead, Verdict } from "./rest/admission.js";
import { originFault } from "./rest/origin-guard.js";

/** Paths below `/_thingline/` are Thingline's own, beside AWS's. A host name may be anything that a client sent. */
const adminUrl = /^https?:\/\/([^/?#]*)\/_thingline\/([^?#]*)/i;

export function isAdminUrl(url: string): boolean {
  return adminUrl.test(url);
}

/** What is refused without looking at a body, and what the rest needs. */
export function judgeAdmin({ method, url, headers }: RequestHead, ownNames: readonly string[]): Verdict {
  const [, authority = "", name = ""] = adminUrl.exec(url) ?? [];
  const fault = originFault(headers, headers["host"] ?? authority, ownNames);
  if (fault !== undefined) return { refusal: answer(403, { message: fault }) };
  const asked = `${method} ${name}`;
  if (asked === "POST restore") return { isUpload: true, isExclusive: true };
  if (asked === "GET snapshot") return { isExclusive: true };
  const isKnown = adminRequests.includes(asked) || /^GET certificates\/[^/]+$/.test(asked);
  return isKnown ? {} : { refusal: unknownRequest() };
}

/** What can be done to a cloud as a whole. */
export interface AdministeredCloud {
  stats(): unknown;
  reset(): Promise<void>;
  snapshot(): Promise<unknown>;
  /** @throws {ThinglineError} REQUEST_INVALID, STORE_VERSION_UNKNOWN. */
  restore(snapshot: unknown): Promise<void>;
}

export interface AdminOptions {
  cloud: AdministeredCloud;
  /** Why a certificate exists. @throws {ThinglineError} RESOURCE_NOT_FOUND, REQUEST_INVALID. */
  explainCertificate: (certificateId: string) => Promise<object>;
  /** What is known of the lives of certificates, a page of them. @throws {ThinglineError} REQUEST_INVALID. */
  listCertificates: (page: { nextToken?: string; pageSize?: number }) => Promise<object>;
  /** Who is connected or has a persistent session, a page of them. @throws {ThinglineError} REQUEST_INVALID. */
  listConnections: (page: { nextToken?: string; pageSize?: number }) => Promise<object>;
  /** What fleet metrics came to. */
  listFleetMetrics: () => Promise<object>;
  /** Who answers devices that ask for a certificate: what it is, and what it is to be. @throws {ThinglineError} REQUEST_INVALID. */
  vending: {
    get: () => Promise<object>;
    set: (input: { vending: unknown; whereUndecided: boolean }) => Promise<object>;
  };
  /** Names besides addresses and local names under which the API may be asked for. */
  ownNames: readonly string[];
}

/**
 * `GET health`, `GET stats`, `GET certificates`, `GET certificates/<id>`, `GET connections`, `GET fleet-metrics`, `GET vending`, `POST vending`,
 * `POST reset`, `GET snapshot`, `POST restore`. Not signed, so a web page in a browser of the same machine must not be able to send them: see {@link originFault}.
 */
export async function handleAdmin(
  request: HttpRequest,
  { cloud, explainCertificate, listCertificates, listConnections, listFleetMetrics, vending, ownNames }: AdminOptions,
): Promise<HttpResponse> {
  const [, host = "", name = ""] = adminUrl.exec(request.url) ?? [];
  const fault = originFault(request.headers ?? {}, request.headers?.["host"] ?? host, ownNames);
  if (fault !== undefined) return answer(403, { message: fault });
  try {
    const certificateId = /^certificates\/([^/]+)$/.exec(name)?.[1];
    if (request.method === "GET" && certificateId !== undefined) {
      return answer(200, await explainCertificate(certificateId));
    }
    switch (`${request.method} ${name}`) {
      case "GET certificates":
        return answer(200, await listCertificates(readPage(request.url)));
      case "GET connections":
        return answer(200, await listConnections(readPage(request.url)));
      case "GET fleet-metrics":
        return answer(200, await listFleetMetrics());
      case "GET vending":
        return answer(200, await vending.get());
      case "POST vending":
        return answer(200, await vending.set(readVending(request.body)));
      case "GET health":
        return answer(200, { status: "ok" });
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
        return unknownRequest();
    }
  } catch (error) {
    if (!isThinglineError(error)) throw error;
    return answer(statusOf(error), { code: error.code, message: error.message });
  }
}

const adminRequests = [
  "GET health",
  "GET stats",
  "GET certificates",
  "GET certificates/<id>",
  "GET fleet-metrics",
  "GET connections",
  "GET vending",
  "POST vending",
  "POST reset",
  "GET snapshot",
  "POST restore",
];

const unknownRequest = () => answer(404, { message: `there are ${adminRequests.join(", ")}` });

/** A size that is no number is refused by whoever reads the page. */
function readPage(url: string): { nextToken?: string; pageSize?: number } {
  const { searchParams } = new URL(url);
  const nextToken = searchParams.get("nextToken");
  const pageSize = searchParams.get("pageSize");
  return { ...(nextToken !== null && { nextToken }), ...(pageSize !== null && { pageSize: Number(pageSize) }) };
}

function readVending(body: Uint8Array | undefined): { vending: unknown; whereUndecided: boolean } {
  const { vending, whereUndecided } = Object(parse(body)) as Record<string, unknown>;
  if (whereUndecided !== undefined && typeof whereUndecided !== "boolean")
    throw new ThinglineError("REQUEST_INVALID", "whereUndecided must be true or false");
  return { vending, whereUndecided: whereUndecided === true };
}

function statusOf({ code }: ThinglineError): number {
  if (code === "REQUEST_INVALID" || code === "STORE_VERSION_UNKNOWN") return 400;
  return code === "RESOURCE_NOT_FOUND" ? 404 : 500;
}

/** What is no JSON is neither a snapshot nor a way of vending. */
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
