import { bytesEqual, ThinglineError } from "@thingline/protocol";
import { parseCertificates } from "@thingline/protocol/x509";
import { readCertificateFacts } from "../../policy/certificate-facts.js";
import type { StoreEntry, StoreKey, StoreOperation } from "../../store/store.js";
import { awsOperation } from "../aws-operation.js";
import { answer, type OperationContext, type Scope } from "../operation.js";
import { lastName, readPage } from "../page.js";
import { arnOf } from "../registry/index.js";
import { tagsGone, tagsOfNew } from "../tags/index.js";
import {
  caKeys,
  casPerSubjectMax,
  placesOfCa,
  templateNameOf,
  type CaCertificateRecord,
  type RegistrationCodeRecord,
} from "./model.js";
import { readRegistrationConfig, type FindTemplate } from "./registration-config.js";
import {
  invalid,
  readSigned,
  requireKeyOfAws,
  subjectDigestOf,
  whyNotSignedBy,
  whyNotValid,
  type SignedCertificate,
} from "./signing.js";

type Reader = Pick<OperationContext, "store" | "scope">;

/** @throws {ThinglineError} RESOURCE_NOT_FOUND */
export async function requireCa({ store, scope }: Reader, id: string): Promise<StoreEntry<CaCertificateRecord>> {
  const entry = await store.get<CaCertificateRecord>(caKeys.ca(scope, id.toLowerCase()));
  if (entry !== undefined) return entry;
  throw new ThinglineError("RESOURCE_NOT_FOUND", `The CA certificate given in the request does not exist (id=${id})`);
}

export function registerCaCertificateOperation(claimTemplate: FindTemplate) {
  return awsOperation(
    "iot",
    "RegisterCACertificate",
    [
      "caCertificate",
      "verificationCertificate",
      "setAsActive",
      "allowAutoRegistration",
      "registrationConfig.templateBody",
      "registrationConfig.roleArn",
      "registrationConfig.templateName",
      ...(["certificateMode", "tags.Key", "tags.Value"] as const),
    ],
    async (context, input) => {
      const { scope, store, keys, nowMs, random } = context;
      const { certificateMode = "DEFAULT", verificationCertificate } = input;
      const ca = readCa(context, input.caCertificate);
      if (certificateMode === "DEFAULT") await verifyPossession(context, ca, verificationCertificate);
      else if (verificationCertificate !== undefined) {
        throw new ThinglineError("REQUEST_INVALID", "A verification certificate is not taken in mode SNI_ONLY");
      }
      const { certificateId } = ca;
      const certificateArn = arnOf.caCertificate(scope, certificateId);
      if ((await store.get(caKeys.ca(scope, certificateId))) !== undefined) {
        const details = { resourceId: certificateId, resourceArn: certificateArn };
        throw new ThinglineError("RESOURCE_EXISTS", "The CA certificate is already registered", { details });
      }
      const registrationConfig = await readRegistrationConfig(context, claimTemplate, input.registrationConfig ?? {});
      const record: CaCertificateRecord = {
        ...{ certificateId, certificatePem: ca.pem, certificateMode },
        status: input.setAsActive === true ? "ACTIVE" : "INACTIVE",
        autoRegistrationStatus: input.allowAutoRegistration === true ? "ENABLE" : "DISABLE",
        ...(registrationConfig !== undefined && { registrationConfig }),
        subjectDigest: subjectDigestOf(keys, ca.der),
        ...{ notBeforeMs: ca.notBefore * 1000, notAfterMs: ca.notAfter * 1000 },
        ...{ createdAtMs: nowMs, modifiedAtMs: nowMs, generationId: random.uuid(), customerVersion: 1 },
      };
      const tags = tagsOfNew(caKeys.ca(scope, certificateId), input.tags);
      const operations = [...(await addOperations(context, record)), ...tags];
      return { result: { certificateArn, certificateId }, operations, effects: [] };
    },
  );
}

/** @throws {ThinglineError} CERTIFICATE_INVALID */
function readCa({ keys, nowMs }: OperationContext, pem: string): SignedCertificate & { pem: string } {
  if (parseCertificates(pem, "The CA certificate").length > 1) {
    throw invalid("The CA certificate is several certificates, expected that of the CA alone");
  }
  const ca = readSigned(keys, pem, "The CA certificate");
  if (!ca.isCa) throw invalid("The CA certificate is not one of a CA: its basic constraints do not say CA:TRUE");
  requireKeyOfAws(ca, "The CA certificate");
  const fault = whyNotValid(ca, nowMs);
  if (fault !== undefined) throw invalid(`The CA certificate is not valid now: ${fault}`);
  // Of one that is its own issuer the signature can be looked at; another's says nothing of who holds the key.
  const isSelfIssued = ca.issuer === ca.subject;
  const forged = isSelfIssued ? whyNotSignedBy(keys, ca, ca) : undefined;
  if (forged !== undefined) throw invalid(`The CA certificate is not valid: ${forged}`);
  return ca;
}

