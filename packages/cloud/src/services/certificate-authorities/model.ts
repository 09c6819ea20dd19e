import type { StoreKey } from "../../store/store.js";
import type { Scope } from "../operation.js";

/** How a CA provisions the devices that connect for the first time. Either a template, or the name of one. */
export type RegistrationConfig = { templateBody: string; roleArn: string } | { templateName: string; roleArn?: string };

export type CaCertificateRecord = {
  certificateId: string;
  certificatePem: string;
  /** What an INACTIVE one has signed is not registered any more; certificates that are registered stay as they are. */
  status: "ACTIVE" | "INACTIVE";
  certificateMode: "DEFAULT" | "SNI_ONLY";
  /** Whether a certificate that it has signed is registered at its first connection. */
  autoRegistrationStatus: "ENABLE" | "DISABLE";
  registrationConfig?: RegistrationConfig;
  /** Of its subject's DER: certificates are found by their issuer's. */
  subjectDigest: string;
  notBeforeMs: number;
  notAfterMs: number;
  createdAtMs: number;
  modifiedAtMs: number;
  generationId: string;
  customerVersion: number;
};

export type RegistrationCodeRecord = { registrationCode: string };

/** CAs of one subject in an account and region. @see AWS IoT API reference, RegisterCACertificate */
export const casPerSubjectMax = 10;

const key = (scope: Scope, ...rest: (string | number)[]): StoreKey => [scope.account, scope.region, ...rest];

export const caKeys = {
  ca: (scope: Scope, certificateId: string) => key(scope, "caCertificate", certificateId),
  byTimes: (scope: Scope) => key(scope, "caCertificateByTime"),
  byTime: (scope: Scope, createdAtMs: number, certificateId: string) =>
    key(scope, "caCertificateByTime", createdAtMs, certificateId),
  bySubjects: (scope: Scope, subjectDigest: string) => key(scope, "caCertificateBySubject", subjectDigest),
  bySubject: (scope: Scope, subjectDigest: string, certificateId: string) =>
    key(scope, "caCertificateBySubject", subjectDigest, certificateId),
  /** How many there are of a subject: whoever adds one expects its revision, so that two at once are not one too many. */
  subject: (scope: Scope, subjectDigest: string) => key(scope, "caSubject", subjectDigest),
  /** Those that name a provisioning template. */
  byTemplates: (scope: Scope, templateName: string) => key(scope, "caCertificateByTemplate", templateName),
  byTemplate: (scope: Scope, templateName: string, createdAtMs: number, certificateId: string) =>
    key(scope, "caCertificateByTemplate", templateName, createdAtMs, certificateId),
  registrationCode: (scope: Scope) => key(scope, "registrationCode"),
};

export const templateNameOf = ({ registrationConfig }: Pick<CaCertificateRecord, "registrationConfig">) =>
  registrationConfig !== undefined && "templateName" in registrationConfig
    ? registrationConfig.templateName
    : undefined;

/** The places of a CA in lists. */
export function placesOfCa(scope: Scope, ca: CaCertificateRecord): StoreKey[] {
  const { certificateId, subjectDigest, createdAtMs } = ca;
  const templateName = templateNameOf(ca);
  return [
    caKeys.bySubject(scope, subjectDigest, certificateId),
    caKeys.byTime(scope, createdAtMs, certificateId),
    ...(templateName === undefined ? [] : [caKeys.byTemplate(scope, templateName, createdAtMs, certificateId)]),
  ];
}
