// npm run vending:bundle [-- FOLDER]: the cloud half for an AWS account, as two templates that CloudFormation takes as they are. The code of
// a function stands in its template; the AWS SDK is that of the Lambda runtime. Default folder: apps/certificate-vending/bundle.
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { build } from "esbuild";
import { ensureBuilt, ensureInstalled, root } from "./workspace.mjs";

/** Of CloudFormation, for a template that is sent with the request rather than put into a bucket. */
export const templateBytesMax = 51_200;

const app = join(root, "apps/certificate-vending");
const functions = { vending: "lambda", fleet: "fleet-lambda" };

/** @returns for each template its name, its text, and the code that stands in it */
export async function bundleVending() {
  return Promise.all(
    Object.entries(functions).map(async ([name, entry]) => {
      const code = await bundle(join(app, "dist", `${entry}.js`));
      const template = JSON.parse(
        readFileSync(join(app, "templates", `${name}.template.json`), "utf8"),
        (_key, value) => (value === `{{${entry}}}` ? code : value),
      );
      const text = `${JSON.stringify(template, undefined, 1)}\n`;
      const bytes = Buffer.byteLength(text);
      if (bytes > templateBytesMax) throw new Error(`${name}: ${bytes} bytes, ${templateBytesMax} are allowed`);
      return { name, code, text };
    }),
  );
}

/** CloudFormation names code of a template index.js, which is a CommonJS module there. */
async function bundle(entry) {
  const { outputFiles } = await build({
    entryPoints: [entry],
    bundle: true,
    write: false,
    format: "cjs",
    platform: "node",
    target: "node22",
    external: ["@aws-sdk/*"],
    // The SDK of the runtime is found by require(), which goes by NODE_PATH; import() does not.
    supported: { "dynamic-import": false },
    legalComments: "none",
    // Names stay: what CloudWatch shows of an error can be found in the source.
    minifySyntax: true,
    minifyWhitespace: true,
    logLevel: "error",
  });
  return outputFiles[0].text;
}

if (import.meta.url === pathToFileURL(process.argv[1]).href) {
  ensureInstalled();
  ensureBuilt();
  const folder = resolve(process.argv[2] ?? join(app, "bundle"));
  mkdirSync(folder, { recursive: true });
  for (const { name, text } of await bundleVending()) {
    const file = join(folder, `${name}.template.json`);
    writeFileSync(file, text);
    console.log(`${relative(process.cwd(), file)} (${Buffer.byteLength(text)} of ${templateBytesMax} bytes)`);
  }
}
