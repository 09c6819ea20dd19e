import {
  connackProperties,
  connectReturnCodes,
  negotiateConnect,
  reasonCodes,
  type ConnectPacket,
  type MqttVersion,
} from "@thingline/protocol/mqtt";
import { verbosityOf } from "../services/iot-log.js";
import type { Authorizer, ConnectRequest, Decision } from "../policy/authorizer.js";
import type { ClientIdOrder } from "./client-id-order.js";
import { Principal, type ClientLink, type ConnectAttempt } from "./connect-attempt.js";
import { faultOfConnect } from "./connect-faults.js";
import type { ConnectRate } from "./connect-rate.js";
import { ConnectedClient } from "./connected-client.js";
import type { Connections } from "./connections.js";
import type { BrokerContext } from "./context.js";
import type { Delivery } from "./delivery.js";
import type { GroupQueues } from "./group-queue.js";
import { clientEntry, unauthorized } from "./iot-entries.js";
import type { LifecycleEvents } from "./lifecycle-events.js";
import type { BrokerSession } from "./session.js";
import type { SessionLifecycle } from "./session-lifecycle.js";
import { ownerOf } from "./session-owner.js";
import type { Sessions } from "./sessions.js";
import type { Turns } from "./turn.js";
import type { UnsentOutput } from "./unsent-output.js";
import { ownWill } from "./will.js";

/** A connection whose CONNECT is being answered. */
export interface ConnectingLink extends ClientLink {
  /** The CONNECT was accepted and the session is there: from now on packets are handled. */
  connected(client: ConnectedClient): void;
}

export interface ConnectorParts {
  connections: Connections;
  delivery: Delivery;
  events: LifecycleEvents;
  groups: GroupQueues;
  lifecycle: SessionLifecycle;
  order: ClientIdOrder;
  rate: ConnectRate;
  sessions: Sessions;
  turns: Turns;
  unsent: UnsentOutput;
}

/** Answers CONNECTs. Everything for one client id happens one after the other. */
export class Connector {
  private readonly context: BrokerContext;
  private readonly parts: ConnectorParts;
  private isClosed = false;

  constructor(context: BrokerContext, parts: ConnectorParts) {
    this.context = context;
    this.parts = parts;
  }

  /** No CONNECT is accepted any more, and none waits for its time. */
  close(): void {
    this.isClosed = true;
    this.parts.rate.close();
  }

  /** @returns undefined when the CONNECT is refused for what it says */
  examine(link: ClientLink, packet: ConnectPacket): ConnectAttempt | undefined {
    const { limits, random } = this.context;
    const { version, will, clientId } = packet;
    const negotiation = negotiateConnect(packet, limits);
    if ("refusal" in negotiation) {
      this.refuse({ link, version, clientId }, negotiation.refusal.returnCode, negotiation.refusal.reason);
      return undefined;
    }
    const fault = faultOfConnect(limits, packet);
    if (fault !== undefined) {
      this.refuse({ link, version, clientId }, version === 5 ? fault.reasonCode : undefined, fault.reason);
      return undefined;
    }
    const { terms } = negotiation;
    link.identity.present?.({ clientId, username: packet.username, password: packet.password });
    const assignedClientId = terms.clientId === "" ? `$GEN/${random.uuid()}` : undefined;
    const request: ConnectRequest = {
      clientId: assignedClientId ?? terms.clientId,
      wantsPersistentSession: terms.sessionExpirySeconds > 0,
      will: will === undefined ? undefined : { topic: will.topic, isRetained: will.isRetained },
    };
    return {
      link,
      clientId: request.clientId,
      version,
      terms,
      assignedClientId,
      isCleanStart: packet.isCleanStart,
      will: will === undefined ? undefined : ownWill(will),
      wantsReasons: packet.properties?.requestProblemInformation !== 0,
      principal: new Principal(link.identity, request),
    };
  }

  /** Answers the CONNECT, after all that is under way for its client id. */
  connect(link: ConnectingLink, attempt: ConnectAttempt): void {
    this.parts.order
      .after(attempt.clientId, () => this.accept(link, attempt))
      .catch((error: unknown) => this.failed(attempt, error));
  }

