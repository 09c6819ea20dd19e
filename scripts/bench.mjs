// npm run bench -- NAME [options]: each bench is a built file bench/dist/NAME.bench.js and prints ratios to named peers.
// With --against COMMIT this tree is compared with a commit instead; see bench-against.mjs.
import { existsSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, root, run } from "./workspace.mjs";

ensureInstalled();
ensureBuilt();
const [name = "", ...args] = process.argv.slice(2);
const file = join(root, "bench/dist", `${name}.bench.js`);
if (!/^[a-z-]+$/.test(name) || !existsSync(file)) {
  const names = readdirSync(join(root, "bench")).filter((entry) => entry.endsWith(".bench.ts"));
  console.error(`bench: name one of: ${names.map((entry) => entry.replace(".bench.ts", "")).join(", ")}`);
  process.exit(2);
}
if (args.some((word) => /^--against(=|$)/.test(word))) {
  const { benchAgainst } = await import("./bench-against.mjs");
  process.exitCode = await benchAgainst(name, args);
} else {
  process.exit(run(process.execPath, [file, ...args], { stdio: "inherit" }));
}
