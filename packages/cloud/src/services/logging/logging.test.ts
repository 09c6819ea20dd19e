import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError, ThinglineError, type ErrorCode } from "@thingline/protocol";
import {
  createVirtualClock,
  createVirtualFiles,
  createVirtualKeys,
  createVirtualNetwork,
  createVirtualRandom,
} from "@thingline/transport/virtual";
import { createCloud } from "../../cloud.js";
import type { Log } from "../../log.js";
import { mqttOver } from "../../mqtt-over.test.support.js";
import { createMemoryStore } from "../../store/memory.js";
import { verbosityOf } from "../iot-log.js";
import { interrupt, openServiceWorld, scope } from "../world.test.support.js";
import { createLoggingService } from "./index.js";
import { LogLevels } from "./levels.js";
import { formatLine, formatTime, logTextCharactersMax } from "./line.js";
import { groupsKeptMs, LiveLog, rememberedGroupsMax, waitingEntriesMax } from "./live-log.js";
import {
  iotLogFileBytesMax,
  iotLogFilesMax,
  iotLogWaitingBytesMax,
  LogFiles,
  nameOfIotLog,
  numberOfIotLog,
} from "./log-files.js";
import { eventConfigurationsMax, loggingKeys, logLevelsMax, type LoggingConfiguration } from "./model.js";

const roleArn = "arn:aws:iam::123456789012:role/logging";
const has = (code: ErrorCode, says?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (says === undefined || says.test(error.message));
const folder = "/cloud/aws-iot-logs";
const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);

/** A cloud without sockets, disks or real time, a certificate for it, and what it has logged of its devices. */
async function openWorld() {
  const clock = createVirtualClock();
  const random = createVirtualRandom(1);
  const network = createVirtualNetwork({ clock, random });
  const keys = createVirtualKeys({ random });
  const files = createVirtualFiles();
  const store = createMemoryStore();
  const leaveOut = () => undefined;
  const log = { debug: leaveOut, info: leaveOut, warn: leaveOut, error: leaveOut };
  const wait = <T>(promise: Promise<T>): Promise<T> => clock.untilSettled(promise, { stepMs: 1 });
  const address = (port: number) => ({ host: "localhost", port, optionName: "port" });
  const options = { folder: "/cloud", mqtts: address(8883), https: address(8443), mqtt: address(0) };
  const cloud = await wait(createCloud({ network, clock, random, keys, files, store, log }, options));
  const run: typeof cloud.run = (...args) => wait(cloud.run(...args));
  const { registry } = cloud;
  const created = await run(registry.createKeysAndCertificate, { setAsActive: true });
  const resource = (name: string) => `arn:aws:iot:us-east-1:123456789012:${name}`;
  const Statement = [
    { Effect: "Allow", Action: "*", Resource: "*" },
    { Effect: "Deny", Action: "iot:Connect", Resource: resource("client/stranger") },
    {
      Effect: "Deny",
      Action: ["iot:Publish", "iot:Subscribe"],
      Resource: [resource("topic/no"), resource("topicfilter/no")],
    },
  ];
  const policyDocument = JSON.stringify({ Version: "2012-10-17", Statement });
  await run(registry.createPolicy, { policyName: "p", policyDocument });
  await run(registry.attachPolicy, { policyName: "p", target: created.certificateArn });
  const tls = { ca: cloud.caPem, certificate: created.certificatePem, privateKey: created.keyPair.PrivateKey };
  const connect = async (clientId: string) => {
    const client = mqttOver(await wait(network.dial({ host: "localhost", port: 8883, tls })), clientId);
    const until = async (type: string, count = 1) => {
      while (client.packets.filter((packet) => packet.type === type).length < count) await clock.advance(1);
    };
    return { ...client, until };
  };
  const lines = async () => {
    await clock.advance(10);
    const names = await files.list(folder);
    const texts = await Promise.all(names.map((name) => files.read(`${folder}/${name}`, { bytesMax: 1e6 })));
    return texts
      .flatMap((text) => decode(text).trimEnd().split("\n"))
      .map((line) => JSON.parse(line) as Record<string, string>);
  };
  const set = (given: object) => run(cloud.logging.setV2LoggingOptions, { roleArn, ...given });
  return { clock, cloud, certificateId: created.certificateId, run, wait, files, store, connect, lines, set };
}

