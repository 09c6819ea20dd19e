// Our broker on plain TCP, quotas off, in a process of its own, for `npm run bench -- broker`.
import { createBroker, createMemoryStore, noLimits, type Log } from "@thingline/cloud";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";

const quiet = (): void => undefined;
const say = (event: string, facts?: unknown): void => {
  process.stderr.write(`thingline: ${event} ${JSON.stringify(facts ?? {})}\n`);
};
const log: Log = { debug: quiet, info: quiet, warn: say, error: say };
const clock = createNodeClock();
const network = createNodeNetwork({ clock });
const scope = { account: "123456789012", region: "us-east-1" };
const store = createMemoryStore();
const broker = await createBroker({ clock, random: createNodeRandom(), log, store, scope, limits: noLimits });
const allowed = { isAllowed: true, explanation: "anonymous" };
const authorizer = { authorize: () => allowed, generation: 1, thingName: undefined };
const identity = {
  certificateId: undefined,
  authorizeConnect: () => Promise.resolve({ decision: allowed, authorizer }),
};
const listener = await network.listen({ host: "127.0.0.1", port: 0 }, (connection) =>
  broker.accept(connection, identity),
);
process.send?.({ port: listener.address.port });
process.once("SIGTERM", () => {
  const dropped = Object.entries(broker.stats()).filter(([name, count]) => name.startsWith("dropped") && count > 0);
  if (dropped.length > 0) say("dropped", Object.fromEntries(dropped));
  void broker
    .close()
    .then(() => listener.close())
    .then(() => process.exit(0));
});
