import type { Authorizer, ConnectionIdentity, Decision } from "../policy/authorizer.js";

/** What a service says of certificates that are not ACTIVE: those of registered CAs are registered when they connect for the first time. */
export interface FirstConnections {
  /** Before any MQTT: may this certificate come to its CONNECT? Undefined for one that no registered CA has to do with. */
  judge(certificate: Uint8Array, serverName: string | undefined): Promise<FirstConnectionVerdict>;
  /** At its CONNECT. @returns why it is not connected now, in words about "it" */
  connect(connection: FirstConnection): Promise<string>;
}

export type FirstConnectionVerdict =
  | { caCertificateId: string }
  /** In words about "it". */
  | { caCertificateId: undefined; reason: string }
  | undefined;

export interface FirstConnection {
  /** DER. */
  certificate: Uint8Array;
  certificateId: string;
  /** The registered CA that signed it. */
  caCertificateId: string;
  clientId: string;
}

/** An identity that has no rights: its CONNECT registers it, and is closed without an answer. */
export function firstIdentity(
  firstConnections: FirstConnections,
  certificate: Omit<FirstConnection, "clientId">,
): ConnectionIdentity {
  const { certificateId } = certificate;
  return {
    certificateId,
    async authorizeConnect({ clientId }) {
      const why = await firstConnections.connect({ ...certificate, clientId });
      const explanation = `certificate ${certificateId} may not connect: ${why}`;
      const decision: Decision = { isAllowed: false, explanation, isSilent: true };
      const authorizer: Authorizer = { authorize: () => decision, generation: 0, thingName: undefined };
      return { decision, authorizer };
    },
  };
}
