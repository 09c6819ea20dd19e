import { type AtParameter, integerAt, stringAt } from "@thingline/protocol/at";
import { integer, oneOf, optional, type ParameterRule, text } from "../simulator/commands/parameter-rules.js";
import { endedByLine, writtenAs } from "./answer.js";
import type { AsyncPoll } from "./async-poll.js";
import type { AutoReception } from "./auto-reception.js";
import { failed, type InformationWithData, ok, type SerialModemCommand, type SerialModemReply } from "./command.js";
import type { SerialModemServices } from "./feature.js";
import { HttpExchange, type HttpPiece, httpReceiveBytesMax } from "./http-exchange.js";
import { isWithin } from "./is-within.js";
import type { ModemSocket } from "./socket.js";
import { handle } from "./socket-rules.js";
import type { SocketTable } from "./socket-table.js";

/** Buffers of the HTTP client of the Serial Modem, less the zero behind a text. */
export const httpUrlBytesMax = 511;
export const httpUrlHostBytesMax = 255;
/** With the query. */
export const httpUrlPathBytesMax = 255;
/** All further header fields of a request, with their line ends. */
export const httpFieldsBytesMax = 511;
/** Further header fields. */
export const httpFieldsMax = 32;

const methods = ["GET", "POST", "PUT", "DELETE", "HEAD"] as const;
const methodRule = oneOf(...methods.keys());
const lengthMax = 2_147_483_647;
const dialects = ["serialModem"] as const;

export interface HttpRequestsParts {
  services: SerialModemServices;
  table: SocketTable;
  poll: AsyncPoll;
  reception: AutoReception;
}

/** Reads `[<auto_reception>[,<format>[,<body_len>]]]`, of which any number may be left out before the header fields. */
const optionalNumbers: readonly ParameterRule[] = [oneOf(0, 1), oneOf(0, 1), integer(0, lengthMax)];

/**
 * The HTTP client of the Serial Modem, on sockets that were opened and connected by their own commands: `#XHTTPCREQ` starts a request,
 * `#XHTTPCHEAD`, `#XHTTPCDATA` and `#XHTTPCSTAT` tell of its response, `#XHTTPCDATA=` asks for a body piece by piece, `#XHTTPCCANCEL` ends it.
 */
export class HttpRequests {
  readonly commands: readonly SerialModemCommand[];
  readonly #parts: HttpRequestsParts;
  readonly #exchanges = new Map<ModemSocket, { exchange: HttpExchange; isHex: boolean }>();

