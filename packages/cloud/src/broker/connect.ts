import {
  checkTopicName,
  connackProperties,
  connectReturnCodes,
  negotiateConnect,
  reasonCodes,
  type ConnectPacket,
  type ConnectTerms,
} from "@thingline/protocol/mqtt";
import { isThinglineError } from "@thingline/protocol";
import type { Authorizer, ConnectRequest } from "../policy/authorizer.js";
import type { ClientConnection } from "./client-connection.js";
import { drain } from "./delivery.js";
import { isPublishableReservedTopic, isReservedTopic } from "./reserved-topics.js";
import { abandonSession, lacksRoom, openSession } from "./session-lifecycle.js";
import { faultOfProperties, faultOfResponseTopic, topicLimits } from "../services/message-limits.js";

/** Answers a CONNECT. Everything for one client id happens one after the other. */
export function connect(client: ClientConnection, packet: ConnectPacket): void {
  const { core } = client;
  const negotiation = negotiateConnect(packet, core.limits);
  if ("refusal" in negotiation) {
    refuse(client, negotiation.refusal.returnCode, negotiation.refusal.reason);
    return;
  }
  const fault = faultOfOwnProperties(client, packet) ?? faultOfWill(client, packet);
  if (fault !== undefined) {
    refuse(client, packet.version === 5 ? fault.reasonCode : undefined, fault.reason);
    return;
  }
  const { terms } = negotiation;
  client.terms = terms;
  const assignedClientId = terms.clientId === "" ? `$GEN/${core.options.random.uuid()}` : undefined;
  client.clientId = assignedClientId ?? terms.clientId;
  core
    .inTurn(client.clientId, () => acceptInTurn(client, packet, terms, assignedClientId))
    .catch((error: unknown) => {
      // close() ends the wait of those who connect too often; their connections are closed already.
      if (core.isClosed) return;
      core.counters.storeFailures++;
      core.options.log.error("connectFailed", { clientId: client.clientId, error: String(error) });
      refuse(client, packet.version === 5 ? reasonCodes.unspecifiedError : 3, "the server failed");
    });
}

async function acceptInTurn(
  client: ClientConnection,
  packet: ConnectPacket,
  terms: ConnectTerms,
  assignedClientId: string | undefined,
): Promise<void> {
  const { core, clientId } = client;
  if (isGone(client)) return;
  const { will } = packet;
  const request: ConnectRequest = {
    clientId,
    wantsPersistentSession: terms.sessionExpirySeconds > 0,
    will: will === undefined ? undefined : { topic: will.topic, isRetained: will.isRetained },
  };
  client.connectRequest = request;
  client.rememberPrincipal();
  let authorizer = await authorize(client, request);
  if (authorizer === undefined) return;
  // Only those who may connect: others must not use up the client id's rate.
  await core.connectRate.wait(clientId, (waitMs) => {
    core.counters.connectsThrottled++;
    core.hit("connectsPerSecondPerClientId", { clientId, delayMs: waitMs });
  });
  authorizer = isGone(client) ? undefined : await authorizeAgain(client, request, authorizer);
  if (authorizer === undefined) return;
  const known = core.sessions.get(clientId);
  if (known?.connection !== undefined) {
    // Before the other connection is thrown off, which would be for nothing.
    if (lacksRoom(core, known, terms.sessionExpirySeconds)) return refuseForRoom(client);
    core.counters.sessionsTakenOver++;
    known.connection.end("DUPLICATE_CLIENTID");
  }
  const opened = await openSession(core, clientId, {
    version: packet.version,
    isCleanStart: packet.isCleanStart,
    expirySeconds: terms.sessionExpirySeconds,
  });
  if (opened === undefined) return refuseForRoom(client);
  const { session, isPresent } = opened;
  authorizer = await authorizeAgain(client, request, authorizer);
  if (authorizer === undefined || isGone(client)) {
    // The session was opened for nobody: it goes the way of any session whose connection is lost.
    abandonSession(core, session, terms.sessionExpirySeconds);
    return;
  }
  welcome(client, session, authorizer, isPresent, assignedClientId);
}

/** Asks for the CONNECT and denies it when the answer is no. @returns undefined when it is denied or the client is gone. */
async function authorize(client: ClientConnection, request: ConnectRequest): Promise<Authorizer | undefined> {
  client.authorizedAt = client.principalChanges;
  const { decision, authorizer } = await client.identity.authorizeConnect(request);
  if (isGone(client)) return undefined;
  if (decision.isAllowed) return authorizer;
  deny(client, decision.explanation);
  return undefined;
}

/** The principal may have changed while the client waited: what was allowed then may be denied now. */
async function authorizeAgain(
  client: ClientConnection,
  request: ConnectRequest,
  authorizer: Authorizer,
): Promise<Authorizer | undefined> {
  let current: Authorizer | undefined = authorizer;
  while (current !== undefined && client.authorizedAt !== client.principalChanges)
    current = await authorize(client, request);
  return current;
}

