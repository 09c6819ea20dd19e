import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { nodeAdapters } from "../adapters.js";
import { timeText } from "../batch/progress-lines.js";
import { type ReportKind, writeReports } from "../batch/reports.js";
import type { StepTime } from "../batch/result.js";
import { createBatchView } from "../batch/view.js";
import { forEachAtOnce } from "../each.js";
import { exitCodes } from "../failure.js";
import type { Output } from "../output.js";
import { describeModem, openModemAtHand } from "./at-hand.js";
import { type BoardItem, type BoardResult, heldItems, itemsOf } from "./board-result.js";
import type { LinePort } from "./line-ports.js";
import { renderLineReport, summarizeLine } from "./line-report.js";
import type { LineSources } from "./line-sources.js";
import { prepareCredentials, type PreparedCredentials } from "./prepare.js";
import { writeOne } from "./write-one.js";
import type { WriteOptions } from "./write-options.js";

export interface LineParts {
  output: Output;
  options: WriteOptions & { atOnce: number; batchDir: string };
  prove: { host: string; port: number } | undefined;
  sources: LineSources;
  /** Keeps what became of a board. */
  keep: (result: BoardResult) => Promise<void>;
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

/** One run over the boards of a line. One that fails does not stop the others. */
export class Line {
  readonly #parts: LineParts;
  /** A modem that two ports lead to is not written to from both. */
  readonly #imeis = new Set<string>();
  /** In this run, in the order in which they ended. */
  readonly #ended = new Set<string>();

  constructor(parts: LineParts) {
    this.#parts = parts;
  }

  async run(ports: readonly LinePort[]): Promise<number> {
    const { output, options, results, keep, signal } = this.#parts;
    const { atOnce, batchDir: folder } = options;
    const { clock } = nodeAdapters();
    output.say(
      `${output.paint.bold(`Writing credentials to ${ports.length} boards`)}, ${Math.min(atOnce, ports.length)} at once`,
    );
    output.event({
      event: "lineStarted",
      ports: ports.map(({ path }) => path),
      folder,
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
          await keep(result);
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
    const render = (kind: ReportKind) => renderLineReport(kind, head, known);
    const { written: reports, unwritten } = await writeReports(files, options.report, render);
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
