import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { startCloud, type StartedCloud } from "@thingline/cloud/node";
import {
  connectDevice,
  createNativeCredentialStore,
  createNativeTlsDialer,
  type NativeCredentialStore,
} from "@thingline/device";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { receivedRecordBytesMax } from "@thingline/modem/simulator";
import type { CredentialStore, SecTagDialer } from "@thingline/transport";
import { nodeAdapters, type Adapters } from "../adapters.js";
import { openControlPlane, type ControlPlane } from "../control-plane.js";
import { createCapturedLog, type CapturedLog } from "../log.js";
import type { Output } from "../output.js";
import { provisionSimulatedDevice, type SimulatedProvisioning } from "../provisioning.js";
import { bootSimulatedDevice, type SimulatedDevice } from "../simulated-device.js";
import { createClaim, createThing, defaultClaimSecTag, type IssuedCertificate } from "./thing.js";

interface DemoOptions {
  deviceId: string;
  keep?: string;
  withoutClaim?: boolean;
  nativeTls?: boolean;
}

const demoFirmware = "mfw_nrf9160_1.3.2";
const largeMessageBytes = 4_608;
const largeMessageSecTag = 60;
const largeMessageName = "large-message";

interface Stage {
  output: Output;
  adapters: Adapters;
  options: DemoOptions;
  folder: string;
  cloud: StartedCloud;
  plane: ControlPlane;
  device: SimulatedDevice;
}

/** `thingline demo`, what `npm start` runs: the whole flow on one machine. */
export async function demo(output: Output, options: DemoOptions): Promise<void> {
  const started = performance.now();
  const folder = options.keep === undefined ? await mkdtemp(join(tmpdir(), "thingline-demo-")) : resolve(options.keep);
  const log = createCapturedLog();
  try {
    await run(output, options, folder, log);
    const seconds = (performance.now() - started) / 1000;
    output.event(
      { event: "done", seconds: Math.round(seconds * 1000) / 1000 },
      `\n${output.paint.green("done")} in ${seconds.toFixed(1)} s${options.keep === undefined ? "" : `; everything is in ${folder}`}`,
    );
    if (options.keep === undefined) {
      output.say(
        output.paint.dim("Next: npx thingline cloud start      (a cloud of your own; README.md goes on from here)"),
      );
    }
  } catch (error) {
    for (const line of log.warnings()) output.say(`${output.paint.yellow("cloud:")} ${line}`);
    throw error;
  } finally {
    if (options.keep === undefined) await rm(folder, { recursive: true, force: true });
  }
}

async function run(output: Output, options: DemoOptions, folder: string, log: CapturedLog): Promise<void> {
  const { paint } = output;
  const adapters = nodeAdapters();
  output.say(paint.bold("Thingline: from a shared claim certificate to a provisioned device"));
  output.say("");

  const starting = output.begin("starting the local AWS IoT Core");
  const dataDir = join(folder, "cloud");
  await using cloud = await startCloud({ dataDir, mqttsPort: 0, httpsPort: 0, apiPort: 0, log, keyPoolSize: 0 });
  starting.end();
  output.event(
    { event: "cloudReady", ...cloud.addresses, mqtt: cloud.addresses.mqtt ?? null, ca: cloud.caFile },
    `  local AWS IoT Core     MQTT over mutual TLS at ${cloud.addresses.mqtts}, AWS API at ${cloud.addresses.api}`,
  );

  const plane = await openControlPlane({ aws: false, dataDir });
  const claim = await createClaim(plane.client);
  output.event(
    { event: "claimCreated", certificateId: claim.certificateId, policyName: claim.policyName },
    `  claim certificate      ${claim.certificateId.slice(0, 16)}… with policy ${claim.policyName}`,
  );

  await using device = await bootSimulatedDevice(adapters, { modemDir: join(folder, "modem") });
  output.event(
    { event: "modemBooted", imei: device.modem.identity.imei, firmware: demoFirmware },
    `  simulated nRF9160      IMEI ${device.modem.identity.imei}, ${demoFirmware}, credentials on disk`,
  );

  const stage: Stage = { output, adapters, options, folder, cloud, plane, device };
  // Before the radio is on: a modem writes credentials only while it is offline.
  const largeMessageThing = await createThing(plane.client, largeMessageName);
  await writeTag(device.credentials, largeMessageSecTag, largeMessageThing, cloud.caPem);
  const nativeTls = options.nativeTls === true ? { store: await openNativeStore(stage) } : undefined;
  await putClaim(stage, claim, nativeTls?.store ?? device.credentials);
  await showProvisioning(stage, nativeTls);
  await showLargeMessages(stage, largeMessageThing);
}

async function openNativeStore({ adapters, folder }: Stage): Promise<NativeCredentialStore> {
  const { files, keys } = adapters;
  return createNativeCredentialStore({ files, keys, folder: join(folder, "tls-credentials") });
}

/** What is done to a device before it leaves the production line. */
async function putClaim(stage: Stage, claim: IssuedCertificate, store: CredentialStore): Promise<void> {
  const { options, output, cloud } = stage;
  if (options.withoutClaim === true) {
    const text = `  security tag ${defaultClaimSecTag}        left empty: the claim certificate was taken away`;
    output.event({ event: "claimTakenAway", secTag: defaultClaimSecTag }, text);
    return;
  }
  await writeTag(store, defaultClaimSecTag, claim, cloud.caPem);
  const how = options.nativeTls === true ? "loaded by the application" : "written with AT%CMNG, read back by digest";
  output.event(
    { event: "claimWritten", secTag: defaultClaimSecTag },
    `  security tag ${defaultClaimSecTag}        claim key, certificate and CA ${how}`,
  );
}

