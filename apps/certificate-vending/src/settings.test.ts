import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { namesMax, readAdmission, readSettings } from "./settings.js";

test("an empty environment but for the policy gives the narrow defaults", () => {
  assert.deepEqual(readSettings({ POLICY_NAME: "devices", ALLOWED_NAMES: "", CLIENTS: "" }), {
    policyName: "devices",
    clients: "bound",
    names: [],
    things: "any",
    provisionedThings: "refuse",
    keys: "any",
    limits: { certificatesPerWindowMax: 5, certificatesPerThingMax: 10, requestsPerMinuteMax: 60 },
  });
});

test("every variable is read", () => {
  const settings = readSettings({
    POLICY_NAME: "p",
    ALLOWED_NAMES: "pump-*, meter-7",
    CLIENTS: "any",
    THINGS: "registered",
    PROVISIONED_THINGS: "allow",
    KEYS: "device",
    CERTIFICATES_PER_HOUR: "2",
    CERTIFICATES_PER_THING: "3",
    REQUESTS_PER_MINUTE: "4",
  });
  assert.deepEqual(readAdmission({}).things, "any");
  assert.deepEqual(settings, {
    policyName: "p",
    clients: "any",
    names: ["pump-*", "meter-7"],
    things: "registered",
    provisionedThings: "allow",
    keys: "device",
    limits: { certificatesPerWindowMax: 2, certificatesPerThingMax: 3, requestsPerMinuteMax: 4 },
  });
});

test("a variable that is misspelt opens nothing: it is refused by its name", () => {
  const cases: Record<string, string>[] = [
    { POLICY_NAME: "" },
    { POLICY_NAME: "a b" },
    { CLIENTS: "all" },
    { THINGS: "none" },
    { PROVISIONED_THINGS: "yes" },
    { KEYS: "csr" },
    { ALLOWED_NAMES: "a/b" },
    { ALLOWED_NAMES: Array.from({ length: namesMax + 1 }, (_, at) => `d${at}`).join() },
    { CERTIFICATES_PER_HOUR: "0" },
    { CERTIFICATES_PER_THING: "-1" },
    { REQUESTS_PER_MINUTE: "1.5" },
  ];
  for (const wrong of cases) {
    const [name] = Object.keys(wrong);
    assert.throws(
      () => readSettings({ POLICY_NAME: "devices", ...wrong }),
      (error) => isThinglineError(error, "OPTION_INVALID") && error.details["option"] === name,
    );
  }
});
