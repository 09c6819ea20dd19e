// The peer of a cloud for `npm run bench -- provision`: takes TLS connections with client certificates, makes a key for every second one where
// that is the cloud's to do, and says one byte. No MQTT, no registry, no certificate is made.
import type { AddressInfo } from "node:net";
import { createServer, type TLSSocket } from "node:tls";
import { makeKey } from "./provision-bare-key.js";
import type { BareServerFacts, BareServerTask, ProcessorFacts } from "./provision-kinds.js";

function listen({
  server: { certificate, privateKey },
  keyKind,
}: BareServerTask & { do: "listen" }): Promise<BareServerFacts> {
  const options = { cert: certificate, key: privateKey, requestCert: true, rejectUnauthorized: false };
  const answer = async (socket: TLSSocket, hasKey: boolean): Promise<void> => {
    if (hasKey && keyKind !== undefined) await makeKey(keyKind);
    socket.end("k");
  };
  const server = createServer(options, (socket) => {
    socket.on("error", () => undefined);
    // The device says which of its two connections this is.
    socket.once("data", (data: Buffer) => void answer(socket, data.toString() === "claim"));
  });
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", 511, () => resolve({ port: (server.address() as AddressInfo).port })),
  );
}

function processorSeconds(): ProcessorFacts {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6 };
}

process.on("message", (task: BareServerTask) => {
  if (task.do === "askProcessor") process.send!(processorSeconds());
  else void listen(task).then((facts) => process.send!(facts));
});

// Whoever ends the bench ends this.
process.on("disconnect", () => process.exit());
