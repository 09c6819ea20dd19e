// A server of files on a virtual network, which answers by the book, or as a plan says.
import { concatBytes } from "@thingline/protocol";
import type { Connection, Network } from "@thingline/transport";

export const fileAnswers = ["403", "404", "416", "500", "503", "reset", "silence", "cut", "changed", "whole"] as const;
/** What goes wrong with the answer to a request. `whole`: the range is ignored. `changed`: another file lies there from now on. */
export type FileAnswer = (typeof fileAnswers)[number];

export interface UpdateFiles {
  bytes: Uint8Array;
  version: number;
  requestCount: number;
  close(): Promise<void>;
}

export interface UpdateFilesPlan {
  /** Of the requests, in turn; undefined for those that are answered by the book. */
  answers: readonly (FileAnswer | undefined)[];
  bytes: Uint8Array;
  /** What takes its place. */
  otherBytes: Uint8Array;
}

const latin1 = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0));

export async function serveUpdateFiles(
  network: Network,
  place: { host: string; port: number },
  plan: UpdateFilesPlan,
): Promise<UpdateFiles> {
  const files: Omit<UpdateFiles, "close"> = { bytes: plan.bytes, version: 1, requestCount: 0 };
  const listener = await network.listen(place, (connection) => {
    let text = "";
    connection.start({
      data(bytes) {
        for (const byte of bytes) text += String.fromCharCode(byte);
        for (let end = text.indexOf("\r\n\r\n"); end !== -1; end = text.indexOf("\r\n\r\n")) {
          const request = text.slice(0, end);
          text = text.slice(end + 4);
          answer(connection, request, files, plan);
        }
      },
      closed: () => undefined,
    });
  });
  return Object.assign(files, { close: () => listener.close() });
}

function answer(
  connection: Connection,
  request: string,
  files: Omit<UpdateFiles, "close">,
  { answers, otherBytes }: UpdateFilesPlan,
): void {
  const odd = answers[files.requestCount];
  files.requestCount += 1;
  if (odd === "silence") return;
  if (odd === "reset") return connection.destroy();
  if (odd === "changed") [files.bytes, files.version] = [otherBytes, 2];
  if (odd !== undefined && /^\d+$/.test(odd)) {
    const again = odd === "503" ? "Retry-After: 3\r\n" : "";
    connection.write(latin1(`HTTP/1.1 ${odd} Odd\r\n${again}Content-Length: 0\r\n\r\n`));
    return;
  }
  const { bytes, version } = files;
  const etag = `"${version}"`;
  const match = /\r\nIf-Match: (.*)/i.exec(request)?.[1];
  if (match !== undefined && match !== etag) {
    connection.write(latin1("HTTP/1.1 412 Precondition Failed\r\nContent-Length: 0\r\n\r\n"));
    return;
  }
  const range = /\r\nRange: bytes=(\d+)-(\d+)/i.exec(request);
  if (range === null || odd === "whole") {
    const head = `HTTP/1.1 200 OK\r\nETag: ${etag}\r\nContent-Length: ${bytes.length}\r\n\r\n`;
    connection.write(concatBytes([latin1(head), bytes]));
    return;
  }
  const first = Number(range[1]);
  const last = Math.min(Number(range[2]), bytes.length - 1);
  const body = bytes.subarray(first, last + 1);
  const head = `HTTP/1.1 206 Partial Content\r\nETag: ${etag}\r\nContent-Range: bytes ${first}-${last}/${bytes.length}\r\nContent-Length: ${body.length}\r\n\r\n`;
  const sent = odd === "cut" ? body.subarray(0, body.length >> 1) : body;
  connection.write(concatBytes([latin1(head), sent]));
  if (odd === "cut") void connection.close();
}