type World = Awaited<ReturnType<typeof openWorld>>;

/** What a device does in its life. */
async function live({ connect, wait, clock }: World, clientId = "pump") {
  const device = await connect(clientId);
  await device.until("connack");
  const subscriptions = ["a/b", "no"].map((filter) => ({ filter, qos: 0 as const }));
  device.send({ type: "subscribe", packetId: 1, subscriptions });
  await device.until("suback");
  const payload = new TextEncoder().encode("{}");
  const publish = (topic: string, packetId: number) =>
    device.send({ type: "publish", topic, payload, qos: 1, packetId, isRetained: false, isDuplicate: false });
  publish("a/b", 2);
  await device.until("puback");
  publish("no", 3);
  await device.until("puback", 2);
  publish("$aws/things/pump/shadow/get", 4);
  await device.until("puback", 3);
  publish("$aws/things/pump/jobs/get", 5);
  await device.until("puback", 4);
  device.send({ type: "unsubscribe", packetId: 6, filters: ["a/b"] });
  await device.until("unsuback");
  device.send({ type: "disconnect", reasonCode: 0 });
  await wait(device.closed);
  await clock.advance(1);
}

const typesOf = (lines: readonly Record<string, string>[]) =>
  lines.map(({ eventType, status }) => (status === "Failure" ? `${eventType}!` : eventType));

