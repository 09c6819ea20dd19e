import { type AtParameter, integerAt, isAbsentAt, stringAt } from "@thingline/protocol/at";
import { integer, oneOf, optional, secTagMax, text } from "../simulator/commands/parameter-rules.js";
import { ClientDial } from "./client-dial.js";
import { failed, ok, type SerialModemCommand, type SerialModemReply } from "./command.js";
import type { SerialModemDataMode } from "./data-mode.js";
import { errnos } from "./errno.js";
import type { SerialModemFeature, SerialModemFeatureParts, SerialModemServices } from "./feature.js";
import { HttpClientConnection, type HttpRequest } from "./http-client.js";
import { isWithin } from "./is-within.js";

/** Buffers of the HTTP client of SLM, less the zero behind a text. */
export const httpMethodBytesMax = 19;
export const httpResourceBytesMax = 255;
export const httpHeadersBytesMax = 511;
export const httpContentTypeBytesMax = 63;
export const httpHostBytesMax = 127;

/** Those that Zephyr's HTTP library can send. */
const methods = new Set(
  (
    "DELETE GET HEAD POST PUT CONNECT OPTIONS TRACE COPY LOCK MKCOL MOVE PROPFIND PROPPATCH SEARCH UNLOCK BIND REBIND UNBIND ACL REPORT " +
    "MKACTIVITY CHECKOUT MERGE M-SEARCH NOTIFY SUBSCRIBE UNSUBSCRIBE PATCH PURGE MKCALENDAR LINK UNLINK"
  ).split(" "),
);

/**
 * The HTTP client of SLM: `#XHTTPCCON` connects, `#XHTTPCREQ` sends a request whose response goes to the host as it comes, and
 * `#XHTTPCRSP:<bytes>,<is over>` behind its head and behind its body. The Serial Modem has another one.
 */
export const httpFeature: SerialModemFeature = (services) => new Http(services);

class Http implements SerialModemFeatureParts {
  readonly commands: readonly SerialModemCommand[];
  readonly #services: SerialModemServices;
  #connection: HttpClientConnection | undefined;
  #target = { host: "", port: 0, secTag: undefined as number | undefined };
  readonly #dial: ClientDial;

  constructor(services: SerialModemServices) {
    this.#services = services;
    this.#dial = new ClientDial(services);
    this.commands = [this.#connectCommand("slm-1.x"), this.#connectCommand("slm-2.x"), this.#requestCommand()];
  }

  lineChanged(): void {
    this.#connection?.lineChanged();
  }

  modemLost(): void {
    this.#dial.abort();
  }

  async stop(): Promise<void> {
    this.#dial.abort();
    const connection = this.#connection;
    this.#connection = undefined;
    this.#target = { host: "", port: 0, secTag: undefined };
    await connection?.stop();
  }

  // ---- connection ----------------------------------------------------------------------------------------------

  #connectCommand(dialect: "slm-1.x" | "slm-2.x"): SerialModemCommand {
    const verification = dialect === "slm-2.x" ? [optional(oneOf(0, 1, 2)), optional(oneOf(0, 1))] : [];
    const names = `<host>,<port>,<sec_tag>${dialect === "slm-2.x" ? ",<peer_verify>,<hostname_verify>" : ""}`;
    return {
      name: "#XHTTPCCON",
      dialects: [dialect],
      forms: {
        set: {
          rules: [
            oneOf(0, 1, 2),
            optional(text()),
            optional(integer(0, 65_535)),
            optional(integer(0, secTagMax)),
            ...verification,
          ],
          handle: (parameters) =>
            integerAt(parameters, 0) === 0 ? this.#disconnect() : this.#connect(parameters, integerAt(parameters, 0)),
        },
        read: () => {
          const { host, port, secTag } = this.#target;
          const tag = secTag === undefined ? "" : `,${secTag}`;
          return ok(`#XHTTPCCON: ${this.#connection ? 1 : 0},"${host}",${port}${tag}`);
        },
        test: () => ok(`#XHTTPCCON: (0,1,2),${names}`),
      },
    };
  }

