// The modem package in a browser: bundled for one, and run where nothing of Node is.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { builtinModules } from "node:module";
import { test } from "node:test";
import { fileURLToPath } from "node:url";
import { createContext, Script } from "node:vm";
import { build } from "esbuild";

const root = fileURLToPath(new URL("../../..", import.meta.url));

async function bundle(contents: string): Promise<string> {
  const { outputFiles, warnings, metafile } = await build({
    stdin: { contents, resolveDir: root },
    bundle: true,
    write: false,
    metafile: true,
    format: "iife",
    globalName: "page",
    platform: "browser",
    target: "es2022",
    logLevel: "silent",
  });
  assert.deepEqual(warnings, []);
  const imported = Object.values(metafile.inputs).flatMap((input) => input.imports.map(({ path }) => path));
  const ofNode = imported.filter((path) => path.startsWith("node:") || builtinModules.includes(path));
  assert.deepEqual(ofNode, [], "modules of Node");
  const outside = Object.keys(metafile.inputs).filter((path) => path !== "<stdin>" && !path.startsWith("packages/"));
  assert.deepEqual(outside, [], "packages of others");
  return outputFiles[0]?.text ?? "";
}

/** What browsers have as well, and as little of it as will do. */
const browserGlobals = [
  ...["AbortController", "AbortSignal", "ReadableStream", "TextDecoder", "TextEncoder", "WritableStream"],
  ...["clearTimeout", "performance", "setTimeout", "structuredClone"],
] as const;

/** Runs a bundle in a realm of its own: neither `process`, `Buffer`, `require` nor `setImmediate` is there. */
function runPage(script: string, given: Record<string, unknown> = {}): Record<string, unknown> {
  const globals = Object.fromEntries(browserGlobals.map((name) => [name, globalThis[name]]));
  const context = createContext({ ...globals, ...given });
  new Script(script).runInContext(context);
  return context;
}

/** A page with a simulated board: its port is the one that the user picks. */
const boardScript = `
  import { createSimulatedModem } from "@thingline/modem/simulator";
  import { createWebClock } from "@thingline/modem/web-serial";
  import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
  export async function makeBoard() {
    const random = createVirtualRandom("page");
    const network = { dial: () => Promise.reject(new Error("no network")) };
    const clock = createWebClock();
    return { clock, modem: await createSimulatedModem({ network, clock, random, keys: createVirtualKeys({ random }) }) };
  }
`;

test("the serial port's entry does not bundle for a browser: that is where Node comes in", async () => {
  await assert.rejects(bundle('export * from "@thingline/modem/serial";'));
});

test("a session over a connection in memory asks a simulated modem where there is nothing of Node", async () => {
  const script = await bundle(`${boardScript}
    import { askModem, openModemSession, readModemDescription } from "@thingline/modem";
    export async function run() {
      const { modem, clock } = await makeBoard();
      const session = openModemSession(modem.openPort(), { clock });
      const description = await readModemDescription(session);
      const mode = await askModem(session, "+CFUN?");
      const at = await session.command("AT");
      await session.close();
      await modem.close();
      return JSON.stringify({ description, mode, at, imei: modem.identity.imei, globals: Object.keys(globalThis) });
    }
  `);
  const page = runPage(script)["page"] as { run(): Promise<string> };
  const { description, mode, at, imei, globals } = JSON.parse(await page.run()) as {
    description: Record<string, string>;
    mode: number;
    at: string[];
    imei: string;
    globals: string[];
  };
  assert.deepEqual([description["manufacturer"], description["imei"]], ["Nordic Semiconductor ASA", imei]);
  assert.deepEqual([mode, at], [0, []]);
  for (const name of ["process", "Buffer", "require", "setImmediate", "global"])
    assert.ok(!globals.includes(name), name);
});

test("the example page finds a board behind Web Serial, and shows what its modem tells", async () => {
  const html = await readFile(`${root}/examples/web-serial.html`, "utf8");
  const [, script = ""] = /<script type="module">([^]*?)<\/script>/.exec(html) ?? [];
  assert.match(script, /navigator\.serial/);
  const board = (runPage(await bundle(boardScript))["page"] as { makeBoard(): Promise<Board> }).makeBoard();
  const { modem } = await board;
  const port = webPortOf(modem.openPort());
  let text = "";
  let onText: () => void = () => undefined;
  let click: () => void = () => undefined;
  const elements: Record<string, object> = {
    connect: { addEventListener: (_: string, listener: () => void) => (click = listener) },
    log: {
      get textContent() {
        return text;
      },
      set textContent(value: string) {
        text = value;
        onText();
      },
    },
  };
  const asked: unknown[] = [];
  const serial = { requestPort: (options: unknown) => Promise.resolve(port).finally(() => asked.push(options)) };
  runPage(await bundle(script), {
    navigator: { serial },
    document: { getElementById: (id: string) => elements[id] },
  });
  const shows = (pattern: RegExp) =>
    new Promise<void>((resolve) => {
      onText = () => {
        if (pattern.test(text)) resolve();
      };
      onText();
    });
  click();
  await shows(/behind the port: atHost\nNordic Semiconductor ASA nRF9160-SICA, mfw_nrf9160_1\.3\.2, IMEI \d{15}\n/);
  await modem.at("AT+CFUN=1");
  await shows(/"type":"registration","registration":\{"status":"searching"/);
  assert.equal(asked.length, 1);
  port.unplug();
  await modem.close();
});

interface Wire {
  start(handlers: { data(bytes: Uint8Array): void; closed(): void }): void;
  write(bytes: Uint8Array): boolean;
  flush(): void;
}

interface Board {
  modem: { at(line: string): Promise<string>; openPort(): Wire; close(): Promise<void> };
}

/** A SerialPort as browsers have it, a simulated board's port behind it. */
function webPortOf(wire: Wire) {
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  return {
    readable: null as ReadableStream<Uint8Array> | null,
    writable: null as WritableStream<Uint8Array> | null,
    open() {
      this.readable = new ReadableStream<Uint8Array>({ start: (controller) => void (source = controller) });
      this.writable = new WritableStream<Uint8Array>({
        write: (bytes) => {
          wire.write(bytes);
          wire.flush();
        },
      });
      wire.start({ data: (bytes) => source?.enqueue(bytes), closed: () => undefined });
      return Promise.resolve();
    },
    close: () => Promise.resolve(),
    unplug() {
      this.readable = null;
      this.writable = null;
      source?.error(Object.assign(new Error("gone"), { name: "NetworkError" }));
    },
  };
}
