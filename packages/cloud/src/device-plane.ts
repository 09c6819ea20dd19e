import { toHex } from "@thingline/protocol";
import { encodeRestJsonError } from "@thingline/protocol/restjson";
import type { Clock, HttpPeer, HttpRequest, HttpResponse, Keys, Random } from "@thingline/transport";
import { checkCertificate } from "./gateway/certificate-check.js";
import { createPrincipals } from "./gateway/principals.js";
import type { HttpAuthorizer } from "./gateway/http-authorizer.js";
import { createRequestAuthorizer, type RequestAsk } from "./gateway/request-authorizer.js";
import type { Log } from "./log.js";
import { originFault } from "./rest/origin-guard.js";
import { publishingCaller, type RestApi } from "./rest/rest-api.js";
import type { Scope } from "./services/operation.js";
import type { StoreReader } from "./store/store.js";

// The data plane for devices: they show their certificate and sign nothing, and their policies say what they may ask.

export interface DevicePlaneDependencies {
  store: StoreReader;
  clock: Clock;
  keys: Keys;
  random: Random;
  log: Log;
  api: Pick<RestApi, "handleFor">;
  /** Who comes by a custom authorizer. */
  publishers: HttpAuthorizer;
}

export interface DevicePlaneOptions {
  scope: Scope;
  /** Host names of this cloud besides addresses, local names and AWS's own. */
  ownNames: readonly string[];
}

/** @returns what answers a request; it never throws */
export function createDevicePlane(
  { store, clock, keys, random, log, api, publishers }: DevicePlaneDependencies,
  { scope, ownNames }: DevicePlaneOptions,
): (request: HttpRequest, peer: HttpPeer) => Promise<HttpResponse> {
  const unixMs = () => clock.unixMs();
  const principals = createPrincipals({ store, scope, unixMs });
  const authorize = createRequestAuthorizer({ store, scope, unixMs });

  const refuse = (explanation: string, peer: HttpPeer): HttpResponse => {
    const requestId = random.uuid();
    log.warn("forbidden", { operation: "(certificate)", requestId, explanation, remote: peer.remote.host });
    const members = { traceId: requestId };
    return {
      status: 403,
      ...encodeRestJsonError({ code: "ForbiddenException", message: "Forbidden", members }, requestId),
    };
  };

  return async (request, peer) => {
    const { headers = {}, url } = request;
    const serverName = peer.secure?.serverName?.toLowerCase() ?? "";
    const question = url.indexOf("?");
    const presented = {
      headers,
      queryString: question < 0 ? "" : url.slice(question),
      serverName,
      sourceIp: peer.remote.host,
    };
    const demand = await publishers.demandOf(presented, peer.secure?.peerCertificate !== undefined);
    if (typeof demand === "object") return refuse(demand.refusal, peer);
    // A page of somebody else has no token.
    if (demand === "credentials") return api.handleFor(request, publishingCaller(publishers, presented));
    const foreign = originFault(headers, headers["host"] ?? "", ownNames);
    if (foreign !== undefined) return refuse(foreign, peer);
    const check = await checkCertificate({
      ...{ certificate: peer.secure?.peerCertificate, nowMs: unixMs() },
      fingerprint: (der) => toHex(keys.sha256(der)),
      findStatus: (certificateId) => principals.findStatus(certificateId),
      findElsewhere: (certificateId) => principals.findElsewhere(certificateId),
    });
    if ("refusal" in check) return refuse(check.refusal.explanation, peer);
    const { certificateId, facts } = check;
    const origin = { certificateId, facts, sourceIp: peer.remote.host, serverName: peer.secure?.serverName };
    return api.handleFor(request, {
      apis: ["iot-data", "iot-jobs-data"],
      async judge({ name }, input) {
        const asks = asksOf(name, input);
        if (asks === undefined) return `${name} cannot be asked with a certificate`;
        const { isAllowed, explanation } = await authorize(origin, asks);
        return isAllowed ? undefined : explanation;
      },
    });
  };
}

type Input = Readonly<Record<string, unknown>>;

const text = (value: unknown): string => (typeof value === "string" ? value : "");
const ofTopic = ({ topic }: Input) => `topic/${text(topic)}`;
const ofClient = ({ clientId }: Input) => `client/${text(clientId)}`;
const ofThing = ({ thingName }: Input) => `thing/${text(thingName)}`;
const ofShadow = (input: Input) =>
  input["shadowName"] === undefined ? ofThing(input) : `${ofThing(input)}/${text(input["shadowName"])}`;

/** The resource of each operation, by its name; the action has the same name. */
const resources: Readonly<Record<string, (input: Input) => string>> = {
  Publish: ofTopic,
  GetRetainedMessage: ofTopic,
  ListRetainedMessages: () => "*",
  GetThingShadow: ofShadow,
  UpdateThingShadow: ofShadow,
  DeleteThingShadow: ofShadow,
  ListNamedShadowsForThing: ofThing,
  DescribeJobExecution: ofThing,
  GetPendingJobExecutions: ofThing,
  StartNextPendingJobExecution: ofThing,
  UpdateJobExecution: ofThing,
  GetConnection: ofClient,
  DeleteConnection: ofClient,
  ListSubscriptions: ofClient,
  SendDirectMessage: ofClient,
};

/**
 * What the policies are asked.
 * @see AWS IoT developer guide, "AWS IoT Core policy actions", "AWS IoT Core action resources"
 */
function asksOf(name: string, input: Input): RequestAsk[] | undefined {
  const resourceOf = resources[name];
  if (resourceOf === undefined) return undefined;
  const ask: RequestAsk = { action: `iot:${name}`, resource: resourceOf(input) };
  switch (name) {
    case "Publish":
      return input["retain"] === true ? [ask, { ...ask, action: "iot:RetainPublish" }] : [ask];
    case "GetConnection": {
      const isIncluded = String(input["includeSocketInformation"] === true);
      return [{ ...ask, values: { "iot:IncludeSocketInformation": isIncluded } }];
    }
    case "SendDirectMessage":
      return [{ ...ask, values: { "iot:Topic": text(input["topic"]) } }];
    default:
      return [ask];
  }
}
