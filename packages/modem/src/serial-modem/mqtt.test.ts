import assert from "node:assert/strict";
import { test } from "node:test";
import { ThinglineError } from "@thingline/protocol";
import type { QoS } from "@thingline/protocol/mqtt";
import { highWaterBytes } from "@thingline/transport";
import { dataModeBufferBytes } from "./data-mode-driver.js";
import type { SerialModemDialect } from "./dialect.js";
import { mqttBufferBytesMax, mqttPayloadBytesMax } from "./mqtt-client.js";
import {
  mqttClientIdBytesMax,
  mqttHostBytesMax,
  mqttKeepAliveSecondsDefault,
  mqttLoginBytesMax,
  mqttMessageBytesMax,
  mqttTopicBytesMax,
  nextId,
} from "./mqtt.js";
import { defaultSendTimeoutSeconds } from "./socket.js";
import { latin1, makePeerWorld } from "./peers.test.support.js";
import type { SerialModemWorldOptions } from "./world.test.support.js";

const ok = "\r\nOK\r\n";
const error = "\r\nERROR\r\n";

/** Each way of connecting: which build, and what is sent for a client `id` without a login. */
const builds: [name: string, options: SerialModemWorldOptions, commands: string[]][] = [
  ["slm-1.x", { dialect: "slm-1.x" }, ['AT#XMQTTCON=1,"id","","","broker",1883']],
  ["slm-2.x 2.5.0", { dialect: "slm-2.x", version: "2.5.0" }, ['AT#XMQTTCON=1,"id","","","broker",1883']],
  ["slm-2.x 2.9.0", { dialect: "slm-2.x", version: "2.9.0" }, newWay()],
  ["serialModem", { dialect: "serialModem" }, newWay()],
];

function newWay(): string[] {
  return ['AT#XMQTTCFG="id"', 'AT#XMQTTCON=1,"","","broker",1883'];
}

async function connect(options: SerialModemWorldOptions = {}, commands: string[] = newWay()) {
  const world = await makePeerWorld(options);
  for (const command of commands) assert.equal(await world.at(command), ok, command);
  const broker = world.broker();
  const [packet] = broker.take();
  broker.send({ type: "connack", isSessionPresent: false, reasonCode: 0 });
  await world.clock.settle();
  assert.equal(world.take(), "\r\n#XMQTTEVT: 0,0\r\n");
  return { ...world, broker, packet };
}

for (const [name, options, commands] of builds) {
  test(`${name}: connects, tells its state, and disconnects`, async () => {
    const { at, broker, packet, clock, take } = await connect(options, commands);
    assert.deepEqual(packet, {
      type: "connect",
      version: 4,
      clientId: "id",
      isCleanStart: false,
      keepAliveSeconds: mqttKeepAliveSecondsDefault,
    });
    assert.equal(await at("AT#XMQTTCON?"), `\r\n#XMQTTCON: 1,"id","broker",1883\r\n${ok}`);
    for (const command of commands) assert.equal(await at(command), error, "it is connected already");
    const event = "\r\n#XMQTTEVT: 1,0\r\n";
    assert.equal(await at("AT#XMQTTCON=0"), options.dialect === "serialModem" ? `${ok}${event}` : `${event}${ok}`);
    assert.deepEqual(broker.take(), [{ type: "disconnect", reasonCode: 0 }]);
    assert.equal(broker.peer.closedBy, "closed");
    assert.equal(await at("AT#XMQTTCON?"), `\r\n#XMQTTCON: 0\r\n${ok}`);
    assert.equal(await at("AT#XMQTTCON=0"), error);
    await clock.advance(600_000);
    assert.equal(take(), "");
  });

  test(`${name}: says what its commands take`, async () => {
    const { at } = await connect(options, commands);
    const clientId = commands.length === 1 ? "<client_id>," : "";
    assert.equal(
      await at("AT#XMQTTCON=?"),
      `\r\n#XMQTTCON: (0,1,2),${clientId}<username>,<password>,<url>,<port>,<sec_tag>\r\n${ok}`,
    );
    assert.equal(await at("AT#XMQTTSUB=?"), `\r\n#XMQTTSUB: <topic>,(0,1,2)\r\n${ok}`);
    assert.equal(await at("AT#XMQTTUNSUB=?"), `\r\n#XMQTTUNSUB: <topic>\r\n${ok}`);
    assert.equal(await at("AT#XMQTTPUB=?"), `\r\n#XMQTTPUB: <topic>,<msg>,(0,1,2),(0,1)\r\n${ok}`);
    const configuration = "\r\n#XMQTTCFG: <client_id>,<keep_alive>,<clean_session>\r\n";
    assert.equal(await at("AT#XMQTTCFG=?"), commands.length === 1 ? error : `${configuration}${ok}`);
  });
}

