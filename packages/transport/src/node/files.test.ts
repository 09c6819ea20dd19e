import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { existsSync } from "node:fs";
import { lstat, mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "./files.js";

const isWindows = process.platform === "win32";

test(
  "a folder that cannot be made is an error, not an endless loop",
  { skip: existsSync("/proc/self") ? false : "needs Linux's /proc, where no folder can be made" },
  async () => {
    const files = createNodeFiles();
    for (const path of ["/proc/thingline", "/proc/thingline/data", "/proc/self/status/data"]) {
      await assert.rejects(files.makeFolder(path), (error) => isThinglineError(error, "FILE_UNREADABLE"), path);
    }
  },
);

test("a device is no file for a program", { skip: isWindows }, async () => {
  const read = createNodeFiles().read("/dev/zero", { bytesMax: 200_000 });
  await assert.rejects(
    read,
    (error) => isThinglineError(error, "FILE_UNREADABLE") && error.message.includes("/dev/zero"),
  );
});

test("what has no end is read up to the limit where a person named it", { skip: isWindows }, async () => {
  const files = createNodeFiles();
  for (const path of ["/dev/zero", "/dev/urandom"]) {
    const read = files.read(path, { bytesMax: 200_000, takesStreams: true });
    await assert.rejects(read, (error) => isThinglineError(error, "FILE_TOO_LARGE") && error.message.includes(path));
  }
  assert.equal((await files.read("/dev/null", { bytesMax: 10, takesStreams: true })).length, 0);
});

test("a named pipe without a writer, a folder and a socket are refused by name", { skip: isWindows }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-files-"));
  const server = createServer();
  try {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    await new Promise<void>((done) => server.listen(join(folder, "socket"), done));
    for (const takesStreams of [false, true]) {
      for (const [path, kind] of [
        [join(folder, "pipe"), "a named pipe"],
        [join(folder, "socket"), "a socket"],
        [folder, "a folder"],
      ] as const) {
        const read = createNodeFiles().read(path, { bytesMax: 10, takesStreams });
        await assert.rejects(read, (error) => {
          return isThinglineError(error, "FILE_UNREADABLE") && error.message.includes(`"${path}" is ${kind}`);
        });
      }
    }
  } finally {
    server.close();
    await rm(folder, { recursive: true });
  }
});

test("what is no file is never written over", { skip: isWindows }, async () => {
  const folder = await mkdtemp(join(tmpdir(), "thingline-files-"));
  const server = createServer();
  try {
    execFileSync("mkfifo", [join(folder, "pipe")]);
    await new Promise<void>((done) => server.listen(join(folder, "socket"), done));
    for (const [path, kind] of [
      [join(folder, "pipe"), "a named pipe"],
      [join(folder, "socket"), "a socket"],
      ["/proc/self/fd/1", "a stream of this process"],
    ] as const) {
      for (const write of ["replace", "append"] as const) {
        await assert.rejects(createNodeFiles()[write](path, Uint8Array.of(1)), (error) => {
          return isThinglineError(error, "FILE_UNREADABLE") && error.message.includes(`"${path}" is ${kind}`);
        });
      }
    }
    assert.ok((await lstat(join(folder, "pipe"))).isFIFO());
  } finally {
    server.close();
    await rm(folder, { recursive: true, force: true });
  }
});

test("what a shell hands over is read, up to the limit", { skip: !existsSync("/dev/fd") }, () => {
  const read = (command: string, bytesMax: number): string => {
    const module = new URL("./index.js", import.meta.url).href;
    const script = `
      const { createNodeFiles } = await import(${JSON.stringify(module)});
      const read = createNodeFiles().read(process.argv[1], { bytesMax: ${bytesMax}, takesStreams: true });
      process.stdout.write(await read.then((bytes) => new TextDecoder().decode(bytes), (error) => error.code));`;
    const env = { ...process.env, NODE: process.execPath, SCRIPT: script };
    return execFileSync("bash", ["-c", command], { env, encoding: "utf8", input: "from the parent" });
  };
  const run = '"$NODE" --input-type=module -e "$SCRIPT"';
  assert.equal(read(`${run} <(echo hello)`, 100), "hello\n");
  assert.equal(read(`echo hello | ${run} /dev/stdin`, 100), "hello\n");
  assert.equal(read(`${run} /dev/stdin`, 100), "from the parent");
  assert.equal(read(`${run} <(yes)`, 100_000), "FILE_TOO_LARGE");
});
