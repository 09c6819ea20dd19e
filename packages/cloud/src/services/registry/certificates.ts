import { ThinglineError } from "@thingline/protocol";
import type { StoreEntry, StoreKey } from "../../store/store.js";
import { checkInput } from "../../model/check-input.js";
import { loadModel } from "../../model/model.js";
import { awsOperation, awsSaga, type InputOf } from "../aws-operation.js";
import { answer, type Operation, type OperationContext, type Scope } from "../operation.js";
import { lastName, readPage } from "../page.js";
import {
  describeCertificate as describePem,
  type CertificateIssuer,
  type IssuedCertificate,
} from "./certificate-issuer.js";
import { lifeOf, type CertificateLife } from "./certificate-lives.js";
import { addCertificate } from "./issued-certificates.js";
import { arnOf, registryKeys, registryServiceName, type CertificateRecord } from "./model.js";
import { policiesOf } from "./policies.js";
import { describeTransfer, forgetTransfer } from "./transfer-records.js";
import type { SignRequest } from "./sign-request.js";
import { detachPolicyOperations, changeStatus, unlistCertificate } from "./records.js";

type Reader = Pick<OperationContext, "store" | "scope">;

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireCertificate({ store, scope }: Reader, id: string): Promise<StoreEntry<CertificateRecord>> {
  const entry = await store.get<CertificateRecord>(registryKeys.certificate(scope, normalizeId(id)));
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `The certificate given in the request does not exist (id=${id})`);
}

/** The key is made before anything is decided, so that a conflict does not cost another one. */
export function createKeysAndCertificateOperation(issuer: CertificateIssuer) {
  const name = ["iot", "CreateKeysAndCertificate"] as const;
  return awsSaga(registryServiceName, name, ["setAsActive"], async ({ scope, keys, clock, run }, input) => {
    const { privateKeyPem, publicKeyPem } = await keys.generate("rsa-2048");
    const issued = await issuer.issueForKey({ publicKeyPem, nowMs: clock.unixMs() });
    const status = input.setAsActive === true ? "ACTIVE" : "INACTIVE";
    await run(addCertificate, { issued, status, origin: { source: "CreateKeysAndCertificate" } });
    return { ...describeIssued(scope, issued), keyPair: { PublicKey: publicKeyPem, PrivateKey: privateKeyPem } };
  });
}

/** The signature takes its time as well, and two of one request are two certificates. */
export function createCertificateFromCsrOperation(sign: SignRequest) {
  const name = ["iot", "CreateCertificateFromCsr"] as const;
  const acted = ["certificateSigningRequest", "setAsActive"] as const;
  return awsSaga(registryServiceName, name, acted, async (context, input) => {
    const { scope, run } = context;
    const { certificateSigningRequest, setAsActive = false } = input;
    const { issued, signer } = await sign(context, { certificateSigningRequest });
    const status = setAsActive ? "ACTIVE" : "INACTIVE";
    await run(addCertificate, { issued, status, origin: { source: "CreateCertificateFromCsr", ...signer } });
    return describeIssued(scope, issued);
  });
}

export const registerCertificateWithoutCa = awsOperation(
  "iot",
  "RegisterCertificateWithoutCA",
  ["certificatePem", "status"],
  async (context, input) => {
    const { scope, keys } = context;
    const status = requireRegisteredStatus(input.status);
    const issued = describePem(keys, input.certificatePem);
    const origin = { source: "RegisterCertificateWithoutCA" as const };
    await context.call(addCertificate, { issued, status, origin, certificateMode: "SNI_ONLY" });
    const certificateArn = arnOf.certificate(scope, issued.certificateId);
    return answer({ certificateArn, certificateId: issued.certificateId });
  },
);

/** Nothing is changed on a certificate that two accounts have. @throws {ThinglineError} CERTIFICATE_STATE_INVALID */
export function requireNoTransfer(scope: Scope, { certificateId, status }: CertificateRecord): void {
  if (status !== "PENDING_TRANSFER") return;
  const message = `The certificate is PENDING_TRANSFER until its transfer is accepted, rejected or canceled (arn: ${arnOf.certificate(scope, certificateId)})`;
  throw new ThinglineError("CERTIFICATE_STATE_INVALID", message);
}

/** A certificate can be registered as what it can be set to. Default INACTIVE. @throws {ThinglineError} CERTIFICATE_STATE_INVALID */
export function requireRegisteredStatus(status: CertificateRecord["status"] = "INACTIVE") {
  if (status === "ACTIVE" || status === "INACTIVE" || status === "REVOKED") return status;
  throw new ThinglineError("CERTIFICATE_STATE_INVALID", `Not allowed to register certificate with ${status} status`);
}

export const describeCertificate = awsOperation(
  "iot",
  "DescribeCertificate",
  ["certificateId"],
  async (context, input) => {
    const { value: certificate } = await requireCertificate(context, input.certificateId);
    return answer({
      certificateDescription: {
        certificateArn: arnOf.certificate(context.scope, certificate.certificateId),
        certificateId: certificate.certificateId,
        ...(certificate.caCertificateId !== undefined && { caCertificateId: certificate.caCertificateId }),
        status: certificate.status,
        certificatePem: certificate.certificatePem,
        ownedBy: context.scope.account,
        ...(certificate.transfer?.fromAccount !== undefined && { previousOwnedBy: certificate.transfer.fromAccount }),
        creationDate: certificate.createdAtMs / 1000,
        lastModifiedDate: certificate.modifiedAtMs / 1000,
        customerVersion: certificate.customerVersion,
        transferData: describeTransfer(certificate),
        generationId: certificate.generationId,
        validity: { notBefore: certificate.notBeforeMs / 1000, notAfter: certificate.notAfterMs / 1000 },
        certificateMode: certificate.certificateMode,
      },
    });
  },
);

