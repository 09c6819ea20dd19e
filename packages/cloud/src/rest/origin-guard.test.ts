import assert from "node:assert/strict";
import { test } from "node:test";
import { originFault } from "./origin-guard.js";

const ownNames = ["cloud.plant.lan", "*.devices.plant.lan"];
const fault = (host: string, origin?: string) => originFault(origin === undefined ? {} : { origin }, host, ownNames);

const hosts = [
  ...["localhost", "localhost:4680", "LOCALHOST", "localhost.", "my-box:80", "a.localhost", "printer.local"],
  ...["127.0.0.1", "127.0.0.1:65535", "10.0.0.2", "[::1]", "[::1]:4680", "[::ffff:127.0.0.1]", "[FE80::1]"],
  ...["iot.eu-west-1.amazonaws.com", "cloud.plant.lan:8443", "Cloud.Plant.Lan.", "pump.devices.plant.lan"],
];

test("addresses, local names, AWS's names and the cloud's own are its names", () => {
  for (const host of hosts) assert.equal(fault(host), undefined, host);
});

const foreign = [
  ...["", " ", "evil.com", "evil.com:80", "localhost.evil.com", "127.0.0.1.evil.com", "evil.com.", "xamazonaws.com"],
  ...["evil.com\\.localhost", "evil.com:80.localhost", "evil.com/.localhost", "evil.com#.localhost", "evil.com?.local"],
  ...["evil.com@localhost", "user:pw@localhost", "localhost@evil.com", "evil.com%2f.localhost", "evil.com,localhost"],
  ...["localhost, localhost", "evil.com\t.localhost", "evil.com .localhost", "evil.com\0.localhost", "éé.localhost"],
  ...[
    "localhost:",
    "localhost:0",
    "localhost:65536",
    "localhost:080000",
    "localhost:80:80",
    "localhost:8a",
    "localhost:-1",
  ],
  ...["[::1", "::1", "[::1]x", "[::1].localhost", "[fe80::1%25eth0]", "[fe80::1%eth0]", "[1]", "[:::]", "[]"],
  ...[
    "127.1",
    "2130706433",
    "0x7f000001",
    "0177.0.0.1",
    "127.0.0.256",
    "127.0.0.1.",
    "127.0.0.0x1",
    "1.2.3.4.5",
    "evil.com.1",
  ],
  ...[".localhost", "a..localhost", "-a.localhost", "a-.localhost", "..", "plant.lan", "a.b.devices.plant.lan"],
  ...["devices.plant.lan", "x".repeat(64), `${"a.".repeat(130)}localhost`, "*.localhost", "_.localhost"],
];

test("whatever else is in a Host header is refused", () => {
  for (const host of foreign) assert.match(fault(host) ?? "", /./, JSON.stringify(host));
});

test("a page of the very host and port is no foreign one", () => {
  for (const [host, origin] of [
    ["localhost:4680", "http://localhost:4680"],
    ["localhost:4680", "HTTP://LocalHost:4680"],
    ["localhost", "http://localhost:80"],
    ["cloud.plant.lan", "https://cloud.plant.lan"],
    ["[::1]:4680", "http://[::1]:4680"],
  ] as const)
    assert.equal(fault(host, origin), undefined, origin);
});

test("any other Origin is refused", () => {
  for (const origin of [
    ...[
      "",
      "null",
      "http://evil.com",
      "http://localhost",
      "http://localhost:4681",
      "localhost:4680",
      "//localhost:4680",
    ],
    ...[
      "http://localhost:4680/",
      "http://localhost:4680, http://localhost:4680",
      "http://localhost:4680 http://evil.com",
    ],
    ...["file://localhost:4680", "http://user@localhost:4680", "http://127.0.0.1:4680", "http://localhost:4680\\"],
    ...["http://localhost:4680.evil.com", "ftp://localhost:4680", "http:localhost:4680"],
  ])
    assert.match(fault("localhost:4680", origin) ?? "", /other origins/, JSON.stringify(origin));
});
