// Debian's mosquitto_pub and mosquitto_sub, unmodified, against `thingline cloud start` over mutual TLS.
import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { CreatePolicyCommand } from "@aws-sdk/client-iot";
import {
  missing,
  start,
  startLocalCloud,
  subtests,
  type LocalCloud,
  type Running,
  type ThingFiles,
} from "./local-cloud.test.support.js";

const skip = missing("mosquitto_pub", "mosquitto-clients");

test("mosquitto_pub and mosquitto_sub", { skip }, async (t) => {
  const check = subtests(t);
  const cloud = await startLocalCloud(t);
  const thing = await cloud.createThing("pump");

  for (const version of ["mqttv311", "mqttv5"]) {
    // Each client has a name of its own: AWS takes one CONNECT per second and client id.
    const client = clientsOf(cloud, thing, version);

    for (const qos of [0, 1]) {
      await check(`a message arrives with ${version} at QoS ${qos}`, async (t) => {
        const topic = `pump/${version}/qos${qos}`;
        const subscriber = client(t, "sub", `s${qos}`, "-q", qos, "-t", `${topic}/#`, "-C", 2, "-F", "%t %q %p");
        await subscriber.says("Subscribed (mid");
        const publisher = client(t, "pub", `p${qos}`, ["-q", qos, "-t", `${topic}/hello`, "-l"], "one\ntwo\n");
        assert.equal((await publisher.ended).code, 0, publisher.output);
        assert.equal((await subscriber.ended).code, 0, subscriber.output);
        assert.deepEqual(linesWith(subscriber, topic), [`${topic}/hello ${qos} one`, `${topic}/hello ${qos} two`]);
      });
    }

    await check(`a denied filter is refused in the SUBACK of ${version} and the connection stays`, async (t) => {
      const topic = `pump/${version}/granted`;
      const filters = ["-t", "other/#", "-t", topic];
      const subscriber = client(t, "sub", "filter", "-q", 1, ...filters, "-C", 1, "-F", "%t %p");
      await subscriber.says(/Subscribed \(mid: 1\): (128|135), 1/);
      await cloud.logLine("denied", "iot:Subscribe", "topicfilter/other/#", `pump.${version}-filter`, "no statement");
      const publisher = client(t, "pub", "granted", "-q", 1, "-t", topic, "-m", "still here");
      assert.equal((await publisher.ended).code, 0, publisher.output);
      assert.equal((await subscriber.ended).code, 0, subscriber.output);
      assert.deepEqual(linesWith(subscriber, topic).slice(-1), [`${topic} still here`]);
    });

    await check(`a persistent session of ${version} keeps what came while its client was away`, async (t) => {
      const topic = `pump/${version}/queue`;
      const session = version === "mqttv5" ? ["-c", "-x", 300] : ["-c"];
      const first = client(t, "sub", "session", ...session, "-q", 1, "-t", topic, "-E");
      assert.equal((await first.ended).code, 0, first.output);
      await cloud.logLine("disconnected", `pump.${version}-session`);
      const publisher = client(t, "pub", "queue", ["-q", 1, "-t", topic, "-l"], "one\ntwo\nthree\n");
      assert.equal((await publisher.ended).code, 0, publisher.output);
      // Another filter: what arrives on the first one is the session's, not of a new subscription.
      const again = ["-q", 1, "-t", `${topic}/other`, "-C", 3, "-F", "%t %q %p"];
      const second = client(t, "sub", "session", ...session, ...again);
      assert.equal((await second.ended).code, 0, second.output);
      assert.deepEqual(linesWith(second, `${topic} `), [`${topic} 1 one`, `${topic} 1 two`, `${topic} 1 three`]);
    });

    await check(`a will of ${version} is sent when its client is killed`, async (t) => {
      const topic = `pump/${version}/will`;
      const watcher = client(t, "sub", "watcher", "-q", 1, "-t", topic, "-C", 1, "-F", "%t %p");
      await watcher.says("Subscribed (mid");
      const will = ["--will-topic", topic, "--will-payload", "gone", "--will-qos", 1];
      const mortal = client(t, "sub", "mortal", "-q", 1, "-t", `${topic}/other`, ...will);
      await mortal.says("Subscribed (mid");
      mortal.child.kill("SIGKILL");
      assert.equal((await watcher.ended).code, 0, watcher.output);
      assert.deepEqual(linesWith(watcher, `${topic} `), [`${topic} gone`]);
    });

    await check(`a retained message reaches later subscribers of ${version} until it is cleared`, async (t) => {
      const kept = `pump/${version}/kept`;
      const cleared = `pump/${version}/cleared`;
      const publishers = [
        client(t, "pub", "kept", "-q", 1, "-r", "-t", kept, "-m", "kept"),
        client(t, "pub", "cleared", "-q", 1, "-r", "-t", cleared, "-m", "cleared"),
      ];
      for (const { ended } of publishers) assert.equal((await ended).code, 0);
      const both = ["-q", 1, "-t", cleared, "-t", kept, "-F", "%t %r %p"];
      const early = client(t, "sub", "early", ...both, "-C", 2);
      assert.equal((await early.ended).code, 0, early.output);
      assert.deepEqual(linesWith(early, / 1 /), [`${cleared} 1 cleared`, `${kept} 1 kept`]);
      const clearing = client(t, "pub", "clearing", "-q", 1, "-r", "-t", cleared, "-n");
      assert.equal((await clearing.ended).code, 0, clearing.output);
      const late = client(t, "sub", "late", ...both, "-C", 1);
      assert.equal((await late.ended).code, 0, late.output);
      assert.deepEqual(linesWith(late, / 1 /), [`${kept} 1 kept`]);
    });
  }

  await check("a denied topic closes a 3.1.1 connection without PUBACK, and the log names the absence", async (t) => {
    const client = clientsOf(cloud, thing, "mqttv311");
    const publisher = client(t, "pub", "denied", "-q", 1, "-t", "other/hello", "-m", "x");
    await cloud.logLine("denied", "iot:Publish", "pump.mqttv311-denied", "no statement allows iot:Publish on");
    await cloud.logLine('"disconnected"', "pump.mqttv311-denied", "AUTH_ERROR");
    assert.notEqual((await publisher.ended).code, 0);
    assert.match(publisher.output, /The connection was lost/);
    assert.doesNotMatch(publisher.output, /PUBACK/);
  });

  await check("a denied topic answers a version 5 client with PUBACK 0x87, and the connection stays", async (t) => {
    const client = clientsOf(cloud, thing, "mqttv5");
    const publisher = client(t, "pub", "denied", ["-q", 1, "-t", "other/hello", "-l"], "one\ntwo\n");
    const { output } = await publisher.ended;
    assert.match(output, /PUBACK \(Mid: 1, RC:135\)/);
    assert.match(output, /PUBACK \(Mid: 2, RC:135\)/);
    await cloud.logLine("denied", "iot:Publish", "pump.mqttv5-denied", "no statement allows iot:Publish on");
  });

  await check("a topic that a statement denies: the log names policy and statement", async (t) => {
    await cloud.iot.send(new CreatePolicyCommand({ policyName: "careful", policyDocument: carefulPolicy }));
    const valve = await cloud.createThing("valve", "--policy", "careful");
    const client = clientsOf(cloud, valve, "mqttv5");
    const publisher = client(t, "pub", "denied", "-q", 1, "-t", "secret/a", "-m", "x");
    await publisher.says("RC:135");
    const line = await cloud.logLine("denied", "iot:Publish", "topic/secret/a");
    assert.match(line, /careful/);
    assert.match(line, /NoSecrets/);
  });

  await check("the ALPN name gets MQTT on the port that HTTP shares", async (t) => {
    const words = ["-i", "pump.alpn", "--tls-alpn", "x-amzn-mqtt-ca", "-q", "1", "-t", "pump/x", "-m", "x", "-d"];
    const publisher = start(t, "mosquitto_pub", [...tls({ port: cloud.httpsPort }, thing), ...words]);
    assert.equal((await publisher.ended).code, 0, publisher.output);
    assert.match(publisher.output, /PUBACK \(Mid: 1/);
  });

  await check("a client id that no statement allows gets no CONNACK in 3.1.1 and 0x87 in 5", async (t) => {
    const stranger = (version: string) =>
      start(t, "mosquitto_pub", [
        ...tls(cloud, thing),
        "-V",
        version,
        "-i",
        "stranger",
        "-t",
        "pump/x",
        "-m",
        "x",
        "-d",
      ]);
    const old = await stranger("mqttv311").ended;
    assert.notEqual(old.code, 0, old.output);
    assert.doesNotMatch(old.output, /CONNACK/);
    const newer = await stranger("mqttv5").ended;
    assert.notEqual(newer.code, 0, newer.output);
    assert.match(newer.output, /CONNACK \(135\)/);
    await cloud.logLine("connectDenied", "stranger", "no statement");
  });

  await check("subscriptions, sessions and retained messages survive kill -9 of the cloud", async (t) => {
    const client = clientsOf(cloud, thing, "mqttv311");
    const session = ["-c", "-q", 1, "-t", "pump/survives", "-F", "%t %q %p"];
    const first = client(t, "sub", "survivor", ...session, "-E");
    assert.equal((await first.ended).code, 0, first.output);
    await cloud.logLine('"disconnected"', "pump.mqttv311-survivor");
    const publisher = client(t, "pub", "keeper", "-q", 1, "-r", "-t", "pump/survives", "-m", "kept");
    assert.equal((await publisher.ended).code, 0, publisher.output);
    await cloud.restart("SIGKILL");
    const second = client(t, "sub", "survivor", ...session, "-C", 1);
    assert.equal((await second.ended).code, 0, second.output);
    assert.match(second.output, /^pump\/survives 1 kept$/m);
  });
});

const carefulPolicy = JSON.stringify({
  Version: "2012-10-17",
  Statement: [
    { Effect: "Allow", Action: "iot:*", Resource: "*" },
    { Sid: "NoSecrets", Effect: "Deny", Action: "iot:Publish", Resource: "arn:aws:iot:*:*:topic/secret/*" },
  ],
});

function tls(cloud: Pick<LocalCloud, "port">, thing: ThingFiles): string[] {
  const files = ["--cafile", thing.caFile, "--cert", thing.certificateFile, "--key", thing.keyFile];
  return ["-h", "localhost", "-p", String(cloud.port), ...files];
}

type Word = string | number;

/** Starts mosquitto_pub or mosquitto_sub, with line by line output, as client `<thing>-<version>-<name>`. */
function clientsOf(cloud: LocalCloud, thing: ThingFiles, version: string) {
  return (t: TestContext, program: "pub" | "sub", name: string, ...words: [Word[], string] | Word[]): Running => {
    const [args, input] = Array.isArray(words[0]) ? [words[0], String(words[1])] : [words as Word[], undefined];
    const id = ["-V", version, "-i", `${thing.thingName}.${version}-${name}`, "-d"];
    const all = ["-oL", `mosquitto_${program}`, ...tls(cloud, thing), ...id, ...args.map(String)];
    return start(t, "stdbuf", all, input === undefined ? {} : { input });
  };
}

/** Lines of messages; those that `-d` prints are about clients. */
function linesWith({ output }: Running, pattern: string | RegExp): string[] {
  const lines = output.split("\n").filter((line) => !/^(Client|Subscribed|Warning)\b/.test(line));
  return lines.filter((line) => (typeof pattern === "string" ? line.startsWith(pattern) : pattern.test(line)));
}
