import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { decodePercent, encodeRestJsonError, requestIdHeader, type RestJsonError } from "@thingline/protocol/restjson";
import type { Clock, HttpRequest, HttpResponse, Keys, Random } from "@thingline/transport";
import type { Log } from "../log.js";
import { decodeInput } from "../model/decode.js";
import { encodeOutput } from "../model/encode.js";
import { loadModel, modelIfLoaded, type Model, type ModelOperation, type Route } from "../model/model.js";
import type { ApiName } from "../model/table.js";
import type { ServedOperation } from "../services/aws-operation.js";
import { isLogged, noIotLog, type IotLog } from "../services/iot-log.js";
import type { OperationRunner, Scope } from "../services/operation.js";
import { asOperationSays, toWireError } from "./errors.js";
import { logRequest } from "./iot-entries.js";
import { ServedOperations } from "./operations.js";
import { originFault } from "./origin-guard.js";
import { accountOf, defaultAccessKey, type AccessKey } from "./access-keys.js";
import type { RequestHead } from "./admission.js";
import { parsePresigned, withoutSignature } from "./presigned.js";
import { sessionFaults, sessionQuestion, type FindSessionKey, type SessionKey } from "./session-keys.js";
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
  /** What all services have of AWS's operations. Any other of them answers that it is not built. */
  operations: readonly ServedOperation[];
  run: OperationRunner["run"];
  /** Default: nobody. */
  publishers?: Publishers;
  clock: Clock;
  random: Random;
  keys: Keys;
  log: Log;
  /** Default: nothing is logged. */
  iotLog?: IotLog | undefined;
}

/** Who may publish by a custom authorizer instead of a signature. */
export interface Publishers {
  /** Whether a request names an authorizer. */
  areNamed: (http: { headers: Readonly<Record<string, string>>; queryString: string }) => boolean;
  mayPublish: (
    presented: {
      headers: Readonly<Record<string, string>>;
      queryString: string;
      serverName: string;
      sourceIp?: string;
    },
    topic: string,
    isRetained: boolean,
  ) => Promise<{ isAllowed: boolean; explanation: string }>;
}

