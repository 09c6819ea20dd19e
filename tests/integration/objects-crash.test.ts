// A cloud is killed while an object is being put: what was there is there, and nothing else.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { request, type IncomingMessage } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { startCloud } from "@thingline/cloud/node";

async function startChild(context: TestContext, dataDir: string) {
  const script = new URL("cloud-child.test.support.js", import.meta.url).pathname;
  const child = spawn(process.execPath, [script, dataDir], { stdio: ["ignore", "pipe", "inherit"] });
  context.after(() => child.kill("SIGKILL"));
  const [line] = (await once(child.stdout, "data")) as [Buffer];
  const { api } = JSON.parse(line.toString()) as { api: string };
  return {
    api: new URL(api),
    async kill() {
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
  };
}

/** Files of blobs, and of puts under way, which lie in a folder of their own. */
async function blobFiles(dataDir: string) {
  const entries = await readdir(join(dataDir, "blobs"), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const putting = files.filter(({ parentPath }) => parentPath.endsWith(".put"));
  return { putting: putting.length, kept: files.length - putting.length };
}

/** `s3.localhost` is S3's name on this machine; the connection goes where the cloud listens. */
const toS3 = (api: URL) => ({ host: "127.0.0.1", port: api.port, headers: { host: `s3.localhost:${api.port}` } });

async function send(api: URL, method: string, path: string, body = ""): Promise<{ status: number; body: string }> {
  const sent = request({ ...toS3(api), method, path });
  sent.end(body);
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return { status: response.statusCode ?? 0, body: (await response.toArray()).join("") };
}

test("kill -9 in a PUT leaves the object that was there, and no half one", { timeout: 60_000 }, async (context) => {
  const dataDir = await mkdtemp(join(tmpdir(), "thingline-objects-"));
  context.after(() => rm(dataDir, { recursive: true, force: true }));
  const first = await startChild(context, dataDir);
  assert.equal((await send(first.api, "PUT", "/firmware")).status, 200);
  assert.equal((await send(first.api, "PUT", "/firmware/app", "before")).status, 200);

  for (const path of ["/firmware/app", "/firmware/other"]) {
    const options = toS3(first.api);
    const half = request({
      ...options,
      method: "PUT",
      path,
      headers: { ...options.headers, "content-length": 2_000_000 },
    });
    half.on("error", () => undefined);
    half.write(new Uint8Array(1_000_000));
  }
  // Both have come as far as the disk.
  while ((await blobFiles(dataDir).catch(() => undefined))?.putting !== 2)
    await new Promise((resolve) => setImmediate(resolve));
  await first.kill();

  const second = await startCloud({ dataDir, mqttsPort: 0, httpsPort: 0, apiPort: 0, keyPoolSize: 0 });
  context.after(() => second.close());
  const api = new URL(second.addresses.api);
  assert.deepEqual(await send(api, "GET", "/firmware/app"), { status: 200, body: "before" });
  assert.equal((await send(api, "GET", "/firmware/other")).status, 404);
  assert.deepEqual(await blobFiles(dataDir), { putting: 0, kept: 1 });
});
