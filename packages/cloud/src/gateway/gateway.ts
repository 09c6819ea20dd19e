import type { ThinglineError } from "@thingline/protocol";
import type {
  Clock,
  Connection,
  Endpoint,
  HttpPeer,
  HttpRequest,
  HttpResponse,
  Listener,
  ListenOptions,
  Network,
  WebSocketRequest,
} from "@thingline/transport";
import type { Log } from "../log.js";
import type { ConnectionIdentity, ConnectRequest } from "../policy/authorizer.js";
import type { CertificateFacts } from "../policy/certificate-facts.js";
import type { CompiledPolicy } from "../policy/evaluate.js";
import { allowAllAuthorizer } from "../policy/principal-authorizer.js";
import { noIotLog, verbosityOf, type IotLog, type IotLogEntry } from "../services/iot-log.js";
import { checkCertificate } from "./certificate-check.js";
import type { Refusal, RefusalReason } from "./certificate-check.js";
import { customAlpnProtocol, type DomainConnection, type Domains } from "./domains.js";
import { firstIdentity, type FirstConnections } from "./first-connections.js";
import { listenTogether } from "./listen.js";
import type { ListenAddress } from "./listen.js";

/** MQTT on a port that HTTP uses too. @see AWS IoT developer guide, "Device communication protocols" */
export const mqttAlpnProtocol = "x-amzn-mqtt-ca";
/** Requests over HTTP with a client certificate on a port that MQTT uses too. */
export const httpAlpnProtocol = "x-amzn-http-ca";
export const webSocketPath = "/mqtt";
const rawAlpnProtocols = [mqttAlpnProtocol, customAlpnProtocol];

/** Connections of all listeners of a cloud together. */
export const connectionsTotalMax = 100_000;

/** Who a certificate is, as the gateway sees it. */
export interface PrincipalDirectory {
  /** The status of a certificate, undefined when it is not registered. */
  findStatus(certificateId: string): Promise<string | undefined>;
  /** For explanations: the account and region in which a certificate is registered. */
  findElsewhere(certificateId: string): Promise<string | undefined>;
  /** What {@link ConnectionIdentity} needs, for a connection that passed the check. */
  authorizeConnect(
    connection: ConnectionOrigin,
    request: ConnectRequest,
    /** Besides the certificate's own. */
    policies?: readonly CompiledPolicy[],
  ): ReturnType<ConnectionIdentity["authorizeConnect"]>;
  /** The same for a connection without a certificate, which has these policies and no others. */
  authorizeOther(
    connection: Pick<ConnectionOrigin, "sourceIp" | "serverName">,
    policies: readonly CompiledPolicy[],
    request: ConnectRequest,
  ): ReturnType<ConnectionIdentity["authorizeConnect"]>;
}

/** What is known of a connection before any MQTT. */
export interface ConnectionOrigin {
  certificateId: string;
  facts: CertificateFacts;
  sourceIp: string;
  serverName: string | undefined;
}

export interface GatewayOptions {
  network: Network;
  clock: Clock;
  log: Log;
  /** SHA-256 of a DER certificate, lower-case hex. */
  fingerprint: (der: Uint8Array) => string;
  principals: PrincipalDirectory;
  /** Default: whoever is not ACTIVE is refused before any MQTT. */
  firstConnections?: FirstConnections;
  /** What server names stand for. Default: all of them for the same, and clients have certificates. */
  domains?: Pick<Domains, "find" | "selectServer" | "demandOf" | "askCallback" | "customIdentity">;
  /** Who signed the request for a WebSocket; undefined where nobody did. Default: signatures are not looked at. */
  signerOf?: (request: WebSocketRequest) => Signer | Promise<Signer> | undefined;
  /** Answers requests over HTTP at the port of WebSockets. Default: there is nothing. */
  handleHttp?: (request: HttpRequest, peer: HttpPeer) => Promise<HttpResponse>;
  /** Takes over a connection before its first byte. */
  accept(connection: Connection, identity: ConnectionIdentity): void;
  server: { certificate: string; privateKey: string };
  /** What is wrong with the Host or Origin of a WebSocket upgrade; undefined when nothing is. */
  upgradeFault: (headers: Readonly<Record<string, string>>) => string | undefined;
  mqtts: ListenAddress;
  https: ListenAddress;
  /** Plain TCP, anonymous, allow-all. Undefined: off. */
  mqtt: ListenAddress | undefined;
  /** Of all listeners together. Default {@link connectionsTotalMax}. */
  connectionsMax?: number;
  /** What the account has logged of its clients. Default: nothing. */
  iotLog?: IotLog | undefined;
  /** Default: the transport's. */
  handshakeTimeoutMs?: number;
  /** Called for each refused connection, after it was logged and counted. */
  onRefused?: (refusal: Refusal & { remote: Endpoint }) => void;
}

