import { clearLine, createInterface, cursorTo } from "node:readline";
import { isThinglineError } from "@thingline/protocol";
import { describeCmeError, describeCmsError, parseFinalResult } from "@thingline/protocol/at";
import { scriptCommands } from "../boards/at-script.js";
import { describeModem, type HandOptions, type ModemAtHand, modemLine, openModemAtHand } from "../boards/at-hand.js";
import type { CommandContext } from "../command.js";
import { exitCodes, UsageError } from "../failure.js";
import type { Output } from "../output.js";

interface AtOptions extends HandOptions {
  /** Commands behind one that failed are sent all the same. */
  keepGoing?: boolean;
}

/**
 * `thingline modem at [COMMAND...]`: to the modem behind `--port` or `--tcp`; without them it boots the simulated modem on its folder, in functional
 * mode 0. Without commands they are read from standard input, at a prompt where that is a terminal.
 */
export async function modemAt(context: CommandContext, options: AtOptions, ...commands: string[]): Promise<number> {
  if (commands.some((command) => command.trim() === "")) {
    throw new UsageError("say which AT command, for example 'AT%CMNG=1'");
  }
  const { output, signal } = context;
  await using hand = await openModemAtHand(options, signal);
  const isPrompt = commands.length === 0 && process.stdin.isTTY === true && !output.isJson;
  hand.session.onNotification((line) => {
    if (isPrompt) toLineStart();
    output.event({ event: "notification", line }, output.paint.dim(line));
  });
  if (commands.length > 0)
    return await sendAll(context, hand, { commands: listed(commands), isScript: false, options });
  if (isPrompt) return await prompt(context, hand);
  return await sendAll(context, hand, { commands: scriptCommands(process.stdin, signal), isScript: true, options });
}

async function* listed(commands: readonly string[]): AsyncGenerator<string> {
  yield* commands;
}

async function sendAll(
  { output, signal }: CommandContext,
  hand: ModemAtHand,
  { commands, isScript, options }: { commands: AsyncIterable<string>; isScript: boolean; options: AtOptions },
): Promise<number> {
  let exitCode: number = exitCodes.done;
  let count = 0;
  for await (const command of commands) {
    count++;
    const sent = await send(output, hand, command, signal);
    if (sent === exitCodes.done) continue;
    exitCode = sent;
    if (options.keepGoing !== true) break;
  }
  if (count === 0 && isScript) throw new UsageError("no AT command on standard input; name some, or give a script");
  return exitCode;
}

/** What a person has typed so far is written again below. */
function toLineStart(): void {
  clearLine(process.stdout, 0);
  cursorTo(process.stdout, 0);
}

/** A person types; what the modem says by itself comes in between. */
async function prompt({ output, signal }: CommandContext, hand: ModemAtHand): Promise<number> {
  output.say(output.paint.dim(modemLine(hand, await describeModem(hand, signal))));
  output.say(output.paint.dim("AT commands; Ctrl-D ends"));
  const lines = createInterface({ input: process.stdin, output: process.stdout, prompt: "> ", historySize: 100 });
  const stop = () => lines.close();
  signal.addEventListener("abort", stop, { once: true });
  // The line editor takes Ctrl-C for itself in raw mode.
  lines.on("SIGINT", () => process.kill(process.pid, "SIGINT"));
  const unsubscribe = hand.session.onNotification(() => lines.prompt(true));
  void hand.session.closed.then(stop);
  try {
    lines.prompt();
    for await (const line of lines) {
      if (line.trim() !== "") await sendOrTell(output, hand, line.trim(), signal);
      lines.prompt();
    }
  } finally {
    unsubscribe();
    lines.close();
    signal.removeEventListener("abort", stop);
  }
  signal.throwIfAborted();
  return exitCodes.done;
}

/** At a prompt nothing but the end of the modem ends it. */
async function sendOrTell(output: Output, hand: ModemAtHand, command: string, signal: AbortSignal): Promise<void> {
  try {
    await send(output, hand, command, signal);
  } catch (error) {
    if (
      !isThinglineError(error) ||
      ["CONNECTION_LOST", "SERIAL_PORT_UNPLUGGED", "CLOSED", "ABORTED"].includes(error.code)
    ) {
      throw error;
    }
    output.complain({ kind: "error", message: error.message, code: error.code });
  }
}

const toldLinesMost = 64;

async function send(output: Output, hand: ModemAtHand, command: string, signal: AbortSignal): Promise<number> {
  // What stands before an ERROR may be its reason: `#XSEND: 0,0,0`.
  const told: string[] = [];
  const onInformation = (line: string) => void (told.length < toldLinesMost && told.push(line));
  try {
    return showAnswer(output, command, [...(await hand.session.command(command, { signal, onInformation })), "OK"]);
  } catch (error) {
    if (!isThinglineError(error, "MODEM_COMMAND_REJECTED")) throw error;
    const { cme, cms } = error.details;
    const final = cme !== undefined ? `+CME ERROR: ${cme}` : cms !== undefined ? `+CMS ERROR: ${cms}` : "ERROR";
    return showAnswer(output, command, [...told, final]);
  }
}

function showAnswer(output: Output, command: string, lines: readonly string[]): number {
  // Only the command's name: what follows may be a key.
  output.event({ event: "answer", command: command.split(/[="]/)[0], lines }, lines.join("\n"));
  const result = parseFinalResult(lines.at(-1) ?? "");
  if (result?.type === "cmeError") output.say(output.paint.dim(describeCmeError(result.code)));
  if (result?.type === "cmsError") output.say(output.paint.dim(describeCmsError(result.code)));
  return result?.type === "ok" ? exitCodes.done : exitCodes.failed;
}
