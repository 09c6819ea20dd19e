import { ThinglineError } from "../errors.js";
import { reasonCodes } from "./reason-codes.js";

/** Topic aliases of one connection and direction. MQTT 5 §3.3.2.3.4 */
export class InboundTopicAliases {
  private readonly topics: (string | undefined)[] = [];
  private readonly aliasMax: number;

  /** @param aliasMax the Topic Alias Maximum that was announced; 0 allows none. */
  constructor(aliasMax: number) {
    this.aliasMax = aliasMax;
  }

  /**
   * The topic of a PUBLISH that carries an alias; remembers it when both are there.
   * @throws {ThinglineError} MQTT_PROTOCOL_ERROR with `details.reasonCode` 0x94 (alias out of range) or 0x82 (unknown).
   */
  resolve(topic: string, alias: number): string {
    // [MQTT-3.3.2-9]
    if (alias < 1 || alias > this.aliasMax) {
      const message = `topic alias ${alias} is not within 1 to ${this.aliasMax} [MQTT-3.3.2-9]`;
      const details = { reasonCode: reasonCodes.topicAliasInvalid, alias };
      throw new ThinglineError("MQTT_PROTOCOL_ERROR", message, { details });
    }
    if (topic !== "") {
      this.topics[alias] = topic;
      return topic;
    }
    const known = this.topics[alias];
    if (known === undefined) {
      const message = `topic alias ${alias} was never given a topic on this connection [MQTT 5 §3.3.2.3.4]`;
      throw new ThinglineError("MQTT_PROTOCOL_ERROR", message, {
        details: { reasonCode: reasonCodes.protocolError, alias },
      });
    }
    return known;
  }
}
