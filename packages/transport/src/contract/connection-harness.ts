import type {
  Connection,
  DialTarget,
  Listener,
  ListenOptions,
  Network,
  TlsClientOptions,
  TlsServerOptions,
} from "../connection.js";
import type { TestCertificate, TestCertificates } from "./test-certificates.js";

/** A network to judge, fresh for every test. */
export interface ConnectionWorld {
  network: Network;
  certificates: TestCertificates;
  /** Waits for a promise; a virtual world lets its time pass meanwhile. */
  wait: <T>(promise: Promise<T>) => Promise<T>;
}

export interface OpenPair {
  listener: Listener;
  client: Connection;
  server: Connection;
}

/** One listener and one connection to it, neither side started. */
export async function openPair(
  { network, wait }: ConnectionWorld,
  options: Partial<ListenOptions> = {},
  target: Partial<DialTarget> = {},
): Promise<OpenPair> {
  let resolve: (connection: Connection) => void = () => undefined;
  const accepted = new Promise<Connection>((done) => (resolve = done));
  const listener = await wait(network.listen({ host: "127.0.0.1", port: 0, ...options }, (given) => resolve(given)));
  const client = await wait(network.dial({ ...listener.address, ...target }));
  return { listener, client, server: await wait(accepted) };
}

export function serverTlsOf({ server }: TestCertificates, options: Partial<TlsServerOptions> = {}): TlsServerOptions {
  return {
    certificate: server.certificatePem,
    privateKey: server.privateKeyPem,
    requestsClientCertificate: true,
    ...options,
  };
}

export function clientTlsOf(
  { ca }: TestCertificates,
  client?: TestCertificate,
  options: Partial<TlsClientOptions> = {},
): TlsClientOptions {
  const own = client === undefined ? {} : { certificate: client.certificatePem, privateKey: client.privateKeyPem };
  return { ca: ca.certificatePem, serverName: "localhost", ...own, ...options };
}
