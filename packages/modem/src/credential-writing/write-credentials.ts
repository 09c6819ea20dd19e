import { checkOptionTypes, isThinglineError, type OptionTypes, ThinglineError } from "@thingline/protocol";
import { clockOption, keysOption } from "@thingline/transport";
import { defaultNetworkTimeoutMs } from "../commands/link-control.js";
import { checkTimeout, type ModemSession, type RunCommand, sessionOption, withSignal } from "../session.js";
import { checkPlan } from "./checked-plan.js";
import { writingStory } from "./machine.js";
import { goOffline, goOnline, readManners, restoreManners } from "./manners.js";
import type { EffectResult, EffectValue, WritingEffect } from "./story.js";
import { deleteCredential, listCredentials, readCredential, writeCredential } from "./tag-commands.js";
import type { CredentialPlan, WriteCredentialsOptions, WriteCredentialsReport, WritingStepName } from "./types.js";

const optionTypes = {
  keys: keysOption,
  clock: clockOption,
  prove: "function",
  networkTimeoutMs: "number",
  onStep: "function",
  signal: "signal",
} as const satisfies OptionTypes<WriteCredentialsOptions>;

/**
 * Writes credentials under a security tag of the modem behind a session: offline, verified by the modem's digests, proved where `prove` is
 * given, and the modem left as it was, whatever happens. What is there already is not written again; a run that ended half-way is completed
 * by another one.
 *
 * With `prove`, a tag that holds other credentials keeps them until the new ones have connected from `scratchTag`. A part of a set cannot
 * connect from there: it replaces what the tag holds, and certificates are put back when the proof fails.
 *
 * @returns also where it failed: `failure` says why, and `items` what is in the tag now.
 * @throws {ThinglineError} OPTION_INVALID, CREDENTIAL_REFUSED: what is known before the first byte goes to the modem.
 */
export async function writeCredentials(
  session: ModemSession,
  plan: CredentialPlan,
  options: WriteCredentialsOptions,
): Promise<WriteCredentialsReport> {
  const of = "writeCredentials()";
  checkOptionTypes({ session }, { session: sessionOption }, { of, required: ["session"] });
  checkOptionTypes(options, optionTypes, { of, required: ["keys", "clock"] });
  checkTimeout("networkTimeoutMs", options.networkTimeoutMs);
  const checked = checkPlan(plan, options.keys);
  const writing = new Writing(session, options);
  return writing.follow(writingStory(checked, { withProof: options.prove !== undefined }));
}

const stepNames: Readonly<Record<WritingEffect["do"], WritingStepName>> = {
  readManners: "look",
  raiseErrors: "look",
  list: "verify",
  read: "look",
  offline: "offline",
  write: "write",
  delete: "write",
  prove: "prove",
  restore: "restore",
};

/** Does what a story asks for. */
class Writing {
  readonly #session: ModemSession;
  readonly #options: WriteCredentialsOptions;
  /** An error of `prove` that is nobody's but the caller's: it is thrown once the modem is as it was. */
  #defect: { error: unknown } | undefined;
  #step: WritingStepName | undefined;

  constructor(session: ModemSession, options: WriteCredentialsOptions) {
    this.#session = session;
    this.#options = options;
  }

  async follow(story: ReturnType<typeof writingStory>): Promise<WriteCredentialsReport> {
    let turn = story.next();
    while (turn.done !== true) {
      if (turn.value.do === "prove") {
        turn = story.next(await this.#result(turn.value, () => this.#prove(turn.value as { secTag: number })));
        continue;
      }
      // Nobody else's commands come in between: one that switches LTE on would have the next write refused.
      turn = await this.#session
        .sequence(async (run) => {
          let inner = turn;
          while (inner.done !== true && inner.value.do !== "prove") {
            const effect = inner.value;
            inner = story.next(await this.#result(effect, () => this.#do(effect, run)));
          }
          return inner;
        })
        .catch((error: unknown) => {
          if (!isThinglineError(error)) throw error;
          // The session has ended: every effect fails so, and the story comes to its end.
          return story.next({ error });
        });
    }
    if (this.#defect !== undefined) throw this.#defect.error;
    return turn.value;
  }

  async #result(effect: WritingEffect, act: () => Promise<EffectValue>): Promise<EffectResult> {
    const { signal, onStep } = this.#options;
    if (signal?.aborted === true && effect.isClosing !== true) return { error: aborted(signal) };
    // Whatever is done after a failure belongs to its end: the step in which it failed is the last one before.
    const step = effect.isClosing === true ? "restore" : stepNames[effect.do];
    if (step !== this.#step) onStep?.(step, "secTag" in effect ? effect.secTag : -1);
    this.#step = step;
    try {
      return { value: await act() };
    } catch (error) {
      if (isThinglineError(error)) return { error };
      this.#defect ??= { error };
      return { error: new ThinglineError("ABORTED", "the writing was stopped by a defect") };
    }
  }

  async #prove({ secTag }: { secTag: number }): Promise<undefined> {
    const { clock, prove, signal, networkTimeoutMs: timeoutMs = defaultNetworkTimeoutMs } = this.#options;
    await this.#session.sequence((run) => goOnline(withSignal(run, signal), { clock, timeoutMs, signal }));
    await prove?.(secTag, { signal });
  }

  async #do(effect: WritingEffect, runAlways: RunCommand): Promise<EffectValue> {
    const run = effect.isClosing === true ? runAlways : withSignal(runAlways, this.#options.signal);
    const { keys } = this.#options;
    switch (effect.do) {
      case "readManners":
        return readManners(run);
      case "raiseErrors":
        await run("AT+CMEE=1");
        return undefined;
      case "list":
        return listCredentials(run, effect.secTag, keys);
      case "read":
        return readCredential(run, effect.secTag, effect.type);
      case "offline":
        await goOffline(run);
        return undefined;
      case "write":
        await writeCredential(run, effect);
        return undefined;
      case "delete":
        await deleteCredential(run, effect);
        return undefined;
      case "restore":
        await restoreManners(run, effect.manners);
        return undefined;
      case "prove":
        return undefined;
    }
  }
}

const aborted = (signal: AbortSignal) =>
  new ThinglineError("ABORTED", "the writing was stopped by its caller", { cause: signal.reason });