async function writeTag(
  store: CredentialStore,
  secTag: number,
  issued: IssuedCertificate,
  caPem: string,
): Promise<void> {
  const contents = [
    ["privateKey", issued.privateKeyPem],
    ["certificate", issued.certificatePem],
    ["ca", caPem],
  ] as const;
  for (const [type, content] of contents) {
    await store.write(secTag, type, content);
    if (await store.compare(secTag, type, content)) continue;
    throw new ThinglineError("CREDENTIAL_REFUSED", `${type} of security tag ${secTag} reads back differently`);
  }
}

async function showProvisioning(stage: Stage, nativeTls: SimulatedProvisioning["nativeTls"]): Promise<void> {
  const { output, options, adapters, folder, device, plane } = stage;
  const { paint } = output;
  output.say("");
  const way = options.nativeTls === true ? "TLS in the application" : "TLS in the modem";
  output.say(paint.bold(`Nordic's provisioning sample, its twelve steps (${way})`));
  const {
    device: connected,
    certificateId,
    secTag,
  } = await provisionSimulatedDevice(output, adapters, {
    device,
    ...(nativeTls === undefined ? {} : { nativeTls }),
    clientId: options.deviceId,
    host: plane.device.host,
    port: plane.device.port,
    claimTag: defaultClaimSecTag,
    stateFolder: join(folder, "device"),
  });
  try {
    const { DescribeThingCommand, ListThingPrincipalsCommand } = await import("@aws-sdk/client-iot");
    const thingName = options.deviceId;
    const thing = await plane.client.send(new DescribeThingCommand({ thingName }));
    const { principals = [] } = await plane.client.send(new ListThingPrincipalsCommand({ thingName }));
    const isOurs = principals.some((principal) => principal.endsWith(certificateId));
    if (!isOurs) throw new ThinglineError("PROVISIONING_NOT_PROVED", "the registry does not list the new certificate");
    const { secure } = connected.connection;
    output.say("");
    output.event(
      {
        event: "provisioned",
        thingName: thing.thingName,
        thingArn: thing.thingArn,
        certificateId,
        secTag,
        tls: secure?.protocol,
        isResumed: secure?.isResumed,
      },
      [
        `  ${paint.green("provisioned")}            thing ${thing.thingName}, certificate ${certificateId.slice(0, 16)}… in security tag ${secTag}`,
        `  connected              ${secure?.protocol}, ${secure?.cipher}, ${secure?.isResumed === true ? "resumed" : "full handshake"}`,
      ].join("\n"),
    );
  } finally {
    await connected.close();
  }
}

/** Why the sample splits its answer: what the modem's TLS cannot take, and TLS in the application can. */
async function showLargeMessages(stage: Stage, thing: IssuedCertificate): Promise<void> {
  const { output, adapters, cloud, device } = stage;
  output.say("");
  output.say(
    output.paint.bold(
      `A message of ${largeMessageBytes} bytes (the modem takes ${receivedRecordBytesMax} in one TLS record)`,
    ),
  );
  const overModem = await sendLarge(stage, "modem", device.modem.secTagDialer);
  const isKilled = isThinglineError(overModem) && overModem.code === "TLS_RECORD_TOO_LARGE";
  if (!isKilled)
    throw overModem ?? new ThinglineError("PROVISIONING_NOT_PROVED", "the modem took a record of more than 2 KB");
  output.event(
    { event: "largeMessage", tls: "modem TLS", bytes: largeMessageBytes, result: overModem.code },
    `  modem TLS              connection lost: ${overModem.code}`,
  );
  const store = createNativeCredentialStore({ keys: adapters.keys });
  await writeTag(store, largeMessageSecTag, thing, cloud.caPem);
  const overNative = await sendLarge(stage, "native", createNativeTlsDialer({ dialer: device.modem.dialer, store }));
  if (overNative !== undefined) throw overNative;
  output.event(
    { event: "largeMessage", tls: "native TLS", bytes: largeMessageBytes, result: "received" },
    `  native TLS             received, ${largeMessageBytes} bytes`,
  );
}

/** @returns undefined when the message came back whole, else why the connection ended. */
async function sendLarge(stage: Stage, way: string, secTagDialer: SecTagDialer): Promise<Error | undefined> {
  const { clock, random } = stage.adapters;
  const { host, port } = stage.plane.device;
  await using device = await connectDevice({
    ...{
      host,
      port,
      clientId: `${largeMessageName}-${way}`,
      clock,
      random,
      secTagDialer,
      secTag: largeMessageSecTag,
      isCleanSession: true,
    },
  });
  const ended = new Promise<Error>((done) => {
    device.on("disconnected", ({ error }) =>
      done(error ?? new ThinglineError("CONNECTION_LOST", "the connection ended")),
    );
  });
  const messages = await device.subscribe(`${largeMessageName}/large`);
  const received = (async () => {
    for await (const { payload } of messages) {
      if (payload.length !== largeMessageBytes) throw new Error(`${payload.length} bytes came back`);
      return undefined;
    }
    return ended;
  })();
  received.catch(() => undefined);
  // QoS 0: no acknowledgement that would have to survive the end of the connection.
  await device.publish(`${largeMessageName}/large`, new Uint8Array(largeMessageBytes), { qos: 0 });
  return await Promise.race([ended, received]);
}
