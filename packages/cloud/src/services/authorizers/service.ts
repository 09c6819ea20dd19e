import { ThinglineError } from "@thingline/protocol";
import type { Functions } from "../../functions/index.js";
import { awsOperation, awsSaga } from "../aws-operation.js";
import { answer, type Operation, type OperationContext, type Outcome } from "../operation.js";
import { readPage } from "../page.js";
import { tagsGone, tagsOfNew } from "../tags/index.js";
import { faultOfToken, invoke } from "./authenticate.js";
import { authorizerEvent } from "./credentials.js";
import {
  authorizerArn,
  authorizerKeys,
  authorizersMax,
  authorizersServiceName,
  findDefaultAuthorizerName,
  requireAuthorizer,
  type AuthorizerRecord,
} from "./model.js";
import { checkSigningKeys } from "./token.js";

const invalid = (message: string) => new ThinglineError("REQUEST_INVALID", message);

/** Names the domain configuration that an authorizer is the default of; undefined for none. */
export type FindDomainOfAuthorizer = (
  reader: Pick<OperationContext, "store" | "scope">,
  authorizerName: string,
) => Promise<string | undefined>;

export interface AuthorizersDependencies {
  functions: Functions;
  findDomainOfAuthorizer: FindDomainOfAuthorizer;
}

export type Authorizers = ReturnType<typeof createAuthorizers>;

/** Custom authorizers of the account. Members are the operations of AWS IoT by their names. */
export function createAuthorizers({ functions, findDomainOfAuthorizer }: AuthorizersDependencies) {
  return {
    createAuthorizer,
    describeAuthorizer,
    updateAuthorizer,
    deleteAuthorizer: deleteAuthorizerOperation(findDomainOfAuthorizer),
    listAuthorizers,
    setDefaultAuthorizer,
    clearDefaultAuthorizer,
    describeDefaultAuthorizer,
    testInvokeAuthorizer: testInvokeAuthorizerOperation(functions),
  };
}

const createAuthorizer = awsOperation(
  "iot",
  "CreateAuthorizer",
  [
    ...(["authorizerName", "authorizerFunctionArn", "tokenKeyName", "tokenSigningPublicKeys", "status"] as const),
    ...(["signingDisabled", "enableCachingForHttp", "tags.Key", "tags.Value"] as const),
  ],
  async ({ store, scope, nowMs }, input) => {
    const { authorizerName, authorizerFunctionArn, tokenKeyName, tokenSigningPublicKeys } = input;
    const value: AuthorizerRecord = {
      ...{ authorizerName, authorizerFunctionArn },
      ...(tokenKeyName !== undefined && { tokenKeyName }),
      ...(tokenSigningPublicKeys !== undefined && { tokenSigningPublicKeys: { ...tokenSigningPublicKeys } }),
      // AWS: nobody is asked for anything by an authorizer before somebody says so.
      status: input.status ?? "INACTIVE",
      signingDisabled: input.signingDisabled ?? false,
      enableCachingForHttp: input.enableCachingForHttp ?? false,
      ...{ createdAtMs: nowMs, modifiedAtMs: nowMs },
    };
    checkAuthorizer(value);
    const key = authorizerKeys.one(scope, authorizerName);
    if ((await store.get(key)) !== undefined) {
      const details = { resourceId: authorizerName, resourceArn: authorizerArn(scope, authorizerName) };
      throw new ThinglineError("RESOURCE_EXISTS", `The authorizer ${authorizerName} already exists`, { details });
    }
    const guardKey = authorizerKeys.guard(scope);
    const guardRevision = (await store.get(guardKey))?.revision ?? 0;
    if ((await store.list(authorizerKeys.all(scope), { limit: authorizersMax })).length >= authorizersMax) {
      const message = `An account has ${authorizersMax} authorizers at the most`;
      throw new ThinglineError("QUOTA_EXCEEDED", message, { details: { authorizersMax } });
    }
    const operations = [
      { key, expectedRevision: 0, value },
      { key: guardKey, expectedRevision: guardRevision, value: null },
      ...tagsOfNew(key, input.tags),
    ];
    return { result: named(scope, authorizerName), operations, effects: [] };
  },
);