describe("the log of a cloud", () => {
  test("tells a device's life as AWS does, and nothing while it is off", async () => {
    const world = await openWorld();
    await live(world);
    await assert.rejects(world.run(world.cloud.logging.getV2LoggingOptions, {}), has("LOGGING_NOT_CONFIGURED"));
    assert.deepEqual(await world.files.list(folder), []);
    await world.set({ defaultLogLevel: "DEBUG" });
    await live(world);
    const told = await world.lines();
    assert.deepEqual(typesOf(told), [
      ...["Connect", "Subscribe!", "Subscribe", "Publish-In", "Publish-Out", "Publish-In!", "Publish-In"],
      ...["GetThingShadow!", "Publish-In", "GetPendingJobExecution!", "Publish-Out", "Unsubscribe", "Disconnect"],
    ]);
    const [connected, denied, , published] = told;
    const { timestamp, traceId, ...rest } = connected!;
    assert.match(timestamp!, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{3}$/);
    assert.match(traceId!, /^[0-9a-f-]{36}$/);
    const { sourceIp, sourcePort, ...connect } = rest;
    assert.deepEqual([typeof sourceIp, typeof sourcePort], ["string", "number"]);
    assert.deepEqual(connect, {
      ...{ logLevel: "INFO", accountId: "123456789012", status: "Success", eventType: "Connect", protocol: "MQTT" },
      ...{ clientId: "pump", principalId: world.certificateId },
    });
    assert.deepEqual(
      [denied?.["logLevel"], denied?.["topicName"], denied?.["reason"]],
      ["ERROR", "no", "AUTHORIZATION_FAILURE"],
    );
    assert.deepEqual([published?.["topicName"], published?.["clientId"]], ["a/b", "pump"]);
    assert.equal(
      told.find(({ eventType }) => eventType === "Disconnect")?.["disconnectReason"],
      "CLIENT_INITIATED_DISCONNECT",
    );
    const shadow = told.find(({ eventType }) => eventType === "GetThingShadow");
    assert.deepEqual([shadow?.["deviceShadowName"], shadow?.["reason"]], ["pump", "404"]);
    await world.set({ disableAllLogs: true });
    await live(world);
    assert.equal((await world.lines()).length, told.length);
    await world.wait(world.cloud.close());
  });

  test("goes by the levels of events and resources, at once, and after a reset by nothing", async () => {
    const world = await openWorld();
    const { cloud, run } = world;
    await world.set({ defaultLogLevel: "ERROR" });
    await live(world);
    const errors = ["Subscribe!", "Publish-In!", "GetThingShadow!", "GetPendingJobExecution!"];
    assert.deepEqual(typesOf(await world.lines()), errors);
    await run(cloud.logging.setV2LoggingLevel, {
      ...{ logTarget: { targetType: "CLIENT_ID", targetName: "pump" }, logLevel: "DISABLED" },
    });
    await world.set({ eventConfigurations: [{ eventType: "Disconnect", logLevel: "INFO" }] });
    await live(world);
    assert.deepEqual(typesOf(await world.lines()), [...errors, "Disconnect"]);
    await run(cloud.registry.createThingGroup, { thingGroupName: "plant" });
    await run(cloud.registry.createThingGroup, { thingGroupName: "hall", parentGroupName: "plant" });
    await run(cloud.registry.createThing, { thingName: "pump" });
    await run(cloud.registry.addThingToThingGroup, { thingName: "pump", thingGroupName: "hall" });
    await run(cloud.logging.setV2LoggingLevel, {
      ...{ logTarget: { targetType: "THING_GROUP", targetName: "plant" }, logLevel: "INFO" },
    });
    await live(world);
    await live(world, "other");
    const grouped = ["Connect", "Subscribe!", "Subscribe", "Publish-In", "Publish-Out", "Publish-In!", "Publish-In"];
    assert.deepEqual(typesOf(await world.lines()).slice(errors.length + 1), [
      ...[...grouped, "GetThingShadow!", "Publish-In", "Publish-Out", "Unsubscribe", "Disconnect"],
      ...["Subscribe!", "Publish-In!", "GetThingShadow!", "Disconnect"],
    ]);
    await run(cloud.logging.deleteV2LoggingLevel, { targetType: "THING_GROUP", targetName: "plant" });
    const ungrouped = (await world.lines()).length;
    await live(world);
    assert.deepEqual(typesOf(await world.lines()).slice(ungrouped), ["Disconnect"]);
    const stranger = await world.connect("stranger");
    await world.wait(stranger.closed);
    const last = (await world.lines()).at(-1);
    assert.deepEqual([last?.["eventType"], last?.["status"], last?.["clientId"]], ["Connect", "Failure", "stranger"]);
    await world.wait(cloud.reset());
    const before = (await world.lines()).length;
    await assert.rejects(run(cloud.logging.getV2LoggingOptions, {}), has("LOGGING_NOT_CONFIGURED"));
    await world.wait((await world.connect("stranger")).closed);
    assert.equal((await world.lines()).length, before);
    await world.wait(cloud.close());
  });
});

/** The options alone. */
async function openOptions() {
  const { run, store, ...world } = await openServiceWorld();
  const { operations: logging } = createLoggingService({ ...world, files: createVirtualFiles(), folder: "/cloud" });
  const set = (given: object) => run(logging.setV2LoggingOptions, { roleArn, ...given });
  return { logging, run, store, set };
}

