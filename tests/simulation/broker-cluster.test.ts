// Three nodes on one store and one bus, brokers and runners: nothing that was acknowledged is lost, and sessions move.
import { runBrokerCluster } from "./broker-cluster.test.support.js";
import { testWorlds } from "./cluster.test.support.js";

testWorlds({
  name: "brokers",
  file: "simulation/broker-cluster",
  run: (number) => runBrokerCluster(number),
  promise: "messages, sessions and retained copies outlive nodes and what the bus does to them",
  worlds: { inLongRun: 2_600, otherwise: 10 },
});
