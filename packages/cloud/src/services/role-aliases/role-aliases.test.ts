import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { isThinglineError, type ErrorCode } from "@thingline/protocol";
import { scope, openServiceWorld } from "../world.test.support.js";
import { assumeRole, createRoleAliasService, findSession } from "./index.js";
import { roleAliasesMax } from "./model.js";
import { sessionTokenCharactersMax } from "./session.js";

const fails = (code: ErrorCode, message?: RegExp) => (error: unknown) =>
  isThinglineError(error, code) && (message === undefined || message.test(error.message));

const roleArn = "arn:aws:iam::123456789012:role/device";
const certificateId = "ab".repeat(32);
const arn = (name: string) => `arn:aws:iot:us-east-1:123456789012:rolealias/${name}`;

async function openWorld({ isLimited = true } = {}) {
  const world = await openServiceWorld();
  return { ...world, aliases: createRoleAliasService({ isLimited }).operations };
}

describe("role aliases", () => {
  test("one is made once, described, changed in part, and deleted", async () => {
    const { run, aliases, clock } = await openWorld();
    const createdAt = clock.unixMs() / 1_000;
    const made = await run(aliases.createRoleAlias, { roleAlias: "door", roleArn });
    assert.deepEqual(made, { roleAlias: "door", roleAliasArn: arn("door") });
    const described = {
      ...{ roleAlias: "door", roleAliasArn: arn("door"), roleArn, owner: scope.account },
      ...{ credentialDurationSeconds: 3_600, creationDate: createdAt, lastModifiedDate: createdAt },
    };
    assert.deepEqual(await run(aliases.describeRoleAlias, { roleAlias: "door" }), { roleAliasDescription: described });
    await assert.rejects(
      run(aliases.createRoleAlias, { roleAlias: "door", roleArn }),
      (error) => fails("RESOURCE_EXISTS")(error) && (error as { details: object }).details !== undefined,
    );
    await clock.advance(5_000);
    await run(aliases.updateRoleAlias, { roleAlias: "door", credentialDurationSeconds: 900 });
    const changed = { ...described, credentialDurationSeconds: 900, lastModifiedDate: createdAt + 5 };
    assert.deepEqual(await run(aliases.describeRoleAlias, { roleAlias: "door" }), { roleAliasDescription: changed });
    const otherArn = "arn:aws:iam::123456789012:role/path/other";
    await run(aliases.updateRoleAlias, { roleAlias: "door", roleArn: otherArn });
    const { roleAliasDescription } = await run(aliases.describeRoleAlias, { roleAlias: "door" });
    assert.deepEqual([roleAliasDescription?.roleArn, roleAliasDescription?.credentialDurationSeconds], [otherArn, 900]);
    assert.deepEqual(await run(aliases.deleteRoleAlias, { roleAlias: "door" }), {});
    for (const operation of [aliases.describeRoleAlias, aliases.deleteRoleAlias, aliases.updateRoleAlias] as const) {
      await assert.rejects(
        run<{ roleAlias: string }, object>(operation, { roleAlias: "door" }),
        fails("RESOURCE_NOT_FOUND", /door does not exist/),
      );
    }
  });

  test("a role is the ARN of one, and the duration is AWS's", async () => {
    const { run, aliases } = await openWorld();
    for (const wrong of ["arn:aws:iam::123456789012:user/somebody", "arn:aws:iam::12:role/short-account"]) {
      await assert.rejects(run(aliases.createRoleAlias, { roleAlias: "a", roleArn: wrong }), fails("REQUEST_INVALID"));
    }
    for (const credentialDurationSeconds of [899, 43_201]) {
      const input = { roleAlias: "a", roleArn, credentialDurationSeconds };
      await assert.rejects(run(aliases.createRoleAlias, input), fails("REQUEST_INVALID", /credentialDurationSeconds/));
    }
    for (const credentialDurationSeconds of [900, 43_200])
      await run(aliases.createRoleAlias, {
        roleAlias: `a${credentialDurationSeconds}`,
        roleArn,
        credentialDurationSeconds,
      });
  });

  test("they are listed by name, both ways, page by page", async () => {
    const { run, aliases } = await openWorld();
    for (const roleAlias of ["b", "c", "a"]) await run(aliases.createRoleAlias, { roleAlias, roleArn });
    assert.deepEqual(await run(aliases.listRoleAliases, {}), { roleAliases: ["c", "b", "a"] });
    const first = await run(aliases.listRoleAliases, { ascendingOrder: true, pageSize: 2 });
    assert.deepEqual(first.roleAliases, ["a", "b"]);
    assert.match(first.nextMarker ?? "", /^[A-Za-z0-9+/]+={0,2}$/);
    const second = await run(aliases.listRoleAliases, { ascendingOrder: true, pageSize: 2, marker: first.nextMarker });
    assert.deepEqual(second, { roleAliases: ["c"] });
  });

  test("an account has as many as AWS allows, unless quotas are off", async () => {
    const { run, aliases } = await openWorld();
    const make = (name: number) => run(aliases.createRoleAlias, { roleAlias: `a${name}`, roleArn });
    for (let name = 0; name < roleAliasesMax; name++) await make(name);
    await assert.rejects(make(roleAliasesMax), fails("QUOTA_EXCEEDED", /100/));
    const unlimited = createRoleAliasService({ isLimited: false }).operations;
    await run(unlimited.createRoleAlias, { roleAlias: "more", roleArn });
  });
});