export interface GatewayStats {
  connectionsAccepted: number;
  connectionsRefused: Readonly<Record<RefusalReason, number>>;
  /** Transport connections that are open now. */
  connectionsOpen: number;
}

export interface Gateway {
  readonly mqtts: Endpoint;
  readonly https: Endpoint;
  readonly mqtt: Endpoint | undefined;
  stats(): GatewayStats;
  /** Refuses whatever comes from now on; open connections stay. */
  stop(): void;
  /** Stops listening and closes what is open. Safe to call twice. */
  close(): Promise<void>;
}

/**
 * Opens the listeners and turns certificates into identities.
 *
 * @throws {ThinglineError} PORT_IN_USE, OPTION_INVALID.
 */
export async function openGateway(options: GatewayOptions): Promise<Gateway> {
  const refused: Record<RefusalReason, number> = {
    noCertificate: 0,
    certificateUnreadable: 0,
    certificateUnknown: 0,
    certificateNotActive: 0,
    certificateNotYetValid: 0,
    certificateExpired: 0,
    registryFailed: 0,
    handshakeFailed: 0,
    handshakeTimeout: 0,
    upgradeRefused: 0,
    connectionLimit: 0,
    domainRefused: 0,
    callbackRefused: 0,
  };
  const listeners: Listener[] = [];
  let accepted = 0;
  let isStopped = false;
  let closing: Promise<void> | undefined;

  const refuse = (refusal: Refusal, remote: Endpoint) => {
    refused[refusal.reason]++;
    options.log.warn("connectionRefused", {
      reason: refusal.reason,
      explanation: refusal.explanation,
      ...(refusal.certificateId === undefined ? {} : { certificateId: refusal.certificateId }),
      remote: `${remote.host}:${remote.port}`,
    });
    const { iotLog = noIotLog } = options;
    if (iotLog.verbosity >= verbosityOf.ERROR) iotLog.write(refusedEntry(refusal, remote));
    options.onRefused?.({ ...refusal, remote });
  };

  const countOpen = () => listeners.reduce((sum, { connectionCount }) => sum + connectionCount, 0);
  const { connectionsMax = connectionsTotalMax, domains } = options;

  /** A listener keeps the bound for itself, and knows nothing of the others. What it has just handed over counts already. */
  const isTurnedAway = (connection: Connection) => {
    if (!isStopped && countOpen() <= connectionsMax) return false;
    const explanation = `${connectionsMax} connections are open already, those of all listeners together`;
    if (!isStopped) refuse({ reason: "connectionLimit", explanation }, connection.remote);
    connection.destroy();
    return true;
  };

  const acceptSecure = (connection: Connection) => {
    if (isTurnedAway(connection)) return;
    const take = (result: Identified) => {
      if (isStopped) return connection.destroy();
      if ("refusal" in result) {
        refuse(result.refusal, connection.remote);
        return connection.destroy();
      }
      accepted++;
      options.accept(connection, result.identity);
    };
    identify(connection, options)
      .then(take)
      .catch((error: unknown) => {
        const explanation = `the registry could not be asked: ${error instanceof Error ? error.message : String(error)}`;
        refuse({ reason: "registryFailed", explanation }, connection.remote);
        connection.destroy();
      });
  };

  const acceptPlain = (connection: Connection) => {
    if (isTurnedAway(connection)) return;
    accepted++;
    options.accept(connection, anonymousIdentity);
  };

  const shared: Partial<ListenOptions> = {
    connectionsMax,
    onRefused: (error, remote) => {
      refuse(explainTransportRefusal(error), remote);
    },
  };
  const tls = (alpnProtocols: readonly string[]): ListenOptions["tls"] => ({
    certificate: options.server.certificate,
    privateKey: options.server.privateKey,
    requestsClientCertificate: true,
    alpnProtocols,
    ...(domains !== undefined && {
      selectServer: (serverName: string | undefined) => domains.selectServer(serverName),
    }),
    ...(options.handshakeTimeoutMs === undefined ? {} : { handshakeTimeoutMs: options.handshakeTimeoutMs }),
  });

  const open = async (
    address: ListenAddress,
    extra: Partial<ListenOptions>,
    onConnection: (connection: Connection) => void,
  ) => {
    const opened = await listenTogether(options.network, address, { ...shared, ...extra }, onConnection);
    listeners.push(...opened.listeners);
    return opened.endpoint;
  };

  const closeAll = async () => {
    isStopped = true;
    await Promise.all(listeners.map((listener) => listener.close()));
  };
  try {
    const mqtts = await open(options.mqtts, { tls: tls(rawAlpnProtocols) }, acceptSecure);
    const https = await open(
      options.https,
      {
        tls: tls([...rawAlpnProtocols, httpAlpnProtocol, "http/1.1"]),
        webSocket: {
          path: webSocketPath,
          faultOf: (request) => options.upgradeFault(request.headers) ?? signatureFault(options.signerOf?.(request)),
          ...(options.handleHttp !== undefined && { handle: options.handleHttp }),
        },
        rawAlpnProtocols,
      },
      acceptSecure,
    );
    const mqtt = options.mqtt === undefined ? undefined : await open(options.mqtt, {}, acceptPlain);
    return {
      mqtts,
      https,
      mqtt,
      stats: () => ({
        connectionsAccepted: accepted,
        connectionsRefused: { ...refused },
        connectionsOpen: countOpen(),
      }),
      stop: () => void (isStopped = true),
      close: () => (closing ??= closeAll()),
    };
  } catch (error) {
    await closeAll();
    throw error;
  }
}

