// The shadow clients of AWS's device SDK in a process of their own, which ends when the script is through: the SDK never lets a
// process end that had an MQTT 5 client (awslabs/aws-crt-nodejs#600).
import { once } from "node:events";
import { iot, iotshadow, mqtt, mqtt5 } from "aws-iot-device-sdk-v2";

export interface Task {
  kind: "IotShadowClient 3.1.1" | "IotShadowClient 5" | "IotShadowClientv2 3.1.1" | "IotShadowClientv2 5";
  clientId: string;
  thingName: string;
  /** Undefined: the classic shadow. */
  shadowName: string | undefined;
  port: number;
  caFile: string;
  certificateFile: string;
  keyFile: string;
}

/** What one run saw, in order, with all that has no fixed value left out. */
export type Transcript = readonly unknown[];

export type Outcome = { accepted: Facts } | { rejected: Facts };
type Facts = Record<string, unknown>;
interface Update {
  state?: iotshadow.model.ShadowState;
  version?: number;
}

/** Both clients, seen alike. */
interface ShadowApi {
  get(clientToken: string): Promise<Outcome>;
  update(update: Update, clientToken: string): Promise<Outcome>;
  delete(clientToken: string): Promise<Outcome>;
  /** The next one, past or future. */
  delta(): Promise<Facts>;
  updated(): Promise<Facts>;
}

/** What comes in its own time, for whoever asks. */
class Mailbox<Item> {
  readonly #items: Item[] = [];
  readonly #waiting: ((item: Item) => void)[] = [];

  put(item: Item): void {
    const resolve = this.#waiting.shift();
    if (resolve === undefined) this.#items.push(item);
    else resolve(item);
  }

  take(): Promise<Item> {
    const item = this.#items.shift();
    return item === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(item);
  }
}

const qos = mqtt.QoS.AtLeastOnce;

async function connect311(task: Task): Promise<mqtt.MqttClientConnection> {
  const builder = iot.AwsIotMqttConnectionConfigBuilder.new_mtls_builder_from_path(task.certificateFile, task.keyFile);
  const config = builder
    .with_certificate_authority_from_path(undefined, task.caFile)
    .with_endpoint("localhost")
    .with_port(task.port)
    .with_client_id(task.clientId)
    .with_clean_session(true)
    .build();
  const connection = new mqtt.MqttClient().new_connection(config);
  connection.on("error", () => undefined);
  await connection.connect();
  return connection;
}

async function connect5(task: Task): Promise<mqtt5.Mqtt5Client> {
  const { AwsIotMqtt5ClientConfigBuilder: Builder } = iot;
  const builder = Builder.newDirectMqttBuilderWithMtlsFromPath("localhost", task.certificateFile, task.keyFile)
    .withCertificateAuthorityFromPath(undefined, task.caFile)
    .withPort(task.port)
    .withConnectProperties({ clientId: task.clientId, keepAliveIntervalSeconds: 1200 });
  const client = new mqtt5.Mqtt5Client(builder.build());
  const connected = once(client, "connectionSuccess");
  client.start();
  await connected;
  return client;
}

