// A whole cloud in virtual time, with a client that publishes and one that hears everything.
import { setImmediate } from "node:timers/promises";
import type { HttpRequest, HttpResponse } from "@thingline/transport";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualHttp,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import type { PublishProperties } from "@thingline/protocol/mqtt";
import { createCloud } from "../../cloud.js";
import type { CloudFunction } from "../../functions/index.js";
import { mqttOver } from "../../mqtt-over.test.support.js";
import type { StatementGuard } from "../../statement-guard.js";
import { createMemoryStore } from "../../store/memory.js";

const decoder = new TextDecoder();

export interface HeardMessage {
  topic: string;
  payload: string;
  properties: PublishProperties | undefined;
}

export interface RulesWorldOptions {
  functions?: Record<string, CloudFunction>;
  /** Answers what goes to `http://endpoint:9000`. */
  endpoint?: (request: HttpRequest) => Partial<HttpResponse>;
  statementGuard?: StatementGuard;
}

export async function openRulesWorld({
  functions = {},
  endpoint = () => ({}),
  statementGuard,
}: RulesWorldOptions = {}) {
  const clock = createVirtualClock();
  const random = createVirtualRandom(3);
  const network = createVirtualNetwork({ clock, random });
  const http = createVirtualHttp({ clock });
  http.serve("http://endpoint:9000", (request) => ({
    status: 200,
    headers: {},
    body: new Uint8Array(),
    ...endpoint(request),
  }));
  const logged: { event: string; [fact: string]: unknown }[] = [];
  const note = (event: string, facts = {}) => void logged.push({ event, ...facts });
  const log = { debug: note, info: note, warn: note, error: note };
  const wait = <T>(promise: Promise<T>): Promise<T> => clock.untilSettled(promise, { stepMs: 1 });
  const address = (port: number) => ({ host: "localhost", port, optionName: "port" });
  const store = createMemoryStore();
  const files = createVirtualFiles();
  const cloud = await wait(
    createCloud(
      {
        ...{ network, clock, random, http, log, functions, ...(statementGuard && { statementGuard }) },
        ...{ keys: createVirtualKeys({ random }), files, store },
      },
      {
        ...{ folder: "/cloud", mqtts: address(8883), https: address(8443), mqtt: address(1883) },
        apiUrl: () => "http://localhost:4680",
      },
    ),
  );
  const connect = async (clientId: string) => {
    const client = mqttOver(await wait(network.dial({ host: "localhost", port: 1883 })), clientId);
    while (client.packets.length === 0) await clock.advance(1);
    return client;
  };
  const ear = await connect("ear");
  ear.send({
    type: "subscribe",
    packetId: 1,
    subscriptions: [{ filter: "#", qos: 0 }],
  });
  while (ear.packets.length < 2) await clock.advance(1);
  const client = await connect("client-1");
  let read = ear.packets.length;

  return {
    ...{ clock, cloud, store, files, logged, wait, connect, http },
    run: (<Input, Result>(operation: Parameters<typeof cloud.run<Input, Result>>[0], input: Input) =>
      wait(cloud.run(operation, input))) as typeof cloud.run,
    createRule: (ruleName: string, sql: string, actions: readonly object[], more: object = {}) =>
      wait(
        cloud.run(cloud.rules.createTopicRule, {
          ruleName,
          topicRulePayload: { sql, awsIotSqlVersion: "2016-03-23", actions, ...more } as never,
        }),
      ),
    publish: (topic: string, payload: unknown, properties?: PublishProperties) => {
      const text = typeof payload === "string" ? payload : JSON.stringify(payload);
      const bytes = payload instanceof Uint8Array ? payload : new TextEncoder().encode(text);
      client.send({
        type: "publish",
        topic,
        payload: bytes,
        qos: 0,
        isRetained: false,
        isDuplicate: false,
        ...(properties && { properties }),
      });
    },
    /** Messages that came since the last call, once nothing more happens. */
    heard: async (): Promise<HeardMessage[]> => {
      for (let quiet = 0, count = -1; quiet < 8; quiet++) {
        if (count !== ear.packets.length) quiet = 0;
        count = ear.packets.length;
        await clock.advance(1);
        await setImmediate();
      }
      const found = ear.packets.slice(read);
      read = ear.packets.length;
      return found.flatMap((packet) =>
        packet.type === "publish"
          ? [{ topic: packet.topic, payload: decoder.decode(packet.payload), properties: packet.properties }]
          : [],
      );
    },
    events: (event: string) => logged.filter((line) => line.event === event),
    close: () => wait(cloud.close()),
  };
}

export const roleArn = "arn:aws:iam::123456789012:role/rules";
export const republishTo = (topic: string, more: object = {}) => ({ republish: { roleArn, topic, ...more } });
