import type { SecureInfo, TlsRecord } from "../connection.js";
import type { VirtualCertificate } from "./certificate.js";

type Chain = readonly VirtualCertificate[];

/** What the sizes of a handshake's messages follow from. */
export interface HandshakeShape {
  protocol: SecureInfo["protocol"];
  isResumed: boolean;
  /** How many the client offers; undefined: as many as its library has. */
  cipherCount: number | undefined;
  alpnProtocols: readonly string[];
  /** As it is sent by SNI. */
  serverName: string | undefined;
  alpnProtocol: string | undefined;
  /** What each side shows, leaf first; the client only when it is asked. */
  serverChain: Chain;
  clientChain: Chain;
  requestsClientCertificate: boolean;
  /** How far it came before a side refused. */
  end: "finished" | "refusedHello" | "refusedServer";
}

/** Of whoever has no list of its own: what OpenSSL offers with its defaults, about. */
const defaultSuites = 30;
const randomBytes = 32;
const sessionIdBytes = 32;
/** Type and length before a handshake message; of a list in an extension; of an extension. */
const messageHeaderBytes = 4;
const extensionHeaderBytes = 4;
const groups = 5;
const signatureAlgorithms = { "TLSv1.2": 20, "TLSv1.3": 16 } as const;
/** A point of X25519, which two ends with OpenSSL agree on. */
const pointBytes = 32;
const verifyDataBytes = { "TLSv1.2": 12, "TLSv1.3": 48 } as const;
const overheadBytes = { "TLSv1.2": 24, "TLSv1.3": 17 } as const;
/** A session, encrypted for the server itself; the client's certificate comes on top of it. */
const ticketBytes = { "TLSv1.2": 208, "TLSv1.3": 240 } as const;
/** SubjectPublicKeyInfo of a key of P-256 is 91 bytes, of RSA 2048 294. */
const rsaKeyBytesMin = 200;
const signatureBytes = { rsa: 256, ec: 72 } as const;

type Message = readonly [direction: TlsRecord["direction"], contentType: 20 | 21 | 22 | 23, lengthBytes: number];

/**
 * The records of a handshake that happens in memory only, seen from the client: their number and order are those of RFC 5246 and RFC 8446, their
 * sizes are computed of the certificates and names in it, and of an OpenSSL server's habits. One message is one record.
 */
export function handshakeRecords(shape: HandshakeShape): TlsRecord[] {
  const messages = shape.protocol === "TLSv1.2" ? messagesOf12(shape) : messagesOf13(shape);
  return messages.map(([direction, contentType, lengthBytes]) => ({ direction, contentType, lengthBytes }));
}

function messagesOf12(shape: HandshakeShape): Message[] {
  const hello: Message = ["sent", 22, clientHello(shape)];
  if (shape.end === "refusedHello") return [hello, ["received", 21, 2]];
  const finished = messageHeaderBytes + verifyDataBytes["TLSv1.2"] + overheadBytes["TLSv1.2"];
  const ends = (direction: Message[0]): Message[] => [
    [direction, 20, 1],
    [direction, 22, finished],
  ];
  const serverHello: Message = ["received", 22, serverHelloOf12(shape)];
  if (shape.isResumed) return [hello, serverHello, ...ends("received"), ...ends("sent")];
  const { serverChain, requestsClientCertificate } = shape;
  const ownChain = requestsClientCertificate ? shape.clientChain : [];
  const flight: Message[] = [
    serverHello,
    ["received", 22, certificateMessage(serverChain, 0)],
    ["received", 22, messageHeaderBytes + 4 + pointBytes + 4 + signatureOf(serverChain)],
  ];
  // Three types of certificates, and no names of authorities.
  if (requestsClientCertificate) flight.push(["received", 22, messageHeaderBytes + 4 + algorithmList(shape) + 2]);
  flight.push(["received", 22, messageHeaderBytes]);
  if (shape.end === "refusedServer") return [hello, ...flight, ["sent", 21, 2]];
  const answer: Message[] = [];
  if (requestsClientCertificate) answer.push(["sent", 22, certificateMessage(ownChain, 0)]);
  answer.push(["sent", 22, messageHeaderBytes + 1 + pointBytes]);
  if (ownChain.length > 0) answer.push(["sent", 22, messageHeaderBytes + 4 + signatureOf(ownChain)]);
  const ticket: Message = ["received", 22, messageHeaderBytes + 6 + ticketOf(shape)];
  return [hello, ...flight, ...answer, ...ends("sent"), ticket, ...ends("received")];
}

