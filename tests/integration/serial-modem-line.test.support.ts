// The host's end of the line of a serial modem application, as text.
import type { Connection } from "@thingline/transport";

export interface SerialModemTextLine {
  send: (text: string) => void;
  /** A command with its line end; the answer is not waited for. */
  sendCommand: (command: string) => void;
  /** A text, a pattern, or so many bytes: takes what has come up to the end of the match (all of it for a count), and leaves the rest. */
  until: (end: string | RegExp | number) => Promise<string>;
  /** A command, and its answer up to the final result. */
  at: (command: string) => Promise<string>;
}

export function openTextLine(port: Connection, lineEnd: string): SerialModemTextLine {
  let received = "";
  let wake: () => void = () => undefined;
  port.start({
    data: (bytes) => {
      received += Buffer.from(bytes).toString("latin1");
      wake();
    },
    closed: () => wake(),
  });
  const send = (text: string): void => {
    port.write(Buffer.from(text, "latin1"));
    port.flush();
  };
  const endOf = (end: string | RegExp | number): number | undefined => {
    if (typeof end === "number") return received.length >= end ? received.length : undefined;
    const at = typeof end === "string" ? received.indexOf(end) : received.search(end);
    if (at < 0) return undefined;
    return at + (typeof end === "string" ? end.length : (end.exec(received)?.[0].length ?? 0));
  };
  const until = async (end: string | RegExp | number): Promise<string> => {
    for (;;) {
      const length = endOf(end);
      if (length !== undefined) {
        const taken = received.slice(0, length);
        received = received.slice(length);
        return taken;
      }
      await new Promise<void>((resolve) => (wake = resolve));
    }
  };
  const sendCommand = (command: string): void => send(`${command}${lineEnd}`);
  const at = (command: string): Promise<string> => {
    sendCommand(command);
    return until(/\r\n(?:OK|ERROR)\r\n/);
  };
  return { send, sendCommand, until, at };
}
