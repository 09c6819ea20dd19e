import { readDer, readDerSeries } from "../der.js";

/**
 * The peer's leaf certificate out of a serialized TLS session, which is OpenSSL's `SSL_SESSION` in DER: a SEQUENCE that
 * holds the certificate of the session's first handshake under the tag [3]. Node tells a client nothing about the
 * server's certificate once a session is resumed.
 */
export function peerCertificateOfSession(session: Uint8Array): Uint8Array | undefined {
  const whole = readDer(session);
  if (whole?.tag !== 0x30) return undefined;
  return readDerSeries(whole.content)
    ?.find(({ tag }) => tag === 0xa3)
    ?.content.slice();
}
