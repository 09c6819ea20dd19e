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
