// The peer of a cloud for `npm run bench -- provision`: takes TLS connections with client certificates and looks at each, and does for every second
// one what no cloud can leave out: the key, where it is the cloud's to make, or a look at the request's signature; the signature of the
// certificate; one commit that outlives the process. No MQTT, no registry.
import { generateKeyPairSync, type KeyObject, X509Certificate } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createServer, type TLSSocket } from "node:tls";
import { openLmdbStore, type Store } from "@thingline/cloud";
import { type BareRequest, makeKey, requireSoundRequest, signCertificate } from "./provision-bare-key.js";
import type { BareServerFacts, BareServerTask, ProcessorFacts } from "./provision-kinds.js";

type ListenTask = BareServerTask & { do: "listen" };

interface BareCloud {
  store: Store;
  authority: KeyObject;
  task: ListenTask;
}

const folder = mkdtempSync(join(tmpdir(), "thingline-bench-"));

let issued = 0;

/** @returns the certificate, which is the same for all: one of the same kind costs as much */
async function issue({ store, authority, task }: BareCloud, request: BareRequest | undefined): Promise<string> {
  if (request !== undefined) requireSoundRequest(request);
  else if (task.keyKind !== undefined) await makeKey(task.keyKind);
  await signCertificate(authority);
  await store.commit([{ key: ["bare", `${++issued}`], value: { certificatePem: task.issued } }]);
  return task.issued;
}

async function answer(cloud: BareCloud, socket: TLSSocket, line: string): Promise<void> {
  const { claim, request } = JSON.parse(line) as { claim: boolean; request?: BareRequest };
  socket.end(claim ? await issue(cloud, request) : "k");
}

async function listen(task: ListenTask): Promise<BareServerFacts> {
  const { certificate, privateKey } = task.server;
  const options = { cert: certificate, key: privateKey, requestCert: true, rejectUnauthorized: false, noDelay: true };
  const { privateKey: authority } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const cloud: BareCloud = { store: await openLmdbStore({ folder }), authority, task };
  const server = createServer(options, (socket) => {
    socket.on("error", () => undefined);
    const raw = socket.getPeerX509Certificate()?.raw;
    // Whom it is of, and until when.
    if (raw !== undefined) void new X509Certificate(raw).validTo;
    let line = "";
    socket.setEncoding("utf8");
    socket.on("data", (text: string) => {
      line += text;
      // The device says which of its two connections this is.
      if (line.endsWith("\n")) answer(cloud, socket, line).catch(fail);
    });
  });
  return new Promise((resolve) =>
    server.listen(0, "127.0.0.1", 511, () => resolve({ port: (server.address() as AddressInfo).port })),
  );
}

function fail(error: unknown): void {
  process.stderr.write(`bench: ${error instanceof Error ? error.stack : String(error)}\n`);
  process.exit(1);
}

function processorSeconds(): ProcessorFacts {
  const { user, system } = process.cpuUsage();
  return { cpuSeconds: (user + system) / 1e6 };
}

process.on("message", (task: BareServerTask) => {
  if (task.do === "askProcessor") process.send!(processorSeconds());
  else if (task.do === "close") {
    rmSync(folder, { recursive: true });
    process.send!({});
  } else listen(task).then((facts) => process.send!(facts), fail);
});

// Whoever ends the bench ends this.
process.on("disconnect", () => process.exit());
