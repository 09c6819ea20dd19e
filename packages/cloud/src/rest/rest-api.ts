import { isThinglineError } from "@thingline/protocol";
import {
  bindTexts,
  decodePercent,
  encodeRestJson,
  encodeRestJsonError,
  parseQuery,
  type RestJsonError,
} from "@thingline/protocol/restjson";
import type { Clock, HttpRequest, HttpResponse, Keys, Random } from "@thingline/transport";
import type { Log } from "../log.js";
import type { OperationRunner, Scope } from "../services/operation.js";
import type { RestOperation } from "../services/rest-operation.js";
import { toWireError } from "./errors.js";
import { createOperationTable, signingNames, type Route } from "./operations.js";
import { originFault } from "./origin-guard.js";
import { defaultAccessKey, type AccessKey } from "./access-keys.js";
import type { RequestHead } from "./admission.js";
import { parsePresigned, withoutSignature } from "./presigned.js";
import {
  parseAuthorization,
  verifyClaims,
  verifySignature,
  wrongServiceFault,
  type Authorization,
  type SignatureFault,
} from "./sigv4.js";

/** Larger than every document of AWS IoT. */
export const restBodyBytesMax = 1024 * 1024;

export interface RestApiDependencies {
  /** The rows of all services. */
  operations: readonly RestOperation[];
  run: OperationRunner["run"];
  clock: Clock;
  random: Random;
  keys: Keys;
  log: Log;
}

export interface RestApiOptions {
  /** Account and region of unsigned requests; the account of all others, unless their key has one. */
  scope: Scope;
  /** Known access keys. Default: {@link defaultAccessKey}. */
  accessKeys?: readonly AccessKey[];
  /** `any` takes a signature by whatever key, wrong or expired, and reads only what it claims. Default `verify`. */
  signatures?: "verify" | "any";
  /**
   * `allowed`: a request without a signature speaks for {@link scope}, so that curl on the same machine just works.
   * `refused`: as AWS does. Default `allowed`.
   */
  unsignedRequests?: "allowed" | "refused";
  /** Host names of this cloud besides addresses, local names and AWS's own. */
  ownNames?: readonly string[];
}

export interface RestApi {
  /** Never throws. The path of the URL is used as it stands. */
  handle(request: HttpRequest): Promise<HttpResponse>;
  /** What can be told without the body: the answer to a request that is wrong whatever it is; undefined for any other. */
  refuse(head: RequestHead): HttpResponse | undefined;
  readonly operationNames: readonly string[];
}

interface Target extends Route {
  scope: Scope;
}
interface Refusal extends RestJsonError {
  status: number;
}
interface ReadRequest {
  method: string;
  rawPath: string;
  rawQuery: string;
  host: string;
  headers: Readonly<Record<string, string>>;
  /** Undefined while it has not come. */
  body: Uint8Array | undefined;
}

/** AWS's REST APIs over the operations of the services. It holds no rules of its own but those of HTTP and signatures. */
export function createRestApi(deps: RestApiDependencies, options: RestApiOptions): RestApi {
  const { clock, keys, log, random } = deps;
  const { accessKeys = [defaultAccessKey], signatures = "verify", unsignedRequests = "allowed" } = options;
  const table = createOperationTable(deps.operations);

  /** Who speaks, and what is asked for. */
  const findTarget = (request: ReadRequest): Target | Refusal => {
    const foreign = originFault(request.headers, request.host, options.ownNames ?? []);
    if (foreign !== undefined) return refuse(403, "AccessDeniedException", foreign);
    const authorization = readAuthorization(request);
    if (authorization === undefined) {
      if (unsignedRequests === "refused") {
        return refuse(403, "MissingAuthenticationTokenException", "Missing Authentication Token");
      }
      const route = table.find(request.method, request.rawPath, undefined);
      return route === undefined ? unknownOperation(request) : { ...route, scope: options.scope };
    }
    if ("code" in authorization) return { status: 403, ...authorization };
    if (signatures === "verify") {
      const nowMs = clock.unixMs();
      const { body } = request;
      const fault =
        body === undefined
          ? verifyClaims(request, authorization, { accessKeys, nowMs })
          : verifySignature({ ...request, body }, authorization, { accessKeys, keys, nowMs });
      if (fault !== undefined) return { status: 403, ...fault };
    }
    const { accessKeyId, region, service } = authorization;
    const route = table.find(request.method, request.rawPath, service);
    if (route === undefined) return unknownOperation(request);
    const [expected = "", ...others] = signingNames[route.operation.api];
    if (service !== expected && !others.includes(service)) return { status: 403, ...wrongServiceFault(expected) };
    return { ...route, scope: { account: accountOf(accessKeyId), region } };
  };

  const accountOf = (accessKeyId: string): string => {
    const known = accessKeys.find((key) => key.accessKeyId === accessKeyId);
    // Tools for local clouds choose an account by using its number as the access key.
    const isAccount = signatures === "any" && /^\d{12}$/.test(accessKeyId);
    return known?.account ?? (isAccount ? accessKeyId : options.scope.account);
  };

  const unknownOperation = ({ method, rawPath }: ReadRequest): Refusal => {
    // A name that cannot be read is a bad request to an operation that is there.
    const readable = rawPath.split("/").map((part) => (decodePercent(part) === undefined ? "x" : part));
    const isBadName = decodePercent(rawPath) === undefined && table.methodsAt(readable.join("/")).length > 0;
    if (isBadName) {
      return refuse(
        400,
        "InvalidRequestException",
        "The path is not well encoded: percent-encoding of UTF-8 is expected",
      );
    }
    const methods = table.methodsAt(rawPath);
    const hint = methods.length === 0 ? "" : ` (there is ${methods.join(", ")})`;
    return refuse(404, "UnknownOperationException", `The local cloud has no operation ${method} ${rawPath}${hint}`);
  };

  const run = async (request: ReadRequest, requestId: string): Promise<HttpResponse> => {
    const target = findTarget(request);
    if (!("operation" in target)) return answerError(target, requestId);
    const { operation, labels, scope } = target;
    const input = readInput(request, operation, labels);
    if ("status" in input) return answerError(input, requestId);
    try {
      const result = await deps.run(scope, operation.run, input.members as never);
      const body = operation.isTraced === true ? { ...result, traceId: requestId } : result;
      return { status: operation.status ?? 200, ...encodeRestJson(body, requestId) };
    } catch (error) {
      const { isDefect, ...wire } = toWireError(error, operation.api);
      // AWS never tells the cause; the log does.
      if (isThinglineError(error, "REQUEST_FORBIDDEN")) {
        log.warn("forbidden", { operation: operation.name, requestId, explanation: error.message });
      }
      if (isDefect) log.error("restOperationFailed", { operation: operation.name, requestId, error: String(error) });
      // The data plane names the request in the body as well.
      const traced = operation.api === "iot-data" ? { members: { ...wire.members, traceId: requestId } } : {};
      return answerError({ ...wire, ...traced }, requestId);
    }
  };

  return {
    operationNames: table.names,
    refuse(head) {
      const target = findTarget({ ...readRequest(head), body: undefined });
      return "operation" in target ? undefined : answerError(target, random.uuid());
    },
    async handle(request) {
      const requestId = random.uuid();
      const read = readRequest(request);
      const response =
        (request.body?.length ?? 0) > restBodyBytesMax
          ? answerError(refuse(413, "RequestEntityTooLargeException", tooLarge), requestId)
          : await run(read, requestId);
      log.debug("restRequest", { method: read.method, path: read.rawPath, status: response.status, requestId });
      return response;
    },
  };
}