test("login, family and security tag go where they belong", async () => {
  const { at, peers, broker, modem } = await makePeerWorld({ dialect: "slm-1.x" });
  assert.equal(await at('AT#XMQTTCON=2,"id","user","secret","broker",1883'), ok);
  assert.equal(peers[0]?.target.family, 6);
  assert.deepEqual(broker().take(), [
    {
      type: "connect",
      version: 4,
      clientId: "id",
      isCleanStart: false,
      keepAliveSeconds: 60,
      username: "user",
      password: latin1("secret"),
    },
  ]);
  assert.equal(await at('AT#XMQTTCON=1,"id","","","broker",8883,42'), error, "one at a time");
  await modem.close();
});

test("a password without a user name is not sent, and a tag without credentials is an error", async () => {
  const { at, broker } = await makePeerWorld();
  assert.equal(await at('AT#XMQTTCON=1,"","","broker",8883,42'), error);
  assert.equal(await at("AT#XMQTTCON?"), `\r\n#XMQTTCON: 0\r\n${ok}`);
  assert.equal(await at('AT#XMQTTCON=1,"","secret","broker",1883'), ok);
  const [packet] = broker().take();
  assert.deepEqual(packet, {
    type: "connect",
    version: 4,
    clientId: "sm_default_client_id",
    isCleanStart: false,
    keepAliveSeconds: 60,
  });
});

test("a configuration is kept until a restart, and not changed while connected", async () => {
  const { at, broker, clock, take } = await makePeerWorld();
  assert.equal(await at("AT#XMQTTCFG?"), `\r\n#XMQTTCFG: "sm_default_client_id",60,0\r\n${ok}`);
  assert.equal(await at('AT#XMQTTCFG="other",300,1'), ok);
  assert.equal(await at("AT#XMQTTCFG?"), `\r\n#XMQTTCFG: "other",300,1\r\n${ok}`);
  assert.equal(await at('AT#XMQTTCON=1,"","","broker",1883'), ok);
  assert.deepEqual(broker().take(), [
    { type: "connect", version: 4, clientId: "other", isCleanStart: true, keepAliveSeconds: 300 },
  ]);
  assert.equal(await at('AT#XMQTTCFG="third"'), error);
  assert.equal(await at("AT#XRESET"), ok);
  await clock.advance(1000);
  assert.match(take(), /Ready\r\n$/);
  assert.equal(broker().peer.closedBy !== undefined, true);
  assert.equal(await at("AT#XMQTTCFG?"), `\r\n#XMQTTCFG: "sm_default_client_id",60,0\r\n${ok}`);
});

test("a broker that refuses is told with its code, and then the end", async () => {
  const { at, broker, clock, take } = await makePeerWorld();
  assert.equal(await at('AT#XMQTTCON=1,"","","broker",1883'), ok);
  broker().send({ type: "connack", isSessionPresent: false, reasonCode: 5 });
  await clock.settle();
  assert.equal(take(), "\r\n#XMQTTEVT: 0,5\r\n\r\n#XMQTTEVT: 1,-111\r\n");
  assert.equal(await at("AT#XMQTTCON?"), `\r\n#XMQTTCON: 0\r\n${ok}`);
});

test("a network that does not lead there is an ERROR", async () => {
  const { at, refuseDials, take } = await makePeerWorld();
  for (const code of ["CONNECTION_REFUSED", "HOST_NOT_FOUND", "TIMEOUT", "TLS_HANDSHAKE_FAILED"] as const) {
    refuseDials(new ThinglineError(code, "no"));
    assert.equal(await at('AT#XMQTTCON=1,"","","broker",1883'), error, code);
  }
  assert.equal(take(), "");
});

test("the broker's end of the connection is event 1 with a negative number", async () => {
  const ends: [end: "close" | "reset", event: string][] = [
    ["close", "\r\n#XMQTTEVT: 1,-128\r\n"],
    ["reset", "\r\n#XMQTTEVT: 1,-104\r\n"],
  ];
  for (const [end, event] of ends) {
    const { broker, clock, take, at } = await connect();
    broker.peer[end]();
    await clock.settle();
    assert.equal(take(), event);
    assert.equal(await at('AT#XMQTTPUB="a","b"'), error);
    assert.equal(await at('AT#XMQTTCON=1,"","","broker",1883'), ok, "it does not come back by itself");
  }
});

