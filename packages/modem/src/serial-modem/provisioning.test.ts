import assert from "node:assert/strict";
import { test } from "node:test";
import { makePeerWorld } from "./peers.test.support.js";
import { provisioningAnswerMs } from "./provisioning.js";
import { makeSerialModemWorld } from "./world.test.support.js";

const ok = "\r\nOK\r\n";

test("nRF Cloud does not know the device of a modem that is registered", async () => {
  const { at, clock, take, peers } = await makePeerWorld();
  assert.equal(await at("AT#XNRFPROV"), ok);
  assert.equal(await at("AT#XNRFPROV"), ok, "it joins the one under way");
  await clock.advance(provisioningAnswerMs);
  assert.equal(take(), "\r\n#XNRFPROV: -2\r\n");
  assert.equal(peers.length, 0, "nothing is sent");
  assert.equal(await at("AT#XNRFPROV=?"), `\r\n#XNRFPROV\r\n${ok}`);
});

test("without a network it fails, and SLM does not have it", async () => {
  const { at, clock, take } = await makeSerialModemWorld();
  assert.equal(await at("AT#XNRFPROV"), ok);
  await clock.advance(provisioningAnswerMs);
  assert.equal(take(), "\r\n#XNRFPROV: -1\r\n");
  const slm = await makeSerialModemWorld({ dialect: "slm-2.x" });
  assert.equal(await slm.at("AT#XNRFPROV"), "\r\nERROR\r\n");
});

test("nothing is left of it after the application has ended", async () => {
  const { at, clock, application, modem } = await makeSerialModemWorld();
  await at("AT#XNRFPROV");
  await clock.until(application.close());
  await clock.until(modem.close());
  assert.equal(clock.timerCount, 0);
});
