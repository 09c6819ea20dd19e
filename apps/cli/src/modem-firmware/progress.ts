import type { Output, StatusLine } from "../output.js";
import { progressBar } from "../update-view.js";

/** Shows how far something long is: a bar on a terminal, a line for each part elsewhere, events with `--json`. */
export class ProgramProgress {
  readonly #output: Output;
  readonly #status: StatusLine;
  #phase = "";
  #percent = -1;

  constructor(output: Output) {
    this.#output = output;
    this.#status = output.status();
  }

  /** @param name for programs @param words for people */
  phase(name: string, words: string): void {
    // A phase of which there are several parts has one line.
    const line = name === this.#phase ? undefined : `  ${words}`;
    this.#phase = name;
    this.#percent = -1;
    this.#output.event({ event: "firmwarePhase", phase: name }, line);
    this.#status.show(words, true);
  }

  /** Told once for each whole percent. */
  percent(percent: number, words?: string): void {
    const whole = Math.floor(percent);
    if (whole === this.#percent) return;
    this.#percent = whole;
    this.#output.event({ event: "firmwareProgress", phase: this.#phase, percent: whole });
    this.#status.show(`${progressBar(whole)}${words === undefined ? "" : `  ${words}`}`, true);
  }

  end(): void {
    this.#status.end();
  }
}