const tooLarge = `A request has at most ${restBodyBytesMax} bytes`;

function readRequest({ method, url, headers = {}, body = new Uint8Array() }: HttpRequest): ReadRequest {
  // A URL object would resolve dot segments and change escapes, and the signature is over the path as it was sent.
  const [, authority = "", target = "/"] = /^https?:\/\/([^/?#]*)([^#]*)/i.exec(url) ?? [];
  const question = target.indexOf("?");
  const rawPath = question < 0 ? target : target.slice(0, question);
  const rawQuery = question < 0 ? "" : target.slice(question + 1);
  const host = headers["host"] ?? authority;
  return { method, rawPath: rawPath || "/", rawQuery, host, headers: { host, ...headers }, body };
}

/** Signed in a header or in the query, never in both. */
function readAuthorization({ headers, rawQuery }: ReadRequest): Authorization | SignatureFault | undefined {
  const header = headers["authorization"];
  const presigned = parsePresigned(rawQuery);
  if (header === undefined) return presigned;
  if (presigned === undefined) return parseAuthorization(header);
  const message =
    "Only one auth mechanism allowed; only the X-Amz-Algorithm query parameter or the Authorization header should be specified.";
  return { code: "InvalidSignatureException", message };
}

function readInput(
  { rawQuery, headers, body }: ReadRequest,
  operation: RestOperation,
  labels: Readonly<Record<string, string>>,
): { members: Record<string, unknown> } | Refusal {
  const query = parseQuery(withoutSignature(rawQuery));
  if (query === undefined) return refuse(400, "InvalidRequestException", "The query string is not well encoded");
  const fromBody = readBody(body ?? new Uint8Array(), operation.payload);
  if (fromBody === undefined) return refuse(400, "SerializationException", "The body is not a JSON object");
  const queryBindings = operation.query ?? {};
  const headerBindings = operation.headers ?? {};
  // A member that is bound elsewhere is not taken from the body.
  const bound = new Set([...Object.keys(queryBindings), ...Object.keys(headerBindings), ...Object.keys(labels)]);
  const members = Object.fromEntries([
    ...Object.entries(fromBody).filter(([name]) => !bound.has(name)),
    ...Object.entries(bindTexts(queryBindings, (name) => query.find(([found]) => found === name)?.[1])),
    ...Object.entries(bindTexts(headerBindings, (name) => headers[name])),
    ...Object.entries(labels),
  ]);
  return { members };
}

function readBody(body: Uint8Array, payload: string | undefined): object | undefined {
  if (payload !== undefined) return { [payload]: body };
  if (body.length === 0) return {};
  try {
    const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
    return typeof value === "object" && value !== null && !Array.isArray(value) ? value : undefined;
  } catch {
    return undefined;
  }
}

function answerError({ status, ...error }: Refusal, requestId: string): HttpResponse {
  return { status, ...encodeRestJsonError(error, requestId) };
}

const refuse = (status: number, code: string, message: string): Refusal => ({ status, code, message });