  async #connect(parameters: readonly AtParameter[], operation: number | undefined): Promise<SerialModemReply> {
    const [host, port] = [stringAt(parameters, 1), integerAt(parameters, 2)];
    if (host === undefined || port === undefined || !isWithin(host, httpHostBytesMax)) return failed();
    if (this.#connection || this.#dial.isUnderWay) return failed();
    this.#target = { host, port, secTag: integerAt(parameters, 3) };
    const connection = await this.#dial.dial({ ...this.#target, family: operation === 2 ? 6 : 4 });
    if (connection === undefined) return failed("#XHTTPCCON: 0");
    this.#connection = new HttpClientConnection({
      clock: this.#services.clock,
      connection,
      host,
      hasRoom: () => this.#services.hasLineRoom,
    });
    return ok("#XHTTPCCON: 1");
  }

  async #disconnect(): Promise<SerialModemReply> {
    const connection = this.#connection;
    if (connection === undefined) return failed();
    this.#connection = undefined;
    await connection.stop();
    return ok("#XHTTPCCON: 0");
  }

  // ---- requests ------------------------------------------------------------------------------------------------

  #requestCommand(): SerialModemCommand {
    return {
      name: "#XHTTPCREQ",
      dialects: ["slm-1.x", "slm-2.x"],
      forms: {
        set: {
          rules: [
            text(),
            text(),
            optional(text()),
            optional(text()),
            optional(integer(0, 4_294_967_295)),
            optional(integer(0, 65_535)),
          ],
          handle: (parameters) => this.#request(parameters),
        },
        test: () => (this.#connection ? ok() : failed()),
      },
    };
  }

  #request(parameters: readonly AtParameter[]): SerialModemReply {
    const connection = this.#connection;
    const request = requestOf(parameters);
    if (connection === undefined || connection.isBusy || request === undefined) return failed();
    const isChunked = (integerAt(parameters, 5) ?? 0) > 0;
    const hasPayload = isChunked || (request.contentLength ?? 0) > 0;
    const isSent = connection.begin(isChunked ? { ...request, contentLength: undefined } : request, {
      response: (bytes) => this.#services.sendRaw(bytes),
      counted: (bytes, isOver) => this.#tell(`#XHTTPCRSP:${bytes},${isOver ? 1 : 0}`),
      failed: (errno) => this.#failed(connection, errno),
    });
    // The original answers OK before it looks at its socket.
    if (!isSent) return { type: "ok", information: [], afterwards: () => this.#failed(connection, -errnos.ECONNRESET) };
    if (!hasPayload) return { type: "ok", information: [], afterwards: () => this.#finish(connection) };
    return {
      type: "dataMode",
      information: [],
      mode: this.#payloadOf(connection),
      afterwards: () => this.#tell("#XHTTPCREQ: 1"),
    };
  }

  /** How long the payload is, only the terminator says: the length in the command goes into the head and no further. */
  #payloadOf(connection: HttpClientConnection): SerialModemDataMode {
    return {
      send: async (bytes) => ((await connection.send(bytes)) ? bytes.length : -errnos.ECONNRESET),
      ended: (result) => {
        if (result === 0) this.#finish(connection);
        else this.#failed(connection, -errnos.ECONNRESET);
      },
    };
  }

  #finish(connection: HttpClientConnection): void {
    if (this.#connection !== connection) return;
    this.#tell("#XHTTPCREQ: 0");
    connection.finish();
  }

  #failed(connection: HttpClientConnection, errno: number): void {
    if (this.#connection !== connection) return;
    this.#connection = undefined;
    // The mode that is still on ends first; its end comes back here, and finds the connection gone.
    if (this.#services.isInDataMode) this.#services.leaveDataMode(errno);
    this.#tell(errno === -errnos.ECONNRESET ? `#XHTTPCRSP: 0,${errno}` : `#XHTTPCREQ: ${errno}`);
    void connection.stop();
    this.#tell("#XHTTPCCON: 0");
  }

  /** In its place among the bytes of the response, which go past everything that waits. */
  #tell(line: string): void {
    this.#services.sendRaw(new TextEncoder().encode(`\r\n${line}\r\n`));
  }
}

function requestOf(parameters: readonly AtParameter[]): HttpRequest | undefined {
  const [method, resource] = [stringAt(parameters, 0), stringAt(parameters, 1)];
  const headers = (stringAt(parameters, 2) ?? "").replaceAll("\\r\\n", "\r\n");
  const contentType = stringAt(parameters, 3) ?? "";
  // Who names a type must name a length.
  if (parameters.length > 3 && isAbsentAt(parameters, 4)) return undefined;
  const contentLength = integerAt(parameters, 4) ?? 0;
  if (method === undefined || resource === undefined || !methods.has(method)) return undefined;
  const fits =
    isWithin(method, httpMethodBytesMax) &&
    isWithin(resource, httpResourceBytesMax) &&
    isWithin(stringAt(parameters, 2) ?? "", httpHeadersBytesMax) &&
    isWithin(contentType, httpContentTypeBytesMax);
  if (!fits || !areHeaders(headers)) return undefined;
  return {
    method,
    resource,
    headers,
    contentType: contentType === "" ? undefined : contentType,
    contentLength: contentLength === 0 ? undefined : contentLength,
  };
}

/** Exactly one line end behind the last of them. */
function areHeaders(headers: string): boolean {
  return headers === "" || (headers.endsWith("\r\n") && !headers.endsWith("\r\n\r\n"));
}
