import type { Clock, Keys, Random } from "@thingline/transport";
import type { Log } from "../../log.js";
import type { Objects } from "../../services/objects/index.js";
import type { OperationRunner, Scope } from "../../services/operation.js";
import type { AccessKey } from "../access-keys.js";
import { Budget, HttpRefusal, readBody, type RequestHead, type ServedResponse, type Verdict } from "../admission.js";
import { originFault } from "../origin-guard.js";
import type { FindSessionKey, SessionKey } from "../session-keys.js";
import { authenticate, sessionOfRequest } from "./authenticate.js";
import { methodNotAllowed, serveBucket, serveService, xmlBodyBytesMax } from "./buckets.js";
import { copyObject, isCopy, readCopySource } from "./copy.js";
import { answerFault, faultOf, internalFault, notBuilt, S3Fault } from "./fault.js";
import { getObject, type S3Turn } from "./get.js";
import { putObject, readUpload, requireDocument } from "./put.js";
import { readRequest, refuseUnbuilt, type S3Request } from "./request.js";

export interface S3ApiDependencies {
  clock: Clock;
  random: Random;
  keys: Keys;
  log: Log;
  run: OperationRunner["run"];
  objects: Objects;
}

export interface S3ApiOptions {
  /** Account and region of unsigned requests; the account of all others, unless their key has one. */
  scope: Scope;
  accessKeys: readonly AccessKey[];
  /** Keys that come with a session token. Default: there are none. */
  findSessionKey?: FindSessionKey;
  signatures: "verify" | "any";
  unsignedRequests: "allowed" | "refused";
  /** Host names of this cloud besides addresses, local names and AWS's own. */
  ownNames: readonly string[];
}

/** As much of S3 as firmware needs, in front of buckets and objects. It holds no rules but those of HTTP and signatures. */
export interface S3Api {
  /** Judges a request by its head, which is all that its signature is over. Never throws. A promise only for a key of a session. */
  judge(head: RequestHead): Verdict | Promise<Verdict>;
  /** Never throws. What is not taken of the body is the caller's to throw away. */
  serve(head: RequestHead, body: AsyncIterable<Uint8Array>): Promise<ServedResponse>;
}

/** Of a PUT with what its chunks add; the object itself has a lower bound. */
export const s3BodyBytesMax = 512 * 1024 * 1024;

export function createS3Api(deps: S3ApiDependencies, options: S3ApiOptions): S3Api {
  const { clock, random, keys, log, run, objects } = deps;
  const { ownNames, findSessionKey = () => Promise.resolve({ fault: "invalid" }), ...identification } = options;
  const handlers = { run, objects, keys, log };
  /** Heads that were judged and are not served yet. */
  const judged = new WeakMap<RequestHead, S3Turn>();

  /** A promise only for a key of a session. @throws {S3Fault} */
  const read = (head: RequestHead, requestId: string): S3Turn | Promise<S3Turn> => {
    const request = readRequest(head, ownNames);
    const foreign = originFault(head.headers, request.host, ownNames);
    if (foreign !== undefined) throw new S3Fault("AccessDenied", foreign);
    const question = sessionOfRequest(request, identification);
    if (question === undefined) return readSigned(request, undefined, requestId);
    return findSessionKey(question).then((session) => readSigned(request, session, requestId));
  };

  /** @throws {S3Fault} */
  const readSigned = (request: S3Request, session: SessionKey | undefined, requestId: string): S3Turn => {
    const identity = authenticate(request, { ...identification, keys, nowMs: clock.unixMs() }, session);
    refuseUnbuilt(request);
    const turn = { request, identity, requestId };
    if (request.method === "PUT" && request.key !== "") {
      if (isCopy(turn)) readCopySource(turn);
      else readUpload(turn);
    }
    return turn;
  };

  const serveTurn = async (turn: S3Turn, body: AsyncIterable<Uint8Array>): Promise<ServedResponse> => {
    const { method, bucket, key } = turn.request;
    if (bucket === "") return serveService(handlers, turn);
    if (key === "") return serveBucket(handlers, turn, await takeDocument(turn, body));
    if (method === "GET" || method === "HEAD") return getObject(handlers, turn);
    if (method === "PUT") return isCopy(turn) ? copyObject(handlers, turn) : putObject(handlers, turn, body);
    if (method === "DELETE") return deleteObject(turn);
    throw methodNotAllowed(method);
  };

  const takeDocument = async (turn: S3Turn, body: AsyncIterable<Uint8Array>): Promise<Uint8Array> => {
    const { method } = turn.request;
    if (method !== "PUT" && method !== "POST") return new Uint8Array();
    const document = await takeXml(body);
    requireDocument(handlers, turn, document);
    return document;
  };

  const deleteObject = async ({ request, identity, requestId }: S3Turn): Promise<ServedResponse> => {
    const { bucket, key, query, headers: given } = request;
    const isConditional = given["if-match"] !== undefined || Object.keys(given).some((name) => /^x-amz-if-/.test(name));
    if (isConditional) throw notBuilt("conditions of DELETE");
    const versionId = query.get("versionId");
    const address = { bucket, key, ...(versionId !== undefined && { versionId }) };
    const deleted = await run(identity.scope, objects.deleteObject, address);
    const headers = {
      "x-amz-request-id": requestId,
      ...(deleted.versionId !== undefined && { "x-amz-version-id": deleted.versionId }),
      ...(deleted.isDeleteMarker === true && { "x-amz-delete-marker": "true" }),
    };
    return { status: 204, headers, body: new Uint8Array() };
  };

  const refuse = (error: unknown, { method, url }: RequestHead, requestId: string): ServedResponse => {
    const fault = faultOf(error);
    const path = url.replace(/\?.*$/, "").slice(0, 2_000);
    if (fault === undefined) log.error("objectRequestFailed", { method, url: path, requestId, error: String(error) });
    else log.debug("objectRequestRefused", { method, url: path, code: fault.code, requestId });
    return answerFault(fault ?? internalFault(), { method, requestId });
  };

  return {
    judge(head) {
      const requestId = requestIdOf(random);
      const take = (turn: S3Turn): Verdict => {
        judged.set(head, turn);
        return { streamBytesMax: s3BodyBytesMax };
      };
      const fail = (error: unknown): Verdict => {
        const { body, ...refusal } = refuse(error, head, requestId);
        return { refusal: { ...refusal, body: body instanceof Uint8Array ? body : new Uint8Array() } };
      };
      try {
        const turn = read(head, requestId);
        return turn instanceof Promise ? turn.then(take).catch(fail) : take(turn);
      } catch (error) {
        return fail(error);
      }
    },
    async serve(head, body) {
      const requestId = judged.get(head)?.requestId ?? requestIdOf(random);
      try {
        const turn = judged.get(head) ?? (await read(head, requestId));
        return await serveTurn(turn, body);
      } catch (error) {
        return refuse(error, head, requestId);
      }
    },
  };
}

/** As long as S3's. */
const requestIdOf = (random: Random) => random.uuid().replaceAll("-", "").slice(0, 16).toUpperCase();

async function takeXml(body: AsyncIterable<Uint8Array>): Promise<Uint8Array> {
  try {
    return (await readBody(body, xmlBodyBytesMax, new Budget(xmlBodyBytesMax * 2))).bytes;
  } catch (error) {
    if (error instanceof HttpRefusal) {
      throw new S3Fault("EntityTooLarge", `An XML document has at most ${xmlBodyBytesMax} bytes`);
    }
    throw error;
  }
}
