// The peer of devices for `npm run bench -- provision`: for each of them the two full handshakes, with the claim and with credentials of its
// own, and the key where the device makes it. Nothing is asked for, written or proved.
import { performance } from "node:perf_hooks";
import { connect, createSecureContext, type SecureContext } from "node:tls";
import { makeKey } from "./provision-bare-key.js";
import type { BareFacts, BareTask, TlsPems } from "./provision-kinds.js";

const contextOf = ({ ca, certificate, privateKey }: TlsPems): SecureContext =>
  createSecureContext({ ca, cert: certificate, key: privateKey });

/** Until the server has taken the certificate, which it shows by its byte. */
function shake(port: number, secureContext: SecureContext, word: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: "127.0.0.1", port, servername: "localhost", secureContext }, () =>
      socket.write(word),
    );
    socket.resume();
    socket.once("error", reject);
    socket.once("close", () => resolve());
  });
}

async function runAll({ count, lanes, keyKind, port, claim, own }: BareTask): Promise<BareFacts> {
  const claimContext = contextOf(claim);
  const before = process.cpuUsage();
  const began = performance.now();
  let next = 0;
  await Promise.all(
    Array.from({ length: Math.min(lanes, count) }, async () => {
      while (next++ < count) {
        if (keyKind !== undefined) await makeKey(keyKind);
        await shake(port, claimContext, "claim");
        await shake(port, contextOf(own), "own");
      }
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
