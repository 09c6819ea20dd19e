// What a person may see of what goes over a line to a modem. Keys, PINs and passwords go over it too, and pieces of them when bytes get lost.

/** Commands whose parameters are secrets, or may be: only their numbers are shown. */
const secretCommands =
  /^AT(?:%CMNG|#XCMNG|%KEYINJECT|%XSUDO|%XPMNG|\+CPIN|\+CPWD|\+CLCK|\+CGAUTH|#XMQTTCON|#XPROXY)\s*=/i;
/** Commands that carry an application's data, which may hold a key as it is handed out by AWS. */
const dataCommands = /^AT#X(?:SEND|SENDTO|TCPSEND|UDPSEND|MQTTPUB|HTTPCREQ)/i;
/** Answers that have no name in front: manufacturer, model, revision, IMEI or IMSI. */
const identities = /^(?:Nordic Semiconductor ASA|nRF91\w{2}-\w{4}|mfw_[\w.+-]{1,40}|\d{14,15})$/;
/** Longer quoted text is told by its length. */
const quotedShownMax = 80;
const lineShownMax = 400;

/** A line of a host. What is no command is told by its length: it may be a part of a key. */
export function hideInCommand(text: string): string {
  const line = text.trim();
  if (!/^AT(?:$|[+%#&EeZz])/i.test(line)) return hidden(text);
  return secretCommands.test(line) || dataCommands.test(line) ? hideParameters(line) : shorten(line);
}

/** A line of a modem. `carriesData`: a serial modem, which hands on what comes from the network between its own lines. */
export function hideInAnswer(text: string, { carriesData }: { carriesData: boolean }): string {
  const line = text.trim();
  if (/^(?:OK|ERROR|Ready|\+CM[ES] ERROR: \d{1,5})$/.test(line)) return line;
  if (/^[+%#][A-Z]\w*: /i.test(line) || identities.test(line)) return shorten(line);
  if (carriesData || line.includes("-----")) return hidden(text);
  return line.length <= quotedShownMax ? shorten(line) : hidden(text);
}

function hideParameters(line: string): string {
  const at = line.indexOf("=");
  if (at < 0) return shorten(line);
  const parameters = line.slice(at + 1);
  const numbers = shownNumbers(line).exec(parameters)?.[0] ?? "";
  // `=?` is no secret.
  const rest = parameters.slice(numbers.length);
  return `${line.slice(0, at + 1)}${numbers}${rest === "" || rest === "?" ? rest : hidden(rest)}`;
}

/** Numbers in front are no secrets, but a PIN or a key that stands where its quotes should be. */
function shownNumbers(line: string): RegExp {
  if (dataCommands.test(line)) return /^[\d\s,]*/;
  if (/^AT\+CPIN/i.test(line)) return /^\s*/;
  return /^(?:[\d\s]{1,12}(?:,|$)){0,3}/;
}

function shorten(line: string): string {
  const shown = line.replace(/"([^"]*)"?/g, (quoted, content: string) =>
    content.length > quotedShownMax || content.includes("-----") ? `"${hidden(content)}"` : quoted,
  );
  const characters = [...shown];
  return characters.length > lineShownMax ? `${characters.slice(0, lineShownMax).join("")}…` : shown;
}

function hidden(text: string): string {
  const bytes = new TextEncoder().encode(text).length;
  return `(${bytes} ${bytes === 1 ? "byte" : "bytes"})`;
}
