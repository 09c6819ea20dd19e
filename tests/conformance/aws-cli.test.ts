// The AWS CLI (Debian's 2.9 in CI), unmodified, against the REST API of `thingline cloud start`.
import assert from "node:assert/strict";
import { createPublicKey, X509Certificate } from "node:crypto";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { missing, start, startLocalCloud } from "./local-cloud.test.support.js";

const skip = missing("aws", "awscli");

const policyDocument = JSON.stringify({
  Version: "2012-10-17",
  Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
});
const templateBody = JSON.stringify({
  Resources: {
    certificate: {
      Type: "AWS::IoT::Certificate",
      Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" } },
    },
  },
});
const account = "arn:aws:iot:eu-central-1:123456789012";
const unknownId = "ab".repeat(32);

test("aws iot", { skip }, async (t) => {
  const cloud = await startLocalCloud(t);
  const aws = cliOf(cloud.api, cloud.folder);

  // Every call starts a Python program; calls that do not need each other run side by side.
  await t.test("things: created again alike, refused unlike, described, listed page by page, deleted", async (t) => {
    const made = await aws.ok<Thing>(t, "create-thing --thing-name pump --attribute-payload attributes={unit=bar}");
    assert.equal(made.thingArn, `${account}:thing/pump`);
    const names = ["t1", "t2", "t3"];
    await Promise.all(names.map((name) => aws.ok(t, `create-thing --thing-name ${name}`)));
    const [again, unlike, described, missingThing, badName, wrongVersion] = await Promise.all([
      aws.ok<Thing>(t, "create-thing --thing-name pump --attribute-payload attributes={unit=bar}"),
      aws.fails(t, "create-thing --thing-name pump"),
      aws.ok<Thing>(t, "describe-thing --thing-name pump"),
      aws.fails(t, "describe-thing --thing-name nothing"),
      aws.fails(t, "create-thing --thing-name a/b"),
      aws.fails(t, "update-thing --thing-name pump --expected-version 7"),
    ]);
    assert.equal(again.thingId, made.thingId);
    const { thingId, thingArn } = made;
    const rest = { thingName: "pump", defaultClientId: "pump", attributes: { unit: "bar" }, version: 1 };
    assert.deepEqual(described, { ...rest, thingId, thingArn });
    assert.match(
      unlike,
      /\(ResourceAlreadyExistsException\) when calling the CreateThing operation: Thing pump already exists in account with different attributes/,
    );
    assert.match(
      missingThing,
      /\(ResourceNotFoundException\) when calling the DescribeThing operation: Thing nothing not found\.$/m,
    );
    assert.match(
      badName,
      /\(InvalidRequestException\).*'thingName' failed to satisfy constraint: Member must satisfy regular expression pattern: \[a-zA-Z0-9:_-\]\+/,
    );
    assert.match(
      wrongVersion,
      /\(VersionConflictException\).*The version for thing pump does not match the expected version\./,
    );

    const [paged, first] = await Promise.all([
      aws.ok<ThingPage>(t, "list-things --page-size 3"),
      aws.ok<ThingPage>(t, "list-things --max-items 3 --page-size 2"),
    ]);
    assert.deepEqual(namesOf(paged), ["pump", ...names]);
    assert.equal(paged.NextToken, undefined);
    assert.deepEqual(namesOf(first), ["pump", "t1", "t2"]);
    const [second, wrongToken] = await Promise.all([
      aws.ok<ThingPage>(t, `list-things --max-items 3 --page-size 2 --starting-token ${first.NextToken}`),
      aws.fails(t, "list-things --no-paginate --next-token bm9uc2Vuc2U"),
    ]);
    assert.deepEqual(namesOf(second), ["t3"]);
    assert.equal(second.NextToken, undefined);
    assert.match(wrongToken, /\(InvalidRequestException\) when calling the ListThings operation/);
    // AWS answers success for a thing that is not there.
    await Promise.all([...names, "nothing"].map((name) => aws.ok(t, `delete-thing --thing-name ${name}`)));
    assert.deepEqual(namesOf(await aws.ok<ThingPage>(t, "list-things")), ["pump"]);
  });

  await t.test(
    "thing types and billing groups: made, described, listed, and deprecated before they are deleted",
    async (t) => {
      const properties =
        "thingTypeDescription=a-lamp,searchableAttributes=watts,mqtt5Configuration={propagatingAttributes=[{userPropertyKey=w,thingAttribute=watts}]}";
      const [type] = await Promise.all([
        aws.ok<Record<string, string>>(
          t,
          `create-thing-type --thing-type-name lamp --thing-type-properties ${properties}`,
        ),
        aws.ok(t, "create-billing-group --billing-group-name north"),
      ]);
      assert.equal(type["thingTypeArn"], `${account}:thingtype/lamp`);
      await aws.ok(t, "create-thing --thing-name lamp-1 --thing-type-name lamp --billing-group-name north");
      const [described, ofType, inGroup, early] = await Promise.all([
        aws.ok<Record<string, unknown>>(t, "describe-thing-type --thing-type-name lamp"),
        aws.ok<ThingPage>(t, "list-things --thing-type-name lamp"),
        aws.ok(t, "list-things-in-billing-group --billing-group-name north"),
        aws
          .ok(t, "deprecate-thing-type --thing-type-name lamp")
          .then(() => aws.fails(t, "delete-thing-type --thing-type-name lamp")),
      ]);
      assert.deepEqual(described["thingTypeProperties"], {
        ...{ thingTypeDescription: "a-lamp", searchableAttributes: ["watts"] },
        mqtt5Configuration: { propagatingAttributes: [{ userPropertyKey: "w", thingAttribute: "watts" }] },
      });
      assert.deepEqual(namesOf(ofType), ["lamp-1"]);
      assert.deepEqual(inGroup, { things: ["lamp-1"] });
      assert.match(
        early,
        /\(InvalidRequestException\) when calling the DeleteThingType operation: Cannot delete thing type : lamp\. Please wait for 5 minutes/,
      );
      await aws.ok(t, "delete-thing --thing-name lamp-1");
    },
  );

  await t.test("a certificate's life, from its keys to its end", async (t) => {
    const [made, policy, ...broken] = await Promise.all([
      aws.ok<Made>(t, "create-keys-and-certificate --set-as-active"),
      aws.ok<Policy>(t, "create-policy --policy-name all --policy-document", policyDocument),
      aws.fails(t, "create-policy --policy-name broken --policy-document", "{"),
      aws.fails(t, "create-policy --policy-name broken --policy-document", '{"Version":"2012-10-17","Statement":[]}'),
    ]);
    const { certificateArn: arn, certificateId: id, certificatePem, keyPair } = made;
    const certificate = new X509Certificate(certificatePem);
    assert.equal(arn, `${account}:cert/${id}`);
    assert.equal(certificate.fingerprint256.replaceAll(":", "").toLowerCase(), id);
    assert.ok(certificate.publicKey.equals(createPublicKey(keyPair.PrivateKey)));
    assert.ok(certificate.publicKey.equals(createPublicKey(keyPair.PublicKey)));
    assert.match(keyPair.PrivateKey, /^-----BEGIN RSA PRIVATE KEY-----\n/);
    assert.deepEqual(policy, {
      ...{ policyName: "all", policyArn: `${account}:policy/all`, policyDocument, policyVersionId: "1" },
    });
    for (const text of broken)
      assert.match(text, /\(MalformedPolicyException\) when calling the CreatePolicy operation/);

    await Promise.all([
      aws.ok(t, `attach-policy --policy-name all --target ${arn}`),
      aws.ok(t, `attach-thing-principal --thing-name pump --principal ${arn}`),
    ]);
    const [described, certificates, principals, things, attached, targets, policies] = await Promise.all([
      aws.ok<Described>(t, `describe-certificate --certificate-id ${id}`),
      aws.ok<{ certificates: { certificateId: string; status: string }[] }>(t, "list-certificates"),
      aws.ok(t, "list-thing-principals --thing-name pump"),
      aws.ok(t, `list-principal-things --principal ${arn}`),
      aws.ok(t, `list-attached-policies --target ${arn}`),
      aws.ok(t, "list-targets-for-policy --policy-name all"),
      aws.ok(t, "list-policies"),
    ]);
    const { creationDate, validity, ...facts } = described.certificateDescription;
    assert.deepEqual([facts.status, facts.ownedBy, facts.certificateMode], ["ACTIVE", "123456789012", "DEFAULT"]);
    assert.equal(facts.certificatePem, certificatePem);
    assert.ok(Math.abs(unixMs(creationDate) - Date.now()) < 10 * 60_000, `created ${creationDate}`);
    assert.equal(unixMs(validity.notAfter), Date.parse("2049-12-31T23:59:59Z"));
    assert.deepEqual(
      certificates.certificates.map(({ certificateId, status }) => [certificateId, status]),
      [[id, "ACTIVE"]],
    );
    const known = { policyName: "all", policyArn: `${account}:policy/all` };
    assert.deepEqual(principals, { principals: [arn] });
    assert.deepEqual(things, { things: ["pump"] });
    assert.deepEqual(attached, { policies: [known] });
    assert.deepEqual(targets, { targets: [arn] });
    assert.deepEqual(policies, { policies: [known] });

    const refusals = await Promise.all([
      aws.fails(t, `delete-certificate --certificate-id ${id}`),
      aws.fails(t, "delete-policy --policy-name all"),
      aws.fails(t, "delete-thing --thing-name pump"),
      aws.fails(t, `attach-policy --policy-name nothing --target ${arn}`),
      aws.fails(t, `attach-thing-principal --thing-name nothing --principal ${arn}`),
      aws.fails(t, `describe-certificate --certificate-id ${unknownId}`),
      aws.fails(t, `update-certificate --certificate-id ${unknownId} --new-status INACTIVE`),
      aws.fails(t, "create-policy --policy-name all --policy-document", policyDocument),
    ]);
    assert.deepEqual(refusals.map(withoutFrame), [
      `CertificateStateException: Certificate must be deactivated (not ACTIVE) before deletion. (arn: ${arn})`,
      "DeleteConflictException: The policy cannot be deleted as the policy is attached to one or more principals (name=all)",
      "InvalidRequestException: Cannot delete. Thing pump is still attached to one or more principals",
      "ResourceNotFoundException: Policy not found (name=nothing)",
      "ResourceNotFoundException: Thing nothing not found.",
      `ResourceNotFoundException: The certificate given in the request does not exist (id=${unknownId})`,
      `ResourceNotFoundException: The certificate given in the request does not exist (id=${unknownId})`,
      "ResourceAlreadyExistsException: Policy cannot be created - name already exists (name=all)",
    ]);

    await aws.ok(t, `update-certificate --certificate-id ${id} --new-status INACTIVE`);
    const stillAttached = await aws.fails(t, `delete-certificate --certificate-id ${id}`);
    assert.equal(
      withoutFrame(stillAttached),
      `DeleteConflictException: Things must be detached before deletion (arn: ${arn})`,
    );
    await aws.ok(t, `detach-thing-principal --thing-name pump --principal ${arn}`);
    const [stillAllowed] = await Promise.all([
      aws.fails(t, `delete-certificate --certificate-id ${id}`),
      aws.ok(t, "delete-thing --thing-name pump"),
    ]);
    assert.equal(
      withoutFrame(stillAllowed),
      `DeleteConflictException: Certificate policies must be detached before deletion (arn: ${arn})`,
    );
    await aws.ok(t, `detach-policy --policy-name all --target ${arn}`);
    await Promise.all([
      aws.ok(t, `delete-certificate --certificate-id ${id}`),
      aws.ok(t, "delete-policy --policy-name all"),
    ]);
    assert.deepEqual(await aws.ok(t, "list-certificates"), { certificates: [] });
  });

  await t.test("provisioning templates: versions, changes, a claim, refusals", async (t) => {
    const file = join(cloud.folder, "template.json");
    await writeFile(file, templateBody);
    const role = "arn:aws:iam::123456789012:role/provisioning";
    const named = "--template-name line";
    const made = await aws.ok(
      t,
      `create-provisioning-template ${named} --provisioning-role-arn ${role} --enabled --template-body file://${file}`,
    );
    const templateArn = `${account}:provisioningtemplate/line`;
    assert.deepEqual(made, { templateArn, templateName: "line", defaultVersionId: 1 });
    const second = await aws.ok(t, `create-provisioning-template-version ${named} --template-body file://${file}`);
    assert.deepEqual(second, { templateArn, templateName: "line", versionId: 2, isDefaultVersion: false });
    await aws.ok(t, `update-provisioning-template ${named} --default-version-id 2 --description`, "the line");
    const [described, versions, listed, claim, ...refused] = await Promise.all([
      aws.ok<Record<string, unknown>>(t, `describe-provisioning-template ${named}`),
      aws.ok<{ versions: { versionId: number }[] }>(t, `list-provisioning-template-versions ${named} --page-size 1`),
      aws.ok<{ templates: { templateName: string }[] }>(t, "list-provisioning-templates"),
      aws.ok<Made & { expiration: string | number }>(t, `create-provisioning-claim ${named}`),
      aws.fails(t, `delete-provisioning-template-version ${named} --version-id 2`),
      aws.fails(t, "describe-provisioning-template --template-name nothing"),
      aws.fails(
        t,
        `create-provisioning-template ${named} --provisioning-role-arn ${role} --template-body file://${file}`,
      ),
    ]);
    const { enabled, description, defaultVersionId, type } = described;
    assert.deepEqual([enabled, description, defaultVersionId, type], [true, "the line", 2, "FLEET_PROVISIONING"]);
    assert.equal(described["templateBody"], templateBody);
    assert.deepEqual(
      versions.versions.map(({ versionId }) => versionId),
      [1, 2],
    );
    assert.deepEqual(
      listed.templates.map(({ templateName }) => templateName),
      ["line"],
    );
    assert.ok(new X509Certificate(claim.certificatePem).publicKey.equals(createPublicKey(claim.keyPair.PrivateKey)));
    assert.ok(Math.abs(unixMs(claim.expiration) - Date.now() - 5 * 60_000) < 60_000);
    assert.deepEqual(
      refused.map((text) => withoutFrame(text).split(":")[0]),
      ["DeleteConflictException", "ResourceNotFoundException", "ResourceAlreadyExistsException"],
    );
    await aws.ok(t, `delete-provisioning-template-version ${named} --version-id 1`);
    await aws.ok(t, `delete-provisioning-template ${named}`);
  });

  await t.test("tags of a policy; the levels of logging; which policy decides", async (t) => {
    const made = await aws.ok<{ policyArn: string }>(
      t,
      "create-policy --policy-name tagged --tags Key=team,Value=water --policy-document",
      policyDocument,
    );
    const arn = made.policyArn;
    await aws.ok(t, `tag-resource --resource-arn ${arn} --tags Key=site,Value=oslo`);
    await aws.ok(t, `untag-resource --resource-arn ${arn} --tag-keys team`);
    const role = "arn:aws:iam::123456789012:role/logging";
    const [listed, unknown, unconfigured] = await Promise.all([
      aws.ok(t, `list-tags-for-resource --resource-arn ${arn}`),
      aws.fails(t, `list-tags-for-resource --resource-arn ${arn}s`),
      aws.fails(t, "get-v2-logging-options"),
    ]);
    assert.deepEqual(listed, { tags: [{ Key: "site", Value: "oslo" }] });
    assert.match(unknown, /\(ResourceNotFoundException\) when calling the ListTagsForResource operation/);
    assert.match(unconfigured, /\(NotConfiguredException\) when calling the GetV2LoggingOptions operation/);
    await aws.ok(t, `set-v2-logging-options --role-arn ${role} --default-log-level WARN`);
    await aws.ok(t, "set-v2-logging-level --log-level DEBUG --log-target targetType=CLIENT_ID,targetName=pump");
    const [options, levels, tested] = await Promise.all([
      aws.ok<{ defaultLogLevel: string }>(t, "get-v2-logging-options"),
      aws.ok<{ logTargetConfigurations: object[] }>(t, "list-v2-logging-levels"),
      aws.ok<{ authResults: { authDecision: string }[] }>(
        t,
        `test-authorization --policy-names-to-add tagged --auth-infos actionType=CONNECT,resources=${account}:client/pump`,
      ),
    ]);
    assert.equal(options.defaultLogLevel, "WARN");
    const logTarget = { targetType: "CLIENT_ID", targetName: "pump" };
    assert.deepEqual(levels.logTargetConfigurations, [{ logTarget, logLevel: "DEBUG" }]);
    assert.equal(tested.authResults[0]?.authDecision, "ALLOWED");
  });

  await t.test("describe-endpoint; wrong credentials", async (t) => {
    const [endpoint, wrongType, wrongSecret, wrongKey] = await Promise.all([
      aws.ok(t, "describe-endpoint --endpoint-type iot:Data-ATS"),
      aws.fails(t, "describe-endpoint --endpoint-type iot:Nothing"),
      cliOf(cloud.api, cloud.folder, { AWS_SECRET_ACCESS_KEY: "wrong" }).fails(t, "list-things"),
      cliOf(cloud.api, cloud.folder, { AWS_ACCESS_KEY_ID: "AKIDUNKNOWN" }).fails(t, "list-things"),
    ]);
    assert.deepEqual(endpoint, { endpointAddress: `localhost:${cloud.port}` });
    assert.match(wrongType, /\(InvalidRequestException\) when calling the DescribeEndpoint operation/);
    assert.match(
      wrongSecret,
      /\(InvalidSignatureException\) when calling the ListThings operation: The request signature we calculated does not match/,
    );
    assert.match(
      wrongKey,
      /\(UnrecognizedClientException\) when calling the ListThings operation: The security token included in the request is invalid/,
    );
  });
});