/** The client of the first generation: every answer is subscribed to, and belongs to whoever has its token. */
async function firstGeneration(client: iotshadow.IotShadowClient, { thingName, shadowName }: Task): Promise<ShadowApi> {
  const answers = new Map<string, (outcome: Outcome) => void>();
  const [deltas, updates] = [new Mailbox<Facts>(), new Mailbox<Facts>()];
  const settle =
    (name: "accepted" | "rejected") =>
    (error?: iotshadow.IotShadowError, response?: { clientToken?: string }): void => {
      const token = response?.clientToken ?? "";
      if (error !== undefined) throw error;
      answers.get(token)?.({ [name]: response } as Outcome);
      answers.delete(token);
    };
  const fill =
    (mailbox: Mailbox<Facts>) =>
    (error?: iotshadow.IotShadowError, event?: object): void => {
      if (error !== undefined) throw error;
      mailbox.put({ ...event });
    };
  const ask = (clientToken: string, publish: () => Promise<unknown>): Promise<Outcome> =>
    new Promise((resolve, reject) => {
      answers.set(clientToken, resolve);
      publish().catch(reject);
    });
  if (shadowName === undefined) {
    await client.subscribeToGetShadowAccepted({ thingName }, qos, settle("accepted"));
    await client.subscribeToGetShadowRejected({ thingName }, qos, settle("rejected"));
    await client.subscribeToUpdateShadowAccepted({ thingName }, qos, settle("accepted"));
    await client.subscribeToUpdateShadowRejected({ thingName }, qos, settle("rejected"));
    await client.subscribeToDeleteShadowAccepted({ thingName }, qos, settle("accepted"));
    await client.subscribeToDeleteShadowRejected({ thingName }, qos, settle("rejected"));
    await client.subscribeToShadowDeltaUpdatedEvents({ thingName }, qos, fill(deltas));
    await client.subscribeToShadowUpdatedEvents({ thingName }, qos, fill(updates));
    return {
      get: (clientToken) => ask(clientToken, () => client.publishGetShadow({ thingName, clientToken }, qos)),
      update: (update, clientToken) =>
        ask(clientToken, () => client.publishUpdateShadow({ thingName, clientToken, ...update }, qos)),
      delete: (clientToken) => ask(clientToken, () => client.publishDeleteShadow({ thingName, clientToken }, qos)),
      delta: () => deltas.take(),
      updated: () => updates.take(),
    };
  }
  const id = { thingName, shadowName };
  await client.subscribeToGetNamedShadowAccepted(id, qos, settle("accepted"));
  await client.subscribeToGetNamedShadowRejected(id, qos, settle("rejected"));
  await client.subscribeToUpdateNamedShadowAccepted(id, qos, settle("accepted"));
  await client.subscribeToUpdateNamedShadowRejected(id, qos, settle("rejected"));
  await client.subscribeToDeleteNamedShadowAccepted(id, qos, settle("accepted"));
  await client.subscribeToDeleteNamedShadowRejected(id, qos, settle("rejected"));
  await client.subscribeToNamedShadowDeltaUpdatedEvents(id, qos, fill(deltas));
  await client.subscribeToNamedShadowUpdatedEvents(id, qos, fill(updates));
  return {
    get: (clientToken) => ask(clientToken, () => client.publishGetNamedShadow({ ...id, clientToken }, qos)),
    update: (update, clientToken) =>
      ask(clientToken, () => client.publishUpdateNamedShadow({ ...id, clientToken, ...update }, qos)),
    delete: (clientToken) => ask(clientToken, () => client.publishDeleteNamedShadow({ ...id, clientToken }, qos)),
    delta: () => deltas.take(),
    updated: () => updates.take(),
  };
}

/** The client of the second generation: requests are promises, and events are streams with a subscription of their own. */
async function secondGeneration(client: iotshadow.IotShadowClientv2, task: Task): Promise<ShadowApi> {
  const { thingName, shadowName } = task;
  const outcome = async (request: Promise<object>): Promise<Outcome> => {
    try {
      return { accepted: { ...(await request) } };
    } catch (error) {
      const { modeledError } = error as { modeledError?: Facts };
      if (modeledError === undefined) throw error;
      return { rejected: modeledError };
    }
  };
  const open = async (stream: {
    open(): void;
    on(event: "incomingPublish", listener: (event: { message: object }) => void): unknown;
    on(event: "subscriptionStatus", listener: () => void): unknown;
  }): Promise<Mailbox<Facts>> => {
    const mailbox = new Mailbox<Facts>();
    stream.on("incomingPublish", ({ message }) => mailbox.put({ ...message }));
    const established = new Promise<void>((resolve) => stream.on("subscriptionStatus", resolve));
    stream.open();
    await established;
    return mailbox;
  };
  if (shadowName === undefined) {
    const deltas = await open(client.createShadowDeltaUpdatedStream({ thingName }));
    const updates = await open(client.createShadowUpdatedStream({ thingName }));
    return {
      get: (clientToken) => outcome(client.getShadow({ thingName, clientToken })),
      update: (update, clientToken) => outcome(client.updateShadow({ thingName, clientToken, ...update })),
      delete: (clientToken) => outcome(client.deleteShadow({ thingName, clientToken })),
      delta: () => deltas.take(),
      updated: () => updates.take(),
    };
  }
  const id = { thingName, shadowName };
  const deltas = await open(client.createNamedShadowDeltaUpdatedStream(id));
  const updates = await open(client.createNamedShadowUpdatedStream(id));
  return {
    get: (clientToken) => outcome(client.getNamedShadow({ ...id, clientToken })),
    update: (update, clientToken) => outcome(client.updateNamedShadow({ ...id, clientToken, ...update })),
    delete: (clientToken) => outcome(client.deleteNamedShadow({ ...id, clientToken })),
    delta: () => deltas.take(),
    updated: () => updates.take(),
  };
}