describe("the options of logging", () => {
  test("are set, kept where nothing is given, and told with all events when asked", async () => {
    const { logging, run, set } = await openOptions();
    await assert.rejects(
      run(logging.setV2LoggingOptions, { defaultLogLevel: "INFO" }),
      has("REQUEST_INVALID", /roleArn/),
    );
    await assert.rejects(set({ roleArn: "arn:aws:iam::1:role/x" }), has("REQUEST_INVALID", /roleArn/));
    for (const [, ask] of Object.entries({
      level: () => run(logging.setV2LoggingLevel, { logTarget: { targetType: "DEFAULT" }, logLevel: "INFO" }),
      list: () => run(logging.listV2LoggingLevels, {}),
    })) {
      await assert.rejects(ask(), has("LOGGING_NOT_CONFIGURED"));
    }
    await set({});
    const options = { roleArn, defaultLogLevel: "DISABLED", disableAllLogs: false, eventConfigurations: [] };
    assert.deepEqual(await run(logging.getV2LoggingOptions, {}), options);
    const eventConfigurations = [{ eventType: "Connect", logLevel: "DEBUG" as const, logDestination: "group" }];
    await set({ defaultLogLevel: "WARN", eventConfigurations });
    await set({ disableAllLogs: true });
    await run(logging.setV2LoggingLevel, { logTarget: { targetType: "DEFAULT" }, logLevel: "INFO" });
    const after = { roleArn, defaultLogLevel: "INFO", disableAllLogs: true, eventConfigurations };
    assert.deepEqual(await run(logging.getV2LoggingOptions, {}), after);
    const { eventConfigurations: all = [] } = await run(logging.getV2LoggingOptions, { verbose: true });
    assert.deepEqual(all[0], eventConfigurations[0]);
    assert.ok(all.some(({ eventType, logLevel }) => eventType === "Publish-In" && logLevel === "INFO"));
    assert.equal(new Set(all.map(({ eventType }) => eventType)).size, all.length);
    const many = Array.from({ length: eventConfigurationsMax + 1 }, (_, at) => ({ eventType: `e${at}` }));
    await assert.rejects(set({ eventConfigurations: many }), has("REQUEST_INVALID", /At most 100/));
    await set({ eventConfigurations: many.slice(1) });
    await assert.rejects(
      set({ eventConfigurations: [...eventConfigurations, ...eventConfigurations] }),
      has("REQUEST_INVALID", /twice/),
    );
    // The first version of logging has options of its own.
    assert.deepEqual(await run(logging.getLoggingOptions, {}), { logLevel: "DISABLED" });
    await run(logging.setLoggingOptions, { loggingOptionsPayload: { roleArn, logLevel: "ERROR" } });
    assert.deepEqual(await run(logging.getLoggingOptions, {}), { roleArn, logLevel: "ERROR" });
  });

  test("levels of resources are set, changed, listed by pages and deleted, up to logLevelsMax", async () => {
    const { logging, run, set, store } = await openOptions();
    await set({});
    const level = (targetType: "CLIENT_ID" | "THING_GROUP", targetName: string, logLevel: "INFO" | "DEBUG") =>
      run(logging.setV2LoggingLevel, { logTarget: { targetType, targetName }, logLevel });
    for (const name of ["", "a*", "n".repeat(129)]) {
      await assert.rejects(level("CLIENT_ID", name, "INFO"), has("REQUEST_INVALID", /targetName/));
    }
    const named = { targetType: "DEFAULT", targetName: "x" } as const;
    await assert.rejects(
      run(logging.setV2LoggingLevel, { logTarget: named, logLevel: "INFO" }),
      has("REQUEST_INVALID"),
    );
    for (let at = 0; at < 3; at++) await level("CLIENT_ID", `c${at}`, "INFO");
    await level("CLIENT_ID", "c1", "DEBUG");
    await level("THING_GROUP", "g", "INFO");
    const list = async (targetType?: "CLIENT_ID" | "DEFAULT") => {
      const found: string[] = [];
      let nextToken: string | undefined;
      do {
        const page = await run(logging.listV2LoggingLevels, { targetType, nextToken, maxResults: 2 });
        for (const { logTarget, logLevel } of page.logTargetConfigurations ?? []) {
          found.push(`${logTarget?.targetType} ${logTarget?.targetName} ${logLevel}`);
        }
        nextToken = page.nextToken;
      } while (nextToken !== undefined);
      return found;
    };
    const clients = ["CLIENT_ID c0 INFO", "CLIENT_ID c1 DEBUG", "CLIENT_ID c2 INFO"];
    assert.deepEqual(await list(), [...clients, "THING_GROUP g INFO"]);
    assert.deepEqual(await list("CLIENT_ID"), clients);
    assert.deepEqual(await list("DEFAULT"), []);
    await run(logging.deleteV2LoggingLevel, { targetType: "CLIENT_ID", targetName: "c1" });
    await run(logging.deleteV2LoggingLevel, { targetType: "CLIENT_ID", targetName: "c1" });
    assert.deepEqual(await list("CLIENT_ID"), [clients[0], clients[2]]);
    await assert.rejects(
      run(logging.deleteV2LoggingLevel, { targetType: "DEFAULT", targetName: "" }),
      has("REQUEST_INVALID", /DEFAULT/),
    );
    const others = Array.from({ length: logLevelsMax - 3 }, (_, at) => `g${at}`);
    await store.commit(
      others.map((name) => ({ key: loggingKeys.level(scope, "THING_GROUP", name), value: { logLevel: "INFO" } })),
    );
    await assert.rejects(level("THING_GROUP", "more", "INFO"), has("QUOTA_EXCEEDED", new RegExp(String(logLevelsMax))));
    await level("THING_GROUP", "g", "DEBUG");
  });

  test("two that are changed at once are both changed, and no level is one too many", async () => {
    const { logging, run, set, store } = await openOptions();
    await set({ defaultLogLevel: "ERROR" });
    interrupt(store, loggingKeys.options(scope), () => set({ disableAllLogs: true }));
    await run(logging.setV2LoggingLevel, { logTarget: { targetType: "DEFAULT" }, logLevel: "INFO" });
    const { defaultLogLevel, disableAllLogs } = await run(logging.getV2LoggingOptions, {});
    assert.deepEqual([defaultLogLevel, disableAllLogs], ["INFO", true]);

    const others = Array.from({ length: logLevelsMax - 1 }, (_, at) => loggingKeys.level(scope, "CLIENT_ID", `c${at}`));
    await store.commit(others.map((key) => ({ key, value: { logLevel: "INFO" } })));
    const add = (targetName: string) =>
      run(logging.setV2LoggingLevel, { logTarget: { targetType: "THING_GROUP", targetName }, logLevel: "INFO" });
    interrupt(store, loggingKeys.level(scope, "THING_GROUP", "a"), () => add("b"));
    await assert.rejects(add("a"), has("QUOTA_EXCEEDED"));
  });

  test("the first version's level holds until there are options of the second", () => {
    const first = { roleArn, logLevel: "INFO" as const };
    const subject = { eventType: "Connect" };
    assert.equal(new LogLevels({ options: undefined, first, levels: [] }).of(subject, []), 3);
    const options = { roleArn, defaultLogLevel: "ERROR" as const, disableAllLogs: false, eventConfigurations: [] };
    assert.equal(new LogLevels({ options, first, levels: [] }).of(subject, []), 1);
    const off = new LogLevels({ options: { ...options, disableAllLogs: true }, first, levels: [] });
    assert.deepEqual([off.verbosity, off.of(subject, [])], [0, 0]);
  });

  test("of several levels for one subject the most talkative counts", () => {
    const options = { roleArn, defaultLogLevel: "WARN" as const, disableAllLogs: false, eventConfigurations: [] };
    const levels: LoggingConfiguration["levels"] = [
      { type: "CLIENT_ID", name: "c", logLevel: "ERROR" },
      { type: "SOURCE_IP", name: "10.0.0.1", logLevel: "INFO" },
      { type: "PRINCIPAL_ID", name: "p", logLevel: "DISABLED" },
      { type: "THING_GROUP", name: "g", logLevel: "DEBUG" },
    ];
    const of = new LogLevels({ options, first: undefined, levels });
    const eventType = "Connect";
    assert.equal(of.of({ eventType, clientId: "other" }, []), 2);
    assert.equal(of.of({ eventType, clientId: "c" }, []), 1);
    assert.equal(of.of({ eventType, clientId: "c", sourceIp: "10.0.0.1", principalId: "p" }, []), 3);
    assert.equal(of.of({ eventType, principalId: "p" }, []), 0);
    assert.equal(of.of({ eventType, principalId: "p" }, ["x", "g"]), 4);
    assert.equal(of.verbosity, 4);
  });
});

