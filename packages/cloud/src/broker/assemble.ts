import { EncodedTopics } from "@thingline/protocol/mqtt";
import type { BusReceiver } from "../bus/bus.js";
import { BusLink } from "../bus/bus-link.js";
import { createLocalBus } from "../bus/local-bus.js";
import { BusEar } from "./bus-ear.js";
import type { ClientConnectionParts } from "./client-connection.js";
import { ClientDesk } from "./client-desk.js";
import { ClientIdOrder } from "./client-id-order.js";
import { ClientPackets } from "./client-packets.js";
import { CommitGate } from "./commit-gate.js";
import { Connector } from "./connect.js";
import { ConnectRate } from "./connect-rate.js";
import { Connections } from "./connections.js";
import { BrokerContext } from "./context.js";
import { Delivery } from "./delivery.js";
import { GroupDelivery } from "./group-delivery.js";
import { GroupQueues } from "./group-queue.js";
import { InFlight } from "./in-flight.js";
import { InboundPublishes } from "./inbound-publish.js";
import { Inquiries } from "./inquiries.js";
import { Intake } from "./intake.js";
import { LifecycleEvents } from "./lifecycle-events.js";
import { Listeners, type Audience } from "./listener.js";
import { Pubacks } from "./puback.js";
import { QueueLedger } from "./queue-ledger.js";
import { isForServicesAlone, mayMatchEvents } from "./reserved-topics.js";
import { RecentEnds } from "./recent-ends.js";
import { RetainedMessages } from "./retained.js";
import type { BrokerIndex } from "./routes.js";
import { MovingSessions } from "./moving-sessions.js";
import { OtherBrokers } from "./other-brokers.js";
import { PublishSender } from "./send-publish.js";
import type { BrokerSession } from "./session.js";
import { SessionLifecycle } from "./session-lifecycle.js";
import { Sessions } from "./sessions.js";
import { Subscriptions } from "./subscribe.js";
import { SubscriptionIndex } from "./subscription-index.js";
import { Turns } from "./turn.js";
import type { BrokerOptions } from "./types.js";
import { UnsentOutput } from "./unsent-output.js";
import { Wills } from "./will.js";

/** Commits of sessions that are under way at once. */
const commitsMax = 1_000;

/** The parts of one broker, as its face needs them. */
export interface BrokerParts {
  context: BrokerContext;
  /** What each transport connection is made with. */
  clients: ClientConnectionParts;
  connections: Connections;
  connector: Connector;
  delivery: Delivery;
  ear: BusEar;
  events: LifecycleEvents;
  groups: GroupQueues;
  index: BrokerIndex;
  inquiries: Inquiries;
  intake: Intake;
  ledger: QueueLedger;
  lifecycle: SessionLifecycle;
  listeners: Listeners;
  order: ClientIdOrder;
  others: OtherBrokers;
  port: BusLink;
  retained: RetainedMessages;
  sessions: Sessions;
  turns: Turns;
}

/** Puts a broker together; nothing is loaded yet. */
export function assembleBroker(options: BrokerOptions): BrokerParts {
  const { services = [], bus = createLocalBus(), runner, onLifecycle } = options;
  const context = new BrokerContext(options);
  const { clock, limits } = context;
  const topics = new EncodedTopics({ topicsMax: limits.cachedTopicsMax });
  const turns = new Turns(clock, topics);
  const ledger = new QueueLedger();
  const gate = new CommitGate(commitsMax);
  const order = new ClientIdOrder();
  const unsent = new UnsentOutput(limits);
  const listeners = new Listeners(context, services, runner);
  const index = new SubscriptionIndex<BrokerSession, Audience>({
    cachedTopicsMax: limits.cachedTopicsMax,
    audienceOf: (topic) => listeners.of(topic),
    isHidden: isForServicesAlone,
    isWatched: mayMatchEvents,
  });
  listeners.watch(() => index.forgetRoutes());
  const retained = new RetainedMessages({ ...context, topics });
  const { node, brokerId: publisher } = context;
  const hearing: BusReceiver = {
    onMessage: (message) => ear.onMessage(message),
    onControl: (control) => ear.onControl(control),
  };
  const port = new BusLink({
    ...{ clock, publisher, isShared: !node.isAlone, mayAct: () => node.mayAct() },
    port: bus.attach(hearing, node.isAlone ? undefined : node.id),
  });
  const groups = new GroupQueues(context, { ledger, port, gate, topics });
  const sessions = new Sessions(context, { index, groups, ledger, port });
  const moving = new MovingSessions(context, { sessions, port });
  const inFlight = new InFlight(context, { ledger, groups });
  const sender = new PublishSender(context, inFlight);
  const groupDelivery = new GroupDelivery(context, { ledger, groups, sender });
  const others = new OtherBrokers(context, port);
  const delivery = new Delivery(context, { ledger, groups, groupDelivery, sender, others });
  const lifecycle = new SessionLifecycle(context, {
    ...{ sessions, groups, groupDelivery, ledger, order, port, gate, topics, turns, moving },
  });
  const intake = new Intake(context, { delivery, retained });
  const events = new LifecycleEvents(context, { index, intake, listeners, port, turns, onLifecycle });
  const wills = new Wills(context, { index, intake, turns });
  const pubacks = new Pubacks(context, turns);
  const publishes = new InboundPublishes(context, { index, intake, pubacks });
  const subscriptions = new Subscriptions(context, {
    ...{ delivery, events, groupDelivery, index, retained, sessions, turns },
  });
  const packets = new ClientPackets(context, { publishes, subscriptions, inFlight });
  const connections = new Connections(context);
  const rate = new ConnectRate(clock, limits.connectsPerSecondPerClientId);
  const connector = new Connector(context, {
    ...{ connections, delivery, events, groups, lifecycle, order, rate, sessions, turns, unsent },
  });
  const ends = new RecentEnds(clock);
  const desk = new ClientDesk(context, { ends, lifecycle, order, sender, sessions, turns });
  const inquiries = new Inquiries(context, { desk, lifecycle, order, port });
  const ear = new BusEar(context, {
    connections,
    delivery,
    index,
    inquiries,
    lifecycle,
    moving,
    retained,
    sessions,
    turns,
    onWakeUpStored: options.onWakeUpStored,
    onRefresh: options.onRefresh,
  });
  sessions.onArrival = (session) => others.arrived((message) => ear.bring(message, session));
  const clients: ClientConnectionParts = {
    ...{ connections, connector, ends, events, groups, packets, lifecycle, turns, wills },
  };
  return {
    ...{ context, clients, connections, connector, delivery, ear, events, groups, index, intake },
    ...{ inquiries, ledger, lifecycle, listeners, order, others, port, retained, sessions, turns },
  };
}
