import type { TextBindings } from "@thingline/protocol/restjson";
import type { Operation } from "../operation.js";
import type { RestOperation } from "../rest-operation.js";
import { unsupported, validate } from "../shape.js";
import type { Registry } from "./service.js";

const markers: TextBindings = { marker: { name: "marker" }, pageSize: { name: "pageSize", type: "integer" } };
const nextTokens: TextBindings = {
  nextToken: { name: "nextToken" },
  maxResults: { name: "maxResults", type: "integer" },
};
const flag = (name: string): TextBindings => ({ [name]: { name, type: "boolean" } });
const text = (name: string): TextBindings => ({ [name]: { name } });
const expectedVersion: TextBindings = { expectedVersion: { name: "expectedVersion", type: "integer" } };
const principalHeader: TextBindings = { principal: { name: "x-amzn-principal" } };
const oldPrincipalHeader: TextBindings = { target: { name: "x-amzn-iot-principal" } };
const oldPolicyHeader: TextBindings = { policyName: { name: "x-amzn-iot-policy" } };

/** The HTTP face of the registry. */
export function registryRestOperations(registry: Registry): readonly RestOperation[] {
  return [...thingRows(registry), ...certificateRows(registry), ...policyRows(registry), ...attachmentRows(registry)];
}

function row(
  name: string,
  method: RestOperation["method"],
  path: string,
  run: Operation<never, object>,
  errors: RestOperation["errors"] = [],
  bindings: Pick<RestOperation, "query" | "headers"> = {},
): RestOperation {
  return { name, api: "iot", method, path, run, errors, ...bindings };
}

function thingRows(registry: Registry): RestOperation[] {
  const path = "/things/{thingName}";
  const missing = ["RESOURCE_NOT_FOUND"] as const;
  const filters = { ...text("attributeName"), ...text("attributeValue"), ...text("thingTypeName") };
  return [
    row("CreateThing", "POST", path, registry.createThing, ["RESOURCE_EXISTS", "RESOURCE_NOT_FOUND"]),
    row("DescribeThing", "GET", path, registry.describeThing, missing),
    row("UpdateThing", "PATCH", path, registry.updateThing, ["VERSION_CONFLICT", "RESOURCE_NOT_FOUND"]),
    row("DeleteThing", "DELETE", path, registry.deleteThing, ["VERSION_CONFLICT", "RESOURCE_NOT_FOUND"], {
      query: expectedVersion,
    }),
    row("ListThings", "GET", "/things", registry.listThings, [], {
      query: { ...nextTokens, ...filters, ...flag("usePrefixAttributeValue") },
    }),
    row("DescribeEndpoint", "GET", "/endpoint", registry.describeEndpoint, [], { query: text("endpointType") }),
  ];
}

function certificateRows(registry: Registry): RestOperation[] {
  const path = "/certificates/{certificateId}";
  const active = { query: flag("setAsActive") };
  const refused = ["RESOURCE_EXISTS", "CERTIFICATE_INVALID", "CERTIFICATE_STATE_INVALID"] as const;
  return [
    row("CreateKeysAndCertificate", "POST", "/keys-and-certificate", registry.createKeysAndCertificate, [], active),
    row("CreateCertificateFromCsr", "POST", "/certificates", registry.createCertificateFromCsr, [], active),
    row(
      "RegisterCertificateWithoutCA",
      "POST",
      "/certificate/register-no-ca",
      registry.registerCertificateWithoutCa,
      refused,
    ),
    row("DescribeCertificate", "GET", path, registry.describeCertificate, ["RESOURCE_NOT_FOUND"]),
    row(
      "UpdateCertificate",
      "PUT",
      path,
      registry.updateCertificate,
      ["RESOURCE_NOT_FOUND", "CERTIFICATE_STATE_INVALID"],
      {
        query: text("newStatus"),
      },
    ),
    row(
      "DeleteCertificate",
      "DELETE",
      path,
      registry.deleteCertificate,
      ["CERTIFICATE_STATE_INVALID", "DELETE_CONFLICT", "RESOURCE_NOT_FOUND"],
      { query: flag("forceDelete") },
    ),
    row("ListCertificates", "GET", "/certificates", registry.listCertificates, [], {
      query: { ...markers, ...flag("isAscendingOrder") },
    }),
  ];
}

