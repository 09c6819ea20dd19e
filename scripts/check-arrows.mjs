// Holds every import against the arrows of docs/architecture.md. `tsc -b` rejects cycles between packages but
// can miss an undeclared import once its target is built.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { root } from "./workspace.mjs";

/** Which packages a package may import. */
export const packageArrows = {
  protocol: [],
  transport: ["protocol"],
  device: ["protocol", "transport"],
  modem: ["protocol", "transport"],
  cloud: ["protocol", "transport"],
  sim: ["protocol", "transport", "device", "modem", "cloud"],
  console: ["protocol", "transport", "device"],
  cli: ["protocol", "transport", "device", "modem", "cloud", "sim"],
};

/** Which folders of `cloud` a folder may import; files at the top (cloud.ts, log.ts) may import all and be types. */
export const cloudArrows = {
  gateway: ["broker", "policy", "services", "store"],
  broker: ["services", "nodes", "store", "policy", "bus"],
  services: ["nodes", "store", "policy", "model"],
  nodes: ["store"],
  rest: ["services", "store", "policy", "model"],
  model: [],
  policy: [],
  bus: [],
  store: [],
};

/** Files that may import `node:*`. */
export const nodeFiles = [
  /^packages\/transport\/src\/node\//,
  /^packages\/modem\/src\/serial\.ts$/,
  /^packages\/cloud\/src\/store\/(lmdb|blob-files)\.ts$/,
  /^packages\/cloud\/src\/rest\/(server|uploads)\.ts$/,
  /^packages\/cloud\/src\/node\.ts$/,
  /^apps\//,
  /\.test\.ts$/,
  /^tests\//,
  /^bench\//,
  /^examples\//,
];

/** Files of packages that may import Node's adapters, and so bring `node:*` with them. */
export const adapterFiles = [/^packages\/(?:device|cloud)\/src\/node\.ts$/, /\.test\.\w+\.ts$/];

/** @returns {string[]} one line for each import of `file` that breaks an arrow */
export function brokenArrows(file, text, manifest) {
  const [group, name, , folder] = file.split("/");
  const isTest = file.endsWith(".test.ts");
  const faults = [];
  for (const { fileName: specifier } of ts.preProcessFile(text, true, true).importedFiles) {
    const fault = (why) => faults.push(`${file}: imports "${specifier}": ${why}`);
    if (specifier.startsWith("node:")) {
      if (!nodeFiles.some((pattern) => pattern.test(file))) fault("node:* is for the shells only");
      continue;
    }
    if (group !== "packages" && group !== "apps") continue;
    if (specifier.startsWith(".")) {
      const target = join(dirname(file), specifier).split(sep).join("/");
      const home = `${group}/${name}/src/`;
      if (!target.startsWith(home)) fault("leaves its package by a relative path");
      const targetFolder = target.slice(home.length).split("/");
      if (
        name === "cloud" &&
        !isTest &&
        folder in cloudArrows &&
        targetFolder.length > 1 &&
        targetFolder[0] !== folder
      ) {
        if (!cloudArrows[folder].includes(targetFolder[0]))
          fault(`cloud/${folder} may not import cloud/${targetFolder[0]}`);
      }
      continue;
    }
    const packageName = specifier
      .split("/")
      .slice(0, specifier.startsWith("@") ? 2 : 1)
      .join("/");
    if (packageName.startsWith("@thingline/")) {
      const target = packageName.slice("@thingline/".length);
      if (!packageArrows[name]?.includes(target)) fault(`${name} may not import ${target}`);
    }
    if (isTest) continue;
    const isShell = group !== "packages" || [...nodeFiles, ...adapterFiles].some((pattern) => pattern.test(file));
    if (specifier === "@thingline/transport/node" && !isShell) fault("Node's adapters are for the entry points alone");
    const declared = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies };
    if (!(packageName in declared)) fault(`is not in the dependencies of ${group}/${name}/package.json`);
  }
  return faults;
}

function* sources(folder) {
  if (!existsSync(folder)) return;
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    if (entry.name === "dist" || entry.name === "node_modules") continue;
    const path = join(folder, entry.name);
    if (entry.isDirectory()) yield* sources(path);
    else if (/\.tsx?$/.test(entry.name)) yield path;
  }
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const faults = [];
  for (const top of ["packages", "apps", "tests", "bench", "examples"]) {
    for (const path of sources(join(root, top))) {
      const file = relative(root, path).split(sep).join("/");
      const [group, name] = file.split("/");
      const manifestPath = join(root, group, name, "package.json");
      const manifest = existsSync(manifestPath) ? JSON.parse(readFileSync(manifestPath, "utf8")) : {};
      faults.push(...brokenArrows(file, readFileSync(path, "utf8"), manifest));
    }
  }
  for (const fault of faults) console.error(fault);
  process.exit(faults.length === 0 ? 0 : 1);
}
