import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { createReferenceCheck } from "../../store-references.js";
import { iterate } from "../../store/iterate.js";
import type { Operation } from "../operation.js";
import { openServiceWorld, scope } from "../world.test.support.js";
import { addCertificate, discardCertificate } from "./issued-certificates.js";

const buyer = { ...scope, account: "210987654321" };
const has = (code: ErrorCode, says?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (says === undefined || says.test(error.message));
const certificateArn = (account: string, id: string) => `arn:aws:iot:us-east-1:${account}:cert/${id}`;

/** A certificate of the seller, and the operations of both accounts. */
async function openWorld() {
  const world = await openServiceWorld();
  const { runner, registry, store } = world;
  const as =
    (account: typeof scope) =>
    <Input, Result>(operation: Operation<Input, Result>, input: Input) =>
      runner.run(account, operation, input);
  const seller = as(scope);
  const { certificateId, certificateArn: principal } = await seller(registry.createKeysAndCertificate, {});
  const describe = async (run: typeof seller) =>
    (await run(registry.describeCertificate, { certificateId })).certificateDescription;
  const offer = (transferMessage?: string) =>
    seller(registry.transferCertificate, {
      ...{ certificateId, targetAwsAccount: buyer.account },
      ...(transferMessage !== undefined && { transferMessage }),
    });
  const listed = async (run: typeof seller) =>
    (await run(registry.listCertificates, {})).certificates?.map(({ status }) => status);
  const outgoing = async () => (await seller(registry.listOutgoingCertificates, {})).outgoingCertificates;
  const keys = async () => {
    const found: string[] = [];
    await runner.idle();
    for await (const { key } of iterate(store, [])) found.push(key.slice(0, 3).join(" "));
    return found;
  };
  /** What a check of the directory would say. */
  const faults = async () => {
    const check = createReferenceCheck(() => certificateId);
    for await (const entry of iterate(store, [])) check.see(entry);
    return [...check.dangling()];
  };
  const made = { certificateId, principal, describe, offer, listed, outgoing, keys, faults };
  return { ...world, seller, buyer: as(buyer), deviceKeys: world.keys, ...made };
}

test("a certificate that is accepted belongs to the other account, and only to that", async () => {
  const world = await openWorld();
  const { seller, registry, certificateId, describe, clock } = world;
  const before = await describe(seller);
  assert.deepEqual(before.transferData, {});
  await clock.advance(1_000);
  const transferDate = clock.unixMs() / 1000;
  assert.deepEqual(await world.offer("for you"), {
    transferredCertificateArn: certificateArn(buyer.account, certificateId),
  });
  for (const run of [seller, world.buyer]) {
    const { status, transferData, certificatePem, creationDate } = await describe(run);
    assert.deepEqual(
      [status, certificatePem, creationDate],
      ["PENDING_TRANSFER", before.certificatePem, before.creationDate],
    );
    assert.deepEqual(transferData, { transferMessage: "for you", transferDate });
    assert.deepEqual(await world.listed(run), ["PENDING_TRANSFER"]);
  }
  assert.deepEqual(await world.outgoing(), [
    {
      ...{ certificateArn: certificateArn(scope.account, certificateId), certificateId, transferDate },
      ...{ transferredTo: buyer.account, transferMessage: "for you", creationDate: before.creationDate },
    },
  ]);
  assert.deepEqual((await world.buyer(registry.listOutgoingCertificates, {})).outgoingCertificates, []);
  assert.deepEqual(await world.faults(), []);
  await clock.advance(1_000);
  await world.buyer(registry.acceptCertificateTransfer, { certificateId, setAsActive: true });
  const after = await describe(world.buyer);
  assert.deepEqual(
    [after.status, after.ownedBy, after.previousOwnedBy, after.certificateArn],
    ["ACTIVE", buyer.account, scope.account, certificateArn(buyer.account, certificateId)],
  );
  const acceptDate = clock.unixMs() / 1000;
  assert.deepEqual(after.transferData, { transferMessage: "for you", transferDate, acceptDate });
  await assert.rejects(describe(seller), has("RESOURCE_NOT_FOUND"));
  assert.deepEqual([await world.listed(seller), await world.outgoing()], [[], []]);
  assert.deepEqual(await world.faults(), []);
  // What is over is not decided again, by either.
  const over = has("TRANSFER_COMPLETED");
  await assert.rejects(seller(registry.cancelCertificateTransfer, { certificateId }), over);
  await assert.rejects(world.buyer(registry.rejectCertificateTransfer, { certificateId }), over);
  await assert.rejects(world.buyer(registry.acceptCertificateTransfer, { certificateId }), over);
  const life = await world.buyer(registry.listPrincipalThings, { principal: after.certificateArn ?? "" });
  assert.deepEqual(life.things, []);
  // The memory of it ends with the certificate.
  await world.buyer(registry.updateCertificate, { certificateId, newStatus: "INACTIVE" });
  await world.buyer(registry.deleteCertificate, { certificateId });
  assert.deepEqual(await world.keys(), []);
  await assert.rejects(seller(registry.cancelCertificateTransfer, { certificateId }), has("RESOURCE_NOT_FOUND"));
});

test("a transfer that is canceled or rejected leaves everything as it was, INACTIVE", async () => {
  const world = await openWorld();
  const { seller, registry, certificateId, describe, clock } = world;
  const keys = await world.keys();
  await world.offer();
  await seller(registry.cancelCertificateTransfer, { certificateId });
  assert.deepEqual([(await describe(seller)).status, (await describe(seller)).transferData], ["INACTIVE", {}]);
  await assert.rejects(describe(world.buyer), has("RESOURCE_NOT_FOUND"));
  const withGuard = [...keys, `${scope.account} ${scope.region} guard`].sort();
  assert.deepEqual((await world.keys()).sort(), withGuard);
  const transferDate = clock.unixMs() / 1000;
  await world.offer("again");
  await clock.advance(1_000);
  await world.buyer(registry.rejectCertificateTransfer, { certificateId, rejectReason: "not mine" });
  const { status, transferData } = await describe(seller);
  assert.equal(status, "INACTIVE");
  const rejectDate = clock.unixMs() / 1000;
  assert.deepEqual(transferData, { transferMessage: "again", transferDate, rejectReason: "not mine", rejectDate });
  await assert.rejects(describe(world.buyer), has("RESOURCE_NOT_FOUND"));
  assert.deepEqual((await world.keys()).sort(), withGuard);
  assert.deepEqual([await world.outgoing(), await world.faults()], [[], []]);
  const notPending = has("REQUEST_INVALID", /no transfer from this account is pending/);
  await assert.rejects(seller(registry.cancelCertificateTransfer, { certificateId }), notPending);
  // It can be offered once more, and it can come back.
  await world.offer();
  await world.buyer(registry.acceptCertificateTransfer, { certificateId });
  assert.equal((await describe(world.buyer)).status, "INACTIVE");
  await world.buyer(registry.transferCertificate, { certificateId, targetAwsAccount: scope.account });
  await seller(registry.acceptCertificateTransfer, { certificateId });
  assert.equal((await describe(seller)).previousOwnedBy, buyer.account);
  await assert.rejects(world.buyer(registry.cancelCertificateTransfer, { certificateId }), has("TRANSFER_COMPLETED"));
  await world.offer();
  await seller(registry.cancelCertificateTransfer, { certificateId });
  assert.deepEqual(await world.faults(), []);
});

test("only a certificate that nobody uses is transferred, and only by whose turn it is", async () => {
  const world = await openWorld();
  const { seller, registry, certificateId, principal, offer } = world;
  const self = { certificateId, targetAwsAccount: scope.account };
  await assert.rejects(seller(registry.transferCertificate, self), has("REQUEST_INVALID", /already/));
  const unknown = { certificateId: "a".repeat(64), targetAwsAccount: buyer.account };
  await assert.rejects(seller(registry.transferCertificate, unknown), has("RESOURCE_NOT_FOUND"));
  await seller(registry.updateCertificate, { certificateId, newStatus: "ACTIVE" });
  await assert.rejects(offer(), has("CERTIFICATE_STATE_INVALID", /must not be ACTIVE/));
  await seller(registry.updateCertificate, { certificateId, newStatus: "INACTIVE" });
  const policyDocument = '{"Statement":[]}';
  await seller(registry.createPolicy, { policyName: "p", policyDocument });
  await seller(registry.attachPolicy, { policyName: "p", target: principal });
  await assert.rejects(offer(), has("TRANSFER_CONFLICT", /Policies/));
  await seller(registry.detachPolicy, { policyName: "p", target: principal });
  await seller(registry.createThing, { thingName: "pump" });
  await seller(registry.attachThingPrincipal, { thingName: "pump", principal });
  await assert.rejects(offer(), has("TRANSFER_CONFLICT", /Things/));
  await seller(registry.detachThingPrincipal, { thingName: "pump", principal });
  await offer();
  const pending = has("CERTIFICATE_STATE_INVALID", /PENDING_TRANSFER/);
  await assert.rejects(offer(), pending);
  for (const run of [seller, world.buyer]) {
    await assert.rejects(run(registry.updateCertificate, { certificateId, newStatus: "ACTIVE" }), pending);
    await assert.rejects(run(registry.deleteCertificate, { certificateId, forceDelete: true }), pending);
  }
  const attached = has("REQUEST_INVALID", /PENDING_TRANSFER/);
  await assert.rejects(seller(registry.attachPolicy, { policyName: "p", target: principal }), attached);
  await assert.rejects(seller(registry.attachThingPrincipal, { thingName: "pump", principal }), attached);
  const notTheirs = has("REQUEST_INVALID", /no transfer (from|to) this account/);
  await assert.rejects(seller(registry.acceptCertificateTransfer, { certificateId }), notTheirs);
  await assert.rejects(seller(registry.rejectCertificateTransfer, { certificateId }), notTheirs);
  await assert.rejects(world.buyer(registry.cancelCertificateTransfer, { certificateId }), notTheirs);
});

test("an account that has the certificate gets it no second time", async () => {
  const world = await openWorld();
  const { certificatePem = "" } = await world.describe(world.seller);
  await world.buyer(world.registry.registerCertificateWithoutCa, {
    certificatePem,
  });
  await assert.rejects(world.offer(), has("TRANSFER_CONFLICT", /registered in account 210987654321/));
});

test("who attaches a policy while the certificate is transferred is refused, or makes the transfer fail", async () => {
  const world = await openWorld();
  const { seller, registry, principal } = world;
  await seller(registry.createPolicy, { policyName: "p", policyDocument: '{"Statement":[]}' });
  const [attached, offered] = await Promise.allSettled([
    seller(registry.attachPolicy, { policyName: "p", target: principal }),
    world.offer(),
  ]);
  assert.equal([attached, offered].filter(({ status }) => status === "fulfilled").length, 1);
  assert.deepEqual(await world.faults(), []);
});

test("outgoing certificates are listed by pages, the last one first unless asked otherwise", async () => {
  const world = await openWorld();
  const { seller, registry, issuer, clock, deviceKeys } = world;
  const ids: string[] = [];
  for (let at = 0; at < 3; at++) {
    const { publicKeyPem } = await deviceKeys.generate("ec-p256");
    const issued = await issuer.issueForKey({ publicKeyPem, nowMs: clock.unixMs() });
    await seller(addCertificate, { issued, status: "INACTIVE", origin: { source: "RegisterThing" } });
    await clock.advance(1);
    const { certificateId } = issued;
    await seller(registry.transferCertificate, { certificateId, targetAwsAccount: buyer.account });
    ids.push(certificateId);
  }
  const list = async (ascendingOrder: boolean) => {
    const found: (string | undefined)[] = [];
    let marker: string | undefined;
    do {
      const page = await seller(registry.listOutgoingCertificates, { pageSize: 2, marker, ascendingOrder });
      found.push(...(page.outgoingCertificates ?? []).map(({ certificateId }) => certificateId));
      marker = page.nextMarker;
    } while (marker !== undefined);
    return found;
  };
  assert.deepEqual(await list(true), ids);
  assert.deepEqual(await list(false), ids.toReversed());
});

test("a certificate that a service discards on its way is in neither account, and one that comes back stays with its owner", async () => {
  const world = await openWorld();
  const { seller, registry, certificateId } = world;
  await world.offer();
  await seller(discardCertificate, { certificateId });
  await assert.rejects(world.describe(world.buyer), has("RESOURCE_NOT_FOUND"));
  await assert.rejects(world.buyer(registry.acceptCertificateTransfer, { certificateId }), has("RESOURCE_NOT_FOUND"));
  assert.deepEqual([await world.outgoing(), await world.faults()], [[], []]);

  const other = await openWorld();
  await other.offer();
  await other.buyer(discardCertificate, { certificateId: other.certificateId });
  assert.equal((await other.describe(other.seller)).status, "INACTIVE");
  assert.deepEqual([await other.outgoing(), await other.faults()], [[], []]);
});

test("a certificate that was given away and is registered again can be given away again, and kept after all", async () => {
  const world = await openWorld();
  const { seller, registry, certificateId, describe } = world;
  const { certificatePem = "" } = await describe(seller);
  await world.offer();
  await world.buyer(registry.acceptCertificateTransfer, { certificateId });
  await seller(registry.registerCertificateWithoutCa, { certificatePem });
  const third = { ...scope, account: "333333333333" };
  await seller(registry.transferCertificate, { certificateId, targetAwsAccount: third.account });
  await seller(registry.cancelCertificateTransfer, { certificateId });
  assert.equal((await describe(seller)).status, "INACTIVE");
  assert.deepEqual(await world.faults(), []);
});
