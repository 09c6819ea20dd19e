/**
 * Rows as CSV (RFC 4180), the names of the columns first. Cells may be of any origin: one that a spreadsheet would take for a formula
 * begins with an apostrophe.
 */
export function csvText(rows: readonly (readonly string[])[]): string {
  return rows.map((row) => `${row.map(csvCell).join(",")}\r\n`).join("");
}

function csvCell(text: string): string {
  const safe = /^[=+\-@\t\r]/u.test(text) ? `'${text}` : text;
  return /[",\r\n]/u.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
}

const escapes: Readonly<Record<string, string>> = { "&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;" };

/** Text as it may stand in a page, between tags and in an attribute with double quotes. */
export function htmlText(text: string): string {
  return text.replace(/[&<>"]/gu, (character) => escapes[character] ?? "");
}
