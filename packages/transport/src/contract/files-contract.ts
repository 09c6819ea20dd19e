import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Files } from "../files.js";
import { codeOf, type ContractHarness } from "./harness.js";

export interface FilesWorld {
  files: Files;
  /** An empty folder to work in. */
  folder: string;
  close: () => Promise<void>;
}

/** More than any test writes. */
const bytesMax = 1024 * 1024;
const text = (content: string): Uint8Array => new TextEncoder().encode(content);

/** Holds {@link Files} to the interface. */
export function filesContract({ test, assert }: ContractHarness, name: string, open: () => Promise<FilesWorld>): void {
  const testIn = (sentence: string, body: (world: FilesWorld) => Promise<void>): unknown =>
    test(`${name}: ${sentence}`, async () => {
      const world = await open();
      try {
        await body(world);
      } finally {
        await world.close();
      }
    });

  testIn("what was replaced is read back, in folders that were not there", async ({ files, folder }) => {
    const path = `${folder}/a/b/c.txt`;
    assert.equal(await files.exists(path), false);
    await files.replace(path, text("one"));
    assert.deepEqual(await files.read(path, { bytesMax }), text("one"));
    await files.replace(path, text(""));
    assert.deepEqual(await files.read(path, { bytesMax }), text(""));
    await files.replace(path, text("three"), { mode: 0o644 });
    assert.deepEqual(await files.read(path, { bytesMax }), text("three"));
    assert.equal(await files.exists(path), true);
    assert.equal(await files.exists(`${folder}/a`), true);
    assert.deepEqual(await files.list(`${folder}/a/b`), ["c.txt"]);
    assert.deepEqual(await files.list(`${folder}/a`), ["b"]);
  });

  testIn("replaces at one time leave one of the contents", async ({ files, folder }) => {
    const path = `${folder}/x`;
    const contents = Array.from({ length: 8 }, (_, index) => String(index).repeat(10_000));
    await Promise.all(contents.map((content) => files.replace(path, text(content))));
    assert.ok(contents.includes(new TextDecoder().decode(await files.read(path, { bytesMax }))));
    assert.deepEqual(await files.list(folder), ["x"]);
  });

  testIn("appends keep their order, waited for or not", async ({ files, folder }) => {
    const path = `${folder}/log/x`;
    const parts = Array.from({ length: 30 }, (_, index) => `${index};`);
    await Promise.all(parts.map((part) => files.append(path, text(part))));
    await files.append(path, text("end"));
    await files.flush(path);
    assert.deepEqual(await files.read(path, { bytesMax }), text(`${parts.join("")}end`));
  });

  testIn("a content that the caller changes afterwards was taken before", async ({ files, folder }) => {
    const bytes = text("before");
    const [replaced, appended] = [files.replace(`${folder}/r`, bytes), files.append(`${folder}/a`, bytes)];
    bytes.fill(0);
    await Promise.all([replaced, appended]);
    assert.deepEqual(await files.read(`${folder}/r`, { bytesMax }), text("before"));
    assert.deepEqual(await files.read(`${folder}/a`, { bytesMax }), text("before"));
  });

  testIn("what is not there is told, or nothing happens", async ({ files, folder }) => {
    const path = `${folder}/nothing`;
    assert.equal(await codeOf(files.read(path, { bytesMax })), "FILE_NOT_FOUND");
    assert.equal(await codeOf(files.flush(path)), "FILE_NOT_FOUND");
    assert.deepEqual(await files.list(path), []);
    await files.remove(path);
    await files.replace(path, text("x"));
    await files.remove(path);
    assert.equal(await files.exists(path), false);
  });

  testIn("a folder is no file", async ({ files, folder }) => {
    const path = `${folder}/sub`;
    await files.makeFolder(path);
    await files.makeFolder(path);
    assert.equal(await files.exists(path), true);
    assert.deepEqual(await files.list(path), []);
    assert.deepEqual(await files.list(folder), ["sub"]);
    assert.equal(await codeOf(files.read(path, { bytesMax })), "FILE_UNREADABLE");
    assert.equal(await codeOf(files.replace(path, text("x"))), "FILE_UNREADABLE");
    assert.equal(await codeOf(files.append(path, text("x"))), "FILE_UNREADABLE");
    assert.deepEqual(await files.list(folder), ["sub"]);
  });

  testIn("a folder that holds no file makes way for one, where that is wanted", async ({ files, folder }) => {
    const path = `${folder}/sub`;
    await files.replace(`${path}/a/b/file`, text("x"));
    await files.makeFolder(`${path}/c`);
    assert.equal(await codeOf(files.replace(path, text("x"), { overEmptyFolder: true })), "FILE_UNREADABLE");
    assert.deepEqual(await files.read(`${path}/a/b/file`, { bytesMax }), text("x"));
    await files.remove(`${path}/a/b/file`);
    await files.replace(path, text("file"), { overEmptyFolder: true });
    await files.replace(path, text("file"), { overEmptyFolder: true });
    assert.deepEqual(await files.read(path, { bytesMax }), text("file"));
    assert.deepEqual(await files.list(folder), ["sub"]);
  });

  testIn("a file is read up to a limit, and the error names file, limit and size", async ({ files, folder }) => {
    const path = `${folder}/long`;
    await files.replace(path, text("12345"));
    assert.deepEqual(await files.read(path, { bytesMax: 5 }), text("12345"));
    for (const takesStreams of [false, true]) {
      const error = await files.read(path, { bytesMax: 4, takesStreams }).catch((failure: unknown) => failure);
      const details = isThinglineError(error, "FILE_TOO_LARGE") ? { ...error.details } : error;
      assert.deepEqual(details, { path, bytesMax: 4, sizeBytes: 5 });
    }
    await files.append(path, text("6"));
    assert.equal(await codeOf(files.read(path, { bytesMax: 5 })), "FILE_TOO_LARGE");
  });

  testIn("a read that was aborted before ends with the reason", async ({ files, folder }) => {
    const path = `${folder}/x`;
    await files.replace(path, text("x"));
    const reason = new ThinglineError("ABORTED", "enough");
    assert.equal(await codeOf(files.read(path, { bytesMax: 5, signal: AbortSignal.abort(reason) })), "ABORTED");
  });

  testIn("names are taken as they stand, and listed sorted", async ({ files, folder }) => {
    const names = ["b", "a b", "ü.txt", "x%2Fy", "-rf", "..."];
    for (const fileName of names) await files.replace(`${folder}/${fileName}`, text(fileName));
    assert.deepEqual(await files.list(folder), [...names].sort());
    for (const fileName of names)
      assert.deepEqual(await files.read(`${folder}/${fileName}`, { bytesMax }), text(fileName));
    assert.equal(await codeOf(files.read("", { bytesMax })), "OPTION_INVALID");
    assert.equal(await codeOf(files.replace(`${folder}/a\0b`, text(""))), "OPTION_INVALID");
  });

  testIn("a folder is listed up to a bound, and the error names folder and bound", async ({ files, folder }) => {
    for (const name of ["a", "b", "c"]) await files.replace(`${folder}/${name}`, text(name));
    assert.deepEqual(await files.list(folder, { namesMax: 3 }), ["a", "b", "c"]);
    const error = await files.list(folder, { namesMax: 2 }).catch((failure: unknown) => failure);
    const details = isThinglineError(error, "LIMIT_EXCEEDED") ? { ...error.details } : error;
    assert.deepEqual(details, { path: folder, namesMax: 2 });
    assert.deepEqual(await files.list(`${folder}/absent`, { namesMax: 0 }), []);
  });

  testIn("a folder has one owner until it is released", async ({ files, folder }) => {
    const lock = await files.lock(`${folder}/data`);
    const error = await files.lock(`${folder}/data`).catch((failure: unknown) => failure);
    assert.ok(error instanceof Error && "code" in error && error.code === "LOCKED");
    assert.ok(error instanceof Error && "details" in error && typeof pidOf(error.details) === "number");
    const other = await files.lock(`${folder}/other`);
    assert.deepEqual(await files.list(`${folder}/data`), []);
    await lock.release();
    await lock.release();
    const again = await files.lock(`${folder}/data`);
    await lock.release();
    assert.equal(await codeOf(files.lock(`${folder}/data`)), "LOCKED", "an old lock releases nothing");
    await again.release();
    await other.release();
  });
}

function pidOf(details: unknown): unknown {
  return typeof details === "object" && details !== null && "pid" in details ? details.pid : undefined;
}
