// One MQTT client library in a process of its own, for `npm run bench -- client`: publishes with a window, connects again and again, or
// keeps many connections open. Driven by messages from the parent process.
import { readFileSync } from "node:fs";
import { performance } from "node:perf_hooks";
import { connect as connectTls, createSecureContext, type SecureContext, type TLSSocket } from "node:tls";

export type Library = "thingline" | "mqtt" | "aws-iot-device-sdk-v2" | "bare TLS";

export interface ClientTask {
  library: Library;
  folder: string;
  port: number;
}

export type Order =
  | { do: "publish"; clientId: string; topic: string; qos: 0 | 1; windowMessages: number; payloadBytes: number }
  | { do: "connect"; times: number }
  | { do: "keep"; connections: number };

interface Client {
  /** `done` is called when the message is acknowledged, or with QoS 0 when the library has handed it on. */
  publish(topic: string, payload: Buffer, qos: 0 | 1, done: () => void): void;
  close(): Promise<void>;
}

type Open = (clientId: string) => Promise<Client>;

const task = JSON.parse(process.argv[2] ?? "{}") as ClientTask;
const read = (name: string): string => readFileSync(`${task.folder}/${name}.pem`, "utf8");
const [ca, certificate, privateKey] = [read("ca"), read("client"), read("client-key")];
const stop = (error: unknown): never => {
  process.stderr.write(`${task.library}: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
};

const libraries: Record<Library, () => Promise<Open>> = {
  thingline: async () => {
    const { connectDevice } = await import("@thingline/device");
    const { createNodeClock, createNodeNetwork, createNodeRandom } = await import("@thingline/transport/node");
    const [clock, random, dialer] = [createNodeClock(), createNodeRandom(), createNodeNetwork()];
    const tls = { ca, certificate, privateKey };
    return async (clientId) => {
      const endpoint = { host: "localhost", port: task.port, family: 4 } as const;
      const device = await connectDevice({ ...endpoint, clientId, tls, dialer, clock, random, isCleanSession: true });
      return {
        publish: (topic, payload, qos, done) => void device.publish(topic, payload, { qos }).then(done, stop),
        close: () => device.close(),
      };
    };
  },
  mqtt: async () => {
    const { connectAsync } = await import("mqtt");
    const secureContext = createSecureContext({ ca, cert: certificate, key: privateKey });
    return async (clientId) => {
      const client = await connectAsync(`mqtts://localhost:${task.port}`, {
        ...{ clientId, clean: true, protocolVersion: 4, family: 4, keepalive: 60, reconnectPeriod: 0 },
        ...({ secureContext } as object),
      });
      return {
        publish: (topic, payload, qos, done) => {
          client.publish(topic, payload, { qos }, (error) => (error ? stop(error) : done()));
        },
        close: () => client.endAsync(),
      };
    };
  },
  "aws-iot-device-sdk-v2": async () => {
    const { iot, mqtt } = await import("aws-iot-device-sdk-v2");
    const mqttClient = new mqtt.MqttClient();
    return async (clientId) => {
      const config = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder(certificate, privateKey)
        .with_certificate_authority(ca)
        .with_endpoint("localhost")
        .with_port(task.port)
        .with_client_id(clientId)
        .with_clean_session(true)
        .build();
      const connection = mqttClient.new_connection(config);
      await connection.connect();
      return {
        publish: (topic, payload, qos, done) => void connection.publish(topic, payload, qos).then(done, stop),
        close: () => connection.disconnect(),
      };
    };
  },
  "bare TLS": async () => {
    const secureContext = createSecureContext({ ca, cert: certificate, key: privateKey });
    return async () => {
      const socket = await openBare(secureContext);
      return {
        publish: () => stop("a bare socket publishes nothing"),
        close: async () => void socket.destroy(),
      };
    };
  },
};

function openBare(secureContext: SecureContext): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({ host: "127.0.0.1", port: task.port, servername: "localhost", secureContext });
    socket.once("error", reject);
    socket.once("secureConnect", () => {
      socket.on("data", () => undefined);
      resolve(socket);
    });
  });
}

const open = await libraries[task.library]();

async function publish(order: Extract<Order, { do: "publish" }>): Promise<object> {
  const { clientId, topic, qos, windowMessages, payloadBytes } = order;
  const client = await open(clientId);
  const payload = Buffer.alloc(payloadBytes, 0x61);
  let free = windowMessages;
  let isFilling = false;
  const fill = (): void => {
    if (isFilling) return;
    isFilling = true;
    for (; free > 0; free--) client.publish(topic, payload, qos, done);
    isFilling = false;
  };
  // A library may call back at once: then the loop above goes on, for at most a window, and the rest waits for the event loop.
  let burst = 0;
  const done = (): void => {
    free += 1;
    if (isFilling) return;
    burst += 1;
    if (qos === 1 || burst < windowMessages) return fill();
    burst = 0;
    setImmediate(fill);
  };
  fill();
  return {};
}

async function connectTimes({ times }: { times: number }): Promise<object> {
  const elapsedMs: number[] = [];
  for (let at = 0; at < times; at++) {
    const startMs = performance.now();
    const client = await open(`bench-${at}`);
    elapsedMs.push(performance.now() - startMs);
    await client.close();
  }
  return { elapsedMs };
}

async function keep({ connections }: { connections: number }): Promise<object> {
  // What is made once, and compiled once, is not a connection's.
  const kept: Client[] = [];
  for (let at = 0; at < Math.min(100, connections); at++) kept.push(await open(`bench-first-${at}`));
  await new Promise((resolve) => setTimeout(resolve, 500));
  const before = settled();
  for (let at = 1; at <= connections; at++) kept.push(await open(`bench-${at}`));
  // Answers to the last CONNECT have been handled, and what they needed can go.
  await new Promise((resolve) => setTimeout(resolve, 500));
  const after = settled();
  return {
    heapBytes: (after.heapUsed - before.heapUsed) / connections,
    rssBytes: (after.rss - before.rss) / connections,
    kept: kept.length,
  };
}

function settled(): NodeJS.MemoryUsage {
  for (let at = 0; at < 4; at++) globalThis.gc?.();
  return process.memoryUsage();
}

process.on("message", (order: Order) => {
  const work = order.do === "publish" ? publish(order) : order.do === "connect" ? connectTimes(order) : keep(order);
  work.then((answer) => process.send!(answer), stop);
});
process.on("disconnect", () => process.exit(0));
process.send!({ ready: true });
