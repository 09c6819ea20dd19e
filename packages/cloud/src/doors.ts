import { toHex } from "@thingline/protocol";
import type { HttpRequest, HttpResponse } from "@thingline/transport";
import { handleAdmin, isAdminUrl, judgeAdmin, type AdministeredCloud } from "./admin.js";
import type { CloudDependencies, CloudOptions } from "./cloud-options.js";
import { openGateway, type Gateway, type GatewayOptions } from "./gateway/gateway.js";
import { createPrincipals } from "./gateway/principals.js";
import { openServerIdentity } from "./gateway/server-identity.js";
import type { AccessKey } from "./rest/access-keys.js";
import type { RequestHead, Verdict } from "./rest/admission.js";
import { originFault } from "./rest/origin-guard.js";
import { createRestApi, type RestApiStats } from "./rest/rest-api.js";
import type { OperationRunner, Scope } from "./services/operation.js";
import { readDeviceAuthority } from "./services/registry/certificate-issuer.js";
import { explainCertificate } from "./services/registry/index.js";
import { loadServerCertificateIssuer } from "./services/registry/server-certificates.js";
import type { CloudService } from "./services/service.js";

/** Where requests over HTTP come in, without the server in front of it. */
export interface HttpDoor {
  /** Judges a request by its head. */
  judge(head: RequestHead): Verdict | Promise<Verdict>;
  /** Never throws, but for a defect. */
  handle(request: HttpRequest): Promise<HttpResponse>;
  stats(): RestApiStats;
}

export interface HttpDoorOptions {
  scope: Scope;
  services: readonly CloudService[];
  run: OperationRunner["run"];
  /** Whose signatures count. */
  accessKeys: readonly AccessKey[];
  /** For requests below `/_thingline/`. */
  cloud: AdministeredCloud;
}

/** AWS's APIs, and Thingline's own beside them. */
export function createHttpDoor(
  deps: Pick<CloudDependencies, "clock" | "random" | "keys" | "log">,
  options: CloudOptions,
  { scope, services, run, accessKeys, cloud }: HttpDoorOptions,
): HttpDoor {
  const ownNames = options.serverNames ?? [];
  const operations = services.flatMap(({ rest = [] }) => rest);
  const api = createRestApi(
    { ...deps, operations, run },
    {
      scope,
      ownNames,
      signatures: options.signatures ?? "verify",
      unsignedRequests: options.unsignedRequests ?? "allowed",
      accessKeys,
    },
  );
  return {
    judge(head) {
      if (isAdminUrl(head.url)) return judgeAdmin(head, ownNames);
      const refusal = api.refuse(head);
      return refusal instanceof Promise ? refusal.then(verdictOf) : verdictOf(refusal);
    },
    stats: () => api.stats(),
    async handle(request) {
      if (!isAdminUrl(request.url)) return api.handle(request);
      const explain = (certificateId: string) => run(scope, explainCertificate, { certificateId });
      return handleAdmin(request, { cloud, explainCertificate: explain, ownNames });
    },
  };
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

/** @throws {ThinglineError} PORT_IN_USE */
export function openMqttDoor(
  { clock, keys, log, network, store }: CloudDependencies,
  options: CloudOptions,
  { server, scope, accept }: { server: MqttIdentity; scope: Scope; accept: GatewayOptions["accept"] },
): Promise<Gateway> {
  const { serverNames = [], mqtts, https, mqtt, connectionsMax, handshakeTimeoutMs, onConnectionRefused } = options;
  return openGateway({
    ...{ network, clock, log, accept, server, mqtts, https, mqtt },
    fingerprint: (der) => toHex(keys.sha256(der)),
    principals: createPrincipals({ store, scope, unixMs: () => clock.unixMs() }),
    upgradeFault: (headers) => originFault(headers, headers["host"] ?? "", serverNames),
    ...(connectionsMax === undefined ? {} : { connectionsMax }),
    ...(handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs }),
    ...(onConnectionRefused === undefined ? {} : { onRefused: onConnectionRefused }),
  });
}
