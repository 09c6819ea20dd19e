import assert from "node:assert/strict";
import { test } from "node:test";
import { errorCodes, ThinglineError, type ErrorCode } from "@thingline/protocol";
import { exitCodes, reportFailure, UsageError } from "./failure.js";
import { hintFor, hintForAws } from "./hints.js";
import { createOutput } from "./output.js";

function report(error: unknown, { isJson = false, command = "provision" } = {}) {
  let out = "";
  let err = "";
  const output = createOutput({
    isJson,
    env: {},
    out: { write: (text) => (out += text) },
    err: { write: (text) => (err += text) },
  });
  const exitCode = reportFailure(output, error, command);
  return { exitCode, out, err, fact: out === "" ? undefined : (JSON.parse(out) as Record<string, unknown>) };
}

test("an expected failure is a line with its code, no stack trace, exit code 1", () => {
  const { exitCode, err, out } = report(new ThinglineError("FILE_NOT_FOUND", 'there is no "a.pem"'));
  assert.equal(exitCode, exitCodes.failed);
  assert.equal(err, 'error: there is no "a.pem" (FILE_NOT_FOUND)\n');
  assert.equal(out, "");
});

test("with --json the failure is an event as well, with details and what can be done", () => {
  const error = new ThinglineError("PORT_IN_USE", "port 8883 is in use", { details: { port: 8883 } });
  const { fact, err } = report(error, { isJson: true });
  const { hint, ...rest } = fact ?? {};
  assert.deepEqual(rest, {
    event: "error",
    code: "PORT_IN_USE",
    message: "port 8883 is in use",
    details: { port: 8883 },
  });
  assert.match(String(hint), /another port/);
  assert.match(err, /^error: port 8883 is in use \(PORT_IN_USE\)\nnext: {2}/);
});

test("wrong usage is exit code 2", () => {
  const { exitCode, err, fact } = report(new UsageError("say --yes"), { isJson: true });
  assert.equal(exitCode, exitCodes.wrongUsage);
  assert.equal(err, "error: say --yes\n");
  assert.deepEqual(fact, { event: "error", code: "USAGE", message: "say --yes" });
});

test("several mistakes are a list below what they have in common", () => {
  const { err } = report(new ThinglineError("KCONFIG_INVALID", "a.conf:1: one\na.conf:2: two"));
  assert.equal(err, `error: ${errorCodes.KCONFIG_INVALID} (KCONFIG_INVALID)\n  a.conf:1: one\n  a.conf:2: two\n`);
});

test("what AWS has not found can be looked for in the same place", () => {
  const missing = (message: string) => Object.assign(new Error(message), { name: "ResourceNotFoundException" });
  const told = (message: string, places = {}) => hintForAws(missing(message), "fota deploy", places)?.command;
  assert.match(told("Thing group north not found.") ?? "", / group list$/);
  assert.match(told("No job with id 'x' found", { dataDir: "elsewhere" }) ?? "", / fota status --data-dir elsewhere$/);
  assert.match(told("Thing pump not found.", { aws: true }) ?? "", / thing create NAME --aws$/);
  assert.equal(hintForAws(missing("Policy not found"), "thing create"), undefined);
});

test("what is wrong with a thing type or a billing group leads to those that there are", () => {
  const told = (name: string, message: string, command: string) =>
    hintForAws(Object.assign(new Error(message), { name }), command, { dataDir: "other" })?.command ?? "";
  const missing = "ResourceNotFoundException";
  assert.match(told(missing, "Thing type x not found.", "thing create"), / thing-type list --data-dir other$/);
  assert.match(
    told(missing, "Billing group x not found.", "billing-group add"),
    / billing-group list --data-dir other$/,
  );
  const deprecated = "Can not create new thing with depreated thing type:x";
  assert.match(told("InvalidRequestException", deprecated, "thing create"), / thing-type deprecate NAME --undo /);
  const early = "Cannot delete thing type : x. Please wait for 5 minutes after deprecation and then retry";
  assert.match(told("InvalidRequestException", early, "thing-type delete"), / thing-type show NAME --data-dir other$/);
});

