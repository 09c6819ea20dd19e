import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createPlainServer } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import type { TLSSocket } from "node:tls";
import type { HttpRequest, HttpRequestOptions } from "../http.js";
import { codeOf } from "../contract/harness.js";
import { makeTestCertificates } from "../contract/test-certificates.js";
import { createNodeHttp } from "./http.js";
import { createNodeKeys } from "./keys.js";

const { ca, server, client, otherClient, selfSigned } = await makeTestCertificates(createNodeKeys());
const http = createNodeHttp();

test("https trusts the CA it is given, shows its certificate, and nobody else's", async () => {
  const tls = { cert: server.certificatePem, key: server.privateKeyPem, requestCert: true, rejectUnauthorized: false };
  const https = createServer(tls, (request, response) => {
    const { subject } = (request.socket as TLSSocket).getPeerCertificate();
    response.end(subject === undefined ? "nobody" : String(subject.CN));
  });
  https.listen(0, "127.0.0.1").unref();
  await once(https, "listening");
  const request = { method: "GET", url: `https://127.0.0.1:${(https.address() as AddressInfo).port}/` };
  const text = async (options: HttpRequestOptions): Promise<string> =>
    new TextDecoder().decode((await http.request(request, options)).body);
  const own = { ca: ca.certificatePem, certificate: client.certificatePem, privateKey: client.privateKeyPem };
  assert.equal(await text({ tls: { ca: ca.certificatePem } }), "nobody");
  assert.equal(await text({ tls: own }), "client");
  const code = (options: HttpRequestOptions): Promise<string> => codeOf(http.request(request, options));
  assert.equal(await code({}), "TLS_PEER_UNTRUSTED");
  assert.equal(await code({ tls: { ca: selfSigned.certificatePem } }), "TLS_PEER_UNTRUSTED");
  assert.equal(await code({ tls: { ca: "no PEM" } }), "CERTIFICATE_INVALID");
  assert.equal(await code({ tls: { ...own, privateKey: otherClient.privateKeyPem } }), "KEY_MISMATCH");
  https.close();
});

test("an answer that breaks off is a lost connection", async () => {
  const plain = createPlainServer((_request, response) => {
    response.writeHead(200, { "content-length": 100 });
    response.write("half", () => response.destroy());
  });
  plain.listen(0, "127.0.0.1").unref();
  await once(plain, "listening");
  const url = `http://127.0.0.1:${(plain.address() as AddressInfo).port}/`;
  assert.equal(await codeOf(http.request({ method: "GET", url })), "CONNECTION_LOST");
  plain.close();
});

test("what HTTP cannot carry is refused as an option, and a request is sent as it was when it was made", async () => {
  const url = "http://127.0.0.1:9/";
  const wrongs: Partial<HttpRequest>[] = [
    { headers: { a: "x\ny" } },
    { headers: { "a b": "x" } },
    { headers: { a: undefined as never } },
    { method: "G ET" },
    { url: "http://127.0.0.1:65536/" },
    { url: "https://127.0.0.1:9/", headers: { a: "x\ny" } },
  ];
  for (const wrong of wrongs) {
    assert.equal(await codeOf(http.request({ method: "GET", url, ...wrong })), "OPTION_INVALID");
  }
  const echo = createPlainServer((request, response) => void request.pipe(response));
  echo.listen(0, "127.0.0.1").unref();
  await once(echo, "listening");
  const request = {
    method: "POST",
    url: `http://127.0.0.1:${(echo.address() as AddressInfo).port}/`,
    body: Buffer.from("a"),
  };
  const answering = http.request(request);
  request.body = Buffer.from("something longer");
  assert.equal(new TextDecoder().decode((await answering).body), "a");
  echo.close();
});
