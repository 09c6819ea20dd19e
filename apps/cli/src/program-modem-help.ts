import { type Command, Help } from "commander";

/** From plugging in to what is seldom wanted. */
const verbs = ["ports", "at", "write", "verify", "list", "delete", "generate-key", "firmware", "simulate"];

/** The overview of the verbs: where to begin, with a board and without one, and then the verbs as one comes to them. */
export function arrangeModemHelp(modem: Command): void {
  modem.summary(modem.description());
  modem.description(
    "nRF91 modems: behind a board's port, or simulated\n\n" +
      "With a board, begin with    thingline modem ports\n" +
      "Without one, begin with     thingline modem simulate",
  );
  const place = (command: Command) => {
    const at = verbs.indexOf(command.name());
    return at < 0 ? verbs.length : at;
  };
  modem.configureHelp({
    visibleCommands: (command) =>
      new Help().visibleCommands(command).toSorted((one, other) => place(one) - place(other)),
  });
}
