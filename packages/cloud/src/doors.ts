import { concatBytes, toHex } from "@thingline/protocol";
import type { HttpPeer, HttpRequest, HttpResponse } from "@thingline/transport";
import { handleAdmin, isAdminUrl, judgeAdmin, type AdministeredCloud, type AdminOptions } from "./admin.js";
import type { CloudDependencies, CloudOptions } from "./cloud-options.js";
import { createDevicePlane } from "./device-plane.js";
import type { Functions } from "./functions/index.js";
import { Domains, withoutPort } from "./gateway/domains.js";
import { openGateway, type Gateway, type GatewayOptions } from "./gateway/gateway.js";
import { HttpAuthorizer, namesAuthorizer } from "./gateway/http-authorizer.js";
import { createPrincipals } from "./gateway/principals.js";
import { issueServerCertificate, openServerIdentity } from "./gateway/server-identity.js";
import type { AccessKey } from "./rest/access-keys.js";
import type { RequestHead, ServedResponse, Verdict } from "./rest/admission.js";
import { originFault } from "./rest/origin-guard.js";
import { createRestApi, type Publishers, type RestApiStats } from "./rest/rest-api.js";
import { isS3Request } from "./rest/s3/detect.js";
import type { S3Api } from "./rest/s3/s3-api.js";
import { webSocketSigner } from "./rest/web-socket-signature.js";
import type { FindSessionKey } from "./rest/session-keys.js";
import type { FirstConnections } from "./services/certificate-authorities/index.js";
import { listFleetMetricPoints } from "./services/indexing/index.js";
import type { Objects } from "./services/objects/index.js";
import type { IotLog } from "./services/iot-log.js";
import type { OperationRunner, Scope } from "./services/operation.js";
import { readDeviceAuthority } from "./services/registry/certificate-issuer.js";
import { explainCertificate, listCertificateLives } from "./services/registry/index.js";
import { loadServerCertificateIssuer } from "./services/registry/server-certificates.js";
import type { Connections } from "./services/connections/index.js";
import { findSession } from "./services/role-aliases/index.js";
import type { CloudService } from "./services/service.js";
import type { SplitProvisioning } from "./services/split-provisioning/index.js";

/** Where requests over HTTP come in, without the server in front of it. */
export interface HttpDoor {
  /** Judges a request by its head. */
  judge(head: RequestHead): Verdict | Promise<Verdict>;
  /** Never throws, but for a defect. An object comes whole, however large it is. */
  handle(request: HttpRequest): Promise<HttpResponse>;
  /** The same where every request is for objects. */
  judgeObjects(head: RequestHead): Verdict | Promise<Verdict>;
  /** A request for objects, piece by piece. Never throws. */
  serveObjects(head: RequestHead, body: AsyncIterable<Uint8Array>): Promise<ServedResponse>;
  /** A request to the data plane by who shows a certificate. Never throws, but for a defect. */
  handleDevice(request: HttpRequest, peer: HttpPeer): Promise<HttpResponse>;
  stats(): RestApiStats;
}

export interface HttpDoorOptions {
  scope: Scope;
  services: readonly CloudService[];
  objects: Objects;
  run: OperationRunner["run"];
  /** Whose signatures count. */
  accessKeys: readonly AccessKey[];
  iotLog?: IotLog | undefined;
  /** For requests below `/_thingline/`. */
  cloud: AdministeredCloud;
  splitProvisioning: Pick<SplitProvisioning, "getVending" | "setVending">;
  connections: Pick<Connections, "listConnections">;
}

/** AWS's APIs, and Thingline's own beside them. */
export function createHttpDoor(
  deps: Pick<CloudDependencies, "clock" | "random" | "keys" | "log" | "store"> & { functions: Functions },
  options: CloudOptions,
  { scope, services, objects, run, accessKeys, iotLog, cloud, splitProvisioning, connections }: HttpDoorOptions,
): HttpDoor {
  const ownNames = options.serverNames ?? [];
  const operations = services.flatMap(({ rest = [] }) => rest);
  const { signatures = "verify", unsignedRequests = "allowed" } = options;
  const findSessionKey = sessionKeysOf(run, scope);
  const apiOptions = { scope, ownNames, signatures, unsignedRequests, accessKeys, findSessionKey };
  const { clock, random, keys } = deps;
  const httpAuthorizer = new HttpAuthorizer({
    store: deps.store,
    scope,
    functions: deps.functions,
    clock,
    random,
    keys,
  });
  const publishers: Publishers = {
    areNamed: namesAuthorizer,
    mayPublish: (presented, topic, isRetained) => httpAuthorizer.mayPublish(presented, topic, isRetained),
  };
  const api = createRestApi({ ...deps, operations, run, iotLog, publishers }, apiOptions);
  const devicePlane = createDevicePlane({ ...deps, api, publishers: httpAuthorizer }, { scope, ownNames });
  let s3: S3Api | undefined;
  /** Read when somebody asks for an object: a cloud starts without it. */
  const loadS3 = async (): Promise<S3Api> => {
    const { createS3Api } = await import("./rest/s3/s3-api.js");
    return (s3 ??= createS3Api({ ...deps, run, objects }, apiOptions));
  };
  const judgeObjects = (head: RequestHead) => s3?.judge(head) ?? loadS3().then((loaded) => loaded.judge(head));
  const serveObjects: HttpDoor["serveObjects"] = async (head, body) => (s3 ?? (await loadS3())).serve(head, body);
  return {
    judgeObjects,
    serveObjects,
    judge(head) {
      if (isAdminUrl(head.url)) return judgeAdmin(head, ownNames);
      if (isS3Request(head)) return judgeObjects(head);
      const refusal = api.refuse(head);
      return refusal instanceof Promise ? refusal.then(verdictOf) : verdictOf(refusal);
    },
    stats: () => api.stats(),
    handleDevice: (request, peer) => devicePlane(request, peer),
    async handle(request) {
      const head: RequestHead = { headers: {}, ...request };
      if (!isAdminUrl(request.url))
        return isS3Request(head) ? wholeOf(await serveObjects(head, piecesOf(request.body))) : api.handle(request);
      const explain = (certificateId: string) => run(scope, explainCertificate, { certificateId });
      const list = (page: { nextToken?: string; pageSize?: number }) => run(scope, listCertificateLives, page);
      const listFleetMetrics = () => run(scope, listFleetMetricPoints, undefined);
      const vending: AdminOptions["vending"] = {
        get: () => run(scope, splitProvisioning.getVending, undefined),
        set: (input) => run(scope, splitProvisioning.setVending, input),
      };
      const listConnections: AdminOptions["listConnections"] = (page) => run(scope, connections.listConnections, page);
      const lists = { listCertificates: list, listConnections, listFleetMetrics };
      return handleAdmin(request, { cloud, explainCertificate: explain, ...lists, vending, ownNames });
    },
  };
}

