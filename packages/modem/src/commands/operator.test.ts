import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { makeModemWorld } from "../world.test.support.js";
import { readModemDescription } from "./identity.js";
import { searchOperators } from "./operator.js";

test("an abort frees who searched for networks, and nothing is sent before the modem, which cannot be stopped, has answered", async () => {
  const { modem, openSession, clock, at } = await makeModemWorld({ lte: { operatorSearchMs: 60_000 } });
  await at("AT+CFUN=1");
  const session = openSession();
  const controller = new AbortController();
  const searching = searchOperators(session, { signal: controller.signal });
  const next = readModemDescription(session);
  const settled: string[] = [];
  searching.catch(() => settled.push("search"));
  void next.then(() => settled.push("next"));
  await clock.advance(1_000);
  controller.abort();
  await clock.advance(0);
  assert.deepEqual(settled, ["search"]);
  await assert.rejects(searching, (error) => isThinglineError(error, "ABORTED"));
  await clock.advance(50_000);
  assert.deepEqual(settled, ["search"], "the modem still searches");
  assert.equal((await clock.until(next)).imei, modem.identity.imei);
  // What is sent to an AT host while a command runs is lost: the session has sent nothing.
  assert.equal(modem.counters.lostBytes, 0);
  await clock.until(session.close());
  await modem.close();
});
