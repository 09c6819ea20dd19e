// A server of one file over TLS with ranges, in a process of its own: for `npm run bench -- fota`.
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { makeTestCertificates } from "@thingline/transport/contract";
import { createNodeKeys } from "@thingline/transport/node";

export interface FileServerFacts {
  port: number;
  caPem: string;
}

const file = Buffer.alloc(Number(process.argv[2]), "thingline");
const { ca, server } = await makeTestCertificates(createNodeKeys());
const https = createServer({ cert: server.certificatePem, key: server.privateKeyPem }, (request, response) => {
  const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
  const first = Number(range?.[1] ?? 0);
  const last = Math.min(Number(range?.[2] ?? Infinity), file.length - 1);
  response.writeHead(range === null ? 200 : 206, {
    ETag: '"1"',
    "Content-Length": last - first + 1,
    ...(range !== null && { "Content-Range": `bytes ${first}-${last}/${file.length}` }),
  });
  response.end(file.subarray(first, last + 1));
});
https.listen(0, "127.0.0.1", () => {
  const facts: FileServerFacts = { port: (https.address() as AddressInfo).port, caPem: ca.certificatePem };
  process.send?.(facts);
});