export interface RestApiOptions {
  /** Account and region of unsigned requests; the account of all others, unless their key has one. */
  scope: Scope;
  /** Known access keys. Default: {@link defaultAccessKey}. */
  accessKeys?: readonly AccessKey[];
  /** Keys that come with a session token. Default: there are none. */
  findSessionKey?: FindSessionKey;
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

/** Who speaks where nothing is signed, as for a device that has shown its certificate. */
export interface RestCaller {
  /** What it may ask for. Where paths overlap, the first of them. */
  apis: readonly ApiName[];
  /** @returns why it may not; undefined: it may */
  judge(operation: ModelOperation, input: Readonly<Record<string, unknown>>): Promise<string | undefined>;
}

export interface RestApi {
  /** Never throws. The path of the URL is used as it stands. */
  handle(request: HttpRequest): Promise<HttpResponse>;
  /** The same for a caller that is known by other means than a signature. */
  handleFor(request: HttpRequest, caller: RestCaller): Promise<HttpResponse>;
  /**
   * What can be told without the body: the answer to a request that is wrong whatever it is; undefined for any other. A promise only
   * while AWS's model is being read, for the first request.
   */
  refuse(head: RequestHead): HttpResponse | undefined | Promise<HttpResponse | undefined>;
  /** Those that are built, as `iot:CreateThing`. */
  readonly operationNames: readonly string[];
  stats(): RestApiStats;
}

export interface RestApiStats {
  /** Requests for operations of AWS that are not built, by operation, as `iot:CreateJob`. */
  notBuilt: Readonly<Record<string, number>>;
}

interface Target extends Route {
  served: ServedOperation;
  scope: Scope;
}
/** What a request asks for, and for whom. */
interface Asked {
  /** Undefined for what AWS does not have. */
  route: Route | undefined;
  scope: Scope;
  /** Whether it is certain who speaks: nobody has to be, or the signature was looked at. */
  isProven: boolean;
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

/** How a request says who has made it. */
interface Signer {
  authorization: Authorization | SignatureFault | undefined;
  /** Of a signer whose key is one of a session. */
  session?: SessionKey;
  /** Why it could not be looked up. */
  failure?: Refusal;
}

/** Somebody whom an authorizer has to know, and who may publish and do nothing else. */
export function publishingCaller(
  publishers: Pick<Publishers, "mayPublish">,
  presented: Parameters<Publishers["mayPublish"]>[0],
): RestCaller {
  return {
    apis: ["iot-data"],
    async judge({ name }, input) {
      if (name !== "Publish") return `${name} cannot be asked by a custom authorizer`;
      const decision = await publishers.mayPublish(presented, String(input["topic"]), input["retain"] === true);
      return decision.isAllowed ? undefined : decision.explanation;
    },
  };
}

/** Links that somebody opens in a browser: their token is what proves them. */
const openOperations: ReadonlySet<string> = new Set(["ConfirmTopicRuleDestination"]);

/** AWS's REST APIs over the operations of the services. It holds no rules of its own but those of HTTP and signatures. */
export function createRestApi(deps: RestApiDependencies, options: RestApiOptions): RestApi {
  const { clock, iotLog = noIotLog, keys, log, random } = deps;
  const { accessKeys = [defaultAccessKey], signatures = "verify", unsignedRequests = "allowed" } = options;
  const { findSessionKey = () => Promise.resolve({ fault: "invalid" }) } = options;
  const served = new ServedOperations(deps.operations);

  /** A promise only for a key of a session. */
  const signerOf = (request: ReadRequest): Signer | Promise<Signer> => {
    const authorization = readAuthorization(request);
    const isRead = authorization !== undefined && !("code" in authorization) && signatures === "verify";
    const question = isRead ? sessionQuestion(authorization, request.headers, accessKeys) : undefined;
    if (question === undefined) return { authorization };
    return findSessionKey(question).then(
      (session) => ({ authorization, session }),
      (error: unknown) => ({ authorization, failure: toWireError(error, { api: "iot", errors: new Map() }) }),
    );
  };

  const isCustom = (request: ReadRequest, { authorization }: Signer): boolean =>
    authorization === undefined && deps.publishers?.areNamed(httpOf(request)) === true;

  const callerOf = (request: ReadRequest, signer: Signer): RestCaller | undefined => {
    const { publishers } = deps;
    if (publishers === undefined || !isCustom(request, signer)) return undefined;
    const serverName = request.host.replace(/:\d{1,5}$/, "").toLowerCase();
    return publishingCaller(publishers, { ...httpOf(request), serverName });
  };

  /** Who speaks, and what is asked for. */
  const findAsked = (model: Model, request: ReadRequest, signer: Signer): Asked | Refusal => {
    const { authorization, session, failure } = signer;
    // A page of somebody else has no token, and the name is that of a domain.
    if (isCustom(request, signer)) {
      const route = model.route(routed(request));
      const isPublish = route?.operation.api === "iot-data" && route.operation.name === "Publish";
      if (!isPublish) return refuse(403, "ForbiddenException", "Forbidden");
      return { route, scope: options.scope, isProven: true };
    }
    const foreign = originFault(request.headers, request.host, options.ownNames ?? []);
    if (foreign !== undefined) return refuse(403, "AccessDeniedException", foreign);
    if (authorization === undefined) {
      const asked = model.route(routed(request));
      const isOpen = asked !== undefined && openOperations.has(asked.operation.name);
      if (unsignedRequests === "refused" && !isOpen) {
        return refuse(403, "MissingAuthenticationTokenException", "Missing Authentication Token");
      }
      return { route: asked, scope: options.scope, isProven: true };
    }
    if ("code" in authorization) return { status: 403, ...authorization };
    if (failure !== undefined) return failure;
    if (session !== undefined && "fault" in session) return { status: 403, ...sessionFaults[session.fault] };
    const known = session === undefined ? accessKeys : [session.accessKey];
    if (signatures === "verify") {
      const nowMs = clock.unixMs();
      const { body } = request;
      const fault =
        body === undefined
          ? verifyClaims(request, authorization, { accessKeys: known, nowMs })
          : verifySignature({ ...request, body }, authorization, { accessKeys: known, keys, nowMs });
      if (fault !== undefined) return { status: 403, ...fault };
    }
    const { accessKeyId, region, service } = authorization;
    const route = model.route(routed(request), service);
    const [expected = service, ...others] = route === undefined ? [] : model.signingNames(route.operation.api);
    if (service !== expected && !others.includes(service)) return { status: 403, ...wrongServiceFault(expected) };
    const isProven = signatures === "any" || request.body !== undefined;
    const isAnyTaken = signatures === "any";
    const account = accountOf(accessKeyId, { accessKeys: known, own: options.scope.account, isAnyTaken });
    return { route, scope: { account, region }, isProven };
  };

  const targetOf = (model: Model, request: ReadRequest, { route, scope }: Asked): Target | Refusal => {
    if (route === undefined) return unknownOperation(model, request);
    const operation = served.find(route.operation);
    return operation === undefined ? notBuilt(route.operation) : { ...route, served: operation, scope };
  };

  const notBuilt = (operation: ModelOperation): Refusal => {
    served.countRefused(operation);
    return refuse(
      501,
      "NotImplementedException",
      `The local cloud has not built ${operation.name} of ${operation.api} yet`,
    );
  };

  const unknownOperation = (model: Model, { method, rawPath }: ReadRequest): Refusal => {
    // A name that cannot be read is a bad request to an operation that is there. Which of the parts it is does not matter: no literal
    // part of a path has an escape.
    const readable = rawPath.split("/").map((part) => (part.includes("%") ? "x" : part));
    const isBadName = decodePercent(rawPath) === undefined && model.methodsAt(readable.join("/")).length > 0;
    if (isBadName) {
      return refuse(
        400,
        "InvalidRequestException",
        "The path is not well encoded: percent-encoding of UTF-8 is expected",
      );
    }
    const methods = model.methodsAt(rawPath);
    const path = rawPath.slice(0, pathCharactersTold);
    const hint = methods.length === 0 ? "" : ` (there is ${methods.join(", ")})`;
    return refuse(404, "UnknownOperationException", `The local cloud has no operation ${method} ${path}${hint}`);
  };

  const run = async (request: ReadRequest, requestId: string): Promise<HttpResponse> => {
    const model = modelIfLoaded() ?? (await loadModel());
    const signer = await signerOf(request);
    if (signer.session !== undefined && "roleArn" in signer.session) {
      log.debug("sessionRequest", { roleArn: signer.session.roleArn, requestId });
    }
    const asked = findAsked(model, request, signer);
    const target = "code" in asked ? asked : targetOf(model, request, asked);
    const caller = callerOf(request, signer);
    return "served" in target ? perform(target, request, requestId, caller) : answerError(target, requestId);
  };

  /** Of whoever is known by other means than a signature. */
  const runFor = async (caller: RestCaller, request: ReadRequest, requestId: string): Promise<HttpResponse> => {
    const model = modelIfLoaded() ?? (await loadModel());
    let route: Route | undefined;
    for (const api of caller.apis) {
      const [signingName] = model.signingNames(api);
      const found = model.route(routed(request), signingName);
      if (found?.operation.api === api) route ??= found;
    }
    const target = targetOf(model, request, { route, scope: options.scope, isProven: true });
    return "served" in target ? perform(target, request, requestId, caller) : answerError(target, requestId);
  };

  const perform = async (
    { operation, labels, served: built, scope }: Target,
    request: ReadRequest,
    requestId: string,
    caller?: RestCaller,
  ): Promise<HttpResponse> => {
    const { headers, body = new Uint8Array() } = request;
    const decoded = decodeInput(operation, { labels, headers, body, rawQuery: withoutSignature(request.rawQuery) });
    if ("code" in decoded) return answerError(asOperationSays({ status: 400, ...decoded }, operation), requestId);
    try {
      const explanation = await caller?.judge(operation, decoded.input);
      if (explanation !== undefined) throw new ThinglineError("REQUEST_FORBIDDEN", explanation);
      const result = await deps.run(scope, built, decoded.input as never);
      if (isLogged(iotLog, "INFO", options.scope, scope)) logRequest(iotLog, operation, decoded.input);
      return answer(operation, built.aws.output?.(result as never) ?? result, requestId);
    } catch (error) {
      if (isLogged(iotLog, "ERROR", options.scope, scope)) {
        logRequest(iotLog, operation, decoded.input, toWireError(error, operation));
      }
      return fail(operation, error, requestId);
    }
  };

  const fail = (operation: ModelOperation, error: unknown, requestId: string): HttpResponse => {
    const { api, name } = operation;
    const { isDefect, ...wire } = toWireError(error, operation);
    // AWS never tells the cause; the log does.
    if (isThinglineError(error, "REQUEST_FORBIDDEN")) {
      log.warn("forbidden", { operation: name, requestId, explanation: error.message });
    }
    if (isDefect) log.error("restOperationFailed", { operation: name, requestId, error: String(error) });
    // The data plane names the request in the body as well.
    const traced = api === "iot-data" ? { members: { ...wire.members, traceId: requestId } } : {};
    return answerError({ ...wire, ...traced }, requestId);
  };

  return {
    operationNames: served.names,
    stats: () => ({ notBuilt: served.refused() }),
    refuse(head) {
      const request = { ...readRequest(head), body: undefined };
      const judgeSigned = (model: Model, signer: Signer) => {
        const asked = findAsked(model, request, signer);
        // What there is and what is counted is nothing for a signature that may be wrong, and it is over the body.
        if (!("code" in asked) && !asked.isProven) return undefined;
        const target = "code" in asked ? asked : targetOf(model, request, asked);
        return "served" in target ? undefined : answerError(target, random.uuid());
      };
      const judge = (model: Model) => {
        const signer = signerOf(request);
        return signer instanceof Promise
          ? signer.then((found) => judgeSigned(model, found))
          : judgeSigned(model, signer);
      };
      const model = modelIfLoaded();
      return model === undefined ? loadModel().then(judge) : judge(model);
    },
    handle: (request) => handle(request, run),
    handleFor: (request, caller) => handle(request, (read, requestId) => runFor(caller, read, requestId)),
  };

  /** Never throws, but for a defect. */
  async function handle(request: HttpRequest, answerTo: typeof run): Promise<HttpResponse> {
    const requestId = random.uuid();
    const read = readRequest(request);
    const response =
      (request.body?.length ?? 0) > restBodyBytesMax
        ? answerError(refuse(413, "RequestEntityTooLargeException", tooLarge), requestId)
        : await answerTo(read, requestId);
    log.debug("restRequest", { method: read.method, path: read.rawPath, status: response.status, requestId });
    return response;
  }
}

/** Longer than any path of AWS with names in it. */
const pathCharactersTold = 2_000;
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

const httpOf = ({ headers, rawQuery }: ReadRequest) => ({
  headers,
  queryString: rawQuery === "" ? "" : `?${rawQuery}`,
});

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

/** Newer APIs of AWS name their operation in a header. */
function routed({ method, rawPath, headers }: ReadRequest): Parameters<Model["route"]>[0] {
  return { method, rawPath, target: headers["x-amz-target"] };
}

function answer(operation: ModelOperation, result: object, requestId: string): HttpResponse {
  const isTraced = operation.output.members.has("traceId");
  const { status, headers, body } = encodeOutput(operation, isTraced ? { ...result, traceId: requestId } : result);
  const told = { [requestIdHeader]: requestId, ...headers };
  if (status === noContentStatus) return { status, headers: told, body: new Uint8Array() };
  return { status, headers: { "content-type": "application/json", ...told }, body };
}

/** HTTP has no body with it. */
const noContentStatus = 204;

function answerError({ status, ...error }: Refusal, requestId: string): HttpResponse {
  return { status, ...encodeRestJsonError(error, requestId) };
}

const refuse = (status: number, code: string, message: string): Refusal => ({ status, code, message });
