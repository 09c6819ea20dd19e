// Holds every import against the arrows of docs/architecture.md: between packages, between the folders of a package, and
// without circles, type-only imports included. `tsc -b` rejects cycles between packages but can miss an undeclared import
// once its target is built.
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { posix, join, relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import ts from "typescript";
import { arrowRules } from "./arrow-rules.mjs";
import { connectedSets, shortestCircles } from "./import-circles.mjs";
import { doorFaults } from "./test-bundles.mjs";
import { root } from "./workspace.mjs";

/** Of one set of files that reach each other. */
const printedCirclesMax = 10;

const isTest = (file) => /\.test(\.support)?\.tsx?$/.test(file);
const matches = (patterns, file) => patterns.some((pattern) => pattern.test(file));

/**
 * @param files the text of every source file by its path from the root, with slashes
 * @param manifests the package.json of every package by its folder (`packages/cloud`)
 * @returns {string[]} one line for each fault
 */
export function arrowFaults(files, manifests, rules = arrowRules) {
  const faults = [];
  const edges = [];
  const used = { nodeFiles: new Set(), arrows: new Set(), tolerated: new Set() };
  for (const [file, text] of files) {
    for (const { fileName: specifier } of ts.preProcessFile(text, true, true).importedFiles) {
      for (const why of importFaults(file, specifier, manifests, rules, used)) {
        faults.push(`${file}: imports "${specifier}": ${why}`);
      }
      const target = targetOf(file, specifier);
      if (target !== undefined) edges.push([file, target]);
    }
  }
  faults.push(...nameFaults(files), ...folderFaults(files, rules), ...unusedFaults(used, rules));
  faults.push(...circleFaults(files, edges, rules));
  return faults;
}

/** The source file behind a relative import. */
function targetOf(file, specifier) {
  if (!specifier.startsWith(".")) return undefined;
  return posix.join(posix.dirname(file), specifier).replace(/\.js$/, ".ts");
}

function* importFaults(file, specifier, manifests, rules, used) {
  if (specifier.startsWith("node:")) {
    const allowed = rules.nodeFiles.find((pattern) => pattern.test(file));
    if (allowed === undefined) yield "node:* is for the shells only";
    used.nodeFiles.add(allowed);
    return;
  }
  const [group, name] = file.split("/");
  const target = targetOf(file, specifier);
  if (target !== undefined && isTest(target) && !isTest(file)) {
    yield "what ships does not lean on a test";
  }
  if (group !== "packages" && group !== "apps") return;
  const manifest = manifests[`${group}/${name}`] ?? {};
  if (target === undefined) yield* packageFaults(file, specifier, manifest, rules);
  else if (!target.startsWith(`${group}/${name}/src/`)) yield "leaves its package by a relative path";
  else if (!isTest(file)) yield* roomFaults(file, target, rules, used);
}

function* packageFaults(file, specifier, manifest, rules) {
  const [group, name] = file.split("/");
  const parts = specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1);
  const packageName = parts.join("/");
  if (packageName.startsWith("@thingline/")) {
    const target = packageName.slice("@thingline/".length);
    if (!rules.packages[name]?.includes(target)) yield `${name} may not import ${target}`;
  }
  if (isTest(file)) return;
  const isShell = group !== "packages" || matches([...rules.nodeFiles, ...rules.adapterFiles], file);
  if (/^@thingline\/transport\/node(?:\/|$)/.test(specifier) && !isShell)
    yield "Node's adapters are for the entry points alone";
  const declared = { ...manifest.dependencies, ...manifest.peerDependencies, ...manifest.optionalDependencies };
  if (!(packageName in declared)) yield `is not in the dependencies of ${group}/${name}/package.json`;
}

/** The rules of a package's folders, and the path of a file in its `src`. */
function roomsOf(file, rules) {
  const [group, name, , ...path] = file.split("/");
  return { rooms: rules.rooms[`${group}/${name}`], packageName: name, path };
}

/**
 * Where a file of a package lives: the longest folder that the rules name. `services/*` names each folder of `services`, so that `rule` is
 * the row and `place` the folder itself. A file at the top is a place of its own, and may import all.
 */
function roomOf(path, rooms) {
  const whole = path.join("/");
  if (path.length === 1 || whole in rooms) return { rule: whole in rooms ? whole : undefined, place: whole };
  for (let depth = path.length - 1; depth > 0; depth--) {
    const place = path.slice(0, depth).join("/");
    const pattern = [...path.slice(0, depth - 1), "*"].join("/");
    for (const rule of [place, pattern]) if (rule in rooms) return { rule, place };
  }
  return { rule: undefined, place: undefined };
}

