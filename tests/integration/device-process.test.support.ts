// A device process for provisioning-kill.test.ts: provisions over a simulated modem whose state is on disk. Says each point
// that it passes, and stops for ever at the one it is told, so that it can be killed exactly there.
//   node device-process.test.support.js FOLDER HOST PORT CLIENT_ID [STOP_AT]
import { createLinkControl, createModemCredentialStore, openModemSession } from "@thingline/modem";
import { createSimulatedModem } from "@thingline/modem/simulator";
import { provisionDevice } from "@thingline/device/provisioning";
import { isThinglineError } from "@thingline/protocol";
import {
  createNodeClock,
  createNodeFiles,
  createNodeKeys,
  createNodeNetwork,
  createNodeRandom,
} from "@thingline/transport/node";

const [folder = "", host = "", port = "", clientId = "", stopAt = ""] = process.argv.slice(2);
const say = (event: object) => process.stdout.write(`${JSON.stringify(event)}\n`);

const clock = createNodeClock();
const random = createNodeRandom();
const keys = createNodeKeys();
const files = createNodeFiles();
const lte = { searchMs: 1, attachMs: 1, detachMs: 1 };
const network = createNodeNetwork();
const modem = await createSimulatedModem({ network, clock, random, keys, files, folder: `${folder}/modem`, lte });
const session = openModemSession(modem.openPort(), { clock });
const link = createLinkControl(session, { clock });
try {
  const result = await provisionDevice({
    ...{ host, port: Number(port), clientId, claimTag: 43, clock, random, keys, files, link },
    store: createModemCredentialStore(session, { keys }),
    dialer: modem.secTagDialer,
    progressPath: `${folder}/provisioning.json`,
    onStep: async ({ when, effect, index, step, item }) => {
      const name = [when, index, step ?? "start", effect, item].filter((part) => part !== undefined).join(" ");
      say({ event: "point", name });
      if (name !== stopAt) return;
      say({ event: "stopped", name });
      // Keeps the process alive, and does nothing more: only a signal ends it.
      await new Promise(() => setInterval(() => undefined, 1_000_000));
    },
  });
  const { certificateId, isNew, history, device } = result;
  say({ event: "provisioned", certificateId, isNew, history, isResumed: device.connection?.secure?.isResumed });
  await device.close();
} catch (error) {
  if (!isThinglineError(error)) throw error;
  say({ event: "failed", code: error.code, message: error.message });
  process.exitCode = 1;
} finally {
  link.close();
  await session.close();
  await modem.close();
}
