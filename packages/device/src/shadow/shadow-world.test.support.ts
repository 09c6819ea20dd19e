// A shadow in a cloud of three functions, and a device in front of it whose link loses, repeats and delays what we say.
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import {
  composeDeleteAccepted,
  composeDelta,
  composeGetAccepted,
  composeUpdateAccepted,
  decodeShadowUpdate,
  describeShadowError,
  findClientToken,
  type ShadowDocument,
  shadowError,
  shadowTopic,
  updateShadow,
} from "@thingline/protocol/shadow";
import { createVirtualClock, createVirtualRandom } from "@thingline/transport/virtual";
import type { DeviceMessage } from "../topics/message.js";
import { RequestGate } from "./request-gate.js";
import { ShadowClient } from "./shadow-client.js";
import type { ShadowPort } from "./shadow-requests.js";

const encoder = new TextEncoder();
const id = { thingName: "pump" };
type Listener = (message: DeviceMessage) => void;

export class ShadowWorld {
  readonly clock = createVirtualClock();
  readonly random = createVirtualRandom(1);
  readonly reported: ThinglineError[] = [];
  readonly published: string[] = [];
  readonly subscribed: string[] = [];
  document: ShadowDocument | undefined;
  deletedVersion = 0;
  isConnected = true;
  /** Answered before anything is carried out. */
  refusals: { code: number; message: string }[] = [];
  /** Takes requests and says nothing. */
  isSilent = false;
  /** What becomes of a message to the device: so many copies. Default one. */
  copies: () => number = () => 1;
  /** Messages that were sent and have not arrived. */
  onTheirWay: { topic: string; payload: Uint8Array }[] = [];
  isDelayed = false;
  refusedFilter: string | undefined;
  readonly client: ShadowClient;
  readonly #listeners = new Map<string, Listener>();
  readonly #ended: ((error: ThinglineError | undefined) => void)[] = [];

  constructor() {
    const port: ShadowPort = {
      clock: this.clock,
      random: this.random,
      gate: new RequestGate(),
      publish: async (topic, payload) => this.#publish(topic, payload),
      subscribe: async (filters, listener, ended) => {
        if (!this.isConnected) throw new ThinglineError("CONNECTION_LOST", "no connection");
        if (this.refusedFilter !== undefined && filters.includes(this.refusedFilter)) {
          throw new ThinglineError("MQTT_SUBSCRIPTION_REFUSED", "denied");
        }
        this.subscribed.push(...filters);
        for (const filter of filters) this.#listeners.set(filter, listener);
        this.#ended.push(ended);
      },
      report: (error) => void this.reported.push(error),
    };
    this.client = new ShadowClient(id, port);
  }

  get nowSeconds(): number {
    return Math.floor(this.clock.unixMs() / 1000);
  }

  /** As the device does it when it is back. */
  connect(): void {
    this.isConnected = true;
    this.client.deviceReady();
  }

  /** What is on its way is lost with the connection. */
  disconnect(): void {
    this.isConnected = false;
    this.onTheirWay = [];
  }

  endSubscriptions(error: ThinglineError | undefined): void {
    this.#listeners.clear();
    for (const ended of this.#ended.splice(0)) ended(error);
  }

  /** Somebody else's update, at the cloud. */
  write(state: object): void {
    this.#update(encoder.encode(JSON.stringify({ state })), undefined);
  }

  /** A message to the device. */
  send(tail: Parameters<typeof shadowTopic>[1], value: unknown): void {
    const topic = shadowTopic(id, tail);
    const payload = value instanceof Uint8Array ? value : encoder.encode(JSON.stringify(value));
    if (!this.isConnected) return;
    for (let copy = this.copies(); copy > 0; copy--) this.onTheirWay.push({ topic, payload });
    if (!this.isDelayed) this.arrive();
  }

  /** Everything that is on its way arrives, in this order. */
  arrive(order: (messages: ShadowWorld["onTheirWay"]) => ShadowWorld["onTheirWay"] = (messages) => messages): void {
    for (const { topic, payload } of order(this.onTheirWay.splice(0))) {
      const packet = { qos: 1, isRetained: false, isDuplicate: false, packetId: 1 } as const;
      this.#listeners.get(topic)?.({ topic, payload, ...packet });
    }
  }

  async #publish(topic: string, payload: Uint8Array): Promise<void> {
    if (!this.isConnected) throw new ThinglineError("CONNECTION_LOST", "no connection");
    this.published.push(topic);
    if (this.isSilent) return;
    const kind = topic.split("/").at(-1) as "get" | "update" | "delete";
    const clientToken = findClientToken(payload);
    const refusal = this.refusals.shift();
    if (refusal !== undefined) return this.send(`${kind}/rejected`, { ...refusal, clientToken });
    try {
      if (kind === "update") this.#update(payload, clientToken);
      else this.#answer(kind, clientToken);
    } catch (error) {
      if (!isThinglineError(error)) throw error;
      this.send(`${kind}/rejected`, { ...describeShadowError(error), clientToken });
    }
  }

  #answer(kind: "get" | "delete", clientToken: string | undefined): void {
    const { document } = this;
    if (document === undefined) throw new ThinglineError("SHADOW_NOT_FOUND", "No shadow exists with name: 'pump'");
    const facts = { nowSeconds: this.nowSeconds, clientToken };
    if (kind === "get") return this.send("get/accepted", composeGetAccepted(document, facts));
    this.document = undefined;
    this.deletedVersion = document.version + 1;
    this.send("delete/accepted", composeDeleteAccepted(document.version, facts));
  }

  #update(payload: Uint8Array, clientToken: string | undefined): void {
    const update = decodeShadowUpdate(payload);
    const facts = { nowSeconds: this.nowSeconds, clientToken };
    const { document: previous, deletedVersion } = this;
    if (update.version !== undefined && update.version !== (previous?.version ?? 0))
      throw shadowError("versionConflict");
    const document = updateShadow(previous, update, { deletedVersion, nowSeconds: facts.nowSeconds });
    this.document = document;
    const delta = composeDelta(document, facts);
    this.send("update/accepted", composeUpdateAccepted(document, update, facts));
    if (delta !== undefined) this.send("update/delta", delta);
  }
}
