import { ThinglineError } from "@thingline/protocol";

/** A text as its file has it, and how to call that in errors. */
export interface SourceText {
  text: string;
  what: string;
}

/** Where credentials come from, before anybody has looked into them. */
export interface CredentialSource {
  texts: Partial<Record<"ca" | "certificate" | "privateKey", SourceText>>;
  /** Of Nordic's JSON, which may name one. */
  secTag?: number;
  /** Members of Nordic's JSON that are known and have no meaning here. */
  ignoredMembers: readonly string[];
}

const pemMembers = { caCert: "ca", clientCert: "certificate", privateKey: "privateKey" } as const;
/** What nRF Cloud writes into its files beside them; Nordic's programs read none of it. */
const knownMembers: ReadonlySet<string> = new Set([
  "clientId",
  "brokerHost",
  "brokerHostName",
  "brokerPort",
  "mqttEndpoint",
  "mqttTopicPrefix",
]);
/** Any tag that a modem may have; which of them are taken is for the writing to say. */
const secTagMax = 4_294_967_295;

/**
 * The file of Nordic's certificate managers (LTE Link Monitor, Cellular Monitor). A credential that is missing, null or empty stays as it is in
 * the modem; a member that nobody knows is refused, since it may be a misspelt one.
 *
 * @throws {ThinglineError} CREDENTIAL_FILE_INVALID naming file and member, and never quoting the text, which may be a key.
 */
export function readNordicJson(text: string, file: string): CredentialSource {
  const members = parseObject(text, file);
  const texts: CredentialSource["texts"] = {};
  const ignoredMembers: string[] = [];
  for (const [name, value] of Object.entries(members)) {
    if (Object.hasOwn(pemMembers, name)) {
      if (value === undefined || value === null || value === "") continue;
      if (typeof value !== "string") throw nordicFileInvalid(file, `has a ${name} that is no text`);
      texts[pemMembers[name as keyof typeof pemMembers]] = { text: value, what: `${file}: ${name}` };
    } else if (knownMembers.has(name)) ignoredMembers.push(name);
    else if (name !== "secTag") throw nordicFileInvalid(file, `has a member "${shorten(name)}" that is not known`);
  }
  if (Object.keys(texts).length === 0) throw nordicFileInvalid(file, "has none of them");
  const secTag = readSecTag(members["secTag"], file);
  return { texts, ignoredMembers, ...(secTag !== undefined && { secTag }) };
}

function parseObject(text: string, file: string): Record<string, unknown> {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    // The parser's own message quotes the text, which may be a key.
    throw nordicFileInvalid(file, "is no JSON");
  }
  if (typeof json !== "object" || json === null || Array.isArray(json)) {
    throw nordicFileInvalid(file, "holds no JSON object");
  }
  return json as Record<string, unknown>;
}

/** Link Monitor writes a number, people write a text. */
function readSecTag(value: unknown, file: string): number | undefined {
  if (value === undefined || value === null || value === "") return undefined;
  const secTag = typeof value === "string" && /^\s*\d{1,10}\s*$/u.test(value) ? Number(value) : value;
  if (typeof secTag === "number" && Number.isInteger(secTag) && secTag >= 0 && secTag <= secTagMax) return secTag;
  throw nordicFileInvalid(file, "has a secTag that is no security tag, a number from 0 on");
}

const nameCharactersMax = 40;
const shorten = (name: string) => (name.length > nameCharactersMax ? `${name.slice(0, nameCharactersMax)}…` : name);

export function nordicFileInvalid(file: string, what: string): ThinglineError {
  const message = `${file} ${what}; expected a JSON object with caCert, clientCert, privateKey, and secTag if you like`;
  return new ThinglineError("CREDENTIAL_FILE_INVALID", message, { details: { file } });
}
