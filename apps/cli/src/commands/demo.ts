import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { issueClaim, issueThing, type IssuedCredentials } from "@thingline/cloud/issue";
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
import { iotSdk } from "../aws-sdk.js";
import { nodeAdapters, type Adapters } from "../adapters.js";
import type { CommandContext } from "../command.js";
import { openControlPlane, type ControlPlane } from "../control-plane.js";
import { commandLine } from "../invocation.js";
import { type ByteLedger, openByteLedger } from "../demo-bytes.js";
import { showFirmwareUpdate } from "../demo-update.js";
import { createDemoTemplate, demoWay, type DemoMethod, type DemoWay } from "../demo-method.js";
import { createCapturedLog, shortenIds, type CapturedLog } from "../log.js";
import type { Output } from "../output.js";
import { provisionSimulatedDevice, type SimulatedProvisioning } from "../provisioning.js";
import { issuingPlane } from "../registry.js";
import { bootSimulatedDevice, nearbyNetwork, type SimulatedDevice } from "../simulated-device.js";
import { defaultClaimSecTag } from "../option-values.js";

const freePorts = { mqttsPort: 0, httpsPort: 0, apiPort: 0, objectsPort: 0 };

interface DemoOptions {
  deviceId: string;
  keep?: string;
  withoutClaim?: boolean;
  badFirmware?: boolean;
  nativeTls?: boolean;
  bytes?: boolean;
  method: DemoMethod;
}

const demoFirmware = "mfw_nrf9160_1.3.2";
const largeMessageBytes = 4_608;
const largeMessageSecTag = 60;
const largeMessageName = "large-message";

interface Stage {
  output: Output;
  signal: AbortSignal;
  adapters: Adapters;
  options: DemoOptions;
  way: DemoWay;
  folder: string;
  cloud: StartedCloud;
  plane: ControlPlane;
  device: SimulatedDevice;
  ledger: ByteLedger | undefined;
}

/** `thingline demo`, what `npm start` runs: the whole flow on one machine. */
export async function demo(context: CommandContext, options: DemoOptions): Promise<void> {
  const { output, signal } = context;
  const started = performance.now();
  const folder = options.keep === undefined ? await mkdtemp(join(tmpdir(), "thingline-demo-")) : resolve(options.keep);
  const log = createCapturedLog();
  try {
    await run(context, options, folder, log);
    const seconds = (performance.now() - started) / 1000;
    const kept = options.keep === undefined ? "" : `; everything is in ${folder}`;
    output.event(
      { event: "done", seconds: Math.round(seconds * 1000) / 1000 },
      `\n${output.paint.green("done")} in ${seconds.toFixed(1)} s${kept}`,
    );
    output.say(output.paint.dim(`Next, a cloud of your own (see README.md): ${commandLine("cloud start")}`));
  } catch (error) {
    // Of no interest to somebody who stopped it.
    const lines = signal.aborted ? [] : log.warnings();
    for (const line of lines) output.say(output.paragraph(`cloud log: ${shortenIds(line)}`, 2));
    throw error;
  } finally {
    if (options.keep === undefined) await rm(folder, { recursive: true, force: true });
  }
}

/** A name and what there is to say about it, one below the other. */
function row(name: string, ...lines: string[]): string {
  const nameWidth = 23;
  return lines.map((line, at) => `  ${(at === 0 ? name : "").padEnd(nameWidth)}${line}`).join("\n");
}