describe("lines", () => {
  const facts = { nowMs: Date.UTC(2026, 0, 2, 3, 4, 5, 6), traceId: "t", accountId: "1" };

  test("have AWS's members, and one each however they are", () => {
    assert.equal(formatTime(facts.nowMs), "2026-01-02 03:04:05.006");
    const entry = { level: "INFO", eventType: "Queued", topicName: 'a\n"b', more: { qos: "1" } } as const;
    const line = formatLine(entry, facts);
    assert.equal(line.split("\n").length, 2);
    assert.deepEqual(JSON.parse(line), {
      ...{ timestamp: "2026-01-02 03:04:05.006", logLevel: "INFO", traceId: "t", accountId: "1", status: "Success" },
      ...{ eventType: "Queued", topicName: 'a\n"b', qos: "1" },
    });
  });

  test("have texts of logTextCharactersMax characters at most", () => {
    for (const more of [0, 1]) {
      const details = "x".repeat(logTextCharactersMax + more);
      const line = JSON.parse(formatLine({ level: "ERROR", eventType: "Connect", details }, facts)) as {
        details: string;
      };
      assert.equal(line.details.length, logTextCharactersMax + (more === 0 ? 0 : 3));
    }
  });
});

describe("the files of the log", () => {
  function openFiles() {
    const files = createVirtualFiles();
    const told: string[] = [];
    const note = (event: string, facts = {}) => void told.push(`${event} ${JSON.stringify(facts)}`);
    const log: Log = { debug: note, info: note, warn: note, error: note };
    const sizes = async () =>
      Promise.all(
        (await files.list(folder)).map(async (name): Promise<[string, number]> => {
          const { length } = await files.read(`${folder}/${name}`, { bytesMax: 2 * iotLogFileBytesMax });
          return [name, length];
        }),
      );
    return { files, log, told, sizes, open: () => new LogFiles({ files, folder: "/cloud", log }) };
  }

  test("have iotLogFileBytesMax bytes at most, and there are iotLogFilesMax of them", async () => {
    const { open, sizes } = openFiles();
    const half = `${"x".repeat(iotLogFileBytesMax / 2 - 1)}\n`;
    let written = open();
    for (let count = 0; count < 2 * iotLogFilesMax; count++) {
      written.add(half);
      await written.idle();
      // As after a restart: the newest one goes on.
      if (count === 2) written = open();
    }
    const full = Array.from({ length: iotLogFilesMax }, (_, at) => [nameOfIotLog(at + 1), iotLogFileBytesMax]);
    assert.deepEqual(await sizes(), full);
    written.add("y");
    await written.idle();
    assert.deepEqual(await sizes(), [...full.slice(1), [nameOfIotLog(iotLogFilesMax + 1), 1]]);
    assert.deepEqual([numberOfIotLog(nameOfIotLog(7)), numberOfIotLog("other.log")], [7, undefined]);
  });

  test("half a line that a crash left spoils no other", async () => {
    const { files, open } = openFiles();
    const path = `${folder}/${nameOfIotLog(1)}`;
    await files.makeFolder(folder);
    await files.append(path, new TextEncoder().encode('{"whole":1}\n{"half'));
    const written = open();
    for (const line of ['{"next":1}\n', '{"last":1}\n']) {
      written.add(line);
      await written.idle();
    }
    const text = decode(await files.read(path, { bytesMax: 1_000 }));
    assert.equal(text, '{"whole":1}\n{"half\n{"next":1}\n{"last":1}\n');
  });

  test("what a disk cannot take is dropped beyond iotLogWaitingBytesMax, and told", async () => {
    const { open, sizes, told } = openFiles();
    const written = open();
    const quarter = "x".repeat(iotLogWaitingBytesMax / 4);
    for (let count = 0; count < 4; count++) written.add(quarter);
    for (let count = 0; count < 3; count++) written.add("y");
    await written.idle();
    assert.deepEqual(await sizes(), [[nameOfIotLog(1), iotLogWaitingBytesMax]]);
    assert.deepEqual(told, ['limitHit {"limit":"iotLogWaitingBytesMax","dropped":3}']);
  });

  test("a disk that fails costs the lines, and nothing else", async () => {
    const { files, log, told } = openFiles();
    let isBroken = true;
    const append: typeof files.append = async (path, content) => {
      if (isBroken) throw new ThinglineError("FILE_UNREADABLE", "no room");
      return files.append(path, content);
    };
    const broken = {
      append,
      list: files.list.bind(files),
      makeFolder: files.makeFolder.bind(files),
      read: files.read.bind(files),
      remove: files.remove.bind(files),
    };
    const written = new LogFiles({ files: broken, folder: "/cloud", log });
    written.add("lost\n");
    await written.idle();
    isBroken = false;
    written.add("kept\n");
    await written.idle();
    assert.equal(decode(await files.read(`${folder}/${nameOfIotLog(1)}`, { bytesMax: 100 })), "kept\n");
    assert.match(told.join(), /iotLogFailed/);
  });
});

