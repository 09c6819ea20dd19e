// npm start: install and build when needed, then the main job. Arguments after `--` go to `thingline demo`.
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureBuilt, ensureInstalled, root } from "./workspace.mjs";

ensureInstalled();
ensureBuilt();
process.argv.splice(1, Infinity, join(root, "apps/cli/bin/thingline.js"), "demo", ...process.argv.slice(2));
await import(pathToFileURL(process.argv[1]).href);