  constructor(parts: HttpRequestsParts) {
    this.#parts = parts;
    this.commands = [this.#requestCommand(), this.#dataCommand(), this.#cancelCommand()];
    parts.table.onClose((socket) => this.#exchanges.get(socket)?.exchange.cancel());
  }

  /** Something came, or the line has room: responses go on. */
  pump(): void {
    for (const { exchange } of [...this.#exchanges.values()]) exchange.pump();
  }

  /** All sockets are gone: nobody is told. */
  clear(): void {
    for (const { exchange } of this.#exchanges.values()) exchange.drop();
    this.#exchanges.clear();
  }

  // ---- commands ------------------------------------------------------------------------------------------------

  #requestCommand(): SerialModemCommand {
    const fields = Array.from({ length: httpFieldsMax }, () => optional(text()));
    const names = "<handle>,<url>,<method>[,<auto_reception>[,<format>[,<body_len>[,<header>]...]]]";
    return {
      name: "#XHTTPCREQ",
      dialects,
      forms: {
        set: [3, 2, 1, 0].map((count) => ({
          rules: [handle, text(), methodRule, ...optionalNumbers.slice(0, count).map(optional), ...fields],
          handle: (parameters) => this.#request(parameters, count),
        })),
        test: () => ok(`#XHTTPCREQ: ${names}`),
      },
    };
  }

  /** @param numberCount how many of the optional numbers stand before the header fields */
  async #request(parameters: readonly AtParameter[], numberCount: number): Promise<SerialModemReply> {
    const { table, poll, reception } = this.#parts;
    const socket = table.get(integerAt(parameters, 0));
    const place = placeOf(stringAt(parameters, 1) ?? "");
    const method = methods[integerAt(parameters, 2) ?? 0];
    const fields = fieldsOf(parameters.slice(3 + numberCount));
    const bodyBytes = (numberCount > 2 ? integerAt(parameters, 5) : undefined) ?? 0;
    if (socket === undefined || place === undefined || method === undefined || fields === undefined) return failed();
    if (this.#exchanges.has(socket) || (bodyBytes > 0 && method !== "POST" && method !== "PUT")) return failed();
    const isHex = numberCount > 1 && integerAt(parameters, 4) === 1;
    // What comes on it is the client's from here on.
    poll.stop(socket);
    reception.stop(socket);
    const exchange = new HttpExchange({
      clock: this.#parts.services.clock,
      socket,
      method,
      isAutomatic: numberCount < 1 || integerAt(parameters, 3) !== 0,
      isLineFree: () => this.#parts.services.isLineFree && this.#parts.services.hasLineRoom,
      tell: (information) => this.#parts.services.notify(information),
      tellData: (piece) => this.#parts.services.notify(endedByLine(informationOf(socket, isHex, piece))),
      onEnd: () => this.#exchanges.delete(socket),
    });
    const head = headOf({ method, ...place, bodyBytes, fields });
    const reply = `#XHTTPCREQ: ${socket.handle}`;
    if (bodyBytes === 0) {
      this.#exchanges.set(socket, { exchange, isHex });
      return { type: "ok", information: [reply], afterwards: () => exchange.begin(head) };
    }
    if (!(await exchange.sendHead(head))) return failed();
    this.#exchanges.set(socket, { exchange, isHex });
    return {
      type: "dataMode",
      information: [reply],
      mode: {
        dataBytes: bodyBytes,
        send: (bytes) => exchange.sendBody(bytes),
        ended: (result) => exchange.bodyEnded(result),
      },
    };
  }

  #dataCommand(): SerialModemCommand {
    return {
      name: "#XHTTPCDATA",
      dialects,
      forms: {
        set: {
          rules: [handle, optional(integer(0, lengthMax))],
          handle: (parameters) => this.#pull(parameters),
        },
        test: () => ok("#XHTTPCDATA: <handle>[,<length>]"),
      },
    };
  }

  #pull(parameters: readonly AtParameter[]): SerialModemReply {
    const socket = this.#parts.table.get(integerAt(parameters, 0));
    const running = socket && this.#exchanges.get(socket);
    if (socket === undefined || running === undefined) return failed();
    // 0 is as much as there is room for.
    const asked = integerAt(parameters, 1) ?? 0;
    const pulled = running.exchange.pull(asked === 0 ? httpReceiveBytesMax : Math.min(asked, httpReceiveBytesMax));
    if (pulled === "refused") return failed();
    if (pulled === "over") return ok();
    const information = informationOf(socket, running.isHex, pulled);
    return ok(pulled.bytes.length === 0 ? information.head : information);
  }

  #cancelCommand(): SerialModemCommand {
    return {
      name: "#XHTTPCCANCEL",
      dialects,
      forms: {
        set: {
          rules: [handle],
          handle: (parameters) => {
            const socket = this.#parts.table.get(integerAt(parameters, 0));
            const running = socket && this.#exchanges.get(socket);
            if (running === undefined) return failed();
            return { type: "ok", information: [], afterwards: () => running.exchange.cancel() };
          },
        },
        test: () => ok("#XHTTPCCANCEL: <handle>"),
      },
    };
  }
}

function informationOf(
  { handle: number }: ModemSocket,
  isHex: boolean,
  { offset, bytes }: HttpPiece,
): InformationWithData {
  return { head: `#XHTTPCDATA: ${number},${offset},${bytes.length}`, data: writtenAs(bytes, isHex) };
}

/** `https://host:8443/path?query`: the connection is there already, so scheme and port say nothing. */
function placeOf(url: string): { host: string; path: string } | undefined {
  const match = /^[a-z][a-z0-9+.-]*:\/\/([^/?#:@\s]+)(?::\d{1,5})?(\/[^#\s]*)?(?:#\S*)?$/iu.exec(url);
  if (match === null || !isWithin(url, httpUrlBytesMax)) return undefined;
  const [, host = "", path = "/"] = match;
  return isWithin(host, httpUrlHostBytesMax) && isWithin(path, httpUrlPathBytesMax) ? { host, path } : undefined;
}

/** Each with its line end; empty ones are passed over. @returns undefined: too much */
function fieldsOf(parameters: readonly AtParameter[]): string | undefined {
  const fields = parameters
    .map((_parameter, index) => stringAt(parameters, index) ?? "")
    .filter((field) => field !== "");
  const all = fields.map((field) => `${field}\r\n`).join("");
  return isWithin(all, httpFieldsBytesMax) ? all : undefined;
}

function headOf({
  method,
  host,
  path,
  bodyBytes,
  fields,
}: {
  method: string;
  host: string;
  path: string;
  bodyBytes: number;
  fields: string;
}): Uint8Array {
  const length = bodyBytes > 0 ? `Content-Length: ${bodyBytes}\r\n` : "";
  const own = `Host: ${host}\r\nUser-Agent: nRF91-Serial-Modem\r\nAccept: */*\r\n`;
  return new TextEncoder().encode(`${method} ${path} HTTP/1.1\r\n${own}${length}${fields}\r\n`);
}
