import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import type { Listener, Network } from "@thingline/transport";
import { listenTogether } from "./listen.js";

/** Listens on nothing; `taken` are the `host port` that somebody else has. */
function fakeNetwork(taken: readonly string[], { freePorts = [5000, 5001, 5002], hasIpv6 = true } = {}) {
  const open = new Set<string>();
  const free = [...freePorts];
  const network: Pick<Network, "listen"> = {
    async listen({ host, port }) {
      if (host === "::1" && !hasIpv6) throw new ThinglineError("OPTION_INVALID", "no such address");
      const real = port === 0 ? (free.shift() ?? 0) : port;
      const name = `${host} ${real}`;
      if (taken.includes(name)) throw new ThinglineError("PORT_IN_USE", `${name} is taken`);
      open.add(name);
      const listener: Listener = {
        address: { host, port: real },
        connectionCount: 0,
        close: async () => void open.delete(name),
      };
      return listener;
    },
  };
  return { network: network as Network, open };
}

const address = { host: "localhost", port: 8883, optionName: "mqttsPort" };

test("localhost is both loopback addresses at one port", async () => {
  const { network, open } = fakeNetwork([]);
  const { endpoint } = await listenTogether(network, address, {}, () => undefined);
  assert.deepEqual(endpoint, { host: "localhost", port: 8883 });
  assert.deepEqual([...open], ["127.0.0.1 8883", "::1 8883"]);
});

test("a free port is one that is free on both", async () => {
  const { network, open } = fakeNetwork(["::1 5000", "::1 5001"]);
  const { endpoint } = await listenTogether(network, { ...address, port: 0 }, {}, () => undefined);
  assert.equal(endpoint.port, 5002);
  assert.deepEqual([...open], ["127.0.0.1 5002", "::1 5002"]);
});

test("a machine without IPv6 listens on 127.0.0.1 alone", async () => {
  const { network, open } = fakeNetwork([], { hasIpv6: false });
  await listenTogether(network, address, {}, () => undefined);
  assert.deepEqual([...open], ["127.0.0.1 8883"]);
});

for (const taken of ["127.0.0.1 8883", "::1 8883"]) {
  test(`when ${taken} is taken, the error names the port and the option, and nothing stays open`, async () => {
    const { network, open } = fakeNetwork([taken]);
    await assert.rejects(
      listenTogether(network, address, {}, () => undefined),
      (error) =>
        error instanceof ThinglineError &&
        error.code === "PORT_IN_USE" &&
        error.details["port"] === 8883 &&
        error.details["option"] === "mqttsPort",
    );
    assert.equal(open.size, 0);
  });
}

test("another host is listened on by itself", async () => {
  const { network, open } = fakeNetwork([]);
  const { endpoint } = await listenTogether(network, { ...address, host: "0.0.0.0" }, {}, () => undefined);
  assert.deepEqual(endpoint, { host: "0.0.0.0", port: 8883 });
  assert.deepEqual([...open], ["0.0.0.0 8883"]);
});