function* roomFaults(file, target, rules, used) {
  const { rooms, packageName, path } = roomsOf(file, rules);
  if (rooms === undefined) return;
  const from = roomOf(path, rooms);
  const to = roomOf(roomsOf(target, rules).path, rooms);
  if (from.rule === undefined || from.place === to.place) return;
  if (from.rule === to.rule && isFace(target, to, rules)) return;
  const isAtTop = to.rule === undefined && to.place?.endsWith(".ts");
  const names = [to.place, to.rule, isAtTop ? "*.ts" : undefined];
  const allowed = rooms[from.rule].find((each) => names.includes(each));
  if (allowed !== undefined) {
    used.arrows.add(`${packageName}/${from.rule} → ${allowed}`);
    return;
  }
  const arrow = `${packageName}/${from.place} → ${packageName}/${to.place}`;
  used.tolerated.add(arrow);
  if (!rules.tolerated.arrows.includes(arrow))
    yield `${packageName}/${from.place} may not import ${packageName}/${to.place}`;
}

/** The file by which folders of one row may import each other. */
function isFace(target, { rule, place }, rules) {
  const [group, name] = target.split("/");
  const face = rules.faces[`${group}/${name}`]?.[rule];
  return face !== undefined && target === `${group}/${name}/src/${place}/${face}`;
}

/** Helpers of tests have one suffix: by it they stay out of what is published. */
function* nameFaults(files) {
  for (const file of files.keys()) {
    const isHelper = /\.test\.[^/]+\.tsx?$/.test(file) || /^tests\//.test(file);
    if (!isHelper || isTest(file)) continue;
    yield `${file}: helpers of tests end in .test.support.ts`;
  }
}

/** A new folder is given its arrows, and one that is gone loses them. */
function* folderFaults(files, rules) {
  for (const [home, rooms] of Object.entries(rules.rooms)) {
    const seen = new Set();
    for (const file of files.keys()) {
      if (!file.startsWith(`${home}/src/`)) continue;
      const { path } = roomsOf(file, rules);
      const { rule } = roomOf(path, rooms);
      if (rule !== undefined) seen.add(rule);
      else if (path.length > 1)
        yield `${file}: the folder ${path[0]} has no arrows; give it some in scripts/arrow-rules.mjs`;
    }
    for (const folder of Object.keys(rooms)) {
      if (!seen.has(folder)) yield `scripts/arrow-rules.mjs: ${home}/src/${folder} is not there any more`;
    }
  }
}

function* unusedFaults(used, rules) {
  for (const pattern of rules.nodeFiles) {
    if (!used.nodeFiles.has(pattern)) yield `scripts/arrow-rules.mjs: nothing at ${pattern} imports node:*`;
  }
  for (const [home, rooms] of Object.entries(rules.rooms)) {
    for (const [rule, arrows] of Object.entries(rooms)) {
      for (const arrow of arrows) {
        const name = `${home.split("/")[1]}/${rule} → ${arrow}`;
        if (!used.arrows.has(name)) yield `scripts/arrow-rules.mjs: nothing uses the arrow ${name}`;
      }
    }
  }
  for (const arrow of rules.tolerated.arrows) {
    if (!used.tolerated.has(arrow)) yield `scripts/arrow-rules.mjs: the tolerated arrow ${arrow} is gone; take it out`;
  }
}

function* circleFaults(files, edges, rules) {
  const imports = new Map([...files.keys()].map((file) => [file, new Set()]));
  for (const [file, target] of edges) imports.get(file).add(target);
  const tolerated = new Set();
  for (const set of connectedSets(imports)) {
    const folder = rules.tolerated.circles.find((within) => set.every((file) => file.startsWith(within)));
    if (folder !== undefined) {
      tolerated.add(folder);
      continue;
    }
    const circles = shortestCircles(imports, set);
    for (const circle of circles.slice(0, printedCirclesMax)) {
      yield `a circle of imports (${set.length} files reach each other): ${[...circle, circle[0]].join(" → ")}`;
    }
    const left = circles.length - printedCirclesMax;
    if (left > 0) yield `and ${left} more circles among these ${set.length} files`;
  }
  for (const folder of rules.tolerated.circles) {
    if (!tolerated.has(folder)) yield `scripts/arrow-rules.mjs: the tolerated circle in ${folder} is gone; take it out`;
  }
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

function readTree() {
  const files = new Map();
  const manifests = {};
  for (const top of ["packages", "apps", "tests", "bench", "examples"]) {
    for (const path of sources(join(root, top))) {
      const file = relative(root, path).split(sep).join("/");
      files.set(file, readFileSync(path, "utf8"));
      const home = file.split("/", 2).join("/");
      const manifestPath = join(root, home, "package.json");
      if (!(home in manifests))
        manifests[home] = existsSync(manifestPath) ? JSON.parse(readFileSync(manifestPath, "utf8")) : {};
    }
  }
  return { files, manifests };
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  const { files, manifests } = readTree();
  const faults = [...arrowFaults(files, manifests), ...Object.values(manifests).flatMap(doorFaults)];
  for (const fault of faults) console.error(fault);
  process.exit(faults.length === 0 ? 0 : 1);
}