describe("entries of things in groups", () => {
  const configuration: LoggingConfiguration = {
    options: { roleArn, defaultLogLevel: "DISABLED", disableAllLogs: false, eventConfigurations: [] },
    first: undefined,
    levels: [{ type: "THING_GROUP", name: "g", logLevel: "INFO" }],
  };

  function openLog(groupsOf: (thingName: string) => Promise<readonly string[]>) {
    const clock = createVirtualClock();
    const lines: string[] = [];
    const told: string[] = [];
    const note = (event: string, facts = {}) => void told.push(`${event} ${JSON.stringify(facts)}`);
    const live = new LiveLog({
      ...{ clock, random: createVirtualRandom(1), log: { debug: note, info: note, warn: note, error: note } },
      files: {
        add: (line) => void lines.push((JSON.parse(line) as { clientId: string }).clientId),
        idle: async () => {},
      },
    });
    const open = () => live.open({ accountId: "1", readConfiguration: async () => configuration, groupsOf });
    const say = (clientId: string) => live.write({ level: "INFO", eventType: "Connect", clientId });
    return { clock, lines, told, live, open, say };
  }

  test("wait for the groups in their order, which are asked for once in a while", async () => {
    const asked: string[] = [];
    const { clock, lines, live, open, say } = openLog(async (name) => {
      asked.push(name);
      return name === "out" ? [] : ["g"];
    });
    await open();
    for (const name of ["a", "out", "b", "a"]) say(name);
    assert.deepEqual(lines, []);
    await live.idle();
    assert.deepEqual(
      [lines, asked],
      [
        ["a", "b", "a"],
        ["a", "out", "b"],
      ],
    );
    say("a");
    assert.equal(lines.length, 4);
    await clock.advance(groupsKeptMs);
    say("a");
    await live.idle();
    assert.deepEqual([lines.length, asked.length], [5, 4]);
  });

  test("go by the configuration that was asked for last, however long an earlier answer takes", async () => {
    const { live, lines, say, open } = openLog(async () => []);
    await open();
    const answers: ((configuration: LoggingConfiguration) => void)[] = [];
    const readConfiguration = () => new Promise<LoggingConfiguration>((resolve) => answers.push(resolve));
    const opened = live.open({ accountId: "1", readConfiguration, groupsOf: async () => [] });
    const read = live.read();
    const all = { ...configuration.options!, defaultLogLevel: "INFO" as const };
    while (answers.length === 0) await Promise.resolve();
    const settled = Promise.all([opened, read]);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    // The one that was asked for last is answered first, if both are asked for.
    answers[1]?.({ options: all, first: undefined, levels: [] });
    answers[0]!(configuration);
    for (let turn = 0; turn < 10; turn++) await Promise.resolve();
    answers[1]?.({ options: all, first: undefined, levels: [] });
    await settled;
    say("pump");
    await live.idle();
    assert.deepEqual(lines, ["pump"]);
  });

  test("the groups of rememberedGroupsMax clients are remembered, and of one more only with another forgotten", async () => {
    let asked = 0;
    const { live, open, say } = openLog(async () => {
      asked++;
      return [];
    });
    await open();
    const sayAll = async (count: number) => {
      for (let at = 0; at < count; at++) say(`c${at}`);
      await live.idle();
      return asked;
    };
    assert.equal(await sayAll(rememberedGroupsMax), rememberedGroupsMax);
    assert.equal(await sayAll(rememberedGroupsMax), rememberedGroupsMax);
    say("more");
    await live.idle();
    assert.ok((await sayAll(rememberedGroupsMax)) > rememberedGroupsMax + 1);
  });

  test("are at most waitingEntriesMax, and those beyond are dropped and told", async () => {
    const { lines, told, live, open, say } = openLog(async () => ["g"]);
    await open();
    for (let count = 0; count < waitingEntriesMax + 2; count++) say("a");
    await live.idle();
    assert.equal(lines.length, waitingEntriesMax);
    assert.deepEqual(told, ['limitHit {"limit":"waitingEntriesMax","dropped":2}']);
  });
});

