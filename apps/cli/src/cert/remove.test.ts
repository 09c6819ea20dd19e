import assert from "node:assert/strict";
import { test } from "node:test";
import type { CertPlace } from "./place.js";
import { removeCertificate } from "./remove.js";

test("a list that still has what was detached, as AWS's may for a while, is not asked without end", async () => {
  const asked: string[] = [];
  const answers: Readonly<Record<string, object>> = {
    describe: { certificateDescription: { certificateArn: "arn", status: "ACTIVE" } },
    things: { things: ["pump-7"] },
    policies: { policies: [{ policyName: "device" }] },
  };
  const command = (name: string) =>
    class {
      readonly name = name;
    };
  const send = async ({ name }: { name: string }): Promise<object> => {
    asked.push(name);
    assert.ok(asked.length < 20, asked.join(" "));
    return answers[name] ?? {};
  };
  const place = {
    client: { send },
    sdk: {
      DescribeCertificateCommand: command("describe"),
      UpdateCertificateCommand: command("update"),
      ListPrincipalThingsCommand: command("things"),
      DetachThingPrincipalCommand: command("detachThing"),
      ListAttachedPoliciesCommand: command("policies"),
      DetachPolicyCommand: command("detachPolicy"),
      DeleteCertificateCommand: command("delete"),
      async *paginateListPrincipalThings() {
        yield await send({ name: "things" });
      },
    },
    send: {},
  } as unknown as CertPlace;
  await removeCertificate(place, "c".repeat(64));
  assert.deepEqual(asked, ["describe", "update", "things", "detachThing", "policies", "detachPolicy", "delete"]);
});
