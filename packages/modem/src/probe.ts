import { type AtFraming, parseInformation, stringAt } from "@thingline/protocol/at";

/** What ends a command: nothing at all before a plain modem, whose library takes a command for each write. */
export type ModemLineEnd = "\r\n" | "\r" | "\n" | "\0" | "";

/** What answers on a channel. */
export type ModemProbe =
  /** Nothing: another line speed, no modem, an application without AT commands, or one in data mode. */
  | { kind: "silent" }
  /** Something that speaks, but no AT: a log, or a shell. */
  | { kind: "unknown" }
  | ({
      /** `modem`: the modem library itself; `atHost`: Nordic's AT host in front of it, with its line discipline. */
      kind: "modem" | "atHost";
    } & ModemManner)
  | ({
      kind: "serialModem";
      /** `slm`: Serial LTE Modem of the nRF Connect SDK up to 3.1; `serialModem`: the add-on that came after it. */
      dialect: "slm" | "serialModem";
      /** `1.2`, `2.5.0`, `v2.0.0`; undefined when the application does not tell. */
      version: string | undefined;
    } & ModemManner);

export interface ModemManner {
  lineEnd: ModemLineEnd;
  framing: AtFraming;
  /** Whether it repeats what it gets. */
  echoes: boolean;
  /** An earlier program had left it in data mode, which was ended first. */
  leftDataMode?: true;
}

/** Sends a text as it is; answers with what came up to a final result code, or within the time. */
export type RawExchange = (text: string, waitMs: number) => Promise<string>;

const firstWaitMs = 300;
const answerWaitMs = 700;
const attemptsMax = 2;
/** What some builds say of each piece of payload: AT means nothing to them just then. */
const takenInDataMode = /#XDATAMODE: [0-9]+\r\n/g;

/** Probes in the order that harms none of the kinds: each step is, for the others, a part of a line that a later step ends. */
export async function probeBy(exchange: RawExchange): Promise<ModemProbe> {
  let hasSpoken = false;
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const { lineEnd, isHeard } = await findLineEnd(exchange);
    hasSpoken ||= isHeard;
    if (lineEnd !== undefined) return describe(exchange, lineEnd);
    // Noise may have opened a quote, within which no line ends.
    await exchange('"\r\n\0', firstWaitMs);
  }
  return { kind: hasSpoken ? "unknown" : "silent" };
}

async function findLineEnd(exchange: RawExchange): Promise<{ lineEnd?: ModemLineEnd; isHeard: boolean }> {
  let isHeard = false;
  const steps: [text: string, lineEnd: ModemLineEnd][] = [
    ["AT", ""],
    ["\r", "\r"],
    // The line is AT CR by now: without a line end of its own for AT hosts that want both.
    ["\n", "\r\n"],
    ["\0", "\0"],
  ];
  for (const [text, lineEnd] of steps) {
    const answer = await exchange(text, firstWaitMs);
    isHeard ||= answer.replaceAll(takenInDataMode, "").trim() !== "";
    if (!hasResult(answer)) continue;
    const found = lineEnd === "\r\n" ? await findLineFeed(exchange) : lineEnd;
    // What lay in the line before may have made an error of it; a proper AT shows.
    if (/(?:^|\n)OK\r\n/.test(await exchange(`AT${found}`, answerWaitMs))) return { lineEnd: found, isHeard };
  }
  return { isHeard };
}

/** Whether a LF alone ends a command, or only CR LF. */
async function findLineFeed(exchange: RawExchange): Promise<ModemLineEnd> {
  if (hasResult(await exchange("AT\n", answerWaitMs))) return "\n";
  await exchange("\r\n", answerWaitMs);
  return "\r\n";
}

async function describe(exchange: RawExchange, lineEnd: ModemLineEnd): Promise<ModemProbe> {
  const askFraming = async () => framingOf(await exchange(`AT${lineEnd}`, answerWaitMs));
  const first = await askFraming();
  // A byte of noise in front of one answer hides the frame.
  const { isFramed, echoes } = first.isFramed ? first : await askFraming();
  if (!isFramed) return { kind: lineEnd === "" ? "modem" : "atHost", lineEnd, framing: "modemLibrary", echoes };
  const manner = { lineEnd, framing: "serialModem", echoes } as const;
  const ask = (command: string) => exchange(`${command}${lineEnd}`, answerWaitMs);
  const echoCommand = echoes ? "ATE1" : "ATE0";
  for (let attempt = 1; ; attempt++) {
    const { isCertain, ...application } = await identify(ask, echoCommand);
    if (isCertain || attempt === attemptsMax) return { kind: "serialModem", ...application, ...manner };
    // A version that was lost on the line, or that came late: whoever took the dialect for another one would be refused everything.
    await exchange("", answerWaitMs);
  }
}

function framingOf(answer: string): { isFramed: boolean; echoes: boolean } {
  const echo = /^AT[\r\n\0]*?(?=\r\n|OK)/.exec(answer)?.[0];
  return { isFramed: answer.slice(echo?.length ?? 0).startsWith("\r\n"), echoes: echo !== undefined };
}

/** @param echoCommand leaves the echo as it is. @returns also whether the application told its version. */
async function identify(
  ask: (command: string) => Promise<string>,
  echoCommand: string,
): Promise<{ dialect: "slm" | "serialModem"; version: string | undefined; isCertain: boolean }> {
  const newer = versionOf(await ask("AT#XSMVER"), "#XSMVER");
  if (newer !== undefined) return { dialect: "serialModem", version: newer, isCertain: true };
  const version = versionOf(await ask("AT#XSLMVER"), "#XSLMVER");
  const isOk = async () => /(?:^|\n)OK\r\n/.test(await ask(echoCommand));
  // Early versions of the add-on kept the old name, but switch their echo, which the older application cannot. One OK may be a late one.
  const switchesEcho = (await isOk()) && (await isOk());
  return { dialect: switchesEcho ? "serialModem" : "slm", version, isCertain: version !== undefined };
}

/** `#XSLMVER: 1.2` and `#XSMVER: "v2.0.0","sdk"`. */
function versionOf(answer: string, name: string): string | undefined {
  for (const line of answer.split("\r\n")) {
    const information = parseInformation(line);
    if (information?.name !== name) continue;
    return stringAt(information.parameters, 0) ?? information.text.trim();
  }
  return undefined;
}

function hasResult(answer: string): boolean {
  return /(?:^|\n)(?:OK|ERROR|\+CM[ES] ERROR: ?[0-9]+)\r\n/.test(answer);
}