describe("credentials for a role", () => {
  const input = { roleAlias: "door", certificateId, thingName: "pump-7" };

  test("are AWS's in their form, and good until they expire, over a restart as well", async () => {
    const { run, aliases, clock, restart } = await openWorld();
    await run(aliases.createRoleAlias, { roleAlias: "door", roleArn, credentialDurationSeconds: 900 });
    const { accessKeyId, secretAccessKey, sessionToken, expiresAtMs, ...rest } = await run(assumeRole, input);
    assert.match(accessKeyId, /^ASIA[A-Z2-7]{16}$/);
    assert.match(secretAccessKey, /^[A-Za-z0-9+/]{40}$/);
    assert.match(sessionToken, /^[A-Za-z0-9+/]{100,1000}={0,2}$/);
    assert.deepEqual(rest, { roleArn });
    assert.equal(expiresAtMs, Math.floor(clock.unixMs() / 1_000) * 1_000 + 900_000);
    const claims = {
      account: scope.account,
      roleArn,
      roleAlias: "door",
      certificateId,
      thingName: "pump-7",
      expiresAtMs,
    };
    const good = { claims, secretAccessKey };
    assert.deepEqual(await run(findSession, { accessKeyId, sessionToken }), good);
    await restart();
    // What is issued stays, whatever becomes of the alias.
    await run(aliases.deleteRoleAlias, { roleAlias: "door" });
    await clock.advance(expiresAtMs - clock.unixMs() - 1);
    assert.deepEqual(await run(findSession, { accessKeyId, sessionToken }), good);
    await clock.advance(1);
    assert.deepEqual(await run(findSession, { accessKeyId, sessionToken }), {
      fault: "expired",
      expiredAtMs: expiresAtMs,
    });
  });

  test("a token that is not whole, made up, or another session's is nobody's", async () => {
    const { run, aliases } = await openWorld();
    await run(aliases.createRoleAlias, { roleAlias: "door", roleArn });
    const { accessKeyId, sessionToken } = await run(assumeRole, input);
    const other = await run(assumeRole, input);
    assert.notEqual(other.accessKeyId, accessKeyId);
    assert.notEqual(other.secretAccessKey, sessionToken);
    const flipped = (at: number) => {
      const character = sessionToken.charAt(at) === "A" ? "B" : "A";
      return sessionToken.slice(0, at) + character + sessionToken.slice(at + 1);
    };
    const wrong = [
      ...["", "AAAA", "no base64!", sessionToken.slice(4), `${sessionToken}AAAA`],
      ...[flipped(0), flipped(20), flipped(60), flipped(120), other.sessionToken],
      ...["A".repeat(sessionTokenCharactersMax), "A".repeat(sessionTokenCharactersMax + 4)],
    ];
    for (const token of wrong) {
      assert.deepEqual(await run(findSession, { accessKeyId, sessionToken: token }), { fault: "invalid" }, token);
    }
  });

  test("there are none for an alias that there is not, and none that another cloud made", async () => {
    const { run, aliases } = await openWorld();
    await assert.rejects(run(assumeRole, input), fails("RESOURCE_NOT_FOUND"));
    const question = { accessKeyId: "ASIAAAAAAAAAAAAAAAAA", sessionToken: "A".repeat(200) };
    assert.deepEqual(await run(findSession, question), { fault: "invalid" });
    await run(aliases.createRoleAlias, { roleAlias: "door", roleArn });
    const { accessKeyId, sessionToken } = await run(assumeRole, input);
    const { store, runner } = await openWorld();
    assert.equal((await store.list([], { limit: 1 })).length, 0);
    assert.deepEqual(await runner.run(scope, findSession, { accessKeyId, sessionToken }), { fault: "invalid" });
  });
});
