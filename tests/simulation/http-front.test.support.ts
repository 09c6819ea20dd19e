// HTTP/1.1 over a virtual network, as far as a device that downloads asks it: requests without a body, one after the other.
import type { Connection, HttpRequest, HttpResponse, Listener, Network } from "@thingline/transport";

const end = "\r\n\r\n";

/** Hands every request to `handle`, with an absolute URL. */
export function serveHttp(
  network: Network,
  { host, port }: { host: string; port: number },
  handle: (request: HttpRequest) => Promise<HttpResponse>,
): Promise<Listener> {
  return network.listen({ host, port }, (connection) => {
    let received = "";
    let turn: Promise<void> = Promise.resolve();
    connection.start({
      data(bytes) {
        received += String.fromCharCode(...bytes);
        for (let at = received.indexOf(end); at !== -1; at = received.indexOf(end)) {
          const request = parse(received.slice(0, at), `http://${host}:${port}`);
          received = received.slice(at + end.length);
          turn = turn.then(async () => answer(connection, await handle(request)));
        }
      },
      drained: () => undefined,
      closed: () => undefined,
    });
  });
}

function parse(head: string, origin: string): HttpRequest {
  const [first = "", ...lines] = head.split("\r\n");
  const [method = "", target = ""] = first.split(" ");
  const fields = lines.map((line): [string, string] => {
    const colon = line.indexOf(":");
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
  });
  return { method, url: origin + target, headers: Object.fromEntries(fields) };
}

function answer(connection: Connection, { status, headers, body }: HttpResponse): void {
  const fields = Object.entries({ ...headers, "content-length": String(body.length) });
  const lines = fields.map(([name, value]) => `${name}: ${value}\r\n`).join("");
  connection.write(new TextEncoder().encode(`HTTP/1.1 ${status} Answer\r\n${lines}\r\n`), body.slice());
}