async function openApi(task: Task): Promise<ShadowApi> {
  const limits = { maxRequestResponseSubscriptions: 6, maxStreamingSubscriptions: 4, operationTimeoutInSeconds: 30 };
  switch (task.kind) {
    case "IotShadowClient 3.1.1":
      return firstGeneration(new iotshadow.IotShadowClient(await connect311(task)), task);
    case "IotShadowClient 5":
      return firstGeneration(iotshadow.IotShadowClient.newFromMqtt5Client(await connect5(task)), task);
    case "IotShadowClientv2 3.1.1":
      return secondGeneration(iotshadow.IotShadowClientv2.newFromMqtt311(await connect311(task), limits), task);
    case "IotShadowClientv2 5":
      return secondGeneration(iotshadow.IotShadowClientv2.newFromMqtt5(await connect5(task), limits), task);
  }
}

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/u;

/** Times are checked to be there, and then left out, as are members without a value and tokens that the SDK made. */
function steady(value: unknown): unknown {
  if (value instanceof Date) return "a date";
  if (Array.isArray(value)) return value.map(steady);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value).filter(([, member]) => member !== undefined);
  return Object.fromEntries(
    entries.map(([name, member]) => {
      if (name === "timestamp") return [name, `a ${timeOf(member)}`];
      return [name, name === "clientToken" && uuid.test(String(member)) ? "a token" : steady(member)];
    }),
  );
}

function timeOf(time: unknown): string {
  const seconds = time instanceof Date ? time.getTime() / 1000 : Number(time);
  // In this century, whichever unit the SDK takes it for.
  return seconds > 1_600_000_000 ? "time" : `wrong time ${seconds}`;
}

async function run(task: Task): Promise<Transcript> {
  const shadow = await openApi(task);
  const transcript: unknown[] = [];
  const note = (value: unknown): void => void transcript.push(steady(value));
  note(await shadow.get("get-missing"));
  note(
    await shadow.update(
      { state: { desired: { color: "red", lamp: { on: true } }, reported: { color: "blue" } } },
      "first",
    ),
  );
  note(await shadow.delta());
  note(await shadow.updated());
  note(await shadow.get("get-one"));
  note(await shadow.update({ version: 7, state: { reported: { color: "red" } } }, "stale"));
  note(await shadow.update({}, "no-state"));
  note(await shadow.update({ version: 1, state: { reported: { color: "red", lamp: { on: true } } } }, "second"));
  note(await shadow.updated());
  note(await shadow.get("get-two"));
  note(await shadow.delete("delete"));
  note(await shadow.delete("delete-again"));
  note(await shadow.update({ state: { reported: { color: "green" } } }, "again"));
  note(await shadow.updated());
  note(await shadow.delete("delete-last"));
  return transcript;
}

const [, , words] = process.argv;
if (words !== undefined) {
  run(JSON.parse(words) as Task).then(
    (transcript) => {
      // Written before the process is ended, whatever still runs in it.
      process.stdout.write(`${JSON.stringify(transcript)}\n`, () => process.exit(0));
    },
    (error: unknown) => {
      process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`, () => process.exit(1));
    },
  );
}
