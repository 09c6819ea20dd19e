import { ThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";
import { administer } from "../administration.js";
import { iotDataSdk } from "../aws-sdk.js";
import type { CommandContext } from "../command.js";
import { openControlPlane } from "../control-plane.js";
import { UsageError } from "../failure.js";
import { commandLine } from "../invocation.js";
import type { Output } from "../output.js";

interface PlaceOptions {
  dataDir: string;
  aws?: boolean;
}

interface DeleteOptions extends PlaceOptions {
  cleanSession?: boolean;
  /** False: it is not published. */
  will?: boolean;
}

interface SendOptions extends PlaceOptions {
  from?: string;
  confirm?: boolean;
  timeout?: number;
  contentType?: string;
}

interface PublishOptions extends PlaceOptions {
  qos: "0" | "1";
  retain?: boolean;
  from?: string;
  contentType?: string;
}

/** What GetConnection and the local cloud's own list say of a client. */
interface Connection {
  clientId?: string | undefined;
  connected?: boolean | undefined;
  thingName?: string | undefined;
  cleanSession?: boolean | undefined;
  keepAliveDuration?: number | undefined;
  connectedSince?: number | undefined;
  disconnectedSince?: number | undefined;
  disconnectReason?: string | undefined;
  sessionExpiry?: number | undefined;
  sourceIp?: string | undefined;
  sourcePort?: number | undefined;
}

const listPageSize = 200;
const listPageBytesMax = 1024 * 1024;
const payloadBytesMax = 128 * 1024;

/** The data plane of the local cloud, or of an account: signed as the control plane is. */
async function open({ signal }: CommandContext, { aws, dataDir }: PlaceOptions) {
  const plane = await openControlPlane({ aws: aws === true, dataDir, signal });
  const sdk = iotDataSdk();
  const { credentials } = plane.client.config;
  const endpoint = plane.dataEndpoint;
  const client = new sdk.IoTDataPlaneClient({ endpoint, region: plane.region, credentials });
  return { plane, client, sdk, send: { abortSignal: signal } };
}

/** `thingline connection list` */
export async function connectionList(context: CommandContext, options: PlaceOptions): Promise<void> {
  const { output, signal } = context;
  if (options.aws === true) {
    const query = "aws iot search-index --query-string connectivity.connected:true";
    throw new UsageError(`AWS has no list of connections; with fleet indexing switched on: ${query}`);
  }
  let count = 0;
  for await (const connection of localConnections(options.dataDir, signal)) {
    count++;
    output.event(
      { event: "connection", ...connection },
      `${(connection.clientId ?? "").padEnd(24)}  ${stateText(output, connection)}  ${connection.thingName ?? ""}`.trimEnd(),
    );
    await output.drained();
  }
  if (count === 0) output.say("nobody is connected to the local cloud, and there is no persistent session");
}

async function* localConnections(dataDir: string, signal: AbortSignal): AsyncGenerator<Connection> {
  let nextToken: string | undefined;
  do {
    const token: string = nextToken === undefined ? "" : `&nextToken=${encodeURIComponent(nextToken)}`;
    const path = `connections?pageSize=${listPageSize}${token}`;
    const { body } = await administer({ dataDir, signal }, { method: "GET", path, bytesMax: listPageBytesMax });
    const page = JSON.parse(new TextDecoder().decode(body)) as { connections: Connection[]; nextToken?: string };
    yield* page.connections;
    ({ nextToken } = page);
  } while (nextToken !== undefined);
}

/** `thingline connection show CLIENT` */
export async function connectionShow(context: CommandContext, options: PlaceOptions, clientId = ""): Promise<void> {
  const { output } = context;
  const { client, sdk, send } = await open(context, options);
  const command = new sdk.GetConnectionCommand({ clientId, includeSocketInformation: true });
  const { $metadata, ...connection } = await client.send(command, send);
  void $metadata;
  const subscriptions: { topicFilter?: string | undefined; qos?: number | undefined }[] = [];
  // A client that is away with a clean session has none, and AWS answers as if it did not know it.
  if (connection.connected === true || connection.cleanSession === false) {
    const pages = sdk.paginateListSubscriptions({ client, pageSize: listPageSize }, { clientId }, send);
    try {
      for await (const page of pages) subscriptions.push(...(page.subscriptions ?? []));
    } catch (error) {
      if (!(error instanceof sdk.ResourceNotFoundException)) throw error;
    }
  }
  const { thingName, keepAliveDuration, sessionExpiry, sourceIp, sourcePort } = connection;
  const row = (name: string, value: string | undefined) =>
    value === undefined ? [] : [`  ${name.padEnd(14)}${value}`];
  output.event(
    { event: "connection", ...connection, subscriptions },
    [
      `${clientId}  ${stateText(output, connection)}`,
      ...row("thing", thingName),
      ...row("from", sourceIp === undefined ? undefined : `${sourceIp}:${sourcePort}`),
      ...row("keep alive", keepAliveDuration === undefined ? undefined : `${keepAliveDuration} s`),
      ...row("session", sessionText(connection.cleanSession, sessionExpiry)),
      ...(subscriptions.length === 0 ? [] : ["subscriptions"]),
      ...subscriptions.map(({ topicFilter, qos }) => `  ${topicFilter}  QoS ${qos}`),
    ].join("\n"),
  );
}

const sessionText = (isClean: boolean | undefined, expirySeconds: number | undefined) =>
  isClean === true ? "clean" : `persistent, kept ${expirySeconds ?? 0} s`;

function stateText({ paint }: Output, { connected, connectedSince, disconnectedSince, disconnectReason }: Connection) {
  const since = (ms: number | undefined) => (ms === undefined ? "" : ` since ${new Date(ms).toISOString()}`);
  if (connected === true) return paint.green(`connected${since(connectedSince)}`);
  return paint.dim(`away${since(disconnectedSince)}, ${disconnectReason ?? "for no known reason"}`);
}

/** `thingline connection delete CLIENT` */
export async function connectionDelete(context: CommandContext, options: DeleteOptions, clientId = ""): Promise<void> {
  const { output } = context;
  const { client, sdk, send } = await open(context, options);
  const cleanSession = options.cleanSession === true;
  const preventWillMessage = options.will === false;
  await client.send(new sdk.DeleteConnectionCommand({ clientId, cleanSession, preventWillMessage }), send);
  const what = cleanSession ? "connection and session" : "the connection";
  output.event(
    { event: "connectionDeleted", clientId, cleanSession, preventWillMessage },
    `${output.paint.green("ended")} ${what} of ${clientId}; nothing keeps it from connecting again`,
  );
}

/** The message of a command line: a text, or a file. */
async function payloadOf(from: string | undefined, text: string | undefined): Promise<Uint8Array> {
  if (from !== undefined && text !== undefined)
    throw new UsageError("the message is a text or --from a file, not both");
  if (from === undefined) return new TextEncoder().encode(text ?? "");
  return createNodeFiles().read(from, { bytesMax: payloadBytesMax });
}

/** `thingline publish TOPIC [TEXT]` */
export async function publish(
  context: CommandContext,
  options: PublishOptions,
  topic = "",
  text?: string,
): Promise<void> {
  const { output } = context;
  const { retain = false, contentType } = options;
  const qos = Number(options.qos);
  const payload = await payloadOf(options.from, text);
  const { client, sdk, send } = await open(context, options);
  await client.send(new sdk.PublishCommand({ topic, payload, qos, retain, contentType }), send);
  output.event(
    { event: "messagePublished", topic, bytes: payload.length, qos, retain },
    `${output.paint.green("published")} ${payload.length} bytes on ${topic}${retain ? ", retained" : ""}`,
  );
}

/** `thingline connection send CLIENT TOPIC [TEXT]` */
export async function connectionSend(
  context: CommandContext,
  options: SendOptions,
  clientId = "",
  topic = "",
  text?: string,
): Promise<void> {
  const { output } = context;
  const { confirm = false, timeout, contentType, from } = options;
  if (timeout !== undefined && !confirm) throw new UsageError("--timeout is for --confirm: nobody waits without it");
  const payload = await payloadOf(from, text);
  const { client, sdk, send } = await open(context, options);
  const command = new sdk.SendDirectMessageCommand({
    clientId,
    topic,
    payload,
    confirmation: confirm,
    timeout,
    contentType,
  });
  try {
    await client.send(command, send);
  } catch (error) {
    if (!(error instanceof sdk.ResourceNotFoundException)) throw error;
    const next = commandLine(["connection", "show", clientId]);
    const message = `${error.message}: a direct message is not queued. When it was there last: ${next}`;
    throw new ThinglineError("RESOURCE_NOT_FOUND", message, { cause: error, details: { clientId } });
  }
  const how = confirm ? "and it was acknowledged" : "without waiting for an acknowledgement";
  output.event(
    { event: "messageSent", clientId, topic, bytes: payload.length, isAcknowledged: confirm },
    `${output.paint.green("sent")} ${payload.length} bytes on ${topic} to ${clientId}, ${how}`,
  );
}