async function run(
  { output, signal }: CommandContext,
  options: DemoOptions,
  folder: string,
  log: CapturedLog,
): Promise<void> {
  const { paint } = output;
  const way = demoWay(options.method, { deviceId: options.deviceId, isNative: options.nativeTls === true });
  const adapters = nodeAdapters();
  output.say(paint.bold("Thingline: from a shared claim certificate to a provisioned device"));
  output.say("");

  const starting = output.begin("starting the local AWS IoT Core");
  const dataDir = join(folder, "cloud");
  const vending = way.templateName === undefined ? "builtin" : "off";
  // More keys made ahead than are needed would only be waited for at the end.
  await using cloud = await startCloud({ dataDir, ...freePorts, keyPoolSize: 1, vending, log });
  starting.end();
  output.event(
    { event: "cloudReady", ...cloud.addresses, mqtt: cloud.addresses.mqtt ?? null, ca: cloud.caFile },
    row(
      "local AWS IoT Core",
      `MQTT over mutual TLS at ${cloud.addresses.mqtts}`,
      `AWS API at ${cloud.addresses.api}`,
      ...(way.templateName === undefined ? ["the built-in vending service is on"] : []),
    ),
  );

  const creating = output.begin("creating a claim certificate");
  const plane = await openControlPlane({ aws: false, dataDir, signal });
  if (way.templateName !== undefined) await createDemoTemplate(plane, signal);
  const claim = await issueClaim(await issuingPlane(plane.client), {
    policies: way.claimPolicies,
    signal,
    keep: async (issued) => issued,
  });
  creating.end();
  if (way.templateName !== undefined) {
    output.event(
      { event: "templateCreated", templateName: way.templateName },
      row("provisioning template", `${way.templateName}: a thing by serial number, and its policy`),
    );
  }
  output.event(
    { event: "claimCreated", certificateId: claim.certificateId, policyName: claim.policyName },
    row("claim certificate", `${shortenIds(claim.certificateId)} with policy ${claim.policyName}`),
  );

  signal.throwIfAborted();
  await using device = await bootSimulatedDevice(adapters, {
    ...{ modemDir: join(folder, "modem"), lte: nearbyNetwork, countsTraffic: options.bytes === true },
  });
  output.event(
    { event: "modemBooted", imei: device.modem.identity.imei, firmware: demoFirmware },
    row("simulated nRF9160", `IMEI ${device.modem.identity.imei}, ${demoFirmware}`),
  );

  const ledger = device.modem.traffic && openByteLedger(output, device.modem.traffic);
  const stage: Stage = { output, signal, adapters, options, way, folder, cloud, plane, device, ledger };
  const writing = output.begin("writing credentials into the modem");
  // Before the radio is on: a modem writes credentials only while it is offline.
  const largeMessageThing = await issueThing(await issuingPlane(plane.client), largeMessageName, {
    signal,
    keep: async (issued) => issued,
  });
  await writeTag(device.credentials, largeMessageSecTag, largeMessageThing, cloud.caPem);
  const nativeTls = options.nativeTls === true ? { store: await openNativeStore(stage) } : undefined;
  await putClaim(stage, claim, nativeTls?.store ?? device.credentials);
  writing.end();
  const secTag = await showProvisioning(stage, nativeTls);
  ledger?.mark("endOfConnection");
  await showLargeMessages(stage, largeMessageThing);
  const { dialer } = device.modem;
  const secTagDialer =
    nativeTls === undefined ? device.modem.secTagDialer : createNativeTlsDialer({ dialer, ...nativeTls });
  const isBad = options.badFirmware === true;
  await showFirmwareUpdate({ ...stage, thingName: options.deviceId, secTag, secTagDialer, isBad }, row);
  ledger?.mark("firmwareUpdate");
  ledger?.show();
}

async function openNativeStore({ adapters, folder }: Stage): Promise<NativeCredentialStore> {
  const { files, keys } = adapters;
  return createNativeCredentialStore({ files, keys, folder: join(folder, "tls-credentials") });
}

/** What is done to a device before it leaves the production line. */
async function putClaim(stage: Stage, claim: IssuedCredentials, store: CredentialStore): Promise<void> {
  const { options, output, cloud } = stage;
  if (options.withoutClaim === true) {
    const text = row(`security tag ${defaultClaimSecTag}`, "left empty: the claim certificate was taken away");
    output.event({ event: "claimTakenAway", secTag: defaultClaimSecTag }, text);
    return;
  }
  await writeTag(store, defaultClaimSecTag, claim, cloud.caPem);
  const how = options.nativeTls === true ? "loaded by the application" : "written with AT%CMNG, read back by digest";
  output.event(
    { event: "claimWritten", secTag: defaultClaimSecTag },
    row(`security tag ${defaultClaimSecTag}`, `the claim, ${how}`),
  );
}

async function writeTag(
  store: CredentialStore,
  secTag: number,
  issued: IssuedCredentials,
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
    throw new ThinglineError("CREDENTIAL_NOT_VERIFIED", `${type} of security tag ${secTag} reads back differently`);
  }
}