  private failed(attempt: ConnectAttempt, error: unknown): void {
    // close() ends the wait of those that connect too often; their connections are closed already.
    if (this.isClosed) return;
    const { clientId, version } = attempt;
    this.context.counters.storeFailures++;
    this.context.log.error("connectFailed", { clientId, error: String(error) });
    this.refuse(attempt, version === 5 ? reasonCodes.unspecifiedError : 3, "the server failed");
  }

  private async accept(link: ConnectingLink, attempt: ConnectAttempt): Promise<void> {
    const { clientId, version, terms, isCleanStart } = attempt;
    const { lifecycle, sessions } = this.parts;
    const { sessionExpirySeconds: expirySeconds } = terms;
    if (this.isGone(attempt)) return;
    link.rememberPrincipal();
    let authorizer = await this.authorize(attempt);
    if (authorizer === undefined) return;
    // Only those that may connect: others must not use up the client id's rate.
    await this.parts.rate.wait(clientId, (waitMs) => {
      this.context.counters.connectsThrottled++;
      this.context.hit("connectsPerSecondPerClientId", { clientId, delayMs: waitMs });
    });
    authorizer = this.isGone(attempt) ? undefined : await this.authorizeAgain(attempt, authorizer);
    if (authorizer === undefined) return;
    const owner = ownerOf(clientId, authorizer, link.identity);
    const known = sessions.get(clientId);
    if (known?.connection !== undefined) {
      // Before the other connection is thrown off, which would be for nothing.
      if (lifecycle.lacksRoom(lifecycle.kept(clientId, owner), expirySeconds)) return this.refuseForRoom(attempt);
      this.context.counters.sessionsTakenOver++;
      known.connection.end("DUPLICATE_CLIENTID");
    }
    const opened = await lifecycle.open(clientId, { owner, version, isCleanStart, expirySeconds });
    if (opened === undefined) return this.refuseForRoom(attempt);
    const { session, isPresent } = opened;
    authorizer = await this.authorizeAgain(attempt, authorizer);
    if (authorizer === undefined || this.isGone(attempt)) {
      // The session was opened for nobody: it goes the way of any session whose connection is lost.
      lifecycle.abandon(session, expirySeconds);
      return;
    }
    if (ownerOf(clientId, authorizer, link.identity) !== owner) {
      lifecycle.abandon(session, expirySeconds);
      const code = version === 5 ? reasonCodes.serverBusy : connectReturnCodes.serverUnavailable;
      return this.refuse(attempt, code, "the thing of the certificate changed while it connected; connect again");
    }
    this.welcome(link, attempt, session, authorizer, isPresent);
  }

  private isGone({ link }: ConnectAttempt): boolean {
    return !link.isUnanswered || this.isClosed;
  }

  /** Asks for the CONNECT and denies it when the answer is no. @returns undefined when it is denied or the client is gone. */
  private async authorize(attempt: ConnectAttempt): Promise<Authorizer | undefined> {
    const { decision, authorizer } = await attempt.principal.ask();
    if (this.isGone(attempt)) return undefined;
    if (decision.isAllowed) return authorizer;
    this.deny(attempt, decision);
    return undefined;
  }

  /** The principal may have changed while the client waited: what was allowed then may be denied now. */
  private async authorizeAgain(attempt: ConnectAttempt, authorizer: Authorizer): Promise<Authorizer | undefined> {
    let current: Authorizer | undefined = authorizer;
    while (current !== undefined && attempt.principal.isOutOfDate) current = await this.authorize(attempt);
    return current;
  }

