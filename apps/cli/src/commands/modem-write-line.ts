import { setMaxListeners } from "node:events";
import { resolve } from "node:path";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { makePrivateFolder } from "@thingline/transport";
import { nodeAdapters } from "../adapters.js";
import { reportKind, reportKinds } from "../batch/reports.js";
import type { StepTime } from "../batch/result.js";
import { timeText } from "../batch/progress-lines.js";
import { BatchFolder, type BatchKind } from "../batch/results-file.js";
import { createBatchView } from "../batch/view.js";
import { describeModem, openModemAtHand } from "../boards/at-hand.js";
import { type BoardItem, type BoardResult, heldItems, isBoardResult, itemsOf } from "../boards/board-result.js";
import { type LinePort, linePorts } from "../boards/line-ports.js";
import { renderLineReport, summarizeLine } from "../boards/line-report.js";
import { type Manifest, readManifest } from "../boards/manifest.js";
import { prepareCredentials, type PreparedCredentials, type SourceOptions } from "../boards/prepare.js";
import { proofTarget } from "../boards/proof.js";
import { writeOne } from "../boards/write-one.js";
import type { CommandContext } from "../command.js";
import { forEachAtOnce } from "../each.js";
import { exitCodes, UsageError } from "../failure.js";
import type { Output } from "../output.js";
import type { WriteOptions } from "../boards/write-options.js";

type LineOptions = WriteOptions & { ports: string };

export const defaultLineDir = ".thingline/line";
const defaultBoardsAtOnce = 8;

/** What a line is about: the same when it is resumed. */
interface LinePlan {
  readonly kind: "boards";
  readonly source: string;
  readonly secTag: number | null;
}

const boardsBatch: BatchKind<LinePlan, BoardResult> = {
  isPlan: (value): value is Record<string, unknown> & LinePlan =>
    value["kind"] === "boards" && typeof value["source"] === "string",
  isResult: isBoardResult,
};

/** `thingline modem write --ports …`: many boards, some at once. One that fails does not stop the others. */
export async function modemWriteLine(context: CommandContext, options: LineOptions): Promise<number> {
  const { output, signal } = context;
  const { files } = nodeAdapters();
  const { atOnce = defaultBoardsAtOnce, batchDir = defaultLineDir } = options;
  checkLine(options);
  const prove = options.prove === undefined ? undefined : proofTarget(options.prove);
  const sources = await openSources(options);
  setMaxListeners(0, signal);
  await makePrivateFolder(files, batchDir);
  const lock = await files.lock(batchDir);
  try {
    const folder = new BatchFolder(files, batchDir, boardsBatch);
    const before = await openBatch(
      folder,
      { kind: "boards", source: sources.text, secTag: options.secTag ?? null },
      {
        batchDir,
        isResumed: options.resume === true,
      },
    );
    const ports = await linePorts(
      options.ports,
      { ...options, atOnce },
      {
        signal,
        onPassedOver: (path, why) =>
          output.event({ event: "portPassedOver", port: path, why }, output.paint.dim(`passed over  ${path}  ${why}`)),
      },
    );
    const line = new Line({ output, options, prove, sources, folder, results: before, signal });
    return await line.run(ports, atOnce);
  } finally {
    await lock.release();
  }
}

function checkLine({ manifest, fromEach, from, ca, cert, key, port, tcp, report = [] }: LineOptions): void {
  if (port !== undefined || tcp !== undefined)
    throw new UsageError("--ports names all ports; leave out --port and --tcp");
  const isSame = [from, ca, cert, key].some((each) => each !== undefined);
  const ways = [manifest !== undefined, fromEach !== undefined, isSame].filter(Boolean).length;
  if (ways !== 1) {
    throw new UsageError(
      "say where each board's credentials are: --manifest FILE, or --from-each 'things/{imei}', or --from for all the same",
    );
  }
  for (const file of report) {
    if (reportKind(file) !== undefined) continue;
    throw new UsageError(
      `--report takes a file that ends with ${reportKinds.map((kind) => `.${kind}`).join(", ")}, got "${file}"`,
    );
  }
}

