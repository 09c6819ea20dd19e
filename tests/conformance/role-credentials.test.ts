// The X.509 credentials provider of AWS's common runtime, unmodified, gets credentials from a local cloud, and what it signs with them is served.
// It connects to port 443 whatever its endpoint is, so that it is given a proxy, which leads to the port of the cloud.
import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { connect, type AddressInfo } from "node:net";
import { test, type TestContext } from "node:test";
import { startCloud } from "@thingline/cloud/node";

const sdk = await import("aws-iot-device-sdk-v2").catch(() => undefined);
const skip = sdk === undefined ? "needs aws-iot-device-sdk-v2" : false;

/** Takes CONNECT and leads to the port, whatever it was asked for. */
async function openProxy(t: TestContext, port: number): Promise<{ port: number; asked: string[] }> {
  const asked: string[] = [];
  const server = createHttpServer();
  server.on("connect", ({ url = "" }, client) => {
    asked.push(url);
    const peer = connect(port, "127.0.0.1", () => {
      client.write("HTTP/1.1 200 Connection Established\r\n\r\n");
      client.pipe(peer).pipe(client);
    });
    for (const socket of [peer, client]) socket.on("error", () => void [peer, client].map((each) => each.destroy()));
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return { port: (server.address() as AddressInfo).port, asked };
}

test("AwsCredentialsProvider.newX509 signs with what the cloud gives it", { skip, timeout: 60_000 }, async (t) => {
  const { auth, http, io } = sdk!;
  const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 };
  const started = await startCloud({ memory: true, ...ports, unsignedRequests: "refused" });
  t.after(() => started.close());
  const { cloud } = started;
  const { registry, roleAliases } = cloud;
  const thing = await started.createThing("pump-7");
  const roleArn = "arn:aws:iam::123456789012:role/device";
  const { roleAliasArn } = await cloud.run(roleAliases.createRoleAlias, { roleAlias: "door", roleArn });
  const statement = { Effect: "Allow", Action: "iot:AssumeRoleWithCertificate", Resource: roleAliasArn };
  const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [statement] });
  await cloud.run(registry.createPolicy, { policyName: "assume", policyDocument });
  await cloud.run(registry.attachPolicy, { policyName: "assume", target: thing.certificateArn });
  const { port } = new URL(`http://${started.addresses.credentials}`);
  const proxy = await openProxy(t, Number(port));

  const { certificate, privateKey, ca } = thing.tls;
  const tlsOptions = new io.TlsContextOptions();
  tlsOptions.certificate = certificate;
  tlsOptions.private_key = privateKey;
  tlsOptions.certificate_authority = ca;
  tlsOptions.verify_peer = true;
  const tlsContext = new io.ClientTlsContext(tlsOptions);
  const tunnel = http.HttpProxyConnectionType.Tunneling;
  const none = http.HttpProxyAuthenticationType.None;
  const httpProxyOptions = new http.HttpProxyOptions("127.0.0.1", proxy.port, none, "", "", undefined, tunnel);
  const send = async (roleAlias: string) => {
    const provider = auth.AwsCredentialsProvider.newX509({
      ...{ endpoint: "localhost", thingName: "pump-7", roleAlias, tlsContext, httpProxyOptions },
    });
    const { host } = new URL(started.addresses.api);
    const headers = new http.HttpHeaders([["host", host]]);
    const request = new http.HttpRequest("GET", "/things/pump-7", headers);
    await auth.aws_sign_request(request, {
      algorithm: auth.AwsSigningAlgorithm.SigV4,
      signature_type: auth.AwsSignatureType.HttpRequestViaHeaders,
      provider,
      region: "us-east-1",
      service: "iot",
      date: new Date(),
    });
    const signed: Record<string, string> = {};
    for (const [name, value] of request.headers) if (name.toLowerCase() !== "host") signed[name] = value;
    const answer = await fetch(`${started.addresses.api}/things/pump-7`, { headers: signed });
    return { status: answer.status, body: (await answer.json()) as { thingName?: string } };
  };
  const { status, body } = await send("door");
  assert.deepEqual([status, body.thingName], [200, "pump-7"]);
  assert.deepEqual(proxy.asked, ["localhost:443"]);
  await assert.rejects(send("none"));
});
