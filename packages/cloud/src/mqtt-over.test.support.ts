import { encodeToBytes, PacketDecoder, type ConnectPacket, type MqttPacket } from "@thingline/protocol/mqtt";
import type { Connection } from "@thingline/transport";

/** Speaks MQTT 5 over a connection: sends a CONNECT and collects what comes back. @param more of the CONNECT */
export function mqttOver(connection: Connection, clientId: string, more: Partial<ConnectPacket> = {}) {
  const packets: MqttPacket[] = [];
  const decoder = new PacketDecoder({ receiver: "client", version: 5, packetBytesMax: 100_000 });
  const closed = new Promise<void>((resolve) => {
    connection.start({
      data: (bytes) => {
        decoder.push(bytes);
        for (let packet = decoder.next(); packet !== undefined; packet = decoder.next()) packets.push(packet);
      },
      closed: () => resolve(),
    });
  });
  const send = (packet: MqttPacket) => void connection.write(encodeToBytes(packet, 5));
  send({ type: "connect", version: 5, clientId, isCleanStart: true, keepAliveSeconds: 60, ...more });
  return { packets, closed, send };
}