function welcome(
  client: ClientConnection,
  session: NonNullable<ClientConnection["session"]>,
  authorizer: Authorizer,
  isPresent: boolean,
  assignedClientId: string | undefined,
): void {
  const { core, clientId, version, certificateId } = client;
  client.connected(session, authorizer);
  core.connectedCount++;
  core.counters.connectsAccepted++;
  const properties =
    version === 5 ? { properties: connackProperties(client.terms, core.limits, assignedClientId) } : {};
  client.send({ type: "connack", isSessionPresent: isPresent, reasonCode: 0, ...properties });
  const { keepAliveSeconds, sessionExpirySeconds } = client.terms;
  core.options.log.info("connected", {
    clientId,
    certificateId,
    version: version === 5 ? "5" : "3.1.1",
    keepAliveSeconds,
    sessionExpirySeconds,
    isPresent,
    remote: client.connection.remote.host,
  });
  core.options.onConnected?.({ clientId, certificateId });
  drain(core, client);
}

const isGone = (client: ClientConnection): boolean => client.state !== "connecting" || client.core.isClosed;

/** MQTT 3.1.1: AWS closes without a CONNACK. MQTT 5: a CONNACK that says so, then the end. */
function deny(client: ClientConnection, explanation: string): void {
  const { core, clientId, version, certificateId } = client;
  core.counters.connectsDenied++;
  core.options.log.warn("connectDenied", { action: "iot:Connect", clientId, certificateId, explanation });
  if (version === 5) {
    // AWS's own words, with an id that finds the line in its log; ours is found by the client id.
    const id = core.options.random.uuid();
    const reasonString = `CONNACK:Client is not authenticated/authorized to send the message:${id}`;
    sendRefusal(client, reasonCodes.notAuthorized, reasonString);
  }
  client.end("AUTH_ERROR", { reasonString: explanation });
}

/** A CONNECT that breaks a rule or limit. */
function refuse(client: ClientConnection, returnCode: number | undefined, reason: string): void {
  const { core, clientId, connection } = client;
  if (client.state !== "connecting") return;
  core.counters.limitsHit++;
  core.options.log.warn("connectRefused", { clientId, remote: connection.remote.host, reason });
  if (returnCode !== undefined) sendRefusal(client, returnCode, reason);
  client.end("CONNECT_REFUSED", { reasonString: reason });
}

function refuseForRoom(client: ClientConnection): void {
  const { sessionsMax } = client.core.limits;
  const reason = `there are ${sessionsMax} persistent sessions already (sessionsMax); connect with a clean session, or end others`;
  refuse(client, client.version === 5 ? reasonCodes.quotaExceeded : connectReturnCodes.serverUnavailable, reason);
}

function sendRefusal(client: ClientConnection, reasonCode: number, reasonString: string): void {
  // [MQTT-3.1.2-29] is not about CONNACK: a reason string may always be there.
  const properties = client.version === 5 ? { properties: { reasonString } } : {};
  client.send({ type: "connack", isSessionPresent: false, reasonCode, ...properties });
}

interface Fault {
  reasonCode: number;
  reason: string;
}

function faultOfOwnProperties({ core }: ClientConnection, { properties }: ConnectPacket): Fault | undefined {
  const reason = faultOfProperties(core.limits, properties);
  return reason === undefined ? undefined : { reasonCode: reasonCodes.quotaExceeded, reason };
}

function faultOfWill({ core }: ClientConnection, { will }: ConnectPacket): Fault | undefined {
  if (will === undefined) return undefined;
  const invalid = (reason: string) => ({ reasonCode: reasonCodes.topicNameInvalid, reason });
  try {
    checkTopicName(will.topic, topicLimits(core.limits));
  } catch (error) {
    if (!isThinglineError(error, "TOPIC_NAME_INVALID")) throw error;
    return invalid(`the will's topic: ${error.message}`);
  }
  if (isReservedTopic(will.topic)) {
    if (!isPublishableReservedTopic(will.topic)) return invalid(`a client may not publish to "${will.topic}"`);
    if (will.isRetained) return invalid(`RETAIN may not be used on the reserved topic "${will.topic}"`);
  }
  const { payloadBytesMax } = core.limits;
  if (will.payload.length > payloadBytesMax) {
    const reason = `a will of ${will.payload.length} bytes, at most ${payloadBytesMax} are allowed`;
    return { reasonCode: reasonCodes.quotaExceeded, reason };
  }
  const topicFault = faultOfResponseTopic(core.limits, will.properties);
  if (topicFault !== undefined) return invalid(`the will: ${topicFault}`);
  const fault = faultOfProperties(core.limits, will.properties);
  return fault === undefined ? undefined : { reasonCode: reasonCodes.quotaExceeded, reason: `the will: ${fault}` };
}