/** @throws {ThinglineError} REQUEST_INVALID */
function checkAuthorizer({ signingDisabled, tokenKeyName, tokenSigningPublicKeys = {} }: AuthorizerRecord): void {
  checkSigningKeys(tokenSigningPublicKeys);
  if (signingDisabled) return;
  const needed = "is needed unless signingDisabled is true";
  if (tokenKeyName === undefined) throw invalid(`tokenKeyName ${needed}`);
  if (Object.keys(tokenSigningPublicKeys).length === 0) throw invalid(`A key of tokenSigningPublicKeys ${needed}`);
}

const named = (scope: OperationContext["scope"], authorizerName: string) => ({
  authorizerName,
  authorizerArn: authorizerArn(scope, authorizerName),
});

function described(scope: OperationContext["scope"], record: AuthorizerRecord) {
  const { createdAtMs, modifiedAtMs, ...members } = record;
  return {
    authorizerDescription: {
      ...members,
      authorizerArn: authorizerArn(scope, record.authorizerName),
      creationDate: createdAtMs / 1000,
      lastModifiedDate: modifiedAtMs / 1000,
    },
  };
}

const describeAuthorizer = awsOperation("iot", "DescribeAuthorizer", ["authorizerName"], async (context, input) => {
  const { value } = await requireAuthorizer(context, input.authorizerName);
  return answer(described(context.scope, value));
});

const updateAuthorizer = awsOperation(
  "iot",
  "UpdateAuthorizer",
  [
    ...(["authorizerName", "authorizerFunctionArn", "tokenKeyName", "tokenSigningPublicKeys", "status"] as const),
    "enableCachingForHttp",
  ],
  async (context, input) => {
    const { value: before, revision } = await requireAuthorizer(context, input.authorizerName);
    const { scope, nowMs } = context;
    const { authorizerName } = before;
    if (input.status === "INACTIVE" && (await findDefaultAuthorizerName(context)) === authorizerName)
      throw invalid(
        `The authorizer ${authorizerName} is the default one; clear that first with ClearDefaultAuthorizer`,
      );
    const { tokenKeyName = before.tokenKeyName } = input;
    const { tokenSigningPublicKeys = before.tokenSigningPublicKeys } = input;
    const value: AuthorizerRecord = {
      ...before,
      authorizerFunctionArn: input.authorizerFunctionArn ?? before.authorizerFunctionArn,
      ...(tokenKeyName !== undefined && { tokenKeyName }),
      ...(tokenSigningPublicKeys !== undefined && { tokenSigningPublicKeys: { ...tokenSigningPublicKeys } }),
      status: input.status ?? before.status,
      enableCachingForHttp: input.enableCachingForHttp ?? before.enableCachingForHttp,
      modifiedAtMs: nowMs,
    };
    checkAuthorizer(value);
    const operations = [{ key: authorizerKeys.one(scope, authorizerName), expectedRevision: revision, value }];
    return { result: named(scope, authorizerName), operations, effects: [] };
  },
);

function deleteAuthorizerOperation(findDomain: FindDomainOfAuthorizer) {
  return awsOperation("iot", "DeleteAuthorizer", ["authorizerName"], async (context, input) => {
    const { value, revision } = await requireAuthorizer(context, input.authorizerName);
    const { authorizerName, status } = value;
    const conflict = (why: string) =>
      new ThinglineError("DELETE_CONFLICT", `The authorizer ${authorizerName} cannot be deleted: ${why}`);
    if (status === "ACTIVE") throw conflict("it is ACTIVE");
    if ((await findDefaultAuthorizerName(context)) === authorizerName) throw conflict("it is the default authorizer");
    const domain = await findDomain(context, authorizerName);
    if (domain !== undefined) throw conflict(`it is the default authorizer of the domain configuration ${domain}`);
    const key = authorizerKeys.one(context.scope, authorizerName);
    const operations = [{ key, expectedRevision: revision, delete: true as const }, tagsGone(key)];
    return { result: {}, operations, effects: [] };
  });
}

