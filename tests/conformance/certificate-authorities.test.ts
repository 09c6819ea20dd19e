// A CA made by openssl, managed by the AWS CLI and the AWS SDK, and a device of it that connects by AWS's device SDK (v2): all unmodified.
import assert from "node:assert/strict";
import { fork } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { fileURLToPath } from "node:url";
import {
  CreatePolicyCommand,
  CreateProvisioningTemplateCommand,
  DeleteCACertificateCommand,
  DescribeCACertificateCommand,
  DescribeCertificateCommand,
  ListCACertificatesCommand,
  ListCertificatesByCACommand,
  ListThingPrincipalsCommand,
  RegisterCACertificateCommand,
  RegisterCertificateCommand,
  UpdateCACertificateCommand,
} from "@aws-sdk/client-iot";
import { missing, start, startLocalCloud, subtests, type LocalCloud } from "./local-cloud.test.support.js";
import type { Command, Report } from "./mqtt5-sdk-process.test.support.js";

const sdk = await import("aws-iot-device-sdk-v2").catch(() => undefined);
const skip =
  missing("openssl", "openssl") ||
  missing("aws", "awscli") ||
  (sdk === undefined && "needs the native library of aws-crt for this platform");

/** As in AWS's guide: the extensions are those that its example gives. */
const opensslConfig = `
[req]
distinguished_name = name
[name]
[ca]
basicConstraints = critical,CA:TRUE
keyUsage = critical,keyCertSign,cRLSign
subjectKeyIdentifier = hash
`;

const jitpTemplate = JSON.stringify({
  Parameters: {
    "AWS::IoT::Certificate::CommonName": { Type: "String" },
    "AWS::IoT::Certificate::Id": { Type: "String" },
  },
  Resources: {
    thing: { Type: "AWS::IoT::Thing", Properties: { ThingName: { Ref: "AWS::IoT::Certificate::CommonName" } } },
    certificate: {
      Type: "AWS::IoT::Certificate",
      Properties: { CertificateId: { Ref: "AWS::IoT::Certificate::Id" }, Status: "ACTIVE" },
    },
    policy: { Type: "AWS::IoT::Policy", Properties: { PolicyName: "devices" } },
  },
});
const roleArn = "arn:aws:iam::123456789012:role/provisioning";

