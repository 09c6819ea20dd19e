// npm run docs: the API reference of all packages in docs/api. A warning is a failure.
import { join } from "node:path";
import { ensureBuilt, ensureInstalled, root, run } from "./workspace.mjs";

ensureInstalled();
// A package is read from its sources, the packages that it imports from their built declarations.
ensureBuilt();
const typedoc = join(root, "node_modules/typedoc/bin/typedoc");
process.exit(run(process.execPath, [typedoc, ...process.argv.slice(2)], { stdio: "inherit" }));
