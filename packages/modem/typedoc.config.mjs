export default {
  intentionallyNotExported: [
    // How the table of commands is written down: CommandValues and CommandAnswer say what comes of it.
    "src/at/table.ts:Entry",
    "src/at/table.ts:commandForms",
    "src/at/answers.ts:AnswerCodec",
    "src/at/lines.ts:LineCodec",
    "src/at/functional-mode.ts:factoryResetScopes",
    "src/at/sim.ts:simLocks",
  ],
};