test("CAs of one's own", { skip }, async (t) => {
  const check = subtests(t);
  const cloud = await startLocalCloud(t);
  const openssl = opensslIn(cloud);
  await writeFile(join(cloud.folder, "openssl.cnf"), opensslConfig);
  const { iot } = cloud;

  await check("openssl makes a CA and its proof, the AWS CLI registers it, and the AWS SDK sees it", async (t) => {
    await openssl.ca(t, "root", "-newkey rsa:2048 -sha256");
    const { registrationCode } = await aws<{ registrationCode: string }>(t, cloud, "get-registration-code");
    await openssl.sign(t, "root", "verification", `/CN=${registrationCode}`);
    await writeFile(join(cloud.folder, "config.json"), JSON.stringify({ templateBody: jitpTemplate, roleArn }));
    const files = `--ca-certificate file://root.pem --verification-certificate file://verification.pem`;
    const words = `register-ca-certificate ${files} --set-as-active --allow-auto-registration --registration-config file://config.json`;
    const { certificateId } = await aws<{ certificateId: string }>(t, cloud, words);
    const { certificateDescription, registrationConfig } = await iot.send(
      new DescribeCACertificateCommand({ certificateId }),
    );
    assert.equal(certificateDescription?.status, "ACTIVE");
    assert.equal(certificateDescription.autoRegistrationStatus, "ENABLE");
    assert.equal(certificateDescription.certificatePem, await openssl.pem("root"));
    assert.deepEqual(registrationConfig, { templateBody: jitpTemplate, roleArn });
    const listed = await aws<{ certificates: { certificateId: string }[] }>(t, cloud, "list-ca-certificates");
    assert.deepEqual(
      listed.certificates.map((ca) => ca.certificateId),
      [certificateId],
    );
  });

  await check("a device of it that knows nothing of all this connects by AWS's device SDK", async (t) => {
    const policyDocument = JSON.stringify({
      Version: "2012-10-17",
      Statement: [{ Effect: "Allow", Action: "iot:*", Resource: "*" }],
    });
    await iot.send(new CreatePolicyCommand({ policyName: "devices", policyDocument }));
    await openssl.sign(t, "root", "pump-7", "/O=Acme/CN=pump-7");
    const client = startSdk(t, cloud, "pump-7");
    assert.equal(await client.next(), "connectionFailure", "the first one is closed");
    assert.equal(await client.next(), "connectionSuccess", "and it comes again by itself");
    const { principals = [] } = await iot.send(new ListThingPrincipalsCommand({ thingName: "pump-7" }));
    const certificateId = principals[0]?.split("/")[1];
    const { certificateDescription: device } = await iot.send(new DescribeCertificateCommand({ certificateId }));
    assert.equal(device?.status, "ACTIVE");
    const { caCertificateId } = device;
    const { certificates } = await iot.send(new ListCertificatesByCACommand({ caCertificateId }));
    assert.deepEqual(
      certificates?.map((each) => each.certificateId),
      [certificateId],
    );
  });

  await check(
    "the AWS SDK registers a CA of RSASSA-PSS without the proof, names a template, and lets go of it",
    async (t) => {
      const pss = "-newkey rsa:2048 -sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48";
      await openssl.ca(t, "pss", pss);
      const provisioningRoleArn = roleArn;
      const template = { templateName: "fleet", templateBody: jitpTemplate, type: "JITP", enabled: true } as const;
      await iot.send(new CreateProvisioningTemplateCommand({ ...template, provisioningRoleArn }));
      const { certificateId } = await iot.send(
        new RegisterCACertificateCommand({
          ...{ caCertificate: await openssl.pem("pss"), certificateMode: "SNI_ONLY", setAsActive: true },
          registrationConfig: { templateName: "fleet" },
        }),
      );
      const named = await iot.send(new ListCACertificatesCommand({ templateName: "fleet" }));
      assert.deepEqual(
        named.certificates?.map((ca) => ca.certificateId),
        [certificateId],
      );
      await openssl.sign(
        t,
        "pss",
        "pump-8",
        "/CN=pump-8",
        "-sha384 -sigopt rsa_padding_mode:pss -sigopt rsa_pss_saltlen:48",
      );
      const certificatePem = await openssl.pem("pump-8");
      const registered = await iot.send(new RegisterCertificateCommand({ certificatePem, status: "ACTIVE" }));
      const again = iot.send(new RegisterCertificateCommand({ certificatePem }));
      await assert.rejects(again, { name: "ResourceAlreadyExistsException", resourceId: registered.certificateId });
      await assert.rejects(iot.send(new DeleteCACertificateCommand({ certificateId })), {
        name: "CertificateStateException",
      });
      await iot.send(new UpdateCACertificateCommand({ certificateId, newStatus: "INACTIVE" }));
      await iot.send(new DeleteCACertificateCommand({ certificateId }));
      const gone = iot.send(new DescribeCACertificateCommand({ certificateId }));
      await assert.rejects(gone, { name: "ResourceNotFoundException" });
    },
  );

  await check("certificates that are not what they say are refused by AWS's names", async (t) => {
    const refused = (words: string) => awsFails(t, cloud, words);
    const sni = (file: string) =>
      `register-ca-certificate --certificate-mode SNI_ONLY --ca-certificate file://${file}.pem`;
    await openssl.ca(t, "other", "-newkey rsa:2048 -sha256");
    await openssl.sign(t, "other", "leaf", "/CN=leaf");
    await openssl.ca(t, "weak", "-newkey rsa:1024 -sha256");
    await openssl.ca(t, "sha1", "-newkey rsa:2048 -sha1");
    await openssl.ca(t, "impostor", "-newkey rsa:2048 -sha256", "/O=Acme/CN=root");
    await openssl.sign(t, "impostor", "forged", "/CN=forged");
    await writeFile(join(cloud.folder, "der.pem"), Buffer.from(await openssl.pem("other")).subarray(0, 400));
    const verified = (ca: string, file: string) =>
      `register-ca-certificate --ca-certificate file://${ca}.pem --verification-certificate file://${file}.pem`;
    const certificate = (file: string) => `register-certificate --certificate-pem file://${file}.pem`;
    const [noCa, weak, sha1, noPem, wrongCode, wrongKey, forged, unknown, pending] = await Promise.all([
      refused(sni("leaf")),
      refused(sni("weak")),
      refused(sni("sha1")),
      refused(sni("der")),
      refused(verified("other", "leaf")),
      refused(verified("other", "verification")),
      refused(certificate("forged")),
      refused(certificate("leaf")),
      refused(`${certificate("pump-7")} --status PENDING_ACTIVATION`),
    ]);
    assert.match(noCa, /\(CertificateValidationException\).*CA:TRUE/);
    assert.match(weak, /\(CertificateValidationException\).*RSA of 2048 bits/);
    assert.match(sha1, /\(CertificateValidationException\).*1\.2\.840\.113549\.1\.1\.5/);
    assert.match(noPem, /\(CertificateValidationException\)/);
    assert.match(wrongCode, /\(RegistrationCodeValidationException\)/);
    assert.match(wrongKey, /\(CertificateValidationException\)/);
    assert.match(forged, /\(CertificateValidationException\).*signature is not by the key/);
    assert.match(unknown, /\(CertificateValidationException\).*no CA certificate with this subject/);
    assert.match(
      pending,
      /\(CertificateStateException\).*Not allowed to register certificate with PENDING_ACTIVATION status/,
    );
  });
});

