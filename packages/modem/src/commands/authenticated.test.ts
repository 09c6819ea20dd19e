import assert from "node:assert/strict";
import { verify } from "node:crypto";
import { test } from "node:test";
import { isThinglineError, ThinglineError } from "@thingline/protocol";
import { createNodeKeys } from "@thingline/transport/node";
import { createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";
import { parseValues } from "../at/table.js";
import type { ModemSession, RunCommand } from "../session.js";
import { makeModemWorld } from "../world.test.support.js";
import { readCommandKey, runAuthenticated, writeCommandKey } from "./authenticated.js";
import { readCertificateExpiry } from "./certificate-expiry.js";
import { finishProduction } from "./production.js";

const keys = createNodeKeys();
const virtualKeys = createVirtualKeys({ random: createVirtualRandom("keys") });

/** A session whose modem answers by the function; undefined is OK alone, a number a refusal. */
function sessionOf(answer: (line: string) => string[] | number | undefined) {
  const sent: string[] = [];
  const command: RunCommand = async (line) => {
    sent.push(line);
    if (line === "AT+CMEE?") return ["+CMEE: 1"];
    const lines = answer(line) ?? [];
    if (typeof lines !== "number") return lines;
    throw new ThinglineError("MODEM_COMMAND_REJECTED", "refused", { details: { cme: lines } });
  };
  const sequence = (steps: (run: RunCommand) => Promise<unknown>) => steps(command);
  return { sent, session: { command, sequence } as unknown as ModemSession };
}

test("an authenticated command is signed over exactly its characters", async () => {
  const pair = await keys.generate("ec-p256");
  const { session, sent } = sessionOf(() => ['%CMNG: 1,0,"AB"']);
  const sign = (data: Uint8Array) => keys.sign(pair.privateKeyPem, data);
  const command = 'AT%CMNG=0,1,0,"TEST ROOT CERTIFICATE"';
  assert.deepEqual(await runAuthenticated(session, command, { sign, slot: 3 }), ['%CMNG: 1,0,"AB"']);
  const values = parseValues("%XSUDO=", sent[0] ?? "");
  assert.ok(values);
  assert.deepEqual([values.length, values.slot, values.command], [35, 3, command.slice(2)]);
  const signature = Buffer.from(values.signature, "base64");
  assert.ok(verify("sha256", Buffer.from(command.slice(2)), pair.publicKeyPem, signature));
  await assert.rejects(runAuthenticated(session, "%CMNG=1", { sign }), { code: "OPTION_INVALID" });
});

test("the key for authenticated commands is written and read, and none is no error", async () => {
  const pem = "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n";
  const { session, sent } = sessionOf((line) => (line.startsWith("AT%XPMNG=2,,") ? 513 : [`%XPMNG: "${pem}"`]));
  await writeCommandKey(session, pem);
  assert.equal(await readCommandKey(session), pem);
  assert.equal(await readCommandKey(session, { slot: 4 }), undefined);
  assert.deepEqual(
    sent.filter((line) => line.startsWith("AT%")),
    [`AT%XPMNG=0,"${pem}"`, "AT%XPMNG=2", "AT%XPMNG=2,,4"],
  );
  await assert.rejects(
    writeCommandKey(sessionOf(() => 519).session, pem),
    (error) => isThinglineError(error, "CREDENTIAL_REFUSED") && error.details["cme"] === 519,
  );
  await assert.rejects(readCommandKey(sessionOf(() => []).session), { code: "MODEM_RESPONSE_INVALID" });
});

test("how long a certificate is valid is asked of the modem", async () => {
  const answer = "%CERTEXPIRY: 066C9FCF,20150526000000Z,20380117000000Z";
  const { session, sent } = sessionOf(() => [answer]);
  assert.deepEqual(await readCertificateExpiry(session, 42, "ca"), {
    ...{ serialNumber: "066C9FCF", notBefore: Date.UTC(2015, 4, 26) / 1000, notAfter: Date.UTC(2038, 0, 17) / 1000 },
  });
  assert.equal(sent.at(-1), "AT%CERTEXPIRY=42,0");
  await assert.rejects(readCertificateExpiry(sessionOf(() => 513).session, 42, "certificate"), (error) =>
    isThinglineError(error, "CREDENTIAL_REFUSED"),
  );
  await assert.rejects(readCertificateExpiry(sessionOf(() => []).session, 42, "ca"), {
    code: "MODEM_RESPONSE_INVALID",
  });
  await assert.rejects(readCertificateExpiry(session, -1, "ca"), { code: "OPTION_INVALID" });
});

test("production ends without commands for radio tests unless they are kept", async () => {
  const { session, sent } = sessionOf(() => undefined);
  await finishProduction(session);
  await finishProduction(session, { keepsRadioTest: true });
  assert.deepEqual(sent, ["AT%XPRODDONE=0", "AT%XPRODDONE=1"]);
});

test("a simulated modem takes what its key's owner has signed, and from nobody else", async () => {
  const { modem, clock, openSession } = await makeModemWorld({ keys: virtualKeys });
  const wait = <Value>(promise: Promise<Value>) => clock.until(promise);
  const session = openSession();
  const owner = await virtualKeys.generate("ec-p256");
  const stranger = await virtualKeys.generate("ec-p256");
  const by = (pair: typeof owner) => (data: Uint8Array) => virtualKeys.sign(pair.privateKeyPem, data);
  assert.equal(await wait(readCommandKey(session, { slot: 2 })), undefined);
  await wait(writeCommandKey(session, owner.publicKeyPem, { slot: 2 }));
  assert.equal(await wait(readCommandKey(session, { slot: 2 })), owner.publicKeyPem);
  await wait(runAuthenticated(session, 'AT%CMNG=0,43,4,"pump;7"', { sign: by(owner), slot: 2 }));
  const [line = ""] = await wait(runAuthenticated(session, "AT%CMNG=1,43", { sign: by(owner), slot: 2 }));
  assert.match(line, /^%CMNG: 43,4,/);
  await assert.rejects(wait(runAuthenticated(session, "AT%CMNG=3,43,4", { sign: by(stranger), slot: 2 })), {
    code: "MODEM_COMMAND_REJECTED",
  });
  assert.match((await wait(session.command("AT%CMNG=2,43,4"))).join(), /"pump;7"/);
  await wait(session.close());
  await modem.close();
});
