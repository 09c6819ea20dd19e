// Commands over a memory store in virtual time: commands, devices that report over MQTT, and what they are told.
import { commandTopic, type CommandTarget } from "@thingline/protocol/commands";
import type { PublishEffect } from "../outbox.js";
import { answered } from "../operation.js";
import { openServiceWorld, scope, type ServiceWorld } from "../world.test.support.js";
import { commandsServiceName } from "./model.js";
import { createCommands, type Commands } from "./service.js";
import { createCommandTopics } from "./topics.js";
import { wakeCommands } from "./wake.js";

export interface CommandsWorld extends ServiceWorld {
  commands: Commands;
  /** With a JSON payload, or with what is given. */
  create: (commandId: string, more?: Record<string, unknown>) => Promise<void>;
  /** On the thing `pump`, or on what is given. @returns the id of the execution */
  start: (commandId: string, more?: Record<string, unknown>) => Promise<string>;
  get: (executionId: string, more?: Record<string, unknown>) => Promise<Record<string, unknown>>;
  /** What the device publishes below the execution; resolves when it would be acknowledged. */
  publish: (executionId: string, payload: unknown, more?: { tail?: string; target?: CommandTarget }) => Promise<void>;
  /** What was published since the last call. */
  take: () => Promise<PublishEffect[]>;
  /** Below the execution of the one device. */
  exchange: (executionId: string, payload: unknown, more?: { tail?: string }) => Promise<unknown[]>;
  /** Lets time pass, and everything happen that is due. */
  pass: (ms: number) => Promise<void>;
}

export const pump: CommandTarget = { kind: "things", id: "pump" };
export const commandArn = (id: string): string => `arn:aws:iot:us-east-1:123456789012:command/${id}`;
export const targetArn = "arn:aws:iot:us-east-1:123456789012:thing/pump";
export const content = new TextEncoder().encode('{"on":true}');

export const json = (payload: Uint8Array): unknown => JSON.parse(new TextDecoder().decode(payload));

export async function openCommandsWorld({ isLimited = false }: { isLimited?: boolean } = {}): Promise<CommandsWorld> {
  const commands = createCommands({ isLimited });
  const world = await openServiceWorld({ wakeHandlers: new Map([[commandsServiceName, wakeCommands]]) });
  const topics = createCommandTopics({ clock: world.clock, log: world.log, isLimited });
  await world.run(world.registry.createThing, { thingName: pump.id });

  const publish: CommandsWorld["publish"] = async (executionId, payload, { tail = "/json", target = pump } = {}) => {
    const topic = commandTopic({ target, executionId, type: "response" }) + tail;
    const bytes = payload instanceof Uint8Array ? payload : new TextEncoder().encode(JSON.stringify(payload));
    const message = {
      scope,
      topic,
      payload: bytes,
      clientId: "client-1",
      certificateId: "a1",
      source: "client" as const,
    };
    await answered(topics, message, world.runner);
  };
  const take: CommandsWorld["take"] = async () =>
    (await world.takeEffects()).filter((effect): effect is PublishEffect => effect.type === "publish");
  await take();
  return Object.assign(world, {
    commands,
    publish,
    take,
    async create(commandId: string, more: Record<string, unknown> = {}) {
      const payload = "payloadTemplate" in more ? {} : { payload: { content, contentType: "application/json" } };
      await world.run(commands.createCommand, { commandId, ...payload, ...more });
    },
    async start(commandId: string, more: Record<string, unknown> = {}) {
      const input = { commandArn: commandArn(commandId), targetArn, ...more };
      return String((await world.run(commands.startCommandExecution, input)).executionId);
    },
    async get(executionId: string, more: Record<string, unknown> = {}) {
      return (await world.run(commands.getCommandExecution, { executionId, targetArn, ...more })) as Record<
        string,
        unknown
      >;
    },
    async exchange(executionId: string, payload: unknown, more: { tail?: string } = {}) {
      await publish(executionId, payload, more);
      return (await take()).map(({ topic, payload: told, onlyToClientId }) => [
        topic.replace(/^.*\/executions\/[^/]*\//u, ""),
        json(told),
        ...(onlyToClientId === undefined ? [] : [onlyToClientId]),
      ]);
    },
    async pass(ms: number) {
      await world.clock.advance(ms);
      await world.runner.idle();
    },
  });
}
