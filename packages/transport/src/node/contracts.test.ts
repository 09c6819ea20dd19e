import assert from "node:assert/strict";
import { verify } from "node:crypto";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { clockContract } from "../contract/clock-contract.js";
import { filesContract } from "../contract/files-contract.js";
import { flashContract } from "../contract/flash-contract.js";
import { httpContract } from "../contract/http-contract.js";
import { keysContract } from "../contract/keys-contract.js";
import { randomContract } from "../contract/random-contract.js";
import { createNodeClock } from "./clock.js";
import { createNodeFiles } from "./files.js";
import { openNodeFlash } from "./flash.js";
import { createNodeHttp } from "./http.js";
import { createNodeKeys } from "./keys.js";
import { createNodeRandom } from "./random.js";

const harness = { test, assert };

clockContract(harness, "Node clock", async () => ({ clock: createNodeClock(), wait: (promise) => promise }));

randomContract(harness, "Node random", createNodeRandom);

filesContract(harness, "Node files", async () => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-files-"));
  return { files: createNodeFiles(), folder, close: () => rm(folder, { recursive: true }) };
});

flashContract(harness, "Node flash", async () => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-flash-"));
  const flash = await openNodeFlash(join(folder, "flash.bin"), { sizeBytes: 8 * 256, pageBytes: 256 });
  return {
    flash,
    async close() {
      await flash.close();
      await rm(folder, { recursive: true });
    },
  };
});

keysContract(harness, "Node keys", async () => ({
  keys: createNodeKeys(),
  verify: (publicKeyPem, data, signature) => verify("sha256", data, publicKeyPem, signature),
}));

httpContract(harness, "Node HTTP", async () => ({
  http: createNodeHttp(),
  wait: (promise) => promise,
  async serve(handler) {
    let origin = "";
    const server = createServer((request, response) => {
      const chunks: Buffer[] = [];
      request.on("data", (chunk: Buffer) => chunks.push(chunk));
      request.on("end", () => {
        const headers = Object.fromEntries(
          Object.entries(request.headers).map(([name, value]) => [name, String(value)]),
        );
        const { method = "", url = "" } = request;
        void handler({ method, url: `${origin}${url}`, headers, body: new Uint8Array(Buffer.concat(chunks)) }).then(
          (answer) => {
            response.writeHead(answer.status, answer.headers).end(answer.body);
          },
        );
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    const close = (): Promise<void> =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      });
    return { origin, close };
  },
}));
