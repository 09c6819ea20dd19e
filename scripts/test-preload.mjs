// Loaded before everything else in each process of a test run: test files, and whatever they start.
// - Tells what a test file took, so that a run can name its slowest files. Ends one that takes too long, with all that it started, and
//   tells which of its tests were running.
// - Where THINGLINE_TEST_KEYS is set, gives RSA keys out of the public primes of @thingline/transport/virtual: finding primes took a sixth
//   of all processor time. A key is given once to a test file and what it starts. The long run and the tests of Keys make real ones.
// - Where THINGLINE_TEST_PROMISES is `untold`, keeps node:test from following every promise, which took a third of what tests took.
import { appendFileSync, mkdirSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.env.THINGLINE_TEST_RUN;
// What a test starts inherits the name of the file.
const isTestFile = process.env.THINGLINE_TEST_FILE === undefined;
const file = (process.env.THINGLINE_TEST_FILE ??= process.argv[1] ?? "");

/** Of this process and of those that it started and that ended, killed ones too, where the system tells (Linux); else of this one. */
function cpuSeconds() {
  try {
    // proc(5): after the name in brackets, fields 14 to 17 are times in hundredths of a second, own and those of children.
    const fields = readFileSync("/proc/self/stat", "utf8").split(") ").at(-1).split(" ");
    return fields.slice(11, 15).reduce((sum, ticks) => sum + Number(ticks), 0) / 100;
  } catch {
    const { user, system } = process.cpuUsage();
    return (user + system) / 1e6;
  }
}

function tellTimes() {
  const times = { file, seconds: process.uptime(), cpuSeconds: cpuSeconds() };
  appendFileSync(join(folder, "times"), `${JSON.stringify(times)}\n`);
}

async function givePooledKeys() {
  const { default: crypto } = await import("node:crypto");
  const { syncBuiltinESMExports } = await import("node:module");
  const { promisify } = await import("node:util");
  const generateReal = crypto.generateKeyPair;
  const generatePromised = promisify(generateReal);
  let next = 0;

  async function pooled({ publicKeyEncoding, privateKeyEncoding }) {
    const virtual = new URL("../packages/transport/dist/virtual/", import.meta.url);
    const { publicTestPrimes: primes } = await import(new URL("key-pool.js", virtual));
    const { rsaKeyOf, writePrivateKey } = await import(new URL("key-formats.js", virtual));
    const pairs = primes.flatMap((one, at) => primes.slice(at + 1).map((other) => [one, other]));
    while (next < pairs.length) {
      const pair = pairs[next++];
      if (!claim(next)) continue;
      const privateKey = crypto.createPrivateKey(writePrivateKey(rsaKeyOf(...pair)));
      const publicKey = crypto.createPublicKey(privateKey);
      return {
        privateKey: privateKeyEncoding ? privateKey.export(privateKeyEncoding) : privateKey,
        publicKey: publicKeyEncoding ? publicKey.export(publicKeyEncoding) : publicKey,
      };
    }
    return undefined;
  }

  /** Whether nobody of this test file took that key before. */
  function claim(number) {
    const scope = file.replace(/[^\w.-]/g, "_");
    try {
      mkdirSync(join(folder, "keys", `${scope}-${number}`), { recursive: false });
      return true;
    } catch {
      return false;
    }
  }

  const isPooled = (type, options) => type === "rsa" && options?.modulusLength === 2048;
  crypto.generateKeyPair = (type, options, callback) => {
    if (!isPooled(type, options)) return generateReal(type, options, callback);
    pooled(options).then(
      (key) => (key ? callback(null, key.publicKey, key.privateKey) : generateReal(type, options, callback)),
      callback,
    );
  };
  crypto.generateKeyPair[promisify.custom] = async (type, options) =>
    (isPooled(type, options) ? await pooled(options) : undefined) ?? generatePromised(type, options);
  syncBuiltinESMExports();
}

/**
 * node:test of Node 20 is told of every promise that is made and collected, to know whose test an error belongs to that nobody catches. It is told of
 * tests alone here, which `describe()` and hooks go by. An error that nobody catches ends the process instead, with the tests that were
 * running; the files of a shared one run again alone, and there node:test is told of everything.
 */
async function tellOfTestsAlone(running) {
  const { default: hooks } = await import("node:async_hooks");
  const { AsyncResource, createHook } = hooks;
  let told;
  hooks.createHook = (callbacks) => {
    told = callbacks;
    const hook = { enable: () => hook, disable: () => hook };
    return hook;
  };
  hooks.AsyncResource = class extends AsyncResource {
    constructor(type, options) {
      super(type, options);
      told?.init(this.asyncId(), type, this.triggerAsyncId(), this);
    }
  };
  // It takes these two when it is loaded, and nobody else does.
  await import("node:test");
  Object.assign(hooks, { AsyncResource, createHook });

  const end = (error) => {
    const names = [...running].map((name) => `"${name}"`).join(", ");
    process.stderr.write(`${file}: nobody caught this, in ${names || "no test"}: ${error?.stack ?? error}\n`);
    process.exit(1);
  };
  process.on("uncaughtException", end);
  process.on("unhandledRejection", end);
}

/** Names of the tests that have begun and not ended. */
async function watchTests(running) {
  const { afterEach, beforeEach } = await import("node:test");
  beforeEach(({ name }) => void running.add(name));
  afterEach(({ name }) => void running.delete(name));
}

/** Ends what this process started and what that started, where the system tells (Linux): it would go on for ever. */
function endChildren(pid = process.pid) {
  try {
    for (const task of readdirSync(`/proc/${pid}/task`)) {
      const children = readFileSync(`/proc/${pid}/task/${task}/children`, "utf8");
      for (const child of children.split(" ").filter(Boolean).map(Number)) {
        endChildren(child);
        process.kill(child, "SIGKILL");
      }
    }
  } catch {
    // It has ended meanwhile.
  }
}

/** Earlier than the run itself, which knows neither tests nor what they started, would. */
function endWhenLate(maxMs, running) {
  const end = () => {
    process.stderr.write(`${file} was ended after ${maxMs} ms, the most that it may take\n`);
    appendFileSync(join(folder, "late"), `${JSON.stringify({ file, tests: [...running] })}\n`);
    endChildren();
    process.exit(1);
  };
  setTimeout(end, maxMs).unref();
}

if (folder !== undefined) {
  if (isTestFile) {
    process.on("exit", tellTimes);
    const maxMs = Number(process.env.THINGLINE_TEST_MAX_MS);
    const running = new Set();
    const [major] = process.versions.node.split(".");
    if (process.env.THINGLINE_TEST_PROMISES === "untold" && major === "20") await tellOfTestsAlone(running);
    if (maxMs > 0) {
      await watchTests(running);
      endWhenLate(maxMs, running);
    }
  }
  // Unit tests are about the code itself, also that which makes keys.
  const isUnitTest = isTestFile && !/[\\/]tests[\\/]dist[\\/]/.test(file);
  if (process.env.THINGLINE_TEST_KEYS === "pooled" && !isUnitTest) await givePooledKeys();
}
