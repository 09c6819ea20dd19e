// The peer of devices for `npm run bench -- provision`: for each of them the two full handshakes, with the claim and with credentials of its
// own, the key and the request's signature where the device makes them, and a look at the certificate that came. No MQTT, and nothing is written or proved.
import { type KeyObject, X509Certificate } from "node:crypto";
import { performance } from "node:perf_hooks";
import { connect, createSecureContext, type SecureContext } from "node:tls";
import { makeKey, signRequest } from "./provision-bare-key.js";
import type { BareFacts, BareTask, TlsPems } from "./provision-kinds.js";

const contextOf = ({ ca, certificate, privateKey }: TlsPems): SecureContext =>
  createSecureContext({ ca, cert: certificate, key: privateKey });

/** Until the server has taken the certificate, which it shows by its answer. */
function shake(port: number, secureContext: SecureContext, word: string): Promise<string> {
  return new Promise((resolve, reject) => {
    // By name and over one family, as the devices.
    const options = { host: "localhost", port, family: 4, servername: "localhost", noDelay: true, secureContext };
    let answer = "";
    const socket = connect(options, () => socket.write(word));
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => void (answer += text));
    socket.once("error", reject);
    socket.once("close", () => resolve(answer));
  });
}

/** Its public key is what a device holds against its own. */
function lookAt(certificatePem: string): KeyObject {
  return new X509Certificate(certificatePem).publicKey;
}

async function provision(claimContext: SecureContext, { keyKind, port, own }: BareTask): Promise<void> {
  const request = keyKind === undefined ? undefined : await signRequest(await makeKey(keyKind));
  lookAt(await shake(port, claimContext, `${JSON.stringify({ claim: true, request })}\n`));
  await shake(port, contextOf(own), `${JSON.stringify({ claim: false })}\n`);
}

async function runAll(task: BareTask): Promise<BareFacts> {
  const { count, lanes, claim } = task;
  const claimContext = contextOf(claim);
  const before = process.cpuUsage();
  const began = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(lanes, count) }, async () => {
      while (next++ < count) await provision(claimContext, task);
    }),
  );
  const seconds = (performance.now() - began) / 1_000;
  const { user, system } = process.cpuUsage(before);
  return { seconds, cpuSeconds: (user + system) / 1e6 };
}

process.on("message", (task: BareTask) => {
  runAll(task).then(
    (answer) => process.send!(answer),
    (error: unknown) => {
      process.stderr.write(`bench: ${error instanceof Error ? error.stack : String(error)}\n`);
      process.exit(1);
    },
  );
});