test("aws iot-data: publish, and the retained messages", { skip }, async (t) => {
  const cloud = await startLocalCloud(t);
  const environment = { AWS_DEFAULT_REGION: "us-east-1" };
  const aws = cliOf(cloud.api, cloud.folder, environment, "iot-data");
  // Versions 1 and 2 read a payload on the command line differently, and one in a file alike.
  const folder = cloud.folder;
  await Promise.all([
    writeFile(join(folder, "pressure"), "2.5"),
    writeFile(join(folder, "document"), '{"state":{"reported":{"on":true}}}'),
  ]);
  await aws.ok(t, "publish --topic pump/pressure --qos 1 --retain --payload", `fileb://${folder}/pressure`);
  const [got, listed, missingTopic, reserved] = await Promise.all([
    aws.ok<Record<string, unknown>>(t, "get-retained-message --topic pump/pressure"),
    aws.ok<{ retainedTopics: Record<string, unknown>[] }>(t, "list-retained-messages"),
    aws.fails(t, "get-retained-message --topic nothing"),
    aws.fails(t, "publish --topic $aws/events/presence/connected/pump --payload", `fileb://${folder}/pressure`),
  ]);
  const payload = Buffer.from("2.5").toString("base64");
  assert.deepEqual([got["topic"], got["payload"], got["qos"]], ["pump/pressure", payload, 1]);
  assert.deepEqual(
    listed.retainedTopics.map(({ topic, payloadSize }) => [topic, payloadSize]),
    [["pump/pressure", 3]],
  );
  assert.match(missingTopic, /\(ResourceNotFoundException\) when calling the GetRetainedMessage operation/);
  // The CLI writes the document to the file that is named last.
  const shadow = join(folder, "shadow");
  const update = ["update-thing-shadow --thing-name pump --payload", `fileb://${folder}/document`].join(" ");
  await aws.wrote(t, update, shadow);
  assert.deepEqual((JSON.parse(await readFile(shadow, "utf8")) as Record<string, unknown>)["version"], 1);
  assert.match(reserved, /\(ForbiddenException\) when calling the Publish operation.*: Forbidden/);
});

