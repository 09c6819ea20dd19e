/**
 * The peer's leaf certificate out of a serialized TLS session, which is OpenSSL's `SSL_SESSION` in DER: a SEQUENCE that
 * holds the certificate of the session's first handshake under the tag [3]. Node tells a client nothing about the
 * server's certificate once a session is resumed.
 */
export function peerCertificateOfSession(session: Uint8Array): Uint8Array | undefined {
  const whole = readElement(session, 0);
  if (whole?.tag !== 0x30) return undefined;
  let offset = whole.start;
  while (offset < whole.end) {
    const element = readElement(session, offset);
    if (element === undefined) return undefined;
    if (element.tag === 0xa3) return session.slice(element.start, element.end);
    offset = element.end;
  }
  return undefined;
}

interface Element {
  tag: number;
  start: number;
  end: number;
}

function readElement(bytes: Uint8Array, offset: number): Element | undefined {
  const tag = bytes[offset];
  const first = bytes[offset + 1];
  if (tag === undefined || first === undefined) return undefined;
  let start = offset + 2;
  let length = first;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > 3) return undefined;
    length = 0;
    for (let index = 0; index < count; index++) length = length * 256 + (bytes[start + index] ?? 0);
    start += count;
  }
  const end = start + length;
  return end <= bytes.length ? { tag, start, end } : undefined;
}
