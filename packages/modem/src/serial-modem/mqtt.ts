import { type AtParameter, integerAt, stringAt } from "@thingline/protocol/at";
import type { QoS } from "@thingline/protocol/mqtt";
import type { Connection } from "@thingline/transport";
import { integer, oneOf, optional, secTagMax, text } from "../simulator/commands/parameter-rules.js";
import { ClientDial } from "./client-dial.js";
import { failed, ok, type SerialModemCommand, type SerialModemReply } from "./command.js";
import type { SerialModemDataMode } from "./data-mode.js";
import { dataModeBufferBytes } from "./data-mode-driver.js";
import { errnos } from "./errno.js";
import type { SerialModemFeature, SerialModemFeatureParts, SerialModemServices } from "./feature.js";
import { isWithin } from "./is-within.js";
import { formatMqttMessage, MqttClient, type MqttClientPublish, mqttEvents, type MqttRefusal } from "./mqtt-client.js";
import { isVersionBefore } from "./version-before.js";

/** Buffers of 128 bytes hold a topic and the zero behind it. */
export const mqttTopicBytesMax = 127;
export const mqttClientIdBytesMax = 64;
export const mqttHostBytesMax = 128;
/** Of the user name, and of the password. */
export const mqttLoginBytesMax = 32;
/** A message within the command, likewise with a zero behind it. The Serial Modem has no limit but that of the line; longer ones go by data mode. */
export const mqttMessageBytesMax = { "slm-1.x": 255, "slm-2.x": 1023, serialModem: Infinity } as const;
export const mqttKeepAliveSecondsDefault = 60;

interface MqttConfiguration {
  clientId: string;
  keepAliveSeconds: number;
  isCleanSession: boolean;
}

interface MqttBroker {
  clientId: string;
  host: string;
  port: number;
  secTag: number | undefined;
}

const topicRule = text();
const qosRule = oneOf(0, 1, 2);
const refusalNumbers: Readonly<Record<MqttRefusal, number>> = {
  notConnected: -errnos.ENOTCONN,
  noRoom: -errnos.ENOMEM,
  invalid: -errnos.EINVAL,
};

/**
 * The MQTT client of the application: `#XMQTTCFG` (from SLM 2.6 on), `#XMQTTCON`, `#XMQTTSUB`, `#XMQTTUNSUB`, `#XMQTTPUB`. An OK says that
 * a packet was sent; what the broker says of it comes as `#XMQTTEVT`.
 */
export const mqttFeature: SerialModemFeature = (services) => new Mqtt(services);

class Mqtt implements SerialModemFeatureParts {
  readonly commands: readonly SerialModemCommand[];
  readonly #services: SerialModemServices;
  /** `#XMQTTCFG` holds the client identifier; without it, `#XMQTTCON` does. */
  readonly #isConfigured: boolean;
  #configuration: MqttConfiguration;
  #client: MqttClient | undefined;
  #broker: MqttBroker | undefined;
  readonly #dial: ClientDial;
  /** Counts commands, not packets: the bursts of one data mode share their identifier. */
  #publishId = 0;
  #subscribeId = 0;

  constructor(services: SerialModemServices) {
    const { dialect, version } = services.traits;
    this.#services = services;
    this.#dial = new ClientDial(services);
    this.#isConfigured =
      dialect === "serialModem" ||
      (dialect === "slm-2.x" && !isVersionBefore(services.options.version ?? version, 2, 6));
    this.#configuration = this.#defaults;
    this.commands = [
      ...(this.#isConfigured ? [this.#configureCommand()] : []),
      this.#connectCommand(),
      this.#subscribeCommand(),
      this.#unsubscribeCommand(),
      this.#publishCommand(),
    ];
  }

  lineChanged(): void {
    this.#client?.lineChanged();
  }

  modemLost(): void {
    // Its sockets are dead, and tell so by themselves: the dial that is under way is what is left.
    this.#dial.abort();
  }

  async stop(): Promise<void> {
    this.#dial.abort();
    const client = this.#client;
    this.#client = undefined;
    this.#broker = undefined;
    this.#configuration = this.#defaults;
    this.#publishId = 0;
    this.#subscribeId = 0;
    await client?.stop();
  }

  get #defaults(): MqttConfiguration {
    const clientId = this.#services.traits.dialect === "serialModem" ? "sm_default_client_id" : "slm_default_client_id";
    return { clientId, keepAliveSeconds: mqttKeepAliveSecondsDefault, isCleanSession: false };
  }

