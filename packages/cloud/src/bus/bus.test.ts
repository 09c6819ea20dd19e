import assert from "node:assert/strict";
import { test } from "node:test";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import { busContract, type BusWorld } from "../contract/bus-contract.js";
import { createVirtualBus } from "../contract/virtual-bus.js";
import { createLocalBus } from "./local-bus.js";

async function openLocal(): Promise<BusWorld> {
  return { bus: createLocalBus(), until: (promise) => promise, clean: async () => undefined };
}

async function openVirtual(): Promise<BusWorld> {
  const clock = createVirtualClock();
  const bus = createVirtualBus({ clock, random: createVirtualRandom(3), delayMsMax: 5 });
  const until = async <T>(promise: Promise<T>): Promise<T> => {
    await clock.advance(1);
    return clock.until(promise);
  };
  return { bus, until, clean: async () => undefined };
}

busContract({ test, assert }, "local bus", openLocal);
busContract({ test, assert }, "virtual bus", openVirtual);
