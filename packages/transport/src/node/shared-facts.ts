import type { Endpoint, SecureInfo } from "../connection.js";

/** What many connections of a network say alike is kept once: a gateway has thousands to the same server. */
export class SharedFacts {
  #secure: SecureInfo | undefined;
  #remote: Endpoint | undefined;
  #localHost = "";

  /** The object of the connection before, if that agreed on the same with the same server. */
  secure(info: SecureInfo): SecureInfo {
    if (this.#secure === undefined || !isSameInfo(this.#secure, info)) this.#secure = info;
    return this.#secure;
  }

  /** The object of the connection before, if that went to the same address. */
  remote(endpoint: Endpoint): Endpoint {
    if (this.#remote?.host !== endpoint.host || this.#remote.port !== endpoint.port) this.#remote = endpoint;
    return this.#remote ?? endpoint;
  }

  /** With the text of the connection before, if that came from the same address. */
  local({ host, port }: Endpoint): Endpoint {
    if (this.#localHost !== host) this.#localHost = host;
    return { host: this.#localHost, port };
  }
}

function isSameInfo(left: SecureInfo, right: SecureInfo): boolean {
  const [mine, theirs] = [left.peerCertificate, right.peerCertificate];
  const isSameCertificate =
    mine === undefined || theirs === undefined ? mine === theirs : Buffer.compare(mine, theirs) === 0;
  return (
    isSameCertificate &&
    left.protocol === right.protocol &&
    left.cipher === right.cipher &&
    left.alpnProtocol === right.alpnProtocol &&
    left.serverName === right.serverName &&
    left.isResumed === right.isResumed
  );
}