/** Who registers a CA has its key: it has signed a certificate with the account's code, which nobody else knows. */
async function verifyPossession(
  context: OperationContext,
  ca: SignedCertificate,
  verificationCertificate: string | undefined,
): Promise<void> {
  const { store, scope, keys, nowMs } = context;
  if (verificationCertificate === undefined) {
    throw new ThinglineError("REQUEST_INVALID", "A verification certificate is required in mode DEFAULT");
  }
  const what = "The verification certificate";
  const verification = readSigned(keys, verificationCertificate, what);
  const code = (await store.get<RegistrationCodeRecord>(caKeys.registrationCode(scope)))?.value.registrationCode;
  const names = readCertificateFacts(verification.der).subject.get("CommonName") ?? [];
  if (code === undefined || names.length !== 1 || names[0] !== code) {
    const got =
      code === undefined ? "there is none; ask for one with GetRegistrationCode" : `it is ${names[0] ?? "missing"}`;
    const message = `The common name of the verification certificate is not the registration code of this account: ${got}`;
    throw new ThinglineError("REGISTRATION_CODE_INVALID", message);
  }
  const fault = whyNotSignedBy(keys, verification, ca) ?? whyNotValid(verification, nowMs);
  if (fault !== undefined) throw invalid(`${what} is not one of this CA: ${fault}`);
  if (bytesEqual(verification.publicKey, ca.publicKey) && verification.isCa) {
    throw invalid(`${what} is that of the CA itself`);
  }
}

/** @throws {ThinglineError} QUOTA_EXCEEDED */
async function addOperations({ scope, store }: Reader, record: CaCertificateRecord): Promise<StoreOperation[]> {
  const { certificateId, subjectDigest } = record;
  const subjectKey = caKeys.subject(scope, subjectDigest);
  const revision = (await store.get(subjectKey))?.revision ?? 0;
  const same = await store.list(caKeys.bySubjects(scope, subjectDigest), { limit: casPerSubjectMax });
  if (same.length === casPerSubjectMax) {
    const message = `${casPerSubjectMax} CA certificates with this subject are registered already`;
    throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { casPerSubjectMax } });
  }
  return [
    { key: caKeys.ca(scope, certificateId), expectedRevision: 0, value: record },
    { key: subjectKey, expectedRevision: revision, value: null },
    ...placesOfCa(scope, record).map((key) => ({ key, value: null })),
  ];
}

/** Another template moves it from list to list. */
function moveOperations(scope: Scope, before: CaCertificateRecord, after: CaCertificateRecord): StoreOperation[] {
  if (templateNameOf(before) === templateNameOf(after)) return [];
  const [wanted, current] = [placesOfCa(scope, after), placesOfCa(scope, before)];
  const isIn = (places: readonly StoreKey[], key: StoreKey) => places.some((place) => String(place) === String(key));
  return [
    ...current.filter((key) => !isIn(wanted, key)).map((key) => ({ key, delete: true as const })),
    ...wanted.filter((key) => !isIn(current, key)).map((key) => ({ key, value: null })),
  ];
}

export const describeCaCertificate = awsOperation(
  "iot",
  "DescribeCACertificate",
  ["certificateId"],
  async (context, input) => {
    const { value: ca } = await requireCa(context, input.certificateId);
    const { certificateId, status, certificatePem, autoRegistrationStatus, certificateMode } = ca;
    const { customerVersion, generationId, registrationConfig } = ca;
    return answer({
      certificateDescription: {
        certificateArn: arnOf.caCertificate(context.scope, certificateId),
        ...{ certificateId, status, certificatePem, autoRegistrationStatus, customerVersion, generationId },
        ownedBy: context.scope.account,
        creationDate: ca.createdAtMs / 1000,
        lastModifiedDate: ca.modifiedAtMs / 1000,
        validity: { notBefore: ca.notBeforeMs / 1000, notAfter: ca.notAfterMs / 1000 },
        certificateMode,
      },
      ...(registrationConfig !== undefined && { registrationConfig }),
    });
  },
);

