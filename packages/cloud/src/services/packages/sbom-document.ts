import { isRecord } from "@thingline/protocol";

// What SPDX and CycloneDX ask of a document in JSON, as far as it is looked at here: the members that every document has to have, and those of its
// packages and components. It is less than their schemas.

/** Why a text is neither; undefined for one that is. */
export function sbomFault(text: Uint8Array): string | undefined {
  let document: unknown;
  try {
    document = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(text));
  } catch {
    return "it is not JSON";
  }
  if (!isRecord(document)) return "it is no JSON object";
  if ("spdxVersion" in document) return spdxFault(document);
  if ("bomFormat" in document) return cycloneFault(document);
  return "it is neither SPDX (spdxVersion) nor CycloneDX (bomFormat)";
}

type Members = Record<string, unknown>;
const isText = (value: unknown): value is string => typeof value === "string" && value !== "";

/** @see SPDX specification 2.3, clauses 6 and 7 */
function spdxFault(document: Members): string | undefined {
  const {
    spdxVersion,
    SPDXID,
    dataLicense,
    name,
    documentNamespace,
    creationInfo,
    packages = [],
    files = [],
  } = document;
  if (typeof spdxVersion !== "string" || !/^SPDX-2\.[0-3]$/.test(spdxVersion))
    return "its spdxVersion is none of SPDX 2";
  if (SPDXID !== "SPDXRef-DOCUMENT") return "its SPDXID is not SPDXRef-DOCUMENT";
  if (dataLicense !== "CC0-1.0") return "its dataLicense is not CC0-1.0";
  if (!isText(name)) return "it has no name";
  if (!isText(documentNamespace)) return "it has no documentNamespace";
  if (!isRecord(creationInfo)) return "it has no creationInfo";
  const { created, creators } = creationInfo as Members;
  if (!isText(created) || Number.isNaN(Date.parse(created))) return "its creationInfo.created is no time";
  if (!Array.isArray(creators) || creators.length === 0 || !creators.every(isText)) {
    return "its creationInfo.creators names nobody";
  }
  return (
    faultOfEach("packages", packages, ["SPDXID", "name", "downloadLocation"]) ??
    faultOfEach("files", files, ["SPDXID", "fileName"])
  );
}

const componentTypes: ReadonlySet<unknown> = new Set([
  ...["application", "framework", "library", "container", "platform", "operating-system", "device", "device-driver"],
  ...["firmware", "file", "machine-learning-model", "data", "cryptographic-asset"],
]);

/** @see CycloneDX specification 1.6, "bom" and "components" */
function cycloneFault({
  bomFormat,
  specVersion,
  version = 1,
  serialNumber,
  components = [],
}: Members): string | undefined {
  if (bomFormat !== "CycloneDX") return "its bomFormat is not CycloneDX";
  if (typeof specVersion !== "string" || !/^1\.[2-6]$/.test(specVersion)) return "its specVersion has no form in JSON";
  if (!Number.isInteger(version) || (version as number) < 1) return "its version is no whole number from 1 on";
  const serial = /^urn:uuid:[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;
  if (serialNumber !== undefined && !(isText(serialNumber) && serial.test(serialNumber))) {
    return "its serialNumber is no urn:uuid";
  }
  const fault = faultOfEach("components", components, ["type", "name"]);
  if (fault !== undefined) return fault;
  const at = (components as Members[]).findIndex(({ type }) => !componentTypes.has(type));
  return at < 0 ? undefined : `its components[${at}].type is none of CycloneDX`;
}

function faultOfEach(name: string, list: unknown, members: readonly string[]): string | undefined {
  if (!Array.isArray(list)) return `its ${name} is no list`;
  for (const [at, element] of list.entries()) {
    if (!isRecord(element)) return `its ${name}[${at}] is no object`;
    const missing = members.find((member) => !isText((element as Members)[member]));
    if (missing !== undefined) return `its ${name}[${at}] has no ${missing}`;
  }
  return undefined;
}
