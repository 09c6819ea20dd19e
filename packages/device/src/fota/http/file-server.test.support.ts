import { concatBytes } from "@thingline/protocol";
import type { Clock, Connection, Listener, Network, TlsServerOptions } from "@thingline/transport";

export interface ServedFile {
  bytes: Uint8Array;
  etag?: string;
  lastModified?: string;
}

export interface FileRequest {
  /** Counts from 1, over all connections. */
  index: number;
  connectionIndex: number;
  target: string;
  fields: ReadonlyMap<string, string>;
}

/** Instead of an answer by the book: bytes, or nothing for ever, or the end of the connection. */
export type OddAnswer =
  | { type: "bytes"; text: string; body?: Uint8Array; thenCloses?: boolean }
  | { type: "silence" }
  /** A character of the text now and then. */
  | { type: "drip"; text: string; everyMs: number }
  | { type: "reset" }
  | { type: "close" }
  /** By the book, as far as so many bytes of the body, then the end of the connection. */
  | { type: "cut"; bodyBytes: number }
  /** By the book, with these fields added, and `Connection: close` if it is to end. */
  | { type: "fields"; fields: Record<string, string>; thenCloses?: boolean };

export interface FileServerOptions {
  host?: string;
  port?: number;
  tls?: TlsServerOptions;
  files: Map<string, ServedFile>;
  /** For answers that take their time. */
  clock?: Clock;
  /** Default true. */
  honoursRanges?: boolean;
  honoursConditions?: boolean;
  /** Bytes of a body that are written at once. Default: head and body of one answer together. */
  writeBytes?: number;
  odd?: (request: FileRequest) => OddAnswer | undefined;
}

export interface FileServer {
  readonly port: number;
  readonly requests: readonly FileRequest[];
  readonly openCount: number;
  connectionCount: number;
  close(): Promise<void>;
}

/** A small server of files, written from the RFCs and not from the client, over any network. */
export async function startFileServer(network: Network, options: FileServerOptions): Promise<FileServer> {
  const requests: FileRequest[] = [];
  const open = new Set<Connection>();
  const server = { requests, connectionCount: 0 };
  const { host = "files.example", port = 443, tls } = options;
  const listener: Listener = await network.listen({ host, port, ...(tls && { tls }) }, (connection) => {
    server.connectionCount += 1;
    const connectionIndex = server.connectionCount;
    open.add(connection);
    let text = "";
    let isOver = false;
    connection.start({
      data(bytes) {
        for (const byte of bytes) text += String.fromCharCode(byte);
        for (let end = text.indexOf("\r\n\r\n"); end !== -1 && !isOver; end = text.indexOf("\r\n\r\n")) {
          const [first = "", ...lines] = text.slice(0, end).split("\r\n");
          text = text.slice(end + 4);
          const fields = new Map(
            lines.map((line) => [
              line.slice(0, line.indexOf(":")).toLowerCase(),
              line.slice(line.indexOf(":") + 1).trim(),
            ]),
          );
          const request = { index: requests.length + 1, connectionIndex, target: first.split(" ")[1] ?? "", fields };
          requests.push(request);
          isOver = answer(connection, request, options);
        }
      },
      closed: () => void open.delete(connection),
    });
  });
  return Object.defineProperties(server as unknown as FileServer, {
    port: { get: () => listener.address.port },
    openCount: { get: () => open.size },
    close: { value: () => listener.close() },
  });
}

/** @returns whether the connection is over */
function answer(connection: Connection, request: FileRequest, options: FileServerOptions): boolean {
  const odd = options.odd?.(request);
  switch (odd?.type) {
    case "silence":
      return false;
    case "drip": {
      let isOver = false;
      void connection.closed.then(() => (isOver = true));
      const drip = (at: number): void => {
        if (isOver || at >= odd.text.length) return;
        connection.write(latin1(odd.text.charAt(at)));
        options.clock?.setTimer(odd.everyMs, () => drip(at + 1));
      };
      drip(0);
      return false;
    }
    case "reset":
      connection.destroy();
      return true;
    case "close":
      void connection.close();
      return true;
    case "bytes":
      connection.write(concatBytes([latin1(odd.text), odd.body ?? new Uint8Array(0)]));
      if (odd.thenCloses === true) void connection.close();
      return odd.thenCloses === true;
    default:
  }
  const { head, body } = byTheBook(request, options);
  const fields =
    odd?.type === "fields" ? Object.entries(odd.fields).map(([name, value]) => `${name}: ${value}\r\n`) : [];
  const closes = (odd?.type === "fields" && odd.thenCloses === true) || odd?.type === "cut";
  if (odd?.type === "fields" && odd.thenCloses === true) fields.push("Connection: close\r\n");
  const sent = odd?.type === "cut" ? body.subarray(0, odd.bodyBytes) : body;
  const headBytes = latin1(`${head}${fields.join("")}\r\n`);
  const { writeBytes } = options;
  if (writeBytes === undefined) connection.write(concatBytes([headBytes, sent]));
  else {
    connection.write(headBytes);
    for (let at = 0; at < sent.length; at += writeBytes) connection.write(sent.subarray(at, at + writeBytes));
  }
  if (closes) void connection.close();
  return closes;
}

function byTheBook({ target, fields }: FileRequest, options: FileServerOptions): { head: string; body: Uint8Array } {
  const { files, honoursRanges = true, honoursConditions = true } = options;
  const file = files.get(target.split("?")[0] ?? "");
  const empty = new Uint8Array(0);
  if (!file) return { head: "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n", body: empty };
  const { bytes, etag, lastModified } = file;
  const ifMatch = fields.get("if-match");
  if (honoursConditions && ifMatch !== undefined && ifMatch !== etag) {
    return { head: "HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n", body: empty };
  }
  const common = `${etag === undefined ? "" : `ETag: ${etag}\r\n`}${lastModified === undefined ? "" : `Last-Modified: ${lastModified}\r\n`}Accept-Ranges: bytes\r\n`;
  const range = /^bytes=(\d+)-(\d*)$/u.exec(fields.get("range") ?? "");
  const ifRange = fields.get("if-range");
  if (!range || !honoursRanges || (ifRange !== undefined && ifRange !== etag)) {
    return { head: `HTTP/1.1 200 OK\r\nContent-Length: ${bytes.length}\r\n${common}`, body: bytes };
  }
  const first = Number(range[1]);
  if (first >= bytes.length) {
    const head = `HTTP/1.1 416 Range Not Satisfiable\r\nContent-Range: bytes */${bytes.length}\r\nContent-Length: 0\r\n`;
    return { head, body: empty };
  }
  const last = Math.min(range[2] === "" ? Infinity : Number(range[2]), bytes.length - 1);
  const body = bytes.subarray(first, last + 1);
  const head = `HTTP/1.1 206 Partial Content\r\nContent-Length: ${body.length}\r\nContent-Range: bytes ${first}-${last}/${bytes.length}\r\n${common}`;
  return { head, body };
}

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (character) => character.charCodeAt(0));
