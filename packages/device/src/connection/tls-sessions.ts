import type { TlsClientOptions } from "@thingline/transport";

/** TLS sessions that are kept for resumption. */
export const tlsSessionsMax = 32;

/**
 * TLS sessions by endpoint and credential, in memory. One that was made with other credentials, or that other CAs vouch for,
 * is never resumed: it would show the server the old certificate, and spare it the check of the new one. May be shared.
 */
export class TlsSessionCache {
  readonly #sessions = new Map<string, Uint8Array>();

  get count(): number {
    return this.#sessions.size;
  }

  /**
   * Makes `tls` resume the newest session of that key, unless a full handshake is wanted, and keep those that follow.
   *
   * @param key endpoint, names, versions and what stands for the credentials; no secrets
   */
  apply(tls: TlsClientOptions, key: readonly unknown[], { isFull = false }: { isFull?: boolean } = {}): void {
    const text = JSON.stringify(key);
    const session = isFull ? undefined : this.#sessions.get(text);
    if (session !== undefined) tls.session = session;
    tls.onSession = (fresh) => {
      // The newest goes last, so that the first is the one that was not renewed for longest.
      this.#sessions.delete(text);
      this.#sessions.set(text, fresh);
      const [oldest] = this.#sessions.keys();
      if (this.#sessions.size > tlsSessionsMax && oldest !== undefined) this.#sessions.delete(oldest);
    };
  }
}
