import { type AtTerminator, CommandLineReader, ResponseLineReader } from "@thingline/protocol/at";
import { hideInAnswer, hideInCommand } from "./hidden-values.js";
import type { PortView } from "./port-joint.js";

/** One line that went over a port, fit to be shown. */
export interface ShownLine {
  from: "host" | "modem";
  text: string;
}

export interface LineViewOptions {
  terminator: AtTerminator;
  carriesData: boolean;
  show: (line: ShownLine) => void;
}

/**
 * Reads what goes over a port as its two ends do, and tells it line by line, without what may be a key. Payload of data mode is no line, and
 * is told as bytes or not at all.
 */
export class LineView implements PortView {
  readonly #commands: CommandLineReader;
  readonly #answers = new ResponseLineReader();
  readonly #show: (line: ShownLine) => void;
  readonly #carriesData: boolean;

  /** `carriesData`: the port is a serial modem's. */
  constructor({ terminator, carriesData, show }: LineViewOptions) {
    this.#commands = new CommandLineReader({ terminator });
    this.#carriesData = carriesData;
    this.#show = show;
  }

  fromHost(bytes: Uint8Array): void {
    for (const { text, droppedBytes } of this.#commands.push(bytes)) {
      const shown = text === undefined ? "(bytes that are no text)" : hideInCommand(text);
      this.#show({ from: "host", text: droppedBytes === 0 ? shown : `${shown} and ${droppedBytes} bytes too many` });
    }
  }

  fromModem(bytes: Uint8Array): void {
    for (const line of this.#answers.push(bytes)) {
      if (line.type === "overlong") {
        this.#show({ from: "modem", text: `(${line.droppedBytes} bytes)` });
        continue;
      }
      const text = hideInAnswer(line.text, { carriesData: this.#carriesData });
      this.#show({ from: "modem", text });
      // Payload may have left a quote open.
      if (text.startsWith("#XDATAMODE:")) this.#commands.reset();
    }
  }
}