  private welcome(
    link: ConnectingLink,
    attempt: ConnectAttempt,
    session: BrokerSession,
    authorizer: Authorizer,
    isPresent: boolean,
  ): void {
    const { clientId, version, terms, assignedClientId } = attempt;
    const { limits, log } = this.context;
    const { connections, groups, delivery, turns, events } = this.parts;
    const turn = turns.begin();
    const client = new ConnectedClient(this.context, this.parts, attempt, session, authorizer);
    link.connected(client);
    connections.accepted();
    const properties = version === 5 ? { properties: connackProperties(terms, limits, assignedClientId) } : {};
    client.send(turn, { type: "connack", isSessionPresent: isPresent, reasonCode: 0, ...properties });
    const { keepAliveSeconds, sessionExpirySeconds } = terms;
    log.info("connected", {
      clientId,
      certificateId: client.certificateId,
      ...(link.identity.principalId !== undefined && { principalId: link.identity.principalId }),
      version: version === 5 ? "5" : "3.1.1",
      keepAliveSeconds,
      sessionExpirySeconds,
      isPresent,
      remote: link.connection.remote.host,
    });
    const { iotLog } = this.context;
    if (iotLog.verbosity >= verbosityOf.INFO) {
      iotLog.write(clientEntry(client, { level: "INFO", eventType: "Connect" }));
    }
    events.connected(client);
    groups.changed(session);
    delivery.drain(turn, session);
    turns.end(turn);
  }

  // No

  /** MQTT 3.1.1: AWS closes without a CONNACK. MQTT 5: a CONNACK that says so, then the end. */
  private deny(attempt: ConnectAttempt, { explanation, isSilent = false }: Decision): void {
    const { link, clientId, version } = attempt;
    const { counters, iotLog, log, random } = this.context;
    const { certificateId } = link.identity;
    counters.connectsDenied++;
    if (isSilent) return link.end("AUTH_ERROR", { reasonString: explanation });
    log.warn("connectDenied", { action: "iot:Connect", clientId, certificateId, explanation });
    if (iotLog.verbosity >= verbosityOf.ERROR) {
      const { connection } = link;
      iotLog.write(clientEntry({ clientId, certificateId, connection }, unauthorized("Connect", explanation)));
    }
    if (version === 5) {
      // AWS's own words, with an id that finds the line in its log; ours is found by the client id.
      const reasonString = `CONNACK:Client is not authenticated/authorized to send the message:${random.uuid()}`;
      sendRefusal(link, version, reasonCodes.notAuthorized, reasonString);
    }
    link.end("AUTH_ERROR", { reasonString: explanation });
    this.parts.events.connectFailed(attempt);
  }

  private refuseForRoom(attempt: ConnectAttempt): void {
    const { sessionsMax } = this.context.limits;
    const reason = `there are ${sessionsMax} persistent sessions already (sessionsMax); connect with a clean session, or end others`;
    const code = attempt.version === 5 ? reasonCodes.quotaExceeded : connectReturnCodes.serverUnavailable;
    this.refuse(attempt, code, reason);
  }

  /** A CONNECT that breaks a rule or limit. */
  private refuse(
    { link, version, clientId }: Pick<ConnectAttempt, "link" | "version" | "clientId">,
    returnCode: number | undefined,
    reason: string,
  ): void {
    if (!link.isUnanswered) return;
    this.context.counters.limitsHit++;
    const { iotLog, log } = this.context;
    const { connection, identity } = link;
    log.warn("connectRefused", { clientId, remote: connection.remote.host, reason });
    if (iotLog.verbosity >= verbosityOf.ERROR) {
      const { certificateId } = identity;
      const refused = { level: "ERROR", eventType: "Connect", isFailure: true, details: reason } as const;
      iotLog.write(clientEntry({ clientId, certificateId, connection }, { ...refused, reason: "CLIENT_ERROR" }));
    }
    if (returnCode !== undefined) sendRefusal(link, version, returnCode, reason);
    link.end("CONNECT_REFUSED", { reasonString: reason });
  }
}

function sendRefusal(link: ClientLink, version: MqttVersion, reasonCode: number, reasonString: string): void {
  // [MQTT-3.1.2-29] is not about CONNACK: a reason string may always be there.
  const properties = version === 5 ? { properties: { reasonString } } : {};
  link.send({ type: "connack", isSessionPresent: false, reasonCode, ...properties }, version);
}
