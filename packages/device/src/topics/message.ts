import type { PublishProperties, QoS } from "@thingline/protocol/mqtt/client";

/** A message from the cloud. `payload` is a view; copy it to keep it for long without its whole receive buffer. */
export interface DeviceMessage {
  topic: string;
  payload: Uint8Array;
  qos: QoS;
  isRetained: boolean;
  isDuplicate: boolean;
  /** Only with QoS 1. */
  packetId?: number;
  /** MQTT 5. */
  properties?: PublishProperties;
}

export type MessageListener = (message: DeviceMessage) => void | Promise<void>;

/** What a listener or queue makes of a message: done, or done when the promise resolves (it never rejects). */
export type Delivery = Promise<void> | undefined;