function messagesOf13(shape: HandshakeShape): Message[] {
  const hello: Message = ["sent", 22, clientHello(shape)];
  if (shape.end === "refusedHello") return [hello, ["received", 21, 2]];
  const overhead = overheadBytes["TLSv1.3"];
  const sealed = (direction: Message[0], lengthBytes: number): Message => [direction, 23, lengthBytes + overhead];
  const { serverChain, requestsClientCertificate, isResumed } = shape;
  const asks = requestsClientCertificate && !isResumed;
  const ownChain = asks ? shape.clientChain : [];
  const finished = messageHeaderBytes + verifyDataBytes["TLSv1.3"];
  // Version, key share, and with a ticket which of them.
  const serverHello = messageHeaderBytes + 2 + randomBytes + 1 + sessionIdBytes + 5 + 6 + 8 + pointBytes;
  const flight: Message[] = [
    ["received", 22, serverHello + (isResumed ? 6 : 0)],
    ["received", 20, 1],
    sealed("received", messageHeaderBytes + 2 + alpnExtension(shape.alpnProtocol)),
  ];
  if (asks) flight.push(sealed("received", messageHeaderBytes + 3 + extensionHeaderBytes + algorithmList(shape)));
  if (!isResumed) {
    flight.push(sealed("received", certificateMessage(serverChain, 2) + 1));
    flight.push(sealed("received", messageHeaderBytes + 4 + signatureOf(serverChain)));
  }
  flight.push(sealed("received", finished));
  if (shape.end === "refusedServer") return [hello, ...flight, sealed("sent", 2)];
  const answer: Message[] = [["sent", 20, 1]];
  if (asks) answer.push(sealed("sent", certificateMessage(ownChain, 2) + 1));
  if (ownChain.length > 0) answer.push(sealed("sent", messageHeaderBytes + 4 + signatureOf(ownChain)));
  answer.push(sealed("sent", finished));
  if (isResumed) return [hello, ...flight, ...answer];
  const ticket = sealed("received", messageHeaderBytes + 21 + ticketOf(shape));
  return [hello, ...flight, ...answer, ticket, ticket];
}

const algorithmList = ({ protocol }: HandshakeShape): number => 2 + 2 * signatureAlgorithms[protocol];

function ticketOf({ protocol, clientChain: [leaf], requestsClientCertificate }: HandshakeShape): number {
  return ticketBytes[protocol] + (requestsClientCertificate ? (leaf?.bytes.length ?? 0) : 0);
}

function clientHello(shape: HandshakeShape): number {
  const { protocol, cipherCount = defaultSuites, alpnProtocols: names, serverName, isResumed } = shape;
  const isNew = protocol === "TLSv1.3";
  // The suites, and that renegotiation is known.
  const suites = 2 * (cipherCount + 1);
  const hasSessionId = isResumed || isNew;
  const extensions = [
    serverName === undefined ? 0 : extensionHeaderBytes + 5 + serverName.length,
    extensionHeaderBytes + 2 + 2 * groups,
    extensionHeaderBytes + 4,
    extensionHeaderBytes + algorithmList(shape),
    names.length === 0 ? 0 : extensionHeaderBytes + 2 + names.reduce((sum, name) => sum + 1 + name.length, 0),
    extensionHeaderBytes + (isResumed && !isNew ? ticketOf(shape) : 0),
    // Extended master secret, and encrypt-then-MAC.
    2 * extensionHeaderBytes,
    // Versions, modes of resumption, and a key share; with a ticket its binder as well.
    isNew ? 7 + 6 + extensionHeaderBytes + 6 + pointBytes + (isResumed ? 63 + ticketOf(shape) : 0) : 0,
  ];
  const fixed = messageHeaderBytes + 2 + randomBytes + 1 + (hasSessionId ? sessionIdBytes : 0) + 2 + suites + 2 + 2;
  return fixed + extensions.reduce((sum, each) => sum + each, 0);
}

function serverHelloOf12({ alpnProtocol, isResumed }: HandshakeShape): number {
  const fixed = messageHeaderBytes + 2 + randomBytes + 1 + (isResumed ? sessionIdBytes : 0) + 3 + 2;
  // That renegotiation is known, formats of points, that a ticket follows, extended master secret.
  const extensions = 5 + (isResumed ? 0 : 8 + extensionHeaderBytes) + extensionHeaderBytes;
  return fixed + extensions + alpnExtension(alpnProtocol);
}

function alpnExtension(name: string | undefined): number {
  return name === undefined ? 0 : extensionHeaderBytes + 3 + name.length;
}

/** @param eachBytes behind each certificate: its extensions, in TLS 1.3 */
function certificateMessage(chain: Chain, eachBytes: number): number {
  return messageHeaderBytes + 3 + chain.reduce((sum, { bytes }) => sum + 3 + bytes.length + eachBytes, 0);
}

function signatureOf([leaf]: Chain): number {
  return (leaf?.publicKey.length ?? 0) >= rsaKeyBytesMin ? signatureBytes.rsa : signatureBytes.ec;
}