/** openssl in the folder of a cloud: `NAME.pem` and `NAME.key`. */
function opensslIn({ folder }: LocalCloud) {
  const at = (file: string) => join(folder, file);
  const run = async (t: TestContext, words: readonly string[]) => {
    const { code, output } = await start(t, "openssl", words).ended;
    assert.equal(code, 0, `openssl ${words.join(" ")}: ${output}`);
  };
  return {
    pem: (name: string) => readFile(at(`${name}.pem`), "utf8"),
    ca: (t: TestContext, name: string, words: string, subject = `/O=Acme/CN=${name}`) =>
      run(t, [
        ...["req", "-x509", "-nodes", "-days", "30", "-config", at("openssl.cnf"), "-extensions", "ca"],
        ...[...words.split(" "), "-subj", subject, "-keyout", at(`${name}.key`), "-out", at(`${name}.pem`)],
      ]),
    async sign(t: TestContext, ca: string, name: string, subject: string, words = "-sha256"): Promise<void> {
      const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", at(`${name}.key`)];
      const request = [
        "req",
        "-new",
        ...key,
        "-config",
        at("openssl.cnf"),
        "-subj",
        subject,
        "-out",
        at(`${name}.csr`),
      ];
      await run(t, request);
      const by = ["-CA", at(`${ca}.pem`), "-CAkey", at(`${ca}.key`), "-CAcreateserial", "-days", "30"];
      await run(t, ["x509", "-req", "-in", at(`${name}.csr`), ...by, ...words.split(" "), "-out", at(`${name}.pem`)]);
    },
  };
}

function runAws(t: TestContext, { api, folder }: LocalCloud, words: string) {
  const env = {
    ...{ PATH: process.env["PATH"] ?? "", HOME: folder, LC_ALL: "C.UTF-8", AWS_DEFAULT_REGION: "us-east-1" },
    ...{ AWS_ACCESS_KEY_ID: "test", AWS_SECRET_ACCESS_KEY: "test", AWS_PAGER: "" },
  };
  const args = words.replaceAll("file://", `file://${folder}/`).split(" ");
  return start(t, "aws", ["iot", "--endpoint-url", api, "--output", "json", ...args], { env }).ended;
}

async function aws<T>(t: TestContext, cloud: LocalCloud, words: string): Promise<T> {
  const { code, output } = await runAws(t, cloud, words);
  assert.equal(code, 0, `${words}: ${output}`);
  return JSON.parse(output) as T;
}

async function awsFails(t: TestContext, cloud: LocalCloud, words: string): Promise<string> {
  const { code, output } = await runAws(t, cloud, words);
  assert.ok(code === 254 || code === 255, `${words} ended with ${code}: ${output}`);
  return output;
}

/** An MQTT 5 client of the SDK in a process of its own, which connects again by itself. */
function startSdk(t: TestContext, { folder, port, caFile }: LocalCloud, clientId: string) {
  const program = fileURLToPath(new URL("mqtt5-sdk-process.test.support.js", import.meta.url));
  const child = fork(program, { serialization: "advanced", execArgv: [] });
  t.after(() => child.kill("SIGKILL"));
  const seen: string[] = [];
  let wake: () => void = () => undefined;
  child.on("message", (report: Report) => {
    if ("event" in report) seen.push(report.event);
    wake();
  });
  const file = (name: string) => join(folder, `${clientId}.${name}`);
  const options = { port, caFile, certificateFile: file("pem"), keyFile: file("key"), sessionExpirySeconds: 0 };
  child.send({ id: 1, clientId, do: "start", options } satisfies Command);
  return {
    async next(): Promise<string> {
      while (seen.length === 0) await new Promise<void>((resolve) => (wake = resolve));
      return seen.shift() ?? "";
    },
  };
}
