import type { Clock } from "@thingline/transport";
import { verbosityOf } from "../services/iot-log.js";
import type { BrokerContext } from "./context.js";
import type { Client } from "./client.js";
import type { BrokerCounters } from "./counters.js";
import { clientEntry } from "./iot-entries.js";
import type { InFlight } from "./in-flight.js";
import type { Publication } from "./publication.js";
import type { BrokerSession } from "./session.js";

/** From this size on a packet is handed on by reference instead of being copied into the slab of each receiver. */
const byReferenceBytesMin = 16 * 1024;

/** Writes PUBLISH packets. */
export class PublishSender {
  private readonly context: BrokerContext;
  private readonly clock: Clock;
  private readonly counters: BrokerCounters;
  private readonly inFlight: InFlight;

  constructor(context: BrokerContext, inFlight: InFlight) {
    this.context = context;
    this.clock = context.clock;
    this.counters = context.counters;
    this.inFlight = inFlight;
  }

  /** One PUBLISH for one receiver, which is the session's client; with QoS 0 the packet identifier is 0. */
  send(
    session: BrokerSession,
    client: Client,
    publication: Publication,
    qos: 0 | 1,
    isRetained: boolean,
    packetId: number,
  ): void {
    const { connection } = client;
    const template = publication.template(client.version, qos, isRetained);
    const { lengthBytes } = template;
    if (lengthBytes > client.packetBytesMax) {
      // [MQTT-3.1.2-25] Acts as if it had been delivered.
      this.counters.droppedTooLarge++;
      this.context.log.warn("messageTooLarge", { clientId: client.clientId, topic: publication.topic });
      if (packetId !== 0) this.inFlight.acknowledged(session, packetId);
      return;
    }
    this.counters.publishesDelivered++;
    const { iotLog } = this.context;
    if (iotLog.verbosity >= verbosityOf.INFO) {
      iotLog.write(clientEntry(client, { level: "INFO", eventType: "Publish-Out", topicName: publication.topic }));
    }
    const patch = publication.expiresAtMs === undefined ? undefined : publication.patch(this.clock.unixMs());
    if (lengthBytes < byReferenceBytesMin) {
      const at = connection.reserve(lengthBytes);
      template.writeTo(connection.slab, at, packetId, patch);
      return;
    }
    // The input's memory is not ours to keep: what is handed on by reference has bytes of its own, shared by receivers.
    const kept = publication.keep();
    connection.write(kept.template(client.version, qos, isRetained).head(packetId, patch), kept.payload);
  }
}
