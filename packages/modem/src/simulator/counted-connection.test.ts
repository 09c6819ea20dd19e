import assert from "node:assert/strict";
import { test } from "node:test";
import { connectionContract, makeTestCertificates } from "@thingline/transport/contract";
import {
  createVirtualClock,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { CountedConnection } from "./counted-connection.js";

const certificates = await makeTestCertificates(createVirtualKeys({ random: createVirtualRandom(1) }));

connectionContract({ test, assert }, "virtual network, counted", async () => {
  const clock = createVirtualClock();
  const virtual = createVirtualNetwork({ clock, random: createVirtualRandom(1) });
  const counter = { sent() {}, received() {}, closed() {} };
  return {
    network: {
      listen: (options, onConnection) =>
        virtual.listen(options, (connection) => onConnection(new CountedConnection(connection, counter))),
      dial: async (target, options) => new CountedConnection(await virtual.dial(target, options), counter),
    },
    certificates,
    wait: (promise) => clock.until(promise),
  };
});
