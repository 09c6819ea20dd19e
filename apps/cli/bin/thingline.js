#!/usr/bin/env node
import("#main").catch((e) => {
  console.error(
    e?.code === "ERR_MODULE_NOT_FOUND" && String(e.message).includes("dist")
      ? "thingline is not built yet: run `npm run build` in the project's folder first"
      : e,
  );
  process.exitCode = 1;
});
