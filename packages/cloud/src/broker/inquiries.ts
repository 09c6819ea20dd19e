import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { BusControl, ClientAnswer, ClientQuestion } from "../bus/bus.js";
import type { BusLink } from "../bus/bus-link.js";
import type {
  ClientFacts,
  Clients,
  ClientSubscription,
  DirectMessage,
  DirectOutcome,
  DisconnectTerms,
} from "../services/client-directory.js";
import { factsOfRecord, type ClientDesk } from "./client-desk.js";
import type { ClientIdOrder } from "./client-id-order.js";
import type { BrokerContext } from "./context.js";
import { loadSession, storedNamesOf, type StoredSession } from "./session-store.js";
import type { SessionLifecycle } from "./session-lifecycle.js";

/** Questions of one broker that are not answered; more are refused. */
export const openQuestionsMax = 1_000;
/** How long after its PUBACK was due an outcome may still come from another node. */
const outcomeGraceMs = 2_000;

export interface InquiriesParts {
  desk: ClientDesk;
  lifecycle: SessionLifecycle;
  order: ClientIdOrder;
  port: BusLink;
}

type QuestionOf = Extract<BusControl, { type: "clientQuestion" }>;
type AnswerOf = Extract<BusControl, { type: "clientAnswer" }>;

/** The clients of all brokers: asks the desk of this one, and those of the others. */
export class Inquiries implements Clients {
  private readonly context: BrokerContext;
  private readonly parts: InquiriesParts;
  /** By their numbers: what hears the answers. */
  private readonly open = new Map<number, (answer: ClientAnswer) => void>();
  private asked = 0;

  constructor(context: BrokerContext, parts: InquiriesParts) {
    this.context = context;
    this.parts = parts;
  }

  /** Questions that somebody still waits for. */
  get openCount(): number {
    return this.open.size;
  }

  // Asking

  async describe(clientId: string): Promise<ClientFacts | undefined> {
    const { desk, port } = this.parts;
    let best = desk.describe(clientId);
    if (port.isAlone || best?.isConnected === true) return best;
    await this.ask({ type: "describe", clientId }, (answer) => {
      if (answer.type === "described") for (const facts of answer.facts) best = better(best, facts as ClientFacts);
      return best?.isConnected === true;
    });
    if (best !== undefined) return best;
    const left = await this.leftOf(clientId);
    return left && factsOfRecord(clientId, left.record);
  }

  async subscriptions(clientId: string): Promise<readonly ClientSubscription[] | undefined> {
    const { desk, port } = this.parts;
    let found = desk.subscriptions(clientId);
    if (port.isAlone || found !== undefined) return found;
    await this.ask({ type: "subscriptions", clientId }, (answer) => {
      if (answer.type === "subscriptions") found = answer.subscriptions;
      return found !== undefined;
    });
    if (found !== undefined) return found;
    const left = await this.leftOf(clientId);
    return left && [...left.subscriptions].map(([topicFilter, { qos }]) => ({ topicFilter, qos: qos === 0 ? 0 : 1 }));
  }

  async list({ after, limit }: { after: string; limit: number }): Promise<readonly ClientFacts[]> {
    const { desk, port } = this.parts;
    const own = desk.list(after, limit);
    if (port.isAlone) return own;
    const byId = new Map(own.map((facts) => [facts.clientId, facts]));
    await this.ask({ type: "list", after, limit }, (answer) => {
      if (answer.type !== "described") return false;
      for (const facts of answer.facts as readonly ClientFacts[])
        byId.set(facts.clientId, better(byId.get(facts.clientId), facts));
      return false;
    });
    const ids = [...byId.keys()].sort((one, other) => (one < other ? -1 : 1));
    return ids.slice(0, limit).map((id) => byId.get(id)!);
  }

  async disconnect(clientId: string, terms: DisconnectTerms): Promise<boolean> {
    const { desk, lifecycle, order, port } = this.parts;
    let isAny = await desk.disconnect(clientId, terms);
    if (port.isAlone) return isAny;
    const { endsSession, preventsWill } = terms;
    await this.ask({ type: "disconnect", clientId, endsSession, preventsWill }, (answer) => {
      isAny ||= answer.type === "disconnected";
      return false;
    });
    // What a node left that is over is in nobody's hands for a while.
    if (endsSession) return (await order.after(clientId, () => lifecycle.endAll(clientId, true))) || isAny;
    return isAny || (await this.leftOf(clientId)) !== undefined;
  }

