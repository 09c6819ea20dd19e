import { toHex } from "@thingline/protocol";
import type { FleetProvisioningRequestTopic } from "@thingline/protocol/fleet-provisioning";
import type { Effect, SagaContext } from "../operation.js";

/** Who asks, and where the answer goes. */
export interface Asker {
  clientId: string;
  /** What it is connected with. */
  claimCertificateId: string | undefined;
  topic: FleetProvisioningRequestTopic;
}

/**
 * How long an answer waits for a client that is away: it may hold a private key, and whoever comes later under the same client id is perhaps
 * another.
 */
export const answerExpirySeconds = 60;

/** Under which a token is kept. */
export const digestOf = ({ keys }: Pick<SagaContext, "keys">, text: string): string =>
  toHex(keys.sha256(new TextEncoder().encode(text)));

export const accepted = (asker: Asker, payload: Uint8Array): Effect => answerTo(asker, asker.topic.accepted, payload);

/** QoS 1 is the most: a subscription may say less. Not for whoever has thrown the asker off under its client id, with another certificate. */
export const answerTo = ({ clientId, claimCertificateId }: Asker, topic: string, payload: Uint8Array): Effect => ({
  ...{ type: "publish", topic, payload, qos: 1, onlyToClientId: clientId },
  ...(claimCertificateId !== undefined && { onlyToCertificateId: claimCertificateId }),
  properties: { messageExpirySeconds: answerExpirySeconds },
});
