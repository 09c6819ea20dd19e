import { createModemCredentialStore } from "@thingline/modem";
import { nodeAdapters } from "../adapters.js";
import { holdUntilRestored, modemLine, openModemAtHand } from "../boards/at-hand.js";
import { prepareCredentials, type PreparedCredentials } from "../boards/prepare.js";
import { proofTarget } from "../boards/proof.js";
import { isPair, isPairInFolder, stepText, tellReport, writeOne } from "../boards/write-one.js";
import type { WriteOptions } from "../boards/write-options.js";
import type { CommandContext } from "../command.js";
import { exitCodes, UsageError } from "../failure.js";
import { namesDoor } from "../door-options.js";
import type { Output } from "../output.js";

const lineOptions = ["manifest", "fromEach", "report", "resume", "atOnce", "batchDir"] as const;

/** `thingline modem write` */
export async function modemWrite(context: CommandContext, options: WriteOptions): Promise<number> {
  if (options.scratchTag !== undefined && options.prove === undefined) {
    throw new UsageError("--scratch-tag is where credentials wait for their proof; it goes with --prove HOST:PORT");
  }
  if (options.ports !== undefined) {
    const { modemWriteLine } = await import("./modem-write-line.js");
    return modemWriteLine(context, { ...options, ports: options.ports });
  }
  for (const name of lineOptions) {
    if (options[name] === undefined) continue;
    const flag = `--${name.replaceAll(/[A-Z]/gu, (letter) => `-${letter.toLowerCase()}`)}`;
    throw new UsageError(`${flag} is for many boards at once; it goes with --ports`);
  }
  const { output, signal } = context;
  const prepared = await prepareCredentials(nodeAdapters(), options);
  const prove = options.prove === undefined ? undefined : proofTarget(options.prove);
  tellPrepared(output, prepared);
  const isFine = await writeToOne(context, options, { prepared, prove, signal });
  if (!namesDoor(options) && !(await isPairInFolder(options.modemDir, prepared.secTag))) warnOfPair(output, prepared);
  return isFine ? exitCodes.done : exitCodes.failed;
}

/** @returns false where all was written, and the modem could not be put back. */
async function writeToOne(
  context: CommandContext,
  options: WriteOptions,
  {
    prepared,
    prove,
    signal,
  }: { prepared: PreparedCredentials; prove: { host: string; port: number } | undefined; signal: AbortSignal },
): Promise<boolean> {
  const { output } = context;
  await using hand = await openModemAtHand(options, signal);
  using _held = holdUntilRestored(context);
  const status = output.status();
  const written = await writeOne(hand, {
    ...{ prepared, prove, signal, scratchTag: options.scratchTag, force: options.force === true },
    onStep: (step, secTag) => status.show(stepText(step, secTag), true),
  }).finally(() => status.end());
  if (hand.simulated === undefined) output.say(output.paint.dim(modemLine(hand, written.description)));
  tellReport(output, written);
  const { failure, modem } = written.report;
  if (failure !== undefined) throw failure;
  if (hand.simulated === undefined) {
    const store = createModemCredentialStore(hand.session, { keys: nodeAdapters().keys });
    if (!(await isPair(prepared, (secTag, type) => store.read(secTag, type)))) warnOfPair(output, prepared);
  }
  return modem?.isRestored === true;
}

export function tellPrepared(output: Output, { remarks, doubts }: PreparedCredentials): void {
  for (const message of remarks) output.event({ event: "remark", message }, output.paint.dim(`note  ${message}`));
  for (const message of doubts) {
    output.event({ event: "warning", message });
    output.complain({ kind: "warning", message });
  }
}

function warnOfPair(output: Output, { secTag }: PreparedCredentials): void {
  const message = `the private key in security tag ${secTag} does not belong to the certificate that is there now`;
  output.event({ event: "warning", code: "KEY_MISMATCH", message });
  output.complain({ kind: "warning", message, code: "KEY_MISMATCH" });
}
