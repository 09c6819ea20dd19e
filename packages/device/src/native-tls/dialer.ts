import { checkOptionTypes, type OptionTypes } from "@thingline/protocol";
import {
  type Connection,
  credentialStoreOption,
  type Dialer,
  dialerOption,
  type SecTagDialer,
  type SecTagDialTarget,
  type TlsClientOptions,
  type TlsRecord,
} from "@thingline/transport";
import { TlsSessionCache } from "../connection/tls-sessions.js";
import type { NativeCredentialStore } from "./store.js";

export interface NativeTlsDialerOptions {
  /** Opens the connection below TLS: the system's network, or the modem's plain sockets. */
  dialer: Dialer;
  store: NativeCredentialStore;
  /**
   * A TLS record with more plaintext kills the connection: `CONFIG_MBEDTLS_SSL_IN_CONTENT_LEN`. Default: TLS's own
   * limit of 16 KB.
   */
  receivedRecordBytesMax?: number;
  /** Every record, seen below TLS. */
  onRecord?: (record: TlsRecord) => void;
}

const optionTypes = {
  dialer: dialerOption,
  store: { ...credentialStoreOption, methods: [...credentialStoreOption.methods, "credentials"] },
  receivedRecordBytesMax: "number",
  onRecord: "function",
} as const satisfies OptionTypes<NativeTlsDialerOptions>;

/**
 * TLS 1.2 and 1.3 in the application with the credentials of its own store. Sessions are cached by endpoint and by the digest
 * of the credentials: one that was made with the claim is never resumed for the device's own.
 */
export function createNativeTlsDialer(options: NativeTlsDialerOptions): SecTagDialer {
  checkOptionTypes(options, optionTypes, { of: "createNativeTlsDialer()", required: ["dialer", "store"] });
  const { dialer, store, receivedRecordBytesMax, onRecord } = options;
  const sessions = new TlsSessionCache();

  async function dial(target: SecTagDialTarget, { signal }: { signal?: AbortSignal } = {}): Promise<Connection> {
    const { host, port, secTag, serverName, alpnProtocols, connectTimeoutMs, family } = target;
    const { digest, ...credentials } = await store.credentials(secTag);
    const tls: TlsClientOptions = {
      ...credentials,
      ...(serverName !== undefined && { serverName }),
      ...(alpnProtocols !== undefined && { alpnProtocols }),
      ...(receivedRecordBytesMax !== undefined && { receivedRecordBytesMax }),
      ...(onRecord !== undefined && { onRecord }),
    };
    if (target.handshake === "resume") {
      sessions.apply(tls, [host, port, serverName ?? host, alpnProtocols ?? [], digest]);
    }
    const dialTarget = {
      host,
      port,
      tls,
      ...(connectTimeoutMs !== undefined && { connectTimeoutMs }),
      ...(family !== undefined && { family }),
    };
    return dialer.dial(dialTarget, signal ? { signal } : {});
  }

  return { name: "native TLS", dial };
}