const listAuthorizers = awsOperation(
  "iot",
  "ListAuthorizers",
  ["pageSize", "marker", "ascendingOrder", "status"],
  async ({ store, scope }, { pageSize, marker, ascendingOrder, status }) => {
    const { entries, nextToken } = await readPage<AuthorizerRecord>(store, {
      prefix: authorizerKeys.all(scope),
      token: marker,
      tokenName: "marker",
      size: pageSize,
      order: ascendingOrder === true ? "ascending" : "descending",
      matches: ({ value }) => status === undefined || value.status === status,
    });
    const authorizers = entries.map(({ value }) => named(scope, value.authorizerName));
    return answer({ authorizers, ...(nextToken !== undefined && { nextMarker: nextToken }) });
  },
);

const setDefaultAuthorizer = awsOperation("iot", "SetDefaultAuthorizer", ["authorizerName"], async (context, input) => {
  const { store, scope } = context;
  const { value, revision } = await requireAuthorizer(context, input.authorizerName);
  const { authorizerName, status } = value;
  if (status !== "ACTIVE") throw invalid(`The authorizer ${authorizerName} is not ACTIVE`);
  const key = authorizerKeys.default(scope);
  const expectedRevision = (await store.get(key))?.revision ?? 0;
  const operations = [
    { key, expectedRevision, value: { authorizerName } },
    // Written as it is, like by claimAuthorizer.
    { key: authorizerKeys.one(scope, authorizerName), expectedRevision: revision, value },
  ];
  return { result: named(scope, authorizerName), operations, effects: [] };
});

const clearDefaultAuthorizer = awsOperation(
  "iot",
  "ClearDefaultAuthorizer",
  [],
  async ({ store, scope }): Promise<Outcome<object>> => {
    const key = authorizerKeys.default(scope);
    const entry = await store.get(key);
    if (entry === undefined) throw noDefault();
    return { result: {}, operations: [{ key, expectedRevision: entry.revision, delete: true }], effects: [] };
  },
);

const describeDefaultAuthorizer = awsOperation("iot", "DescribeDefaultAuthorizer", [], async (context) => {
  const name = await findDefaultAuthorizerName(context);
  if (name === undefined) throw noDefault();
  return answer(described(context.scope, (await requireAuthorizer(context, name)).value));
});

const noDefault = () => new ThinglineError("RESOURCE_NOT_FOUND", "There is no default authorizer");

const readAuthorizer: Operation<string, AuthorizerRecord> = async (context, name) =>
  answer((await requireAuthorizer(context, name)).value);

/** An INACTIVE one can be tried as well: that is what a test is for. */
function testInvokeAuthorizerOperation(functions: Functions) {
  return awsSaga(
    authorizersServiceName,
    ["iot", "TestInvokeAuthorizer"],
    [
      ...(["authorizerName", "token", "tokenSignature", "httpContext.headers", "httpContext.queryString"] as const),
      ...(["mqttContext.username", "mqttContext.password", "mqttContext.clientId", "tlsContext.serverName"] as const),
    ],
    async ({ run, random, keys }, input) => {
      const { authorizerName, token, tokenSignature, httpContext, mqttContext, tlsContext } = input;
      const authorizer = await run(readAuthorizer, authorizerName);
      const fault = faultOfToken(keys, authorizer, { token, signature: tokenSignature });
      if (fault !== undefined) throw invalid(`Authorizer ${authorizerName}: ${fault}`);
      const http = httpContext && { headers: httpContext.headers ?? {}, queryString: httpContext.queryString ?? "" };
      const event = authorizerEvent(
        { serverName: tlsContext?.serverName, http, mqtt: mqttContext },
        { token, isVerified: !authorizer.signingDisabled, connectionId: random.uuid() },
      );
      const result = await invoke(functions, authorizer, event, false);
      if (typeof result !== "string") return result;
      throw new ThinglineError("AUTHORIZER_ANSWER_INVALID", `Authorizer ${authorizerName}: ${result}`);
    },
  );
}