  async send(clientId: string, message: DirectMessage, waitMs: number | undefined): Promise<DirectOutcome> {
    const { desk, port } = this.parts;
    const own = await desk.send(clientId, message, waitMs);
    if (port.isAlone || (own !== "notConnected" && own !== "sessionOffline")) return own;
    const said: { outcome: DirectOutcome | "waiting" } = { outcome: own };
    let settle!: (outcome: DirectOutcome) => void;
    const settled = new Promise<DirectOutcome>((resolve) => (settle = resolve));
    const number = await this.ask(
      { type: "send", clientId, ...message, waitMs },
      (answer) => {
        if (answer.type !== "sent") return false;
        const outcome = answer.outcome as DirectOutcome | "waiting";
        if (outcome === "notConnected") return false;
        said.outcome = outcome;
        if (outcome !== "waiting") settle(outcome);
        return outcome !== "sessionOffline";
      },
      waitMs !== undefined,
    );
    const { outcome } = said;
    if (outcome !== "waiting") {
      this.open.delete(number);
      if (outcome === "notConnected" && (await this.leftOf(clientId)) !== undefined) return "sessionOffline";
      return outcome;
    }
    const timer = this.context.clock.setTimer((waitMs ?? 0) + outcomeGraceMs, () => settle("unanswered"));
    try {
      return await settled;
    } finally {
      timer.cancel();
      this.open.delete(number);
    }
  }

  /**
   * Asks all others. Resolves when one has said enough, or all have said what they know.
   *
   * @param take hears each answer, and says whether it is enough
   * @param staysOpen more may be said after the first answer: the caller closes the question
   * @throws {ThinglineError} LIMIT_EXCEEDED, NODE_SILENT, CLOSED
   */
  private async ask(
    question: ClientQuestion,
    take: (answer: ClientAnswer) => boolean,
    staysOpen = false,
  ): Promise<number> {
    if (this.open.size >= openQuestionsMax) {
      throw new ThinglineError("LIMIT_EXCEEDED", `${openQuestionsMax} questions to other nodes are not answered`);
    }
    const number = ++this.asked;
    try {
      await new Promise<void>((resolve, reject) => {
        this.open.set(number, (answer) => {
          if (take(answer)) resolve();
        });
        const order = { type: "clientQuestion", from: this.context.brokerId, number, question } as const;
        (this.parts.port.control(order) ?? Promise.resolve()).then(resolve, reject);
      });
      if (!staysOpen) this.open.delete(number);
      return number;
    } catch (error) {
      this.open.delete(number);
      if (!isThinglineError(error, "TIMEOUT")) throw error;
      const message = "another node does not answer, and nobody has its clients yet; ask again";
      throw new ThinglineError("NODE_SILENT", message, { cause: error });
    }
  }

  /** A persistent session that no broker has in memory. */
  private async leftOf(clientId: string): Promise<StoredSession | undefined> {
    const [name] = await storedNamesOf(this.context, clientId);
    return name === undefined ? undefined : loadSession(this.context.store, this.context.keys, name);
  }

  // Being asked

  /** Resolves when whoever asked has the answer. */
  hear({ from, number, question }: QuestionOf): Promise<void> | undefined {
    const answer = (said: ClientAnswer | undefined): Promise<void> | undefined =>
      said && this.parts.port.control({ type: "clientAnswer", to: from, number, answer: said });
    if (question.type === "disconnect") {
      const { clientId } = question;
      return this.parts.desk
        .disconnect(clientId, question)
        .then((isAny) => answer(isAny ? { type: "disconnected" } : undefined));
    }
    if (question.type !== "send") return answer(this.answerTo(question));
    const outcome = this.parts.desk.send(question.clientId, question, question.waitMs);
    if (typeof outcome === "string") return answer({ type: "sent", outcome });
    // Nobody waits for the rest of the question: it may take longer than the bus waits.
    void outcome.then((later) => answer({ type: "sent", outcome: later })).catch(() => undefined);
    return answer({ type: "sent", outcome: "waiting" });
  }

  private answerTo(question: Exclude<ClientQuestion, { type: "disconnect" | "send" }>): ClientAnswer | undefined {
    const { desk } = this.parts;
    if (question.type === "list") return { type: "described", facts: desk.list(question.after, question.limit) };
    if (question.type === "describe") {
      const facts = desk.describe(question.clientId);
      return facts && { type: "described", facts: [facts] };
    }
    const subscriptions = desk.subscriptions(question.clientId);
    return subscriptions && { type: "subscriptions", subscriptions };
  }

  answered({ to, number, answer }: AnswerOf): void {
    if (to === this.context.brokerId) this.open.get(number)?.(answer);
  }
}

/** Who is connected knows best, then who saw the client last. */
function better(one: ClientFacts | undefined, other: ClientFacts): ClientFacts {
  if (one === undefined) return other;
  if (one.isConnected !== other.isConnected) return one.isConnected ? one : other;
  return one.sinceMs >= other.sinceMs ? one : other;
}