/** `origin`: of a certificate that is ACTIVE. */
type Identified = { identity: ConnectionIdentity; origin?: ConnectionOrigin } | { refusal: Refusal };

async function identify(connection: Connection, options: GatewayOptions): Promise<Identified> {
  const { domains } = options;
  const { webSocketRequest } = connection;
  const signer = webSocketRequest && (await options.signerOf?.(webSocketRequest));
  if (signer !== undefined && "fault" in signer)
    return { refusal: { reason: "upgradeRefused", explanation: signer.fault } };
  if (domains === undefined)
    return signer === undefined ? identifyCertificate(connection, options) : { identity: signedIdentity(signer) };
  const at = seenBy(connection, signer !== undefined);
  const domain = await domains.find(at.serverName);
  const demand = await domains.demandOf(domain, at);
  if (typeof demand === "object") return { refusal: { reason: "domainRefused", explanation: demand.refusal } };
  if (demand === "signature" && signer !== undefined) return { identity: signedIdentity(signer) };
  const { principals } = options;
  const { serverName } = at;
  if (demand === "credentials") {
    const facts = { sourceIp: connection.remote.host, serverName };
    const identity = domains.customIdentity(domain, at, {
      certificateId: undefined,
      authorize: (policies, request) => principals.authorizeOther(facts, policies, request),
    });
    return { identity };
  }
  const known = await identifyCertificate(connection, options);
  // A certificate that is not registered yet has its own way.
  if ("refusal" in known || known.origin === undefined) return known;
  const { origin } = known;
  if (at.certificate !== undefined) {
    const { certificateId } = origin;
    const facts = { certificateId, certificate: at.certificate, serverName };
    const explanation = await domains.askCallback(domain, facts);
    if (explanation !== undefined) return { refusal: { reason: "callbackRefused", explanation, certificateId } };
  }
  if (demand === "certificate") return known;
  const identity = domains.customIdentity(domain, at, {
    certificateId: origin.certificateId,
    authorize: (policies, request) => principals.authorizeConnect(origin, request, policies),
  });
  return { identity };
}

