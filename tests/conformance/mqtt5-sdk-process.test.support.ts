// MQTT 5 clients of AWS's device SDK in a process of their own, driven over its message channel: the SDK never lets a
// process end that had one (awslabs/aws-crt-nodejs#600), so this one is killed.
import { iot, mqtt5 } from "aws-iot-device-sdk-v2";

export interface ClientOptions {
  port: number;
  caFile: string;
  certificateFile: string;
  keyFile: string;
  /** 0: the session ends with the connection. Else it is resumed, too. */
  sessionExpirySeconds: number;
}

export type Command = { id: number; clientId: string } & (
  | { do: "start"; options: ClientOptions }
  | { do: "publish"; packet: mqtt5.PublishPacket }
  | { do: "subscribe"; packet: mqtt5.SubscribePacket }
  | { do: "stop" }
);

export interface Events {
  connectionSuccess: { settings: mqtt5.NegotiatedSettings };
  connectionFailure: { reasonCode: number | undefined };
  disconnection: { reasonCode: number | undefined };
  messageReceived: mqtt5.PublishPacket;
  stopped: undefined;
}

export type Report =
  | { id: number; answer: unknown }
  | { id: number; error: string }
  | { [E in keyof Events]: { clientId: string; event: E; value: Events[E] } }[keyof Events];

const clients = new Map<string, mqtt5.Mqtt5Client>();
const report = (message: Report) => void process.send?.(message);

function open(clientId: string, options: ClientOptions): mqtt5.Mqtt5Client {
  const { certificateFile, keyFile, caFile, port, sessionExpirySeconds } = options;
  const { AwsIotMqtt5ClientConfigBuilder: Builder } = iot;
  const builder = Builder.newDirectMqttBuilderWithMtlsFromPath("localhost", certificateFile, keyFile)
    .withCertificateAuthorityFromPath(undefined, caFile)
    .withPort(port)
    .withConnectProperties({
      ...{ clientId, keepAliveIntervalSeconds: 1200 },
      sessionExpiryIntervalSeconds: sessionExpirySeconds,
    })
    .withMinReconnectDelayMs(1000)
    .withMaxReconnectDelayMs(1000);
  if (sessionExpirySeconds > 0) builder.withSessionBehavior(mqtt5.ClientSessionBehavior.RejoinAlways);
  const client = new mqtt5.Mqtt5Client(builder.build());
  client.on("connectionSuccess", ({ settings }) => {
    report({ clientId, event: "connectionSuccess", value: { settings } });
  });
  client.on("connectionFailure", ({ connack }) => {
    report({ clientId, event: "connectionFailure", value: { reasonCode: connack?.reasonCode } });
  });
  client.on("disconnection", ({ disconnect }) => {
    report({ clientId, event: "disconnection", value: { reasonCode: disconnect?.reasonCode } });
  });
  client.on("messageReceived", ({ message }) => report({ clientId, event: "messageReceived", value: message }));
  client.on("stopped", () => report({ clientId, event: "stopped", value: undefined }));
  return client;
}

async function obey(command: Command): Promise<unknown> {
  if (command.do === "start") {
    const started = open(command.clientId, command.options);
    clients.set(command.clientId, started);
    return started.start();
  }
  const client = clients.get(command.clientId);
  if (client === undefined) throw new Error(`no client ${command.clientId}`);
  if (command.do === "publish") return client.publish(command.packet);
  if (command.do === "subscribe") return client.subscribe(command.packet);
  return client.stop();
}

process.on("message", (command: Command) => {
  obey(command).then(
    (answer) => report({ id: command.id, answer }),
    (error: unknown) => report({ id: command.id, error: String(error) }),
  );
});
