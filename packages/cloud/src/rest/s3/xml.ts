/** What an element holds: text, elements by name, or several of the same name. Undefined ones are left out. */
export type XmlContent = string | number | boolean | XmlElements | readonly XmlContent[] | undefined;
export interface XmlElements {
  readonly [name: string]: XmlContent;
}

const namespace = "http://s3.amazonaws.com/doc/2006-03-01/";

/** @param isPlain errors have no namespace */
export function writeXml(root: string, content: XmlContent, { isPlain = false } = {}): Uint8Array {
  const attribute = isPlain ? "" : ` xmlns="${namespace}"`;
  const text = `<?xml version="1.0" encoding="UTF-8"?>\n<${root}${attribute}>${write(content)}</${root}>`;
  return new TextEncoder().encode(text);
}

function write(content: XmlContent): string {
  if (content === undefined) return "";
  if (typeof content !== "object") return escapeXml(String(content));
  return Object.entries(content as XmlElements)
    .flatMap(([name, value]) =>
      Array.isArray(value) ? (value as XmlContent[]).map((each) => [name, each] as const) : [[name, value] as const],
    )
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `<${name}>${write(value)}</${name}>`)
    .join("");
}

/** Characters that XML 1.0 cannot have are written as references all the same, as S3 does: clients ask for `encoding-type=url` instead. */
function escapeXml(text: string): string {
  return text.replace(/[&<>"'\p{Cc}]/gu, (character) => {
    const named = names[character];
    return named ?? `&#x${character.charCodeAt(0).toString(16).toUpperCase()};`;
  });
}

const names: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&apos;",
};

/**
 * The text of each element of a name, in order, wherever it is: the few documents that S3 takes are flat enough for that. A document type
 * is refused, and with it every entity but the five of XML.
 *
 * @returns undefined for what is no such document
 */
export function readXmlTexts(document: string, name: string): string[] | undefined {
  if (/<!|<\?(?!xml\s)/u.test(document) || !/^\s*(?:<\?xml[^>]*\?>\s*)?<[A-Za-z]/u.test(document)) return undefined;
  const found: string[] = [];
  for (const [, text = ""] of document.matchAll(new RegExp(`<${name}(?:\\s[^<>]*)?>([^<]*)</${name}\\s*>`, "gu"))) {
    const value = unescapeXml(text);
    if (value === undefined) return undefined;
    found.push(value);
  }
  return found;
}

function unescapeXml(text: string): string | undefined {
  let isGood = true;
  const value = text.replace(/&([^;&]{0,12});?/gu, (whole: string, reference: string) => {
    const character = characterOf(reference);
    if (character === undefined || !whole.endsWith(";")) isGood = false;
    return character ?? "";
  });
  return isGood ? value : undefined;
}

function characterOf(reference: string): string | undefined {
  const [, hex, decimal] = /^#(?:x([0-9a-f]{1,6})|([0-9]{1,7}))$/iu.exec(reference) ?? [];
  const code = hex !== undefined ? parseInt(hex, 16) : decimal !== undefined ? Number(decimal) : undefined;
  if (code !== undefined) return code > 0 && code <= 0x10ffff ? String.fromCodePoint(code) : undefined;
  return Object.entries(names).find(([, name]) => name === `&${reference};`)?.[0];
}