test("the link's end is the broker's end", async () => {
  const { modem, clock, take } = await connect();
  modem.setConditions({ hasCoverage: false });
  await clock.advance(120_000);
  assert.match(take(), /\r\n#XMQTTEVT: 1,-104\r\n/);
});

test("subscribes and unsubscribes, with identifiers of their own", async () => {
  const { at, broker, clock, take } = await connect();
  assert.equal(await at('AT#XMQTTSUB="a/+",1'), ok);
  assert.equal(await at('AT#XMQTTUNSUB="a/+"'), ok);
  assert.deepEqual(broker.take(), [
    { type: "subscribe", packetId: 1, subscriptions: [{ filter: "a/+", qos: 1 }] },
    { type: "unsubscribe", packetId: 2, filters: ["a/+"] },
  ]);
  broker.send({ type: "suback", packetId: 1, reasonCodes: [0x80] });
  broker.send({ type: "unsuback", packetId: 2, reasonCodes: [] });
  await clock.settle();
  // What was granted is not told.
  assert.equal(take(), "\r\n#XMQTTEVT: 7,0\r\n\r\n#XMQTTEVT: 8,0\r\n");
});

test("identifiers of packets begin again before the last one", () => {
  assert.deepEqual([0, 1, 65_533, 65_534].map(nextId), [1, 2, 65_534, 1]);
});

test("publishes with each quality of service, and acknowledges what is to be acknowledged", async () => {
  const { at, broker, clock, take } = await connect();
  assert.equal(await at('AT#XMQTTPUB="t","zero"'), ok);
  assert.equal(await at('AT#XMQTTPUB="t","one",1,1'), ok);
  assert.equal(await at('AT#XMQTTPUB="t","two",2,0'), ok);
  const publish = { type: "publish", topic: "t", isDuplicate: false } as const;
  assert.deepEqual(
    broker.take().map((packet) => ({ ...packet, ...("payload" in packet && { payload: packet.payload.slice() }) })),
    [
      { ...publish, payload: latin1("zero"), qos: 0, isRetained: false, packetId: undefined },
      { ...publish, payload: latin1("one"), qos: 1, isRetained: true, packetId: 2 },
      { ...publish, payload: latin1("two"), qos: 2, isRetained: false, packetId: 3 },
    ].map(({ packetId, ...rest }) => (packetId === undefined ? rest : { ...rest, packetId })),
  );
  broker.send({ type: "puback", packetId: 2, reasonCode: 0 });
  broker.send({ type: "pubrec", packetId: 3, reasonCode: 0 });
  await clock.settle();
  assert.equal(take(), "\r\n#XMQTTEVT: 3,0\r\n\r\n#XMQTTEVT: 4,0\r\n");
  assert.deepEqual(broker.take(), [{ type: "pubrel", packetId: 3, reasonCode: 0 }]);
  broker.send({ type: "pubcomp", packetId: 3, reasonCode: 0 });
  await clock.settle();
  assert.equal(take(), "\r\n#XMQTTEVT: 6,0\r\n");
});

test("a message is framed by its lengths, whatever is in it", async () => {
  const { broker, clock, take } = await connect();
  const payload = latin1("line\r\nOK\r\n#XMQTTEVT: 2,0\r\n\0\xff");
  const message = { type: "publish", topic: "grün", payload, isRetained: false, isDuplicate: false } as const;
  const lines = `\r\n#XMQTTMSG: 5,${payload.length}\r\ngr\xc3\xbcn\r\nline\r\nOK\r\n#XMQTTEVT: 2,0\r\n\0\xff\r\n\r\n#XMQTTEVT: 2,0\r\n`;
  for (const qos of [0, 1, 2] as QoS[]) {
    broker.send({ ...message, qos, ...(qos > 0 && { packetId: 7 }) });
    await clock.settle();
    assert.equal(take(), lines);
    const answers = [[], ["puback"], ["pubrec"]][qos];
    assert.deepEqual(
      broker.take().map(({ type }) => type),
      answers,
    );
  }
  broker.send({ type: "pubrel", packetId: 7, reasonCode: 0 });
  await clock.settle();
  assert.equal(take(), "\r\n#XMQTTEVT: 5,0\r\n");
  assert.deepEqual(broker.take(), [{ type: "pubcomp", packetId: 7, reasonCode: 0 }]);
});

test("each burst of data mode is a message, and a pause makes two of one", async () => {
  for (const dialect of ["slm-1.x", "serialModem"] as SerialModemDialect[]) {
    const commands = dialect === "slm-1.x" ? ['AT#XMQTTCON=1,"id","","","broker",1883'] : newWay();
    const { at, send, broker, clock, take } = await connect({ dialect }, commands);
    assert.equal(await at('AT#XMQTTPUB="t","",1,0'), ok);
    let came = await send('{"a":');
    await clock.advance(100);
    came += await send("1}+++");
    await clock.advance(100);
    assert.equal(`${came}${take()}`, "\r\n#XDATAMODE: 0\r\n", dialect);
    const packets = broker.take();
    assert.deepEqual(
      packets.map((packet) => packet.type === "publish" && [String.fromCharCode(...packet.payload), packet.packetId]),
      [
        ['{"a":', 1],
        ["1}", 1],
      ],
    );
  }
});

test("data mode ends with an error when the broker is gone", async () => {
  const { at, send, broker, clock, take } = await connect({ dialect: "slm-2.x", version: "2.9.0" });
  assert.equal(await at('AT#XMQTTPUB="t"'), ok);
  broker.peer.close();
  await clock.settle();
  take();
  await send("payload");
  await clock.advance(100);
  assert.match(take(), /#XDATAMODE: -128\r\n$/);
});

test("keep alive: a ping after silence of our own, told when it is answered", async () => {
  const { at, broker, clock, take } = await connect();
  await clock.advance(30_000);
  assert.equal(await at('AT#XMQTTPUB="t","x"'), ok);
  await clock.advance(59_000);
  assert.deepEqual(
    broker.take().map(({ type }) => type),
    ["publish"],
  );
  await clock.advance(2_000);
  assert.deepEqual(broker.take(), [{ type: "pingreq" }]);
  broker.send({ type: "pingresp" });
  await clock.settle();
  assert.equal(take(), "\r\n#XMQTTEVT: 9,0\r\n");
  // Two pings without an answer are noticed with the next byte that comes.
  await clock.advance(121_000);
  assert.equal(broker.take().length, 2);
  assert.equal(take(), "");
  broker.send({ type: "puback", packetId: 1, reasonCode: 0 });
  await clock.settle();
  assert.equal(take(), "\r\n#XMQTTEVT: 3,0\r\n\r\n#XMQTTEVT: 1,-113\r\n");
});

test("keep alive 0 pings never, and a broker that does not answer CONNECT is given up after one", async () => {
  const off = await connect({}, ['AT#XMQTTCFG="id",0', 'AT#XMQTTCON=1,"","","broker",1883']);
  await off.clock.advance(3_600_000);
  assert.deepEqual(off.broker.take(), []);
  const { at, clock, take } = await makePeerWorld();
  assert.equal(await at('AT#XMQTTCON=1,"","","broker",1883'), ok);
  assert.equal(await at('AT#XMQTTPUB="t","x"'), error, "no CONNACK");
  assert.equal(await at("AT#XMQTTCON=0"), error);
  await clock.advance(61_000);
  assert.equal(take(), "\r\n#XMQTTEVT: 1,-113\r\n");
});

test("what is no MQTT, and a packet out of place, end the connection", async () => {
  const faults: Uint8Array[] = [
    Uint8Array.from([0xff, 0xff]),
    Uint8Array.from([0x20, 2, 0, 0]),
    Uint8Array.from([0x30, 3, 0, 5, 65]),
  ];
  for (const fault of faults) {
    const { broker, clock, take } = await connect();
    broker.peer.send(fault);
    await clock.settle();
    assert.equal(take(), "\r\n#XMQTTEVT: 1,-22\r\n");
  }
  const { at, broker, clock, take } = await makePeerWorld();
  await at('AT#XMQTTCON=1,"","","broker",1883');
  broker().send({ type: "pingresp" });
  await clock.settle();
  assert.equal(take(), "\r\n#XMQTTEVT: 1,-22\r\n");
});

test("a topic and a payload that do not fit into the buffers end the connection", async () => {
  const message = { type: "publish", qos: 0, isRetained: false, isDuplicate: false } as const;
  const topicBytes = mqttBufferBytesMax - 9;
  const fits = await connect();
  fits.broker.send({ ...message, topic: "t".repeat(topicBytes), payload: new Uint8Array(mqttPayloadBytesMax) });
  await fits.clock.settle();
  assert.equal(fits.take().length, topicBytes + mqttPayloadBytesMax + 46);
  fits.broker.send({ ...message, topic: "t".repeat(topicBytes + 1), payload: new Uint8Array(1) });
  await fits.clock.settle();
  assert.equal(fits.take(), "\r\n#XMQTTEVT: 1,-12\r\n");
  const large = await connect();
  large.broker.send({ ...message, topic: "t", payload: new Uint8Array(mqttPayloadBytesMax + 1) });
  await large.clock.settle();
  assert.equal(large.take(), "\r\n#XMQTTEVT: 1,-122\r\n");
});

test("texts go to their limits, and one byte beyond is an ERROR", async () => {
  const world = await connect({ dialect: "slm-2.x", version: "2.9.0" });
  const { at } = world;
  const long = (bytes: number) => "x".repeat(bytes);
  const topics: [command: string, bytes: number][] = [
    ['AT#XMQTTSUB="#",0', mqttTopicBytesMax],
    ['AT#XMQTTUNSUB="#"', mqttTopicBytesMax],
    ['AT#XMQTTPUB="#","m"', mqttTopicBytesMax],
    ['AT#XMQTTPUB="t","#"', mqttMessageBytesMax["slm-2.x"]],
  ];
  for (const [command, bytes] of topics) {
    assert.equal(await at(command.replace(/"#"/, `"${long(bytes)}"`)), ok, command);
    assert.equal(await at(command.replace(/"#"/, `"${long(bytes + 1)}"`)), error, command);
  }
  const first = await connect({ dialect: "slm-1.x" }, ['AT#XMQTTCON=1,"id","","","broker",1883']);
  assert.equal(await first.at(`AT#XMQTTPUB="t","${long(mqttMessageBytesMax["slm-1.x"])}"`), ok);
  assert.equal(await first.at(`AT#XMQTTPUB="t","${long(mqttMessageBytesMax["slm-1.x"] + 1)}"`), error);
  const connects: [index: number, bytes: number][] = [
    [0, mqttClientIdBytesMax],
    [1, mqttLoginBytesMax],
    [2, mqttLoginBytesMax],
    [3, mqttHostBytesMax],
  ];
  for (const [index, bytes] of connects) {
    for (const [length, answer] of [
      [bytes + 1, error],
      [bytes, ok],
    ] as const) {
      const { at: atNew } = await makePeerWorld({ dialect: "slm-1.x" });
      const texts = ["id", "user", "secret", "broker"].map((text, at0) => (at0 === index ? long(length) : text));
      assert.equal(await atNew(`AT#XMQTTCON=1,${texts.map((text) => `"${text}"`).join(",")},1883`), answer);
    }
  }
  const { at: atConfigure } = await makePeerWorld();
  assert.equal(await atConfigure(`AT#XMQTTCFG="${long(mqttClientIdBytesMax)}"`), ok);
  assert.equal(await atConfigure(`AT#XMQTTCFG="${long(mqttClientIdBytesMax + 1)}"`), error);
});

test("a message waits for a host that has not taken what came before, and the broker with it", async () => {
  const { broker, clock, take, port } = await connect();
  const message = { type: "publish", qos: 1, isRetained: false, isDuplicate: false } as const;
  port.pause();
  for (let packetId = 1; packetId <= 20; packetId++) {
    broker.send({ ...message, topic: "t", payload: new Uint8Array(2_000), packetId });
  }
  await clock.settle();
  const acknowledged = broker.take().length;
  assert.ok(acknowledged < 10, `${acknowledged} of 20`);
  port.resume();
  await clock.settle();
  assert.equal(take().split("#XMQTTMSG").length - 1, 20);
  assert.equal(broker.take().length + acknowledged, 20);
});

test("a burst that fills the buffer of data mode is not a message", async () => {
  const { at, send, broker, clock, take } = await connect({ dialect: "slm-2.x", version: "2.9.0" });
  assert.equal(await at('AT#XMQTTPUB="t"'), ok);
  let came = await send("x".repeat(dataModeBufferBytes));
  await clock.advance(100);
  came += take();
  assert.equal(came, "\r\n#XDATAMODE: -139\r\n");
  assert.deepEqual(broker.take(), []);
});

test("a broker that takes nothing is given up in time", async () => {
  const { at, broker, clock } = await connect();
  broker.peer.pause();
  const publish = `AT#XMQTTPUB="t","${"x".repeat(8_000)}"`;
  let [told, beforeMs] = [ok, 0];
  for (let sentBytes = 0; told === ok && sentBytes <= 2 * highWaterBytes; sentBytes += 8_000) {
    beforeMs = clock.monotonicMs();
    told = await at(publish);
  }
  assert.equal(told, `${error}\r\n#XMQTTEVT: 1,-11\r\n`);
  assert.equal(clock.monotonicMs() - beforeMs, defaultSendTimeoutSeconds * 1000);
});

test("nothing is left when the application ends", async () => {
  const { application, broker, clock, modem } = await connect();
  await clock.until(application.close());
  assert.notEqual(broker.peer.closedBy, undefined);
  await clock.until(modem.close());
  assert.equal(clock.timerCount, 0);
});
