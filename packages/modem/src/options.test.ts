import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { createModemCredentialStore } from "./commands/credentials.js";
import { createLinkControl } from "./commands/link-control.js";
import { writeCredentials } from "./credential-writing/write-credentials.js";
import { uploadFirmware } from "./firmware-upload/upload.js";
import { openModemSession } from "./session.js";
import { openCredentialFolder } from "./simulator/folder.js";
import { createSimulatedModem } from "./simulator/modem.js";

const clock = createVirtualClock();
const random = createVirtualRandom(1);
const keys = createVirtualKeys({ random });
const network = { dial: assert.fail };
const session = { sequence: assert.fail, onNotification: assert.fail } as never;

const running = () => createSimulatedModem({ network, clock, random, keys });

const cases: [name: string, call: () => unknown, option: string][] = [
  ["a session without a channel", () => openModemSession(undefined as never, { clock }), "channel"],
  ["a session without a clock", () => openModemSession({} as never, {} as never), "clock"],
  [
    "a session with a line end of its own",
    () => openModemSession({} as never, { clock, lineEnds: "x" } as never),
    "lineEnds",
  ],
  ["link control without a session", () => createLinkControl(undefined as never, { clock }), "session"],
  [
    "link control with a time-out as text",
    () => createLinkControl(session, { clock, networkTimeoutMs: "1" } as never),
    "networkTimeoutMs",
  ],
  [
    "a writing that waits for the network without end",
    () => writeCredentials(session, { secTag: 42, credentials: { ca: "x" } }, { keys, clock, networkTimeoutMs: NaN }),
    "networkTimeoutMs",
  ],
  [
    "an upload without a session",
    () => uploadFirmware(undefined as never, { kind: "delta", image: Uint8Array.of(1) }, { clock }),
    "session",
  ],
  ["a credential store without keys", () => createModemCredentialStore(session, {} as never), "keys"],
  ["a modem without a network", () => createSimulatedModem({ clock, random, keys } as never), "network"],
  [
    "a modem with timing of another name",
    () => createSimulatedModem({ network, clock, random, keys, lte: { searchMS: 1 } as never }),
    "lte.searchMS",
  ],
  [
    "a modem with a cell of another type",
    () => createSimulatedModem({ network, clock, random, keys, lte: { conditions: { cell: 7 as never } } }),
    "lte.conditions.cell",
  ],
  ["conditions of another name", async () => (await running()).setConditions({ coverage: 1 } as never), "coverage"],
  [
    "a modem whose storage holds less than nothing",
    () => createSimulatedModem({ network, clock, random, keys, storageBytesMax: -1 }),
    "storageBytesMax",
  ],
  [
    "a port with a terminator that no line ends with",
    async () => (await running()).openPort({ terminator: "CRLF" } as never),
    "terminator",
  ],
  ["a port with an option of another name", async () => (await running()).openPort({ busy: 1 } as never), "busy"],
  [
    "a credential folder without a folder",
    () => openCredentialFolder({ files: createVirtualFiles(), keys, random } as never),
    "folder",
  ],
];
for (const [name, call, option] of cases) {
  test(`${name} is refused by name`, async () => {
    await assert.rejects((async () => call())(), (error) => {
      assert.ok(isThinglineError(error, "OPTION_INVALID"), String(error));
      assert.equal(error.details["option"], option);
      return true;
    });
  });
}