export interface ExplainedCertificate extends CertificateLife {
  policyNames: string[];
}

/** Not AWS's: why a certificate exists, and what became of it. */
export const explainCertificate: Operation<{ certificateId: string }, ExplainedCertificate> = async (
  context,
  input,
) => {
  checkInput((await loadModel()).operation("iot", "DescribeCertificate"), input);
  const { value } = await requireCertificate(context, input.certificateId);
  const arn = arnOf.certificate(context.scope, value.certificateId);
  return answer({ ...(await lifeOf(context, value)), policyNames: await policiesOf(context, arn) });
};

export const updateCertificate = awsOperation(
  "iot",
  "UpdateCertificate",
  ["certificateId", "newStatus"],
  async (context, input) => {
    const { newStatus } = input;
    if (newStatus !== "ACTIVE" && newStatus !== "INACTIVE" && newStatus !== "REVOKED") {
      throw new ThinglineError("CERTIFICATE_STATE_INVALID", `A certificate cannot be set to ${newStatus} by a request`);
    }
    const entry = await requireCertificate(context, input.certificateId);
    requireNoTransfer(context.scope, entry.value);
    if (entry.value.status === newStatus) return answer({});
    const value: CertificateRecord = { ...entry.value, status: newStatus, modifiedAtMs: context.nowMs };
    return {
      result: {},
      operations: changeStatus(context.scope, entry, value),
      effects: [{ type: "recheckPrincipal" as const, certificateId: value.certificateId }],
    };
  },
);

export const deleteCertificate = awsOperation(
  "iot",
  "DeleteCertificate",
  ["certificateId", "forceDelete"],
  async (context, input) => {
    const { scope, store } = context;
    const { value: certificate, revision } = await requireCertificate(context, input.certificateId);
    const id = certificate.certificateId;
    const arn = arnOf.certificate(scope, id);
    if (certificate.status === "ACTIVE") {
      const message = `Certificate must be deactivated (not ACTIVE) before deletion. (arn: ${arn})`;
      throw new ThinglineError("CERTIFICATE_STATE_INVALID", message);
    }
    requireNoTransfer(scope, certificate);
    const guardKey = registryKeys.guard(scope, "certificate", id);
    const guardRevision = (await store.get(guardKey))?.revision ?? 0;
    const [thing] = await store.list(registryKeys.thingsOfPrincipal(scope, arn), { limit: 1 });
    if (thing !== undefined) {
      throw new ThinglineError("DELETE_CONFLICT", `Things must be detached before deletion (arn: ${arn})`);
    }
    const policies = await policiesOf(context, arn);
    if (policies.length > 0 && input.forceDelete !== true) {
      throw new ThinglineError(
        "DELETE_CONFLICT",
        `Certificate policies must be detached before deletion (arn: ${arn})`,
      );
    }
    return {
      result: {},
      operations: [
        { key: registryKeys.certificate(scope, id), expectedRevision: revision, delete: true as const },
        { key: guardKey, expectedRevision: guardRevision, delete: true as const },
        ...unlistCertificate(scope, certificate),
        ...forgetTransfer(scope, certificate),
        ...policies.flatMap((name) => detachPolicyOperations(scope, name, arn)),
      ],
      effects: [{ type: "recheckPrincipal" as const, certificateId: id }],
    };
  },
);

export const listCertificates = awsOperation(
  "iot",
  "ListCertificates",
  ["marker", "pageSize", "ascendingOrder"],
  async (context, input) => answer(await listPage(context, registryKeys.certificatesByTime(context.scope), input)),
);

/** Those that were registered by their CA; those of a CA that nobody registered are none. */
export const listCertificatesByCa = awsOperation(
  "iot",
  "ListCertificatesByCA",
  ["caCertificateId", "marker", "pageSize", "ascendingOrder"],
  async (context, { caCertificateId, ...input }) =>
    answer(await listPage(context, registryKeys.certificatesByCa(context.scope, normalizeId(caCertificateId)), input)),
);

/** @param prefix of keys that end with a certificate's id */
async function listPage({ scope, store }: Reader, prefix: StoreKey, input: InputOf<"iot", "ListCertificates">) {
  const { entries, nextToken } = await readPage(store, {
    prefix,
    token: input.marker,
    tokenName: "marker",
    size: input.pageSize,
    order: input.ascendingOrder === true ? "ascending" : "descending",
  });
  const records = await Promise.all(
    entries.map(({ key }) => store.get<CertificateRecord>(registryKeys.certificate(scope, lastName(key)))),
  );
  const certificates = records.flatMap((entry) => {
    if (entry === undefined) return []; // deleted between the two reads
    const { certificateId: id, status, certificateMode, createdAtMs } = entry.value;
    const certificateArn = arnOf.certificate(scope, id);
    return [{ certificateArn, certificateId: id, status, certificateMode, creationDate: createdAtMs / 1000 }];
  });
  return { certificates, ...(nextToken !== undefined && { nextMarker: nextToken }) };
}

function describeIssued(scope: Scope, { certificateId: id, certificatePem: pem }: IssuedCertificate) {
  return { certificateArn: arnOf.certificate(scope, id), certificateId: id, certificatePem: pem };
}

const normalizeId = (id: string) => id.toLowerCase();
