import type { ClientConnection } from "./client-connection.js";
import type { BrokerCore } from "./core.js";
import type { Publication } from "./publication.js";

/** From this size on a packet is handed on by reference instead of being copied into the slab of each receiver. */
const byReferenceBytesMin = 16 * 1024;

/** Writes one PUBLISH for one receiver; with QoS 0 the packet identifier is 0. */
export function sendPublish(
  core: BrokerCore,
  client: ClientConnection,
  publication: Publication,
  qos: 0 | 1,
  isRetained: boolean,
  packetId: number,
): void {
  const { connection } = client;
  const template = publication.template(client.version, qos, isRetained);
  const { lengthBytes } = template;
  if (lengthBytes > client.terms.clientPacketBytesMax) {
    // [MQTT-3.1.2-25] Acts as if it had been delivered.
    core.counters.droppedTooLarge++;
    core.options.log.warn("messageTooLarge", { clientId: client.clientId, topic: publication.topic });
    if (packetId !== 0) client.acknowledged(packetId);
    return;
  }
  core.counters.publishesDelivered++;
  const patch = publication.expiresAtMs === undefined ? undefined : publication.patch(core.options.clock.unixMs());
  if (lengthBytes < byReferenceBytesMin) {
    const at = connection.reserve(lengthBytes);
    template.writeTo(connection.slab, at, packetId, patch);
    return;
  }
  // The input's memory is not ours to keep: what is handed on by reference has bytes of its own, shared by receivers.
  const kept = publication.keep();
  connection.write(kept.template(client.version, qos, isRetained).head(packetId, patch), kept.payload);
}
