// The packages as npm packs them, installed in a folder outside the workspace: what is in them, whether the strictest compiler takes
// their declarations, and whether they run. Dependencies are linked from the workspace, so nothing is downloaded.
// Packing takes half of all that, and resolving as bundlers do a tenth: `.ci/run`, which names a compiler, does both. Elsewhere what `files`
// of each manifest names is copied, and pack-files.test.mjs has what packing makes of it.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { cp, mkdir, mkdtemp, readdir, readFile, rename, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { after, before, describe, test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { runProgram } from "./cli-process.test.support.js";

const root = fileURLToPath(new URL("../../..", import.meta.url));
const folders = [
  "packages/protocol",
  "packages/transport",
  "packages/device",
  "packages/modem",
  "packages/cloud",
  "apps/certificate-vending",
  "apps/cli",
];
/** `.ci/run` names the oldest compiler that the README promises; here it is the workspace's. */
const oldCompiler = process.env["THINGLINE_TEST_TYPESCRIPT"];
const compiler = oldCompiler ?? join(root, "node_modules/typescript-native/bin/tsc");
const isPacked = oldCompiler !== undefined;

interface Manifest {
  name: string;
  files: string[];
  exports?: Record<string, { types: string; default: string }>;
  dependencies?: Record<string, string>;
  peerDependencies?: Record<string, string>;
  bin?: Record<string, string>;
}

const { shippedManifest } = (await import(new URL("../../../scripts/pack-files.mjs", import.meta.url).href)) as {
  shippedManifest: (text: string) => string;
};

let place: string;
const manifests: Manifest[] = [];
const folderOf = (name: string) => join(place, "node_modules", name);

before(async () => {
  place = await mkdtemp(join(tmpdir(), "thingline-packed-"));
  if (isPacked) await packAll();
  else for (const folder of folders) await copy(folder);
  await linkDependencies();
  await writeFile(join(place, "package.json"), JSON.stringify({ type: "module" }));
});

async function packAll(): Promise<void> {
  const pack = ["pack", "--silent", "--pack-destination", place, ...folders.flatMap((folder) => ["-w", folder])];
  const npm = process.env["npm_execpath"];
  const [command, args] = npm === undefined ? ["npm", pack] : [process.execPath, [npm, ...pack]];
  const packed = await run(command, args, root);
  for (const file of packed.trim().split("\n")) await install(join(place, file.trim()));
}

after(() => rm(place, { recursive: true, force: true }));