export function updateCaCertificateOperation(claimTemplate: FindTemplate) {
  return awsOperation(
    "iot",
    "UpdateCACertificate",
    [
      "certificateId",
      "newStatus",
      "newAutoRegistrationStatus",
      "registrationConfig.templateBody",
      "registrationConfig.roleArn",
      "registrationConfig.templateName",
      "removeAutoRegistration",
    ],
    async (context, input) => {
      const { scope, nowMs } = context;
      const { value: before, revision } = await requireCa(context, input.certificateId);
      const { newStatus, newAutoRegistrationStatus, removeAutoRegistration = false } = input;
      if (removeAutoRegistration && input.registrationConfig !== undefined) {
        const message = "removeAutoRegistration takes the registration configuration away, and the request gives one";
        throw new ThinglineError("REQUEST_INVALID", message);
      }
      const given = await readRegistrationConfig(context, claimTemplate, input.registrationConfig ?? {});
      const { registrationConfig: current, ...rest } = before;
      const config = removeAutoRegistration ? undefined : (given ?? current);
      const value: CaCertificateRecord = {
        ...rest,
        status: newStatus ?? before.status,
        autoRegistrationStatus:
          newAutoRegistrationStatus ?? (removeAutoRegistration ? "DISABLE" : before.autoRegistrationStatus),
        ...(config !== undefined && { registrationConfig: config }),
        modifiedAtMs: nowMs,
        customerVersion: before.customerVersion + 1,
      };
      const key = caKeys.ca(scope, value.certificateId);
      const operations = [{ key, expectedRevision: revision, value }, ...moveOperations(scope, before, value)];
      return { result: {}, operations, effects: [] };
    },
  );
}

/** Certificates that it has signed stay registered. */
export const deleteCaCertificate = awsOperation(
  "iot",
  "DeleteCACertificate",
  ["certificateId"],
  async (context, input) => {
    const { scope, store } = context;
    const { value: ca, revision } = await requireCa(context, input.certificateId);
    const { certificateId, subjectDigest } = ca;
    if (ca.status === "ACTIVE") {
      const arn = arnOf.caCertificate(scope, certificateId);
      const message = `CA certificate must be deactivated (not ACTIVE) before deletion. (arn: ${arn})`;
      throw new ThinglineError("CERTIFICATE_STATE_INVALID", message);
    }
    const same = await store.list(caKeys.bySubjects(scope, subjectDigest), { limit: 2 });
    const subjectKey = caKeys.subject(scope, subjectDigest);
    const subjectRevision = (await store.get(subjectKey))?.revision ?? 0;
    const isLast = same.length === 1;
    const operations: StoreOperation[] = [
      { key: caKeys.ca(scope, certificateId), expectedRevision: revision, delete: true },
      tagsGone(caKeys.ca(scope, certificateId)),
      isLast
        ? { key: subjectKey, expectedRevision: subjectRevision, delete: true }
        : { key: subjectKey, expectedRevision: subjectRevision, value: null },
      ...placesOfCa(scope, ca).map((key) => ({ key, delete: true as const })),
    ];
    return { result: {}, operations, effects: [] };
  },
);

export const listCaCertificates = awsOperation(
  "iot",
  "ListCACertificates",
  ["marker", "pageSize", "ascendingOrder", "templateName"],
  async ({ scope, store }, input) => {
    const { templateName } = input;
    const { entries, nextToken } = await readPage(store, {
      prefix: templateName === undefined ? caKeys.byTimes(scope) : caKeys.byTemplates(scope, templateName),
      token: input.marker,
      tokenName: "marker",
      size: input.pageSize,
      order: input.ascendingOrder === true ? "ascending" : "descending",
    });
    const certificates: {
      certificateArn: string;
      certificateId: string;
      status: "ACTIVE" | "INACTIVE";
      creationDate: number;
    }[] = [];
    for (const { key } of entries) {
      const entry = await store.get<CaCertificateRecord>(caKeys.ca(scope, lastName(key)));
      if (entry === undefined) continue; // deleted between the two reads
      const { certificateId, status, createdAtMs } = entry.value;
      const certificateArn = arnOf.caCertificate(scope, certificateId);
      certificates.push({ certificateArn, certificateId, status, creationDate: createdAtMs / 1000 });
    }
    return answer({ certificates, ...(nextToken !== undefined && { nextMarker: nextToken }) });
  },
);