function policyRows(registry: Registry): RestOperation[] {
  const path = "/policies/{policyName}";
  const versions = `${path}/version`;
  const version = `${versions}/{policyVersionId}`;
  const missing = ["RESOURCE_NOT_FOUND"] as const;
  const conflict = ["DELETE_CONFLICT", "RESOURCE_NOT_FOUND"] as const;
  return [
    row("CreatePolicy", "POST", path, registry.createPolicy, ["RESOURCE_EXISTS", "POLICY_MALFORMED"]),
    row("GetPolicy", "GET", path, registry.getPolicy, missing),
    row("DeletePolicy", "DELETE", path, registry.deletePolicy, conflict),
    row("ListPolicies", "GET", "/policies", registry.listPolicies, [], {
      query: { ...markers, ...flag("isAscendingOrder") },
    }),
    row(
      "CreatePolicyVersion",
      "POST",
      versions,
      registry.createPolicyVersion,
      ["RESOURCE_NOT_FOUND", "POLICY_MALFORMED", "VERSIONS_LIMIT_EXCEEDED"],
      { query: flag("setAsDefault") },
    ),
    row("ListPolicyVersions", "GET", versions, registry.listPolicyVersions, missing),
    row("GetPolicyVersion", "GET", version, registry.getPolicyVersion, missing),
    row("SetDefaultPolicyVersion", "PATCH", version, registry.setDefaultPolicyVersion, missing),
    row("DeletePolicyVersion", "DELETE", version, registry.deletePolicyVersion, conflict),
  ];
}

function attachmentRows(registry: Registry): RestOperation[] {
  const missing = ["RESOURCE_NOT_FOUND"] as const;
  const full = ["RESOURCE_NOT_FOUND", "QUOTA_EXCEEDED"] as const;
  const byTarget = "/target-policies/{policyName}";
  const byPrincipal = "/principal-policies/{policyName}";
  const principals = "/things/{thingName}/principals";
  const type = text("thingPrincipalType");
  const ordered = { ...markers, ...flag("isAscendingOrder") };
  return [
    row("AttachPolicy", "PUT", byTarget, registry.attachPolicy, full),
    row("DetachPolicy", "POST", byTarget, registry.detachPolicy, full),
    row("ListAttachedPolicies", "POST", "/attached-policies/{target}", registry.listAttachedPolicies, full, {
      query: { ...markers, ...flag("recursive") },
    }),
    row("ListTargetsForPolicy", "POST", "/policy-targets/{policyName}", registry.listTargetsForPolicy, full, {
      query: markers,
    }),
    row("AttachPrincipalPolicy", "PUT", byPrincipal, registry.attachPolicy, full, { headers: oldPrincipalHeader }),
    row("DetachPrincipalPolicy", "DELETE", byPrincipal, registry.detachPolicy, missing, {
      headers: oldPrincipalHeader,
    }),
    row("ListPrincipalPolicies", "GET", "/principal-policies", unordered(registry.listAttachedPolicies), missing, {
      headers: oldPrincipalHeader,
      query: ordered,
    }),
    row("ListPolicyPrincipals", "GET", "/policy-principals", listPolicyPrincipals(registry), missing, {
      headers: oldPolicyHeader,
      query: ordered,
    }),
    row("AttachThingPrincipal", "PUT", principals, registry.attachThingPrincipal, missing, {
      headers: principalHeader,
      query: type,
    }),
    row("DetachThingPrincipal", "DELETE", principals, registry.detachThingPrincipal, missing, {
      headers: principalHeader,
    }),
    row("ListThingPrincipals", "GET", principals, registry.listThingPrincipals, missing, { query: nextTokens }),
    row("ListThingPrincipalsV2", "GET", `${principals}-v2`, registry.listThingPrincipalsV2, missing, {
      query: { ...nextTokens, ...type },
    }),
    row("ListPrincipalThings", "GET", "/principals/things", registry.listPrincipalThings, missing, {
      headers: principalHeader,
      query: nextTokens,
    }),
    row("ListPrincipalThingsV2", "GET", "/principals/things-v2", registry.listPrincipalThingsV2, missing, {
      headers: principalHeader,
      query: { ...nextTokens, ...type },
    }),
  ];
}

/** The old operations can be asked for an order by time, which nobody keeps. */
function unordered<Input, Result>(run: Operation<Input, Result>): Operation<Input, Result> {
  const refusing: Operation<Input, Result> = (context, input) => {
    validate({ isAscendingOrder: unsupported() }, input);
    return run(context, input);
  };
  return Object.assign(refusing, { members: [...(run.members ?? []), "isAscendingOrder"] });
}

/** The old operation calls the targets principals. */
function listPolicyPrincipals({ listTargetsForPolicy }: Registry): Operation<never, object> {
  const list = unordered(listTargetsForPolicy);
  const renamed: Operation<never, object> = async (context, input) => {
    const { result, ...outcome } = await list(context, input);
    const { targets, ...page } = result;
    return { ...outcome, result: { principals: targets, ...page } };
  };
  return Object.assign(renamed, { members: list.members ?? [] });
}