/** Who signed, or why it is not taken. */
export type Signer = { principalId: string } | { fault: string };

/** What can be said before the upgrade is answered; the rest ends the connection after it. */
function signatureFault(signer: Signer | Promise<Signer> | undefined): string | undefined {
  return signer !== undefined && !(signer instanceof Promise) && "fault" in signer ? signer.fault : undefined;
}

/** IAM would say what it may: everything. */
const signedIdentity = ({ principalId }: { principalId: string }): ConnectionIdentity => ({
  certificateId: undefined,
  principalId,
  authorizeConnect: async () => ({
    decision: {
      isAllowed: true,
      explanation: "signed by a known access key, for which the local cloud has no policies",
    },
    authorizer: allowAllAuthorizer,
  }),
});

function seenBy({ secure, webSocketRequest }: Connection, isSigned: boolean): DomainConnection {
  const { path = "", headers = {} } = webSocketRequest ?? {};
  const question = path.indexOf("?");
  const http = { headers, queryString: question < 0 ? "" : path.slice(question) };
  return {
    serverName: secure?.serverName,
    alpnProtocol: secure?.alpnProtocol,
    certificate: secure?.peerCertificate,
    isSigned,
    http: webSocketRequest === undefined ? undefined : http,
  };
}

async function identifyCertificate(
  connection: Connection,
  { clock, fingerprint, principals, firstConnections }: GatewayOptions,
): Promise<Identified> {
  const certificate = connection.secure?.peerCertificate;
  const serverName = connection.secure?.serverName;
  const check = await checkCertificate({
    certificate,
    nowMs: clock.unixMs(),
    fingerprint,
    findStatus: (certificateId) => principals.findStatus(certificateId),
    findElsewhere: (certificateId) => principals.findElsewhere(certificateId),
    judgeFirst: firstConnections && ((unknown) => firstConnections.judge(unknown, serverName)),
  });
  if ("refusal" in check) return check;
  const { certificateId, facts, caCertificateId } = check;
  if (caCertificateId !== undefined && certificate !== undefined && firstConnections !== undefined) {
    return { identity: firstIdentity(firstConnections, { certificate, certificateId, caCertificateId }) };
  }
  const origin: ConnectionOrigin = { certificateId, facts, sourceIp: connection.remote.host, serverName };
  const authorizeConnect = (request: ConnectRequest) => principals.authorizeConnect(origin, request);
  return { origin, identity: { certificateId, authorizeConnect } };
}

const anonymousIdentity: ConnectionIdentity = {
  certificateId: undefined,
  authorizeConnect: async ({ clientId }) => ({
    decision: allowAllAuthorizer.authorize("iot:Connect", `client/${clientId}`),
    authorizer: allowAllAuthorizer,
  }),
};

/** A peer that failed before it became a connection. */
function explainTransportRefusal({ code, message, details }: ThinglineError): Refusal {
  if (code === "TIMEOUT") return { reason: "handshakeTimeout", explanation: message };
  if (code === "LIMIT_EXCEEDED") return { reason: "connectionLimit", explanation: message };
  if (code === "CONNECTION_REFUSED") return { reason: "upgradeRefused", explanation: message };
  const isDistrust = distrustAlerts.has(String(details["alert"]));
  const advice = isDistrust ? "; the client does not trust this server: give it the CA file of this cloud" : "";
  return { reason: "handshakeFailed", explanation: message + advice };
}

/** RFC 8446 §6.2: what a client says that could not verify the server's certificate. */
const distrustAlerts: ReadonlySet<string> = new Set(["unknown_ca", "bad_certificate", "certificate_unknown"]);

/** A client that did not come as far as its CONNECT. */
function refusedEntry({ reason, explanation, certificateId }: Refusal, { host, port }: Endpoint): IotLogEntry {
  const eventType = "Connection.AuthNError";
  const who = { principalId: certificateId, sourceIp: host, sourcePort: port };
  return { level: "ERROR", eventType, isFailure: true, protocol: "MQTT", ...who, reason, details: explanation };
}
