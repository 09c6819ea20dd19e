// The whole cloud in virtual time, with things to be searched.
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import type { InputOf } from "../aws-operation.js";
import { openCloud } from "../../cloud.js";
import { mqttOver } from "../../mqtt-over.test.support.js";
import { createMemoryStore } from "../../store/memory.js";
import type { Store } from "../../store/store.js";
import { createServices } from "../all.js";
import type { Operation } from "../operation.js";

export type IndexingWorld = Awaited<ReturnType<typeof openIndexingWorld>>;

const encoder = new TextEncoder();

export async function openIndexingWorld({ store = createMemoryStore() }: { store?: Store } = {}) {
  const clock = createVirtualClock();
  const random = createVirtualRandom(5);
  const network = createVirtualNetwork({ clock, random });
  const keys = createVirtualKeys({ random });
  const logged: { event: string; facts: Readonly<Record<string, unknown>> }[] = [];
  const note = (event: string, facts = {}) => void logged.push({ event, facts });
  const log = { debug: note, info: note, warn: note, error: note };
  const wait = <T>(promise: Promise<T>): Promise<T> => clock.untilSettled(promise, { stepMs: 1 });
  const address = (port: number) => ({ host: "localhost", port, optionName: "port" });
  const options = { folder: "/cloud", mqtts: address(8883), https: address(8443), mqtt: address(1883) };
  const deps = { network, clock, random, keys, files: createVirtualFiles(), store, log };
  const cloud = await wait(openCloud(deps, options, createServices));
  const { registry, indexing, shadows } = cloud;
  const run = <Input, Result>(operation: Operation<Input, Result>, input: Input) => wait(cloud.run(operation, input));

  return {
    ...{ cloud, clock, store, wait, run, logged, registry, indexing, shadows },
    index: (
      thingIndexingConfiguration: InputOf<"iot", "UpdateIndexingConfiguration">["thingIndexingConfiguration"],
      thingGroupIndexingMode: "ON" | "OFF" = "OFF",
    ) =>
      run(indexing.updateIndexingConfiguration, {
        ...(thingIndexingConfiguration !== undefined && { thingIndexingConfiguration }),
        thingGroupIndexingConfiguration: { thingGroupIndexingMode },
      }),
    thing: (thingName: string, attributes: Record<string, string> = {}) =>
      run(registry.createThing, { thingName, attributePayload: { attributes } }),
    update: (thingName: string, attributes: Record<string, string>) =>
      run(registry.updateThing, { thingName, attributePayload: { attributes } }),
    report: (thingName: string, reported: object, shadowName?: string) =>
      run(shadows.updateThingShadow, {
        ...{ thingName, payload: encoder.encode(JSON.stringify({ state: { reported } })) },
        ...(shadowName !== undefined && { shadowName }),
      }),
    search: async (queryString: string): Promise<string[]> => {
      const { things = [] } = await run(indexing.searchIndex, { queryString });
      return things.map(({ thingName = "" }) => thingName);
    },
    thingsIn: async (thingGroupName: string): Promise<string[]> => {
      return (await run(registry.listThingsInThingGroup, { thingGroupName, maxResults: 250 })).things ?? [];
    },
    connect: async (clientId: string) => {
      const connection = await wait(network.dial({ host: "localhost", port: 1883 }));
      const client = mqttOver(connection, clientId);
      while (client.packets.length === 0) await clock.advance(1);
      return { ...client, connection };
    },
    /** Lets what clients did become known. */
    pass: async (ms = 50) => {
      for (let at = 0; at < ms; at += 10) await clock.advance(Math.min(10, ms - at));
    },
  };
}