  get #connected(): MqttClient | undefined {
    return this.#client?.isOver === false ? this.#client : undefined;
  }

  // ---- configuration -------------------------------------------------------------------------------------------

  #configureCommand(): SerialModemCommand {
    return {
      name: "#XMQTTCFG",
      forms: {
        set: {
          rules: [text(), optional(integer(0, 65_535)), optional(oneOf(0, 1))],
          handle: (parameters) => this.#configure(parameters),
        },
        read: () => {
          const { clientId, keepAliveSeconds, isCleanSession } = this.#configuration;
          return ok(`#XMQTTCFG: "${clientId}",${keepAliveSeconds},${isCleanSession ? 1 : 0}`);
        },
        test: () => ok("#XMQTTCFG: <client_id>,<keep_alive>,<clean_session>"),
      },
    };
  }

  #configure(parameters: readonly AtParameter[]): SerialModemReply {
    const clientId = stringAt(parameters, 0);
    if (clientId === undefined || !isWithin(clientId, mqttClientIdBytesMax) || this.#connected) return failed();
    this.#configuration = {
      clientId,
      keepAliveSeconds: integerAt(parameters, 1) ?? mqttKeepAliveSecondsDefault,
      isCleanSession: integerAt(parameters, 2) === 1,
    };
    return ok();
  }

  // ---- connection ----------------------------------------------------------------------------------------------

  #connectCommand(): SerialModemCommand {
    const login = [optional(text()), optional(text())];
    const target = [optional(text()), optional(integer(0, 65_535)), optional(integer(0, secTagMax))];
    const names = `${this.#isConfigured ? "" : "<client_id>,"}<username>,<password>,<url>,<port>,<sec_tag>`;
    return {
      name: "#XMQTTCON",
      forms: {
        set: {
          rules: [oneOf(0, 1, 2), ...(this.#isConfigured ? [] : [optional(text())]), ...login, ...target],
          handle: (parameters) => this.#connectOrDisconnect(parameters),
        },
        read: () => ok(this.#connectionLine()),
        test: () => ok(`#XMQTTCON: (0,1,2),${names}`),
      },
    };
  }

  #connectionLine(): string {
    if (this.#connected === undefined || this.#broker === undefined) return "#XMQTTCON: 0";
    const { clientId, host, port, secTag } = this.#broker;
    return `#XMQTTCON: 1,"${clientId}","${host}",${port}${secTag === undefined ? "" : `,${secTag}`}`;
  }

  async #connectOrDisconnect([operation, ...rest]: readonly AtParameter[]): Promise<SerialModemReply> {
    if (operation?.type === "integer" && operation.value === 0) {
      const client = this.#connected;
      return client !== undefined && client.disconnect() === undefined ? ok() : failed();
    }
    const login = this.#isConfigured ? rest : rest.slice(1);
    const clientId = this.#isConfigured ? this.#configuration.clientId : stringAt(rest, 0);
    const [username, password, host] = [stringAt(login, 0), stringAt(login, 1), stringAt(login, 2)];
    const port = integerAt(login, 3);
    if (clientId === undefined || username === undefined || password === undefined) return failed();
    if (host === undefined || port === undefined || this.#connected || this.#dial.isUnderWay) return failed();
    const fits =
      isWithin(clientId, mqttClientIdBytesMax) &&
      isWithin(username, mqttLoginBytesMax) &&
      isWithin(password, mqttLoginBytesMax) &&
      isWithin(host, mqttHostBytesMax);
    if (!fits) return failed();
    const family = operation?.type === "integer" && operation.value === 2 ? 6 : 4;
    const secTag = integerAt(login, 4);
    this.#broker = { clientId, host, port, secTag };
    const connection = await this.#dial.dial({ host, port, secTag, family });
    return connection ? this.#start(connection, clientId, { username, password }) : failed();
  }

  #start(
    connection: Connection,
    clientId: string,
    { username, password }: { username: string; password: string },
  ): SerialModemReply {
    const services = this.#services;
    const { keepAliveSeconds, isCleanSession } = this.#configuration;
    const client = new MqttClient({
      clock: services.clock,
      connection,
      clientId,
      keepAliveSeconds,
      isCleanSession,
      // Without a user name the password is not sent.
      ...(username !== "" && { username, ...(password !== "" && { password }) }),
      onEvent: (event, result) => services.notify(`#XMQTTEVT: ${mqttEvents[event]},${result}`),
      onMessage: (topic, payload) => {
        // SLM sends at once, whatever else is on the line.
        const isFree = services.traits.notifiesWhen === "atOnce" || services.isLineFree;
        if (!isFree || !services.hasLineRoom) return false;
        services.sendRaw(formatMqttMessage(topic, payload));
        return true;
      },
    });
    const refusal = client.start();
    if (refusal !== undefined) return failed();
    this.#client = client;
    return ok();
  }

  // ---- messages ------------------------------------------------------------------------------------------------

  #subscribeCommand(): SerialModemCommand {
    return {
      name: "#XMQTTSUB",
      forms: {
        set: {
          rules: [topicRule, qosRule],
          handle: (parameters) =>
            this.#request(parameters, (client, topic) =>
              client.subscribe(topic, (integerAt(parameters, 1) ?? 0) as QoS, this.#nextSubscribeId()),
            ),
        },
        test: () => (this.#connected ? ok("#XMQTTSUB: <topic>,(0,1,2)") : failed()),
      },
    };
  }

  #unsubscribeCommand(): SerialModemCommand {
    return {
      name: "#XMQTTUNSUB",
      forms: {
        set: {
          rules: [topicRule],
          handle: (parameters) =>
            this.#request(parameters, (client, topic) => client.unsubscribe(topic, this.#nextSubscribeId())),
        },
        test: () => (this.#connected ? ok("#XMQTTUNSUB: <topic>") : failed()),
      },
    };
  }

  #request(
    parameters: readonly AtParameter[],
    send: (client: MqttClient, topic: string) => MqttRefusal | undefined,
  ): SerialModemReply {
    const client = this.#connected;
    const topic = stringAt(parameters, 0);
    if (client === undefined || topic === undefined || !isWithin(topic, mqttTopicBytesMax)) return failed();
    return send(client, topic) === undefined ? ok() : failed();
  }

  #publishCommand(): SerialModemCommand {
    return {
      name: "#XMQTTPUB",
      forms: {
        set: {
          rules: [topicRule, optional(text()), optional(qosRule), optional(oneOf(0, 1))],
          handle: (parameters) => this.#publish(parameters),
        },
        test: () => (this.#connected ? ok("#XMQTTPUB: <topic>,<msg>,(0,1,2),(0,1)") : failed()),
      },
    };
  }

  async #publish(parameters: readonly AtParameter[]): Promise<SerialModemReply> {
    const client = this.#connected;
    const topic = stringAt(parameters, 0);
    const message = stringAt(parameters, 1) ?? "";
    const bytesMax = mqttMessageBytesMax[this.#services.traits.dialect];
    if (client === undefined || topic === undefined) return failed();
    if (!isWithin(topic, mqttTopicBytesMax) || !isWithin(message, bytesMax)) return failed();
    this.#publishId = nextId(this.#publishId);
    const publish = {
      topic,
      qos: (integerAt(parameters, 2) ?? 0) as QoS,
      isRetained: integerAt(parameters, 3) === 1,
      packetId: this.#publishId,
    };
    if (message === "") return { type: "dataMode", information: [], mode: dataModeOf(client, publish) };
    const payload = new TextEncoder().encode(message);
    return (await client.publish({ ...publish, payload })) === undefined ? ok() : failed();
  }

  #nextSubscribeId(): number {
    this.#subscribeId = nextId(this.#subscribeId);
    return this.#subscribeId;
  }
}

/** Each burst is a message of its own: a pause within a payload makes two of it. */
function dataModeOf(client: MqttClient, publish: Omit<MqttClientPublish, "payload">): SerialModemDataMode {
  return {
    send: async (bytes) => {
      // More than the buffer of data mode holds cannot be one message.
      if (bytes.length >= dataModeBufferBytes) return -errnos.EOVERFLOW;
      const refusal = await client.publish({ ...publish, payload: bytes });
      return refusal === undefined ? bytes.length : refusalNumbers[refusal];
    },
  };
}

/** Of packets. From 65,534 the original goes on with 1. */
export function nextId(id: number): number {
  return id >= 65_534 ? 1 : id + 1;
}
