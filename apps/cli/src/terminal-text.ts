/** Control characters, formatting that turns text around, line separators, half characters. */
const unprintable = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]/gu;

/** Text that came from outside, safe to show on one line: what could move the cursor or forge a line is `\u001b`. */
export function escapeControls(text: string): string {
  return text.replace(unprintable, (character) => {
    let escaped = "";
    for (let at = 0; at < character.length; at++) {
      escaped += `\\u${character.charCodeAt(at).toString(16).padStart(4, "0")}`;
    }
    return escaped;
  });
}

// Built from its code, so that no control character stands in the source.
const colorOrUnprintable = new RegExp(
  `${String.fromCharCode(0x1b)}\\[(?:[0-4]|2[2-4]|3\\d|9\\d)m|${unprintable.source}`,
  "gu",
);
const needsEscape = /[^\n\t -~]/;

/**
 * Lines that were put together of our own words, colours, and what a board, a program or a server said: nothing in them moves the cursor, sets the
 * title of a window or turns text around. Whoever shows one line of others' words uses `escapeControls`, which leaves neither colours nor line ends.
 */
export function escapeMoving(text: string): string {
  if (!needsEscape.test(text)) return text;
  return text.replace(colorOrUnprintable, (found) =>
    found.length > 2 || found === "\n" || found === "\t" ? found : escapeControls(found),
  );
}

/**
 * Breaks prose at blanks. Words that are longer than a line stay whole, so that they can be copied.
 *
 * @param text one line without escape sequences.
 * @param options.columns undefined: it is not a terminal, the line stays whole.
 * @param options.firstColumn what the caller has begun the first line with; default: the indent.
 * @param options.indent blanks before each line but the first, which the caller has begun already.
 */
export function wrapText(
  text: string,
  options: { columns: number | undefined; indent: number; firstColumn?: number },
): string {
  const { columns, indent, firstColumn = indent } = options;
  if (columns === undefined) return text;
  const width = Math.max(20, columns - indent);
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    const room = lines.length === 0 ? Math.max(20, width - (firstColumn - indent)) : width;
    if (line !== "" && line.length + 1 + word.length > room) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  lines.push(line);
  return lines.join(`\n${" ".repeat(indent)}`);
}

/**
 * What is said of words that cannot be right, its lines broken at blanks as those of other errors.
 *
 * @param columns undefined: it is not a terminal.
 */
export function usageText(text: string, columns: number | undefined): string {
  const beginning = "error: ";
  const wrapped = text.split("\n").map((line) => {
    if (!line.startsWith(beginning)) return wrapText(line, { columns, indent: 0 });
    return `${beginning}${wrapText(line.slice(beginning.length), { columns, indent: beginning.length })}`;
  });
  return wrapped.join("\n");
}

// Built from its code, so that no control character stands in the source.
const colorSequence = new RegExp(`${String.fromCharCode(0x1b)}\\[[0-9;]*m`, "g");
/** As `commandLine` begins, and the programs beside it. */
const typedLine = /^ *(?:(?:npx )?thingline|node \S.*thingline\.js'?|mosquitto_\w+) /;

/**
 * Breaks lines that a terminal would break within words: at blanks, a little indented. Command lines stay whole, so that they can be copied, and so
 * does a word that is longer than a line.
 *
 * @param text lines, with colours or without.
 * @param columns undefined: it is not a terminal.
 */
export function fitLines(text: string, columns: number | undefined): string {
  if (columns === undefined) return text;
  let continues = false;
  const lines = text.split("\n").map((line) => {
    const isTyped = continues || typedLine.test(line);
    continues = isTyped && line.endsWith("\\");
    return isTyped ? line : fitLine(line, columns);
  });
  return lines.join("\n");
}

function fitLine(line: string, columns: number): string {
  const widthOf = (part: string) => part.replace(colorSequence, "").length;
  if (widthOf(line) <= columns) return line;
  const [first = "", ...rest] = line.trimStart().split(/( +)/);
  const begun = line.length - line.trimStart().length;
  const hanging = " ".repeat(Math.min(begun, 2) + 2);
  const lines: string[] = [];
  // A second column that begins far to the right leaves no room.
  let last = (begun > columns / 2 ? hanging : " ".repeat(begun)) + first;
  for (let at = 0; at < rest.length; at += 2) {
    const [gap = "", word = ""] = [rest[at], rest[at + 1]];
    if (widthOf(last) + gap.length + widthOf(word) <= columns) {
      last += gap + word;
    } else {
      lines.push(last);
      // A long word takes the room of its indent, too.
      last = hanging.slice(0, Math.max(0, columns - widthOf(word))) + word;
    }
  }
  return [...lines, last].join("\n");
}