/** @returns the security tag that the device's own certificate is in */
async function showProvisioning(stage: Stage, nativeTls: SimulatedProvisioning["nativeTls"]): Promise<number> {
  const { output, signal, options, adapters, folder, device, plane } = stage;
  const { paint } = output;
  output.say("");
  const where = options.nativeTls === true ? "TLS in the application" : "TLS in the modem";
  output.say(paint.bold(`${stage.way.title} (${where})`));
  const {
    device: connected,
    certificateId,
    secTag,
  } = await provisionSimulatedDevice(output, adapters, {
    ...{ device, method: stage.way.method },
    ...(nativeTls === undefined ? {} : { nativeTls }),
    clientId: options.deviceId,
    host: plane.device.host,
    port: plane.device.port,
    claimTag: defaultClaimSecTag,
    stateFolder: join(folder, "device"),
    signal,
    onEvent: (event) => {
      if (event.type === "stepFinished" && event.result === "done") stage.ledger?.mark(event.name);
    },
  });
  try {
    const { DescribeThingCommand, ListThingPrincipalsCommand } = iotSdk();
    const thingName = options.deviceId;
    const call = { abortSignal: signal };
    const thing = await plane.client.send(new DescribeThingCommand({ thingName }), call);
    const { principals = [] } = await plane.client.send(new ListThingPrincipalsCommand({ thingName }), call);
    const isOurs = principals.some((principal) => principal.endsWith(certificateId));
    if (!isOurs) throw new ThinglineError("PROVISIONING_NOT_PROVED", "the registry does not list the new certificate");
    const secure = connected.connection?.secure;
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
        row(
          "provisioned",
          `thing ${thing.thingName}`,
          stage.way.templateName === undefined ? "named by its client id (--device-id)" : "named by the template",
          `certificate ${shortenIds(certificateId)} in security tag ${secTag}`,
        ),
        row(
          "connected",
          `${secure?.protocol}, ${secure?.isResumed === true ? "resumed" : "full handshake"}`,
          secure?.cipher ?? "",
        ),
      ].join("\n"),
    );
    return secTag;
  } finally {
    await connected.close();
  }
}

/** Why the sample splits its answer: what the modem's TLS cannot take, and TLS in the application can. */
async function showLargeMessages(stage: Stage, thing: IssuedCredentials): Promise<void> {
  const { output, adapters, cloud, device } = stage;
  output.say("");
  output.say(
    output.paint.bold(
      `A message of ${largeMessageBytes} bytes (the modem takes ${receivedRecordBytesMax} in one TLS record)`,
    ),
  );
  const overModem = await sendLarge(stage, "modem", device.modem.secTagDialer);
  stage.ledger?.mark("largeMessageModemTls");
  const isKilled = isThinglineError(overModem) && overModem.code === "TLS_RECORD_TOO_LARGE";
  if (!isKilled) throw overModem ?? new Error("the modem took a record of more than 2 KB");
  output.event(
    { event: "largeMessage", tls: "modem TLS", bytes: largeMessageBytes, result: overModem.code },
    row("modem TLS", `connection lost: ${overModem.code}`),
  );
  const store = createNativeCredentialStore({ keys: adapters.keys });
  await writeTag(store, largeMessageSecTag, thing, cloud.caPem);
  const overNative = await sendLarge(stage, "native", createNativeTlsDialer({ dialer: device.modem.dialer, store }));
  if (overNative !== undefined) throw overNative;
  stage.ledger?.mark("largeMessageNativeTls");
  output.event(
    { event: "largeMessage", tls: "native TLS", bytes: largeMessageBytes, result: "received" },
    row("native TLS", `received, ${largeMessageBytes} bytes`),
  );
}

/** @returns undefined when the message came back whole, else why the connection ended. */
async function sendLarge(stage: Stage, way: string, secTagDialer: SecTagDialer): Promise<Error | undefined> {
  const { signal, adapters, plane } = stage;
  await using device = await connectDevice({
    ...plane.device,
    clientId: `${largeMessageName}.${way}`,
    clock: adapters.clock,
    random: adapters.random,
    secTagDialer,
    secTag: largeMessageSecTag,
    isCleanSession: true,
    reconnect: false,
    signal,
  });
  const ended = new Promise<Error>((done) => {
    device.on("disconnected", ({ error }) =>
      done(error ?? new ThinglineError("CONNECTION_LOST", "the connection ended")),
    );
  });
  const messages = await device.subscribe(`${largeMessageName}/large`, { signal });
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
  const stopped = new Promise<never>((_, reject) => {
    signal.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
  return await Promise.race([ended, received, stopped]);
}
