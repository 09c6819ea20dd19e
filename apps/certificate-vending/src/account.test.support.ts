import { decodeSplitProvisioningRejection } from "@thingline/protocol/provisioning";
import { createVendingHandler } from "./handler.js";
import type { VendingHook } from "./hook.js";
import type { VendingSettings } from "./settings.js";
import type { VendingCloud, VendingContext, VendingLog } from "./types.js";

/** Stands for a private key wherever one must not be. */
export const secret = "-----BEGIN RSA PRIVATE KEY-----\nsecret\n-----END RSA PRIVATE KEY-----\n";
export const requestPem = "-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n";
export const csr = Buffer.from(requestPem).toString("base64");

/** As the SDK throws it. */
export function awsError(name: string, httpStatusCode?: number): Error {
  return Object.assign(new Error(`${name} of a test`), {
    name,
    ...(httpStatusCode && { $metadata: { httpStatusCode } }),
  });
}

export interface Certificate {
  status: "ACTIVE" | "INACTIVE";
  createdAtMs: number;
  policies: Set<string>;
  things: Set<string>;
}

/** What a call of the account does instead: nothing, or its work and then a lost answer. */
export type Fault = "fails" | "answer is lost";

/** An account in memory that can fail at any of its calls. */
export function openAccount({ startMs = 10_000_000 } = {}) {
  const things = new Set<string>();
  const certificates = new Map<string, Certificate>();
  const published: { topic: string; text: string }[] = [];
  const calls: string[] = [];
  const faults = new Map<number, Fault>();
  let fault: Error = awsError("InternalFailureException", 500);
  let nowMs = startMs;
  let made = 0;
  const arn = (id: string) => `arn:aws:iot:eu-west-1:123456789012:cert/${id}`;
  const of = (certificateArn: string): Certificate => {
    const found = certificates.get(certificateArn.slice(arn("").length));
    if (!found) throw awsError("ResourceNotFoundException", 404);
    return found;
  };
  const call = async <Result>(name: string, work: () => Result): Promise<Result> => {
    calls.push(name);
    const how = faults.get(calls.length);
    if (how === "fails") throw fault;
    const result = work();
    if (how === "answer is lost") throw fault;
    return result;
  };
  const issue = () => {
    const certificateId = String(++made).padStart(64, "0");
    certificates.set(certificateId, { status: "INACTIVE", createdAtMs: nowMs, policies: new Set(), things: new Set() });
    return { certificateId, certificateArn: arn(certificateId), certificatePem: `certificate ${made}` };
  };
  const cloud: VendingCloud = {
    hasThing: (name) => call("hasThing", () => things.has(name)),
    createThing: (name) => call("createThing", () => void things.add(name)),
    deleteThing: (name) =>
      call("deleteThing", () => {
        for (const each of certificates.values())
          if (each.things.has(name)) throw awsError("InvalidRequestException", 400);
        things.delete(name);
      }),
    listThingCertificates: (name) =>
      call("listThingCertificates", () =>
        [...certificates].flatMap(([certificateId, { things: of, createdAtMs }]) =>
          of.has(name) ? [{ certificateId, createdAtMs }] : [],
        ),
      ),
    createKeysAndCertificate: () => call("createKeysAndCertificate", () => ({ ...issue(), privateKeyPem: secret })),
    createCertificateFromCsr: () => call("createCertificateFromCsr", issue),
    updateCertificate: (id, status) => call("updateCertificate", () => void (of(arn(id)).status = status)),
    deleteCertificate: (id) =>
      call("deleteCertificate", () => {
        const { status, things, policies } = of(arn(id));
        if (status === "ACTIVE") throw awsError("CertificateStateException", 406);
        if (things.size + policies.size > 0) throw awsError("DeleteConflictException", 409);
        certificates.delete(id);
      }),
    attachPolicy: (name, to) => call("attachPolicy", () => void of(to).policies.add(name)),
    detachPolicy: (name, to) => call("detachPolicy", () => void of(to).policies.delete(name)),
    attachThingPrincipal: (name, to) => call("attachThingPrincipal", () => void of(to).things.add(name)),
    detachThingPrincipal: (name, to) => call("detachThingPrincipal", () => void of(to).things.delete(name)),
    publish: (topic, payload) =>
      call("publish", () => void published.push({ topic, text: new TextDecoder().decode(payload) })),
  };
  const lines: string[] = [];
  const write = (event: string, details: object): void => void lines.push(JSON.stringify({ event, ...details }));
  const log: VendingLog = { info: write, error: write };
  const rejections = () =>
    published.flatMap(({ topic, text }) =>
      topic.endsWith("/rejected") ? [decodeSplitProvisioningRejection(new TextEncoder().encode(text))] : [],
    );

  return {
    cloud,
    things,
    certificates,
    published,
    calls,
    lines,
    log,
    rejections,
    /** The call of this number, from 1, does not work out. */
    failAt(call: number, how: Fault = "fails", error: Error = fault): void {
      faults.set(call, how);
      fault = error;
    },
    pass: (ms: number): void => void (nowMs += ms),
    handler(settings: Partial<VendingSettings> = {}, { hook }: { hook?: VendingHook } = {}) {
      const deps = { cloud, log, hook, unixMs: () => nowMs };
      const handle = createVendingHandler(deps, { policyName: "devices", ...settings });
      return (event: unknown, context?: VendingContext) => handle(event, context);
    },
  };
}
