import { setMaxListeners } from "node:events";
import { ThinglineError } from "@thingline/protocol";
import { makePrivateFolder } from "@thingline/transport";
import { nodeAdapters } from "../adapters.js";
import { checkReportNames } from "../batch/reports.js";
import { BatchFolder, type BatchKind } from "../batch/results-file.js";
import { holdUntilRestored } from "../boards/at-hand.js";
import { type BoardResult, isBoardResult } from "../boards/board-result.js";
import { Line } from "../boards/line.js";
import { linePorts } from "../boards/line-ports.js";
import { openSources } from "../boards/line-sources.js";
import { proofTarget } from "../boards/proof.js";
import type { WriteOptions } from "../boards/write-options.js";
import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { defaultAtOnce, defaultLineDir } from "../option-values.js";

type LineOptions = WriteOptions & { ports: string };

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
  const { atOnce = defaultAtOnce, batchDir = defaultLineDir } = options;
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
    using _held = holdUntilRestored(context);
    const keep = (result: BoardResult) => folder.append(result);
    const all = { ...options, atOnce, batchDir };
    return await new Line({ output, options: all, prove, sources, keep, results: before, signal }).run(ports);
  } finally {
    await lock.release();
  }
}

function checkLine({ manifest, fromEach, from, ca, cert, key, port, tcp, report }: LineOptions): void {
  if (port !== undefined || tcp !== undefined)
    throw new UsageError("--ports names all ports; leave out --port and --tcp");
  const isSame = [from, ca, cert, key].some((each) => each !== undefined);
  const ways = [manifest !== undefined, fromEach !== undefined, isSame].filter(Boolean).length;
  if (ways !== 1) {
    throw new UsageError(
      "say where each board's credentials are: --manifest FILE, or --from-each 'things/{imei}', or --from for all the same",
    );
  }
  checkReportNames(report);
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