test("a board whose images nobody knows says how there can be another", () => {
  const error = new ThinglineError("IMAGE_INVALID", "nothing on the board may run", {
    details: { reason: "KEY_UNKNOWN" },
  });
  assert.match(hintFor(error, "device run")?.text ?? "", /--board-dir/);
  assert.match(hintFor(error, "fota deploy")?.text ?? "", /--key/);
  assert.equal(hintFor(error, "firmware sign"), undefined);
});

test("an error of AWS keeps AWS's name", () => {
  const error = Object.assign(new Error("Policy not found"), {
    name: "ResourceNotFoundException",
    $fault: "client",
    $metadata: {},
  });
  const { exitCode, err, fact } = report(error, { isJson: true });
  assert.equal(exitCode, 1);
  assert.equal(err, "error: Policy not found (ResourceNotFoundException)\n");
  assert.equal(fact?.["code"], "ResourceNotFoundException");
});

test("missing AWS credentials say what to set", () => {
  const error = Object.assign(new Error("Could not load credentials"), { name: "CredentialsProviderError" });
  assert.match(report(error).err, /\(CredentialsProviderError\)\nnext: .*AWS_PROFILE/);
});

test("a refused connection of the AWS client is no defect, whatever shape it has", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED 127.0.0.1:1"), {
    code: "ECONNREFUSED",
    syscall: "connect",
  });
  const both = Object.assign(new AggregateError([refused, refused], ""), { code: "ECONNREFUSED" });
  for (const error of [refused, both]) {
    assert.match(report(error).err, /^error: connect ECONNREFUSED 127\.0\.0\.1:1 \(ECONNREFUSED\)\nnext: /);
  }
});

test("our own defects show their stack, and only they do", () => {
  const { exitCode, err, fact } = report(new TypeError("x is not a function"), { isJson: true });
  assert.equal(exitCode, 1);
  assert.match(err, /^defect in thingline: TypeError: x is not a function\n +at /);
  assert.equal(fact?.["code"], "DEFECT");
  assert.equal(fact?.["message"], "x is not a function");
  assert.equal(report("a text").err, "defect in thingline: a text\n");
});

test("hints go by the command and hold what was tried", () => {
  const hint = (code: ErrorCode, details: Record<string, string | number>, command: string) => {
    const found = hintFor(new ThinglineError(code, "x", { details }), command);
    return `${found?.text} ${found?.command ?? ""}`;
  };
  assert.match(hint("LOCKED", {}, "cloud start"), /--data-dir/);
  assert.match(hint("LOCKED", {}, "modem list"), /--modem-dir/);
  assert.match(hint("CLOUD_NOT_RUNNING", { folder: "my cloud" }, "thing create"), /cloud start --data-dir 'my cloud'$/);
  assert.match(hint("CREDENTIAL_MISSING", { secTag: 43 }, "provision"), /modem write --sec-tag 43 --from FOLDER$/);
  const elsewhere = hintFor(new ThinglineError("CREDENTIAL_MISSING", "x", { details: { secTag: 43 } }), "device run", {
    modemDir: "my modem",
  });
  assert.match(elsewhere?.command ?? "", /modem write --sec-tag 43 --from FOLDER --modem-dir 'my modem'$/);
  assert.match(hint("CREDENTIAL_MISSING", { secTag: 43 }, "demo"), /--without-claim/);
  assert.match(hint("CONNECTION_LOST", {}, "provision"), /log of the local cloud/);
  assert.match(hint("CONNECTION_REFUSED", {}, "modem write"), /correct the port of --prove: \S.*cloud start$/);
  assert.match(hint("CONNECTION_REFUSED", {}, "provision"), /correct CONFIG_AWS_IOT_PORT: /);
  assert.match(hint("HOST_NOT_FOUND", {}, "modem write"), /the host of --prove/);
  const door = "localhost:4000";
  assert.match(hint("CONNECTION_REFUSED", { door }, "modem list"), /--tcp.* modem simulate --tcp 4000$/);
  assert.match(hint("HOST_NOT_FOUND", { door }, "device run"), /^Correct --tcp\. $/);
  assert.match(hint("CONNECTION_LOST", { door }, "device run"), /^One host at a time/);
  assert.equal(hintFor(new ThinglineError("CONNECTION_LOST", "x"), "modem list"), undefined);
  assert.match(hint("SERIAL_PORT_FAILED", {}, "modem list"), /modem ports$/);
  assert.match(hint("FIRMWARE_PACKAGE_INVALID", {}, "modem firmware program"), /do not unzip/);
  assert.match(hint("FIRMWARE_PACKAGE_INVALID", { kind: "application" }, "modem firmware program"), /signed image/);
  assert.match(hint("TLS_PEER_UNTRUSTED", { secTag: 43 }, "provision"), /modem write --sec-tag 43 --ca /);
  assert.match(hint("TLS_PEER_UNTRUSTED", { caFile: "certs/ca-cert.pem" }, "provision"), /certs\/ca-cert\.pem\. $/);
});

