// A device behind a serial modem, in memory and in virtual time: the device library, its AT session, a serial line of a known speed, the
// application, a simulated nRF91 with TLS inside, and a whole local cloud.
import { createDevice, type Device, type DeviceOptions } from "@thingline/device";
import {
  createLinkControl,
  createModemCredentialStore,
  type LteLinkControl,
  type ModemSession,
  openModemSession,
  openSerialModemSockets,
  type SerialModemDialect,
  type SerialModemSockets,
} from "@thingline/modem";
import {
  createSerialModemApplication,
  createSimulatedModem,
  type SerialModemApplication,
  type SimulatedModem,
  type SimulatedModemOptions,
} from "@thingline/modem/simulator";
import type { Clock, Connection, CredentialStore } from "@thingline/transport";
import { createVirtualRandom } from "@thingline/transport/virtual";
import type { ProvisioningHouse } from "./provisioning-world.test.support.js";

export const deviceTag = 42;

export interface SerialBoardOptions {
  dialect?: SerialModemDialect;
  /** Of the serial line, each way. Default: as fast as it goes. */
  bytesPerSecond?: number;
  modem?: Partial<SimulatedModemOptions>;
  /** The host's end of the line, for whoever wants to disturb it. */
  line?: (port: Connection) => Connection;
}

/** A board on a serial port, and the host's session with it. */
export interface SerialBoard {
  modem: SimulatedModem;
  application: SerialModemApplication;
  session: ModemSession;
  sockets: SerialModemSockets;
  link: LteLinkControl;
  store: CredentialStore;
  close(): Promise<void>;
}

export async function openSerialBoard(
  { clock, network, keys }: Pick<ProvisioningHouse, "clock" | "network" | "keys">,
  { dialect = "serialModem", bytesPerSecond, modem: modemOptions, line = (port) => port }: SerialBoardOptions = {},
): Promise<SerialBoard> {
  const random = createVirtualRandom("serial board");
  const modem = await createSimulatedModem({ network, clock, keys, random: random.fork("modem"), ...modemOptions });
  const baudRate = 1_000_000;
  const application = await createSerialModemApplication(modem, { clock, random, dialect, baudRate });
  const port = application.openPort(bytesPerSecond === undefined ? {} : { bytesPerSecond });
  const session = openModemSession(line(port), { clock });
  const sockets = await openSerialModemSockets(session, { clock });
  const link = createLinkControl(session, { clock });
  const close = async () => {
    await sockets.close();
    link.close();
    await session.close();
    await application.close();
    await modem.close();
  };
  return { modem, application, session, sockets, link, store: createModemCredentialStore(session, { keys }), close };
}

/** A certificate of the cloud's that may do everything, under {@link deviceTag}. The modem is offline then, as it was. */
export async function writeOwnCredentials({ cloud }: ProvisioningHouse, { store }: SerialBoard): Promise<void> {
  const { registry } = cloud;
  const made = await cloud.run(registry.createKeysAndCertificate, { setAsActive: true });
  const everything = { Effect: "Allow", Action: "iot:*", Resource: "*" };
  const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement: [everything] });
  const policyName = `everything-${made.certificateId?.slice(0, 12)}`;
  await cloud.run(registry.createPolicy, { policyName, policyDocument });
  await cloud.run(registry.attachPolicy, { policyName, target: made.certificateArn ?? "" });
  await store.write(deviceTag, "ca", cloud.caPem);
  await store.write(deviceTag, "certificate", made.certificatePem ?? "");
  await store.write(deviceTag, "privateKey", made.keyPair?.PrivateKey ?? "");
}

export function createBoardDevice(
  { clock }: ProvisioningHouse,
  { sockets }: SerialBoard,
  clientId: string,
  options: Partial<DeviceOptions> = {},
): Device {
  const { secTagDialer } = sockets;
  const random = createVirtualRandom(clientId);
  return createDevice({
    ...{ host: "localhost", port: 8883, clientId, clock, random, secTagDialer, secTag: deviceTag },
    ...options,
  });
}

/** Messages that wait for their acknowledgements: AWS IoT takes no more of one client. */
const windowMessages = 100;

/** QoS 1, as fast as acknowledgements come. @returns bytes of payload a second */
export async function publishThrough(
  device: Device,
  { messageBytes, sentBytes, clock }: { messageBytes: number; sentBytes: number; clock: Clock },
): Promise<number> {
  const startMs = clock.monotonicMs();
  const payload = new Uint8Array(messageBytes).fill(0x61);
  const count = Math.ceil(sentBytes / messageBytes);
  let left = count;
  const worker = async () => {
    while (left > 0) {
      left -= 1;
      await device.publish("p/data", payload, { qos: 1 });
    }
  };
  await Promise.all(Array.from({ length: windowMessages }, worker));
  return (count * messageBytes * 1_000) / (clock.monotonicMs() - startMs);
}
