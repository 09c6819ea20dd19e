import { concatBytes } from "@thingline/protocol";
import { derTags, encodeDer, firstDerElement } from "@thingline/protocol/x509";

/** What a client keeps to resume a session. */
export interface ClientSession {
  /** DER of the server's certificate in the session's first handshake: Node does not tell it again on a resumed one. */
  peerCertificate: Uint8Array | undefined;
  /** Node's own bytes, whose form differs between its versions. */
  nodeSession: Uint8Array;
}

/** The certificate, or nothing, in an OCTET STRING, then Node's bytes. */
export function encodeSession({ peerCertificate, nodeSession }: ClientSession): Uint8Array {
  return concatBytes([encodeDer(derTags.octetString, peerCertificate ?? new Uint8Array(0)), nodeSession]);
}

/** Undefined for bytes that {@link encodeSession} did not make: without a session, a full handshake is made. */
export function decodeSession(bytes: Uint8Array): ClientSession | undefined {
  const kept = firstDerElement(bytes);
  if (kept?.tag !== derTags.octetString || kept.whole.length === bytes.length) return undefined;
  const peerCertificate = kept.content.length === 0 ? undefined : kept.content.slice();
  return { peerCertificate, nodeSession: bytes.subarray(kept.whole.length) };
}
