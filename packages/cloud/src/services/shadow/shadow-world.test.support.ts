// A shadow service over a memory store in virtual time, asked over MQTT, that notes what it publishes.
import { shadowTopic, type ShadowId, type ShadowRequestType } from "@thingline/protocol/shadow";
import { answered } from "../operation.js";
import { openServiceWorld, scope, type ServiceWorld } from "../world.test.support.js";
import { shadowServiceName } from "./model.js";
import { createShadows, wakeShadow, type ShadowOptions, type Shadows } from "./service.js";
import { noShadowLimits, type ShadowLimits } from "./throttle.js";
import { createShadowTopics } from "./topics.js";

export interface Published {
  /** Below `…/shadow/` or `…/shadow/name/<shadow>/`. */
  topic: string;
  message: Record<string, unknown>;
}

export interface ShadowWorld extends ServiceWorld {
  shadows: Shadows;
  /** Resolves when the request would be acknowledged. */
  ask(type: ShadowRequestType, payload?: unknown, options?: { id?: ShadowId; clientId?: string }): Promise<void>;
  /** What was published since the last call. */
  take(): Promise<Published[]>;
  /** Asks, and gives what was published on it. */
  exchange(
    type: ShadowRequestType,
    payload?: unknown,
    options?: { id?: ShadowId; clientId?: string },
  ): Promise<Published[]>;
}

export const pump: ShadowId = { thingName: "pump-7" };

export async function openShadowWorld(
  options: ShadowOptions & { limits?: ShadowLimits; isStarted?: boolean } = {},
): Promise<ShadowWorld> {
  const wakeHandlers = new Map([[shadowServiceName, wakeShadow]]);
  const { isStarted = true, limits = noShadowLimits } = options;
  const world = await openServiceWorld({ isStarted, wakeHandlers });
  const shadows = createShadows(options);
  const topics = createShadowTopics({ shadows, clock: world.clock, log: world.log, limits });

  const ask: ShadowWorld["ask"] = async (type, payload, { id = pump, clientId = "client" } = {}) => {
    const message = { scope, topic: shadowTopic(id, type), payload: encode(payload), clientId };
    await answered(topics, { ...message, certificateId: undefined, source: "client" }, world.runner);
  };
  const take: ShadowWorld["take"] = async () =>
    (await world.takeEffects()).flatMap((effect) => {
      if (effect.type !== "publish") return [];
      const topic = effect.topic.replace(/^\$aws\/things\/pump-7\/shadow\//, "");
      return [{ topic, message: JSON.parse(new TextDecoder().decode(effect.payload)) as Record<string, unknown> }];
    });
  return Object.assign(world, {
    shadows,
    ask,
    take,
    exchange: async (...request: Parameters<ShadowWorld["ask"]>) => {
      await ask(...request);
      return take();
    },
  });
}

/** JSON of a value; text and bytes as they are; nothing for undefined. */
export function encode(payload: unknown): Uint8Array {
  if (payload === undefined) return new Uint8Array();
  if (payload instanceof Uint8Array) return payload;
  return new TextEncoder().encode(typeof payload === "string" ? payload : JSON.stringify(payload));
}