/** Keys of sessions, by their tokens. */
function sessionKeysOf(run: OperationRunner["run"], scope: Scope): FindSessionKey {
  return async (question) => {
    const found = await run(scope, findSession, question);
    if ("fault" in found) return { fault: found.fault };
    const { secretAccessKey, claims } = found;
    const accessKey = { accessKeyId: question.accessKeyId, secretAccessKey, account: claims.account };
    return { accessKey, roleArn: claims.roleArn };
  };
}

/** With bodies that are whole. */
async function wholeOf({ body, ...answer }: ServedResponse): Promise<HttpResponse> {
  if (body instanceof Uint8Array) return { ...answer, body };
  const parts: Uint8Array[] = [];
  for await (const part of body) parts.push(part);
  return { ...answer, body: concatBytes(parts) };
}

async function* piecesOf(body: Uint8Array | undefined): AsyncGenerator<Uint8Array, void> {
  if (body !== undefined && body.length > 0) yield body;
}

const verdictOf = (refusal: HttpResponse | undefined): Verdict => (refusal === undefined ? {} : { refusal });

/** Who the server is: its certificate is made where there is none that is good. */
export type MqttIdentity = Awaited<ReturnType<typeof openMqttIdentity>>;

/** @throws {ThinglineError} what reading and writing the folder can throw */
export async function openMqttIdentity(
  { clock, files, keys, log, random }: CloudDependencies,
  { folder, serverNames: extraNames = [] }: CloudOptions,
) {
  const loadIssuer = () => loadServerCertificateIssuer({ keys, random });
  const identity = await openServerIdentity({ files, keys, clock, folder, extraNames, loadIssuer });
  // Whatever is wrong with it is told now, not when the first certificate is asked for.
  await readDeviceAuthority({ files, folder }, keys, clock.unixMs());
  if (identity.made.length > 0) log.info("serverCertificateMade", { made: identity.made, ca: identity.caFile });
  return identity;
}

export interface MqttDoorOptions {
  server: MqttIdentity;
  scope: Scope;
  accept: GatewayOptions["accept"];
  /** Whose signatures of WebSockets count. */
  accessKeys: readonly AccessKey[];
  /** Requests over HTTP at the port of WebSockets. */
  handleHttp: NonNullable<GatewayOptions["handleHttp"]>;
  /** What comes of certificates that are not ACTIVE. */
  firstConnections: FirstConnections;
  iotLog?: IotLog | undefined;
  run: OperationRunner["run"];
  /** Those of authorizers, and of domains for client certificates. */
  functions: Functions;
}

/** @throws {ThinglineError} PORT_IN_USE */
export function openMqttDoor(
  deps: CloudDependencies,
  options: CloudOptions,
  {
    server,
    scope,
    accept,
    accessKeys,
    handleHttp,
    firstConnections: { judge, connect },
    iotLog,
    run,
    functions,
  }: MqttDoorOptions,
): Promise<Gateway> {
  const { clock, keys, log, network, store, files, random } = deps;
  const domains = new Domains({
    ...{ store, scope, keys, random, clock, log, functions, server },
    serverCertificates: options.serverCertificates ?? {},
    issue: (name) =>
      issueServerCertificate({ files, keys, clock, folder: options.folder }, name, () =>
        loadServerCertificateIssuer({ keys, random }),
      ),
  });
  const { signatures = "verify" } = options;
  const findSessionKey = sessionKeysOf(run, scope);
  const signed = { accessKeys, keys, signatures, region: scope.region, findSessionKey };
  const { serverNames = [], mqtts, https, mqtt, connectionsMax, handshakeTimeoutMs, onConnectionRefused } = options;
  return openGateway({
    ...{ network, clock, log, accept, handleHttp, iotLog, server, mqtts, https, mqtt, domains },
    signerOf: (request) => webSocketSigner(request, clock.unixMs(), signed),
    fingerprint: (der) => toHex(keys.sha256(der)),
    principals: createPrincipals({ store, scope, unixMs: () => clock.unixMs() }),
    firstConnections: {
      judge: (certificate, serverName) => run(scope, judge, { certificate, serverName }),
      connect: (connection) => run(scope, connect, connection),
    },
    upgradeFault: (headers) => {
      const { host = "" } = headers;
      return originFault(headers, host, domains.isKnown(host) ? [...serverNames, withoutPort(host)] : serverNames);
    },
    ...(connectionsMax === undefined ? {} : { connectionsMax }),
    ...(handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs }),
    ...(onConnectionRefused === undefined ? {} : { onRefused: onConnectionRefused }),
  });
}