describe("packed packages", () => {
  test("each has README and LICENSE, and neither tests nor source maps nor sources", async () => {
    const license = await readFile(join(root, "LICENSE"), "utf8");
    for (const { name } of manifests) {
      const files = await readdir(folderOf(name), { recursive: true });
      const unwanted = files.filter((file) => unwantedFiles.test(file) || /(?<!\.d)\.ts$/.test(file));
      assert.deepEqual(unwanted, [], name);
      assert.equal(await readFile(join(folderOf(name), "LICENSE"), "utf8"), license, name);
      for (const file of isPacked ? files.filter((file) => /\.(js|d\.ts)$/.test(file)) : []) {
        const text = await readFile(join(folderOf(name), file), "utf8");
        assert.doesNotMatch(text, /sourceMappingURL/, `${name} ${file} points at a map that is not there`);
      }
      const readme = await readFile(join(folderOf(name), "README.md"), "utf8");
      assert.match(readme, new RegExp(`^# ${name}\n[^]*npm install[^]*Apache-2\\.0`));
    }
  });

  test("every entry point is there, its types first", async () => {
    for (const { name, exports = {} } of manifests) {
      for (const [path, entry] of Object.entries(exports)) {
        assert.deepEqual(Object.keys(entry), ["types", "default"], `${name} ${path}`);
        for (const file of Object.values(entry)) await readFile(join(folderOf(name), file));
      }
    }
  });

  test("each imports what it depends on, or brings what another one wants beside it", async () => {
    const peers = new Set(manifests.flatMap(({ peerDependencies = {} }) => Object.keys(peerDependencies)));
    for (const { name, dependencies = {} } of manifests) {
      const files = await readdir(folderOf(name), { recursive: true });
      const programs = files.filter((file) => /\.(?:js|mjs|d\.ts)$/.test(file));
      const texts = await Promise.all(programs.map((file) => readFile(join(folderOf(name), file), "utf8")));
      const isImported = (wanted: string) => texts.some((text) => new RegExp(`["']${wanted}["'/]`).test(text));
      const unused = Object.keys(dependencies).filter((wanted) => !peers.has(wanted) && !isImported(wanted));
      assert.deepEqual(unused, [], name);
    }
  });

  test("public declarations speak of plain Uint8Array, not of Node's Buffer", async () => {
    for (const { name } of manifests) {
      for (const file of await readdir(folderOf(name), { recursive: true })) {
        if (!file.endsWith(".d.ts")) continue;
        // Types with a parameter since TypeScript 5.7, which earlier ones do not take; the file is internal and declares no entry point.
        const isInternal = file.endsWith("x509-writer.d.ts");
        const text = (await readFile(join(folderOf(name), file), "utf8")).replace(/\/\*[^]*?\*\//g, "");
        assert.doesNotMatch(text, /\bBuffer\b/, `${name} ${file}`);
        if (!isInternal) assert.doesNotMatch(text, /\b(Uint8Array|DataView)</, `${name} ${file}`);
      }
    }
  });

  for (const [resolution, module, skip] of [
    ["nodenext", "nodenext", false],
    ["bundler", "esnext", !isPacked],
  ] as const) {
    test(
      `the strictest compiler takes every entry point and each README's program, resolved as ${resolution}`,
      { skip },
      async (t) => {
        const files = [await entryPointsFile(resolution, specifiers()), ...(await readmePrograms(resolution))];
        const options = { module, moduleResolution: resolution, lib: ["es2022", "esnext.disposable"], types: ["node"] };
        assert.equal(await compile(t, resolution, files, options), "");
      },
    );
  }

  test("what is not for Node.js compiles for a browser, without Node's types", async (t) => {
    const files = [await entryPointsFile("browser", specifiers().filter(isForBrowsers))];
    const lib = ["es2022", "dom", "dom.iterable", "esnext.disposable"];
    const options = { module: "esnext", moduleResolution: "bundler", lib, types: [] };
    assert.equal(await compile(t, "browser", files, options), "");
  });

  test("import and require() load every entry point; the command runs", async (t) => {
    const names = specifiers().filter((specifier) => !specifier.endsWith("/contract"));
    await writeFile(join(place, "run.mjs"), `${names.map((name) => `await import("${name}");`).join("\n")}\n`);
    await writeFile(join(place, "run.cjs"), `${names.map((name) => `require("${name}");`).join("\n")}\n`);
    const bin = join(folderOf("thingline"), "bin/thingline.js");
    const [loaded, required, version] = await Promise.all([
      runProgram(t, process.execPath, [join(place, "run.mjs")]),
      runProgram(t, process.execPath, [join(place, "run.cjs")]),
      runProgram(t, process.execPath, [bin, "--version"]),
    ]);
    assert.deepEqual([loaded.code, loaded.stderr], [0, ""]);
    // Node's own warning that require() of a module is experimental is the only thing that may be said.
    assert.equal(required.code, 0, required.stderr);
    assert.match(version.stdout, /^\d+\.\d+\.\d+\n$/);
  });
});

/** The contract tests of interfaces, for those who write implementations, need `node:test`. */
const isForBrowsers = (specifier: string) =>
  !/^@thingline\/(?:cloud|certificate-vending)/.test(specifier) && !/\/(node|serial|contract)$/.test(specifier);

function specifiers(): string[] {
  return manifests.flatMap(({ name, exports = {} }) => Object.keys(exports).map((path) => `${name}${path.slice(1)}`));
}

async function entryPointsFile(name: string, names: readonly string[]): Promise<string> {
  const file = join(place, `entry-points-${name}.ts`);
  const lines = names.map((specifier, at) => `export * as entry${at} from "${specifier}";\n`);
  await writeFile(file, lines.join(""));
  return file;
}

async function readmePrograms(resolution: string): Promise<string[]> {
  const programs: string[] = [];
  const withoutProgram: string[] = [];
  for (const { name } of manifests) {
    const before = programs.length;
    const text = await readFile(join(folderOf(name), "README.md"), "utf8");
    for (const [, program = ""] of text.matchAll(/^```ts\n([^]*?)^```$/gm)) {
      const file = join(place, `${resolution}-${name.replace("/", "-")}-${programs.length}.ts`);
      await writeFile(file, program);
      programs.push(file);
    }
    if (programs.length === before) withoutProgram.push(name);
  }
  assert.deepEqual(withoutProgram, ["thingline"], "all but the command line show a program");
  return programs;
}

async function compile(t: TestContext, name: string, files: readonly string[], options: object): Promise<string> {
  const strict = {
    ...{ strict: true, skipLibCheck: false, exactOptionalPropertyTypes: true, noUncheckedIndexedAccess: true },
    ...{ verbatimModuleSyntax: true, isolatedModules: true, target: "es2022", noEmit: true },
  };
  const config = join(place, `tsconfig.${name}.json`);
  await writeFile(config, JSON.stringify({ compilerOptions: { ...strict, ...options }, files }));
  const { stdout } = await runProgram(t, process.execPath, [compiler, "-p", config]);
  return stdout;
}

const unwantedFiles = /\.test\.|\.map$|\.tsbuildinfo$/;

/** What is to be in the package by its manifest, without npm. */
async function copy(folder: string): Promise<void> {
  const from = join(root, folder);
  const manifestText = shippedManifest(await readFile(join(from, "package.json"), "utf8"));
  const manifest = JSON.parse(manifestText) as Manifest;
  manifests.push(manifest);
  const wanted = manifest.files.filter((name) => !name.startsWith("!"));
  const left = manifest.files.filter((name) => name.startsWith("!")).sort();
  assert.deepEqual(left, ["!dist/**/*.map", "!dist/**/*.test.*", "!dist/**/*.tsbuildinfo"], manifest.name);
  for (const name of ["README.md", "LICENSE", ...wanted]) {
    const filter = (path: string) => !unwantedFiles.test(path);
    await cp(join(from, name), join(folderOf(manifest.name), name), { recursive: true, filter });
  }
  await writeFile(join(folderOf(manifest.name), "package.json"), manifestText);
}

async function install(tarball: string): Promise<void> {
  await run("tar", ["xzf", tarball, "-C", place], place);
  const packed = join(place, "package");
  const manifest = JSON.parse(await readFile(join(packed, "package.json"), "utf8")) as Manifest;
  manifests.push(manifest);
  await mkdir(dirname(folderOf(manifest.name)), { recursive: true });
  await rename(packed, folderOf(manifest.name));
}

/** What `npm install` of the packages would bring, and Node's types, which a TypeScript project for Node.js has. */
async function linkDependencies(): Promise<void> {
  const names = new Set(["@types/node", ...manifests.flatMap(({ dependencies = {} }) => Object.keys(dependencies))]);
  for (const name of names) {
    if (name.startsWith("@thingline/")) continue;
    await mkdir(dirname(folderOf(name)), { recursive: true });
    await symlink(join(root, "node_modules", name), folderOf(name), "dir");
  }
}

async function run(command: string, args: readonly string[], cwd: string): Promise<string> {
  return (await promisify(execFile)(command, args, { cwd })).stdout;
}
