import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { DialTarget } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import { testPems } from "./client/pems.test.support.js";
import { connectDevice, createDevice } from "./node.js";

test("clock, randomness and network are Node's unless others are given", async () => {
  const tls = { ca: Buffer.from(testPems.ca) };
  await createDevice({ endpoint: "localhost:8883", clientId: "pump-7", tls }).close();
  const hosts: string[] = [];
  const dialer = {
    dial: async ({ host }: DialTarget): Promise<never> => {
      hosts.push(host);
      throw new ThinglineError("HOST_NOT_FOUND", "no such host");
    },
  };
  const clock = createVirtualClock();
  await using own = createDevice({ endpoint: "cloud.test", clientId: "pump-7", clock, dialer });
  await assert.rejects(own.connect(), { code: "HOST_NOT_FOUND" });
  assert.deepEqual(hosts, ["cloud.test"]);
  const secTagDialer = { name: "x", dial: assert.fail };
  await createDevice({ endpoint: "h", clientId: "c", secTagDialer, secTag: 1 }).close();
});

test("the options are checked as those of the plain entry point, before anything is opened", async () => {
  for (const [options, option] of [
    [undefined, "options"],
    [null, "options"],
    ["localhost", "options"],
    [[], "options"],
    [{ endpoint: "h", clientId: "c", clock: null }, "clock"],
    [{ endpoint: "h", clientId: "c", random: null }, "random"],
    [{ endpoint: "h", clientId: "c", dialer: null }, "dialer"],
    [{ endpoint: "h", clientId: "c", key: "k" }, "key"],
    [{ endpoint: "h", clientId: "c", clock: {} }, "clock"],
    [{ endpoint: "h" }, "clientId"],
    [{ clientId: "c" }, "endpoint"],
  ] as const) {
    await assert.rejects(connectDevice(options as never), (error) => {
      assert.ok(isThinglineError(error, "OPTION_INVALID"), String(error));
      assert.equal(error.details["option"], option);
      return true;
    });
  }
});

test("an option that throws when it is read is refused by name", async () => {
  const boom = (): never => {
    throw new TypeError("boom");
  };
  for (const option of ["endpoint", "dialer", "secTagDialer", "tls"]) {
    const options = Object.defineProperty({ clientId: "c" }, option, { enumerable: true, get: boom });
    await assert.rejects(connectDevice(options as never), (error) => {
      assert.ok(isThinglineError(error, "OPTION_INVALID"), String(error));
      assert.equal(error.details["option"], option);
      return true;
    });
  }
});

test("options may be of a class of the application's", async () => {
  class Settings {
    readonly endpoint = "cloud.test";
    get clientId(): string {
      return "pump-7";
    }
    get dialer(): object {
      return { dial: () => Promise.reject(new ThinglineError("HOST_NOT_FOUND", "the dialer of the class")) };
    }
  }
  await assert.rejects(connectDevice(new Settings() as never), { code: "HOST_NOT_FOUND" });
});