test("a node that did not set it itself goes by what is set when it is told", async () => {
  const world = await openServiceWorld();
  const open = async () => {
    const service = createLoggingService({ ...world, files: createVirtualFiles(), folder: "/cloud" });
    await service.onOpen?.(scope, world.runner);
    return service;
  };
  const [one, other] = [await open(), await open()];
  await world.run(one.operations.setV2LoggingOptions, { roleArn, defaultLogLevel: "INFO" });
  assert.deepEqual([one.iotLog.verbosity, other.iotLog.verbosity], [verbosityOf.INFO, 0]);
  await other.onRefresh?.({ ...scope, account: "999999999999" }, world.runner);
  assert.equal(other.iotLog.verbosity, 0);
  await other.onRefresh?.(scope, world.runner);
  assert.equal(other.iotLog.verbosity, verbosityOf.INFO);
});

test("every change of what is logged tells the other nodes", async () => {
  const told: string[] = [];
  const world = await openServiceWorld({ isStarted: false });
  await world.runner.start({
    performer: {
      ...{ publish: async () => undefined, disconnect: async () => undefined, recheckPrincipal: async () => undefined },
      refresh: async (_, { service }) => void told.push(service),
    },
    wakeHandlers: new Map(),
  });
  const { operations: logging } = createLoggingService({ ...world, files: createVirtualFiles(), folder: "/cloud" });
  const logTarget = { targetType: "CLIENT_ID", targetName: "c" } as const;
  await world.run(logging.setV2LoggingOptions, { roleArn, defaultLogLevel: "INFO" });
  await world.run(logging.setLoggingOptions, { loggingOptionsPayload: { roleArn, logLevel: "INFO" } });
  await world.run(logging.setV2LoggingLevel, { logTarget, logLevel: "DEBUG" });
  await world.run(logging.deleteV2LoggingLevel, logTarget);
  await world.runner.idle();
  assert.deepEqual(told, ["logging", "logging", "logging", "logging"]);
});
