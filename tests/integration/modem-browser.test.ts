import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../../..", import.meta.url));

function bundle(entry: string) {
  return build({
    stdin: { contents: `export * from "${entry}";`, resolveDir: root },
    bundle: true,
    write: false,
    format: "esm",
    platform: "browser",
    logLevel: "silent",
  });
}

test("the modem package bundles for a browser: sessions, commands and the simulated modem need nothing of Node", async () => {
  for (const entry of ["@thingline/modem", "@thingline/modem/simulator"]) {
    const { outputFiles, warnings } = await bundle(entry);
    assert.deepEqual(warnings, []);
    assert.doesNotMatch(outputFiles[0]?.text ?? "", /node:|serialport/);
  }
});

test("the serial port's entry does not: that is where Node comes in", async () => {
  await assert.rejects(bundle("@thingline/modem/serial"), /Could not resolve "(?:node:)?fs"|Build failed/);
});