/** Where credentials come from, by board. */
interface Sources {
  text: string;
  find(board: { imei: string; serial: string | undefined }): SourceOptions & { from?: string };
}

async function openSources(options: LineOptions): Promise<Sources> {
  const { manifest, fromEach, secTag, from, ca, cert, key, lineEnds, force } = options;
  const common: SourceOptions = {
    ...(secTag !== undefined && { secTag }),
    ...(lineEnds !== undefined && { lineEnds }),
    ...(force !== undefined && { force }),
  };
  if (manifest !== undefined) {
    const listed = await readManifest(nodeAdapters().files, manifest);
    return { text: `manifest ${resolve(manifest)}`, find: (board) => fromManifest(listed, board, common, manifest) };
  }
  if (fromEach !== undefined) {
    return { text: `each ${resolve(fromEach)}`, find: (board) => ({ ...common, from: fillPattern(fromEach, board) }) };
  }
  const same = {
    ...common,
    ...(from !== undefined && { from }),
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
  return {
    text: `all ${[from, ca, cert, key]
      .filter((each) => each !== undefined)
      .map((each) => resolve(each))
      .join(" ")}`,
    find: () => same,
  };
}

function fromManifest(
  manifest: Manifest,
  board: { imei: string; serial: string | undefined },
  common: SourceOptions,
  file: string,
): SourceOptions & { from: string } {
  const entry = manifest.find(board);
  if (entry === undefined) {
    const serial = board.serial === undefined ? "" : `, serial number ${board.serial}`;
    const message = `${file} has no board with IMEI ${board.imei}${serial}`;
    throw new ThinglineError("CREDENTIAL_MISSING", message, { details: { file } });
  }
  return { ...common, from: entry.folder, ...(entry.secTag !== undefined && { secTag: entry.secTag }) };
}

/** What a board says of itself becomes a part of a path, and leads nowhere else. */
export function fillPattern(pattern: string, board: { imei: string; serial: string | undefined }): string {
  return pattern.replaceAll(/\{(imei|serial)\}/gu, (_, name: "imei" | "serial") => {
    const text = board[name];
    if (text !== undefined && /^[\w-]{1,64}$/u.test(text)) return text;
    const what =
      text === undefined ? "the port tells no serial number" : `${JSON.stringify(text)} is no name of a folder`;
    throw new ThinglineError("CREDENTIAL_MISSING", `--from-each ${pattern}: ${what}`);
  });
}

/** The same line goes on; another one is never mixed with it. */
async function openBatch(
  folder: BatchFolder<LinePlan, BoardResult>,
  wanted: LinePlan,
  { batchDir, isResumed }: { batchDir: string; isResumed: boolean },
): Promise<Map<string, BoardResult>> {
  const found = await folder.readPlan();
  if (found === undefined) {
    if (isResumed) throw new UsageError(`there is nothing in ${batchDir} to resume`);
    await folder.writePlan(wanted);
    return new Map();
  }
  if (!isResumed) {
    const message = `${batchDir} has the boards of an earlier run; go on with it by --resume, or name another --batch-dir`;
    throw new ThinglineError("FILE_EXISTS", message, { details: { folder: batchDir } });
  }
  if (found.source !== wanted.source || found.secTag !== wanted.secTag) {
    const tag = found.secTag === null ? "" : `, security tag ${found.secTag}`;
    throw new UsageError(`${batchDir} is of other credentials (${found.source}${tag}): name another --batch-dir`);
  }
  return folder.readResults();
}

interface LineParts {
  output: Output;
  options: LineOptions;
  prove: { host: string; port: number } | undefined;
  sources: Sources;
  folder: BatchFolder<LinePlan, BoardResult>;
  results: Map<string, BoardResult>;
  signal: AbortSignal;
}

/** What is known of a board on its way. */
interface Facts {
  port: string;
  /** In results, where not its IMEI. */
  name?: string;
  imei?: string | undefined;
  model?: string | undefined;
  firmware?: string | undefined;
  source?: string | undefined;
  prepared?: PreparedCredentials;
  /** What the board of an earlier run has still, all of it. */
  kept?: BoardItem[] | undefined;
  isProved?: boolean | undefined;
  prove?: string | undefined;
  written?: Awaited<ReturnType<typeof writeOne>>;
  /** All was written, and the modem may not be as it was. */
  isLeftOtherwise?: boolean;
}

class Line {
  readonly #parts: LineParts;
  /** A modem that two ports lead to is not written to from both. */
  readonly #imeis = new Set<string>();
  /** In this run, in the order in which they ended. */
  readonly #ended = new Set<string>();

  constructor(parts: LineParts) {
    this.#parts = parts;
  }

  async run(ports: readonly LinePort[], atOnce: number): Promise<number> {
    const { output, options, results, folder, signal } = this.#parts;
    const { clock } = nodeAdapters();
    output.say(
      `${output.paint.bold(`Writing credentials to ${ports.length} boards`)}, ${Math.min(atOnce, ports.length)} at once`,
    );
    output.event({
      event: "lineStarted",
      ports: ports.map(({ path }) => path),
      folder: options.batchDir ?? defaultLineDir,
    });
    const startedAt = new Date(clock.unixMs());
    const now = () => clock.monotonicMs();
    const view = createBatchView(output, { all: ports.length, done: 0, now, tellsEvents: false });
    let unwritten: ThinglineError | undefined;
    try {
      await forEachAtOnce(
        each(ports),
        async (port) => {
          signal.throwIfAborted();
          const result = await this.#board(port, (step) => view.step(port.path, step));
          // A board that failed before it said who it is stands under its port.
          results.delete(port.path);
          results.set(result.name, result);
          this.#ended.add(result.name);
          // A disk that is full must not hide from the report what was done.
          await folder.append(result);
          const steps: StepTime[] = [];
          const { name, durationMs, failure } = result;
          const outcome = failure === undefined ? ("provisioned" as const) : ("failed" as const);
          const shownName = name === result.port ? name : `${result.port}  ${name}`;
          view.ended({ name: shownName, result: outcome, durationMs, failure, steps });
          output.event({ event: "lineBoard", ...result });
        },
        atOnce,
      );
    } finally {
      view.end();
      unwritten = await this.#conclude(startedAt);
    }
    if (unwritten !== undefined) throw unwritten;
    return [...this.#ended].every((name) => results.get(name)?.result !== "failed") ? exitCodes.done : exitCodes.failed;
  }

  async #board(port: LinePort, onStep: (step: string | undefined) => void): Promise<BoardResult> {
    const { clock } = nodeAdapters();
    const startedMs = clock.monotonicMs();
    const facts: Facts = { port: port.path };
    let step = "open";
    const begin = (name: string) => {
      // A board is put back as it was after a failure as well, which was in the step before.
      if (name !== "restore") step = name;
      onStep(name);
    };
    try {
      begin("open");
      await this.#write(port, facts, begin);
      return resultOf(facts, { durationMs: clock.monotonicMs() - startedMs, failure: undefined });
    } catch (error) {
      if (this.#parts.signal.aborted && facts.written === undefined) throw this.#parts.signal.reason;
      if (!isThinglineError(error)) throw error;
      const failedStep = facts.isLeftOtherwise === true ? "restore" : step;
      const failure = { step: failedStep, code: error.code, reason: error.message };
      return resultOf(facts, { durationMs: clock.monotonicMs() - startedMs, failure });
    } finally {
      onStep(undefined);
    }
  }

  async #write(port: LinePort, facts: Facts, begin: (step: string) => void): Promise<void> {
    const { options, prove, sources, signal } = this.#parts;
    await using hand = await openModemAtHand({ ...options, port: port.path }, signal);
    begin("look");
    const { imei, model, firmware } = await describeModem(hand, signal);
    if (imei === "") {
      throw new ThinglineError("MODEM_RESPONSE_INVALID", "the modem tells no IMEI, by which its credentials are found");
    }
    Object.assign(facts, { imei, model, firmware });
    if (this.#imeis.has(imei)) {
      // The IMEI names what became of the board behind the first port.
      facts.name = port.path;
      throw new ThinglineError("LOCKED", `another port leads to the modem with IMEI ${imei}, and was taken first`);
    }
    this.#imeis.add(imei);
    begin("check");
    const source = sources.find({ imei, serial: port.serial });
    facts.source = source.from;
    facts.prepared = await prepareCredentials(nodeAdapters(), source);
    const before = this.#parts.results.get(imei);
    if (before !== undefined && before.result !== "failed") {
      begin("compare");
      const kept = await heldItems(hand, facts.prepared, signal);
      // What is there and was not proved there has to be proved still, which the writing does where nothing is left to write.
      const isProved = before.isProved === true && before.prove === options.prove;
      if (kept !== undefined && (prove === undefined || isProved)) {
        Object.assign(facts, { kept, isProved: before.isProved, prove: before.prove });
        return;
      }
    }
    begin("write");
    facts.prove = options.prove;
    facts.written = await writeOne(hand, {
      ...{ prepared: facts.prepared, force: options.force === true, prove, scratchTag: options.scratchTag, signal },
      onStep: begin,
    });
    const { failure, modem } = facts.written.report;
    if (failure !== undefined) throw failure;
    if (modem?.isRestored === true) return;
    facts.isLeftOtherwise = true;
    const message = `all was written, and the modem may not be in functional mode ${modem?.functionalMode ?? ""} as it was`;
    throw new ThinglineError("MODEM_RESPONSE_INVALID", message);
  }

  /** Also of a run that was stopped: what was done is known. @returns why a report could not be written. */
  async #conclude(startedAt: Date): Promise<ThinglineError | undefined> {
    const { output, options, results } = this.#parts;
    const { files } = nodeAdapters();
    const known = [...results.values()];
    const head = { startedAt, endedAt: new Date(nodeAdapters().clock.unixMs()), prove: options.prove };
    const reports: string[] = [];
    let unwritten: ThinglineError | undefined;
    for (const file of options.report ?? []) {
      const text = renderLineReport(reportKind(file) ?? "json", head, known);
      try {
        await files.replace(file, new TextEncoder().encode(text), { mode: 0o644 });
        reports.push(file);
      } catch (error) {
        if (!isThinglineError(error)) throw error;
        unwritten ??= error;
      }
    }
    const now = summarizeLine(known.filter(({ name }) => this.#ended.has(name)));
    const seconds = (head.endedAt.getTime() - startedAt.getTime()) / 1000;
    const { paint } = output;
    const failedText = now.failed === 0 ? "" : `, ${paint.red(`${now.failed} failed`)}`;
    output.event(
      { event: "lineEnded", ...now, seconds, reports },
      `${paint.green("written")} ${now.written}, unchanged ${now.unchanged}${failedText}, in ${timeText(seconds)}`,
    );
    for (const file of reports) output.say(`report  ${file}`);
    if (now.failed === 0 || output.isJson) return unwritten;
    output.say(
      paint.dim(
        "Next, when the reasons are gone: the same command with --resume; boards that have theirs are only compared",
      ),
    );
    return unwritten;
  }
}

function resultOf(
  { port, imei, name = imei ?? port, model, firmware, source, prepared, kept, isProved, prove, written }: Facts,
  { durationMs, failure }: Pick<BoardResult, "durationMs" | "failure">,
): BoardResult {
  const report = written?.report;
  return {
    ...{ name, port, imei, model, firmware, secTag: prepared?.secTag, source },
    result: failure !== undefined ? "failed" : kept !== undefined ? "unchanged" : (report?.result ?? "failed"),
    isProved: kept === undefined ? report?.isProved : isProved,
    prove,
    items: kept ?? (report === undefined ? [] : itemsOf(report)),
    ...{ durationMs, failure },
  };
}

async function* each(ports: readonly LinePort[]): AsyncGenerator<LinePort> {
  yield* ports;
}