interface Thing {
  thingId: string;
  thingArn: string;
}
interface ThingPage {
  things: { thingName: string }[];
  NextToken?: string;
}
interface Made {
  certificateArn: string;
  certificateId: string;
  certificatePem: string;
  keyPair: { PublicKey: string; PrivateKey: string };
}
interface Policy {
  policyArn: string;
}
interface Described {
  certificateDescription: Record<string, unknown> & {
    creationDate: string | number;
    validity: { notBefore: string | number; notAfter: string | number };
  };
}

/** Version 2 of the CLI prints dates as text, version 1 in seconds. */
const unixMs = (date: string | number): number => (typeof date === "number" ? date * 1000 : Date.parse(date));

const namesOf = ({ things }: ThingPage): string[] => things.map(({ thingName }) => thingName);

/** `An error occurred (Code) when calling the X operation: message` as `Code: message`. */
function withoutFrame(text: string): string {
  const [, code, message] = /An error occurred \((\w+)\) when calling the \w+ operation: (.*)/.exec(text) ?? [];
  return code === undefined ? text : `${code}: ${message}`;
}

/** Runs `aws iot`, or another service, with nothing of the user's own configuration. Words are split at spaces; the last one may have some. */
function cliOf(api: string, home: string, environment: Record<string, string> = {}, service = "iot") {
  const env = {
    ...{ PATH: process.env["PATH"] ?? "", HOME: home, LC_ALL: "C.UTF-8", AWS_DEFAULT_REGION: "eu-central-1" },
    ...{ AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", AWS_PAGER: "" },
    ...environment,
  };
  const run = (t: TestContext, words: string, lastWord: string | undefined) => {
    const last = lastWord === undefined ? [] : [lastWord];
    const args = [service, "--endpoint-url", api, "--output", "json", ...words.split(" "), ...last];
    return start(t, "aws", args, { env }).ended;
  };
  return {
    /** What it printed. */
    async ok<T = unknown>(t: TestContext, words: string, lastWord?: string): Promise<T> {
      const { code, output } = await run(t, words, lastWord);
      assert.equal(code, 0, `${words}: ${output}`);
      return (output === "" ? undefined : JSON.parse(output)) as T;
    },
    /** Lets it write its answer to a file. */
    async wrote(t: TestContext, words: string, file: string): Promise<void> {
      const { code, output } = await run(t, words, file);
      assert.equal(code, 0, `${words}: ${output}`);
    },
    /** What it said about the service's refusal. */
    async fails(t: TestContext, words: string, lastWord?: string): Promise<string> {
      const { code, output } = await run(t, words, lastWord);
      assert.ok(code === 254 || code === 255, `${words} ended with ${code}: ${output}`);
      return output;
    },
  };
}
