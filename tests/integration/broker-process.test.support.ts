// A broker on plain TCP over an LMDB store, in a process of its own, for tests that kill it. Argument: the folder.
import { createBroker, noLimits, openLmdbStore, silentLog } from "@thingline/cloud";
import { createNodeClock, createNodeNetwork, createNodeRandom } from "@thingline/transport/node";

const clock = createNodeClock();
const store = await openLmdbStore({ folder: process.argv[2]! });
const scope = { account: "123456789012", region: "us-east-1" };
const broker = await createBroker({
  clock,
  random: createNodeRandom(),
  log: silentLog,
  store,
  scope,
  limits: noLimits,
});
const allowed = { isAllowed: true, explanation: "test" };
const authorizer = { authorize: () => allowed, generation: 1, thingName: undefined };
const identity = {
  certificateId: undefined,
  authorizeConnect: () => Promise.resolve({ decision: allowed, authorizer }),
};
const address = { host: "127.0.0.1", port: 0 };
const listener = await createNodeNetwork({ clock }).listen(address, (connection) =>
  broker.accept(connection, identity),
);
process.send!({ port: listener.address.port });