test("new credentials that fail for the CA of --ca are told from those that the cloud refused", () => {
  const cause = new ThinglineError("TLS_PEER_UNTRUSTED", "x");
  const notProved = new ThinglineError("PROVISIONING_NOT_PROVED", "x", { cause });
  assert.match(hintFor(notProved, "provision")?.text ?? "", /--ca FILE/);
  assert.match(
    hintFor(new ThinglineError("PROVISIONING_NOT_PROVED", "x"), "provision")?.text ?? "",
    /log of the local/,
  );
});

test("a refused or unanswered device is told what to type", () => {
  const hint = (code: ErrorCode, details: Record<string, string>, method = "csr") => {
    const found = hintFor(new ThinglineError(code, "x", { details }), "provision", { method });
    return `${found?.text} ${found?.command ?? ""}`;
  };
  const missing = { cloudCode: "InvalidParameters", cloudReason: "Cannot resolve reference value: SerialNumber" };
  assert.match(hint("PROVISIONING_REJECTED", missing), /--parameter SerialNumber=VALUE/);
  assert.match(hint("PROVISIONING_REJECTED", { cloudCode: "RESOURCE_EXISTS" }, "split"), /cert list$/);
  assert.match(hint("PROVISIONING_REJECTED", { cloudCode: "AccessDenied" }), /log/);
  const told = { cloudCode: "InvalidRequest", next: "see what the cloud says" };
  assert.match(hint("PROVISIONING_REJECTED", told), /^See what the cloud says\. $/);
  assert.match(hint("PROVISIONING_TIMEOUT", {}, "split"), /cloud vending builtin$/);
  assert.match(hint("PROVISIONING_TIMEOUT", { next: "look" }), /^Look\. $/);
  assert.match(hint("PROVISIONING_METHOD_UNFIT", {}, "fleet"), /--native-tls/);
  assert.match(hint("FILE_NOT_FOUND", { path: "certs/ca-cert.pem" }, "split"), /--certs FOLDER/);
  assert.equal(hint("FILE_NOT_FOUND", { path: "prj.conf" }, "split"), "undefined ");
  assert.match(hint("PROVISIONING_NOT_PROVED", {}, "own-certificate"), /cert list --status PENDING_ACTIVATION$/);
});

test("a template that is there, and a version that is not, lead to versions", () => {
  const aws = (name: string, message: string, command: string) =>
    hintForAws(Object.assign(new Error(message), { name }), command, { dataDir: "other" })?.command ?? "";
  assert.match(
    aws("ResourceAlreadyExistsException", "there", "template create"),
    /template version create NAME FILE --set-default --data-dir other$/,
  );
  const noVersion = "The version of the provisioning template does not exist";
  assert.match(
    aws("ResourceNotFoundException", noVersion, "template version delete"),
    /template version list NAME --data-dir other$/,
  );
  assert.match(
    aws("ResourceNotFoundException", "The provisioning template does not exist", "template version delete"),
    /template list --data-dir other$/,
  );
});
