import {
  encodeRegisterThingAnswer,
  fleetProvisioningMessageBytesMax,
  type RegisterThingAnswer,
  type RegisterThingRequest,
} from "@thingline/protocol/fleet-provisioning";
import { parseTemplate, resolveTemplate, type ProvisioningPlan } from "../../provisioning-template/index.js";
import { answer, type Operation, type OperationContext, type Outcome, type SagaContext } from "../operation.js";
import { findCertificate } from "../registry/index.js";
import type { ProvisionThing } from "../thing-provisioning/index.js";
import { unless } from "../unless.js";
import { accepted, digestOf, type Asker } from "./asker.js";
import type { AskHook } from "./hook.js";
import { templateArn } from "./model.js";
import type { RegisteredRecord, TokenRecord } from "./pending-model.js";
import { inPendingLane, leavePending, requireToken } from "./pending.js";
import { invalidToken, ProvisioningRefusal } from "./refusal.js";
import { findProvisioningTemplate, type FoundTemplate } from "./templates.js";

/** RegisterThing of the MQTT API. */
export type RegisterThing = (
  context: SagaContext,
  asker: Asker,
  asked: { templateName: string; request: RegisterThingRequest },
) => Promise<void>;

export interface RegisterThingDependencies {
  askHook: AskHook;
  provisionThing: ProvisionThing;
  /** Hears what came of it. */
  onRegistered: (facts: {
    asker: Asker;
    templateName: string;
    thingName: string | undefined;
    certificateId: string;
  }) => void;
}

interface TokenInput {
  asker: Asker;
  /** Of the token. */
  digest: string;
  templateName: string;
  parametersDigest: string;
}

interface Registered {
  thingName: string | undefined;
  isNews: boolean;
}

/** What the token stands for before anything is asked of anybody. */
interface Known {
  certificateId: string;
  certificatePem: string;
  registered: RegisteredRecord | undefined;
}

/**
 * Throws a refusal for a token or template that does not hold, and what the template's own rules refuse. Token and template are looked at
 * again in the commit, as a hook may take its time.
 */
export function createRegisterThing(deps: RegisterThingDependencies): RegisterThing {
  const { askHook, provisionThing, onRegistered } = deps;
  const register = createRegister(provisionThing);
  return async (context, asker, { templateName, request }) => {
    const { run, scope } = context;
    const { clientId, claimCertificateId } = asker;
    const { certificateOwnershipToken, parameters } = request;
    const input: TokenInput = {
      ...{ asker, templateName, digest: digestOf(context, certificateOwnershipToken) },
      parametersDigest: digestOf(context, JSON.stringify(Object.entries(parameters).sort(byName))),
    };
    const { certificateId, certificatePem, registered } = await run(lookUp, input);
    // The answer to the first request got lost, perhaps.
    if (registered !== undefined) return void (await run(repeat, input));
    const template = await requireUsable(run, templateName);
    const { preProvisioningHook: hook, templateBody } = template;
    const overrides =
      hook === undefined
        ? {}
        : await askHook(hook.targetArn, {
            ...(claimCertificateId !== undefined && { claimCertificateId }),
            ...{ certificateId, certificatePem, templateArn: templateArn(scope, templateName), clientId, parameters },
          });
    const plan = resolveTemplate(parseTemplate(templateBody, { kind: "fleet" }), {
      parameters: { ...parameters, ...overrides },
      certificate: { "AWS::IoT::Certificate::Id": certificateId },
    });
    const { thingName, isNews } = await run(register, { ...input, plan });
    if (isNews) onRegistered({ asker, templateName, thingName, certificateId });
  };
}

const byName = ([left]: [string, string], [right]: [string, string]): number => (left < right ? -1 : 1);

const lookUp: Operation<TokenInput, Known> = async (context, input) => {
  const { value } = await requireToken(context, { ...input.asker, digest: input.digest });
  const { certificateId, registered } = value;
  const certificate = await findCertificate(context.store, context.scope, certificateId);
  if (certificate === undefined) throw invalidToken("The certificate of the ownership token does not exist.");
  return answer({ certificateId, certificatePem: certificate.certificatePem, registered });
};

/** Changes no state: what was done for the token before is told again. */
const repeat: Operation<TokenInput, Registered> = async (context, input) => {
  const { value } = await requireToken(context, { ...input.asker, digest: input.digest });
  return repeated(value.registered, input);
};

async function requireUsable(run: SagaContext["run"], templateName: string): Promise<FoundTemplate> {
  const template = await unless("RESOURCE_NOT_FOUND", () => run(findProvisioningTemplate, { templateName }));
  return checkUsable(template);
}

function checkUsable(template: FoundTemplate | undefined): FoundTemplate {
  // One for just-in-time provisioning is none that a device can name.
  if (template?.type !== "FLEET_PROVISIONING")
    throw new ProvisioningRefusal(404, "ResourceNotFound", "The provisioning template does not exist");
  if (!template.isEnabled)
    throw new ProvisioningRefusal(400, "InvalidRequest", "The provisioning template is disabled");
  return template;
}

/** All that the plan asks for, the token's use and the answer, in one commit. */
function createRegister(
  provisionThing: ProvisionThing,
): Operation<TokenInput & { plan: ProvisioningPlan }, Registered> {
  return inPendingLane(
    async (context: OperationContext, input: TokenInput & { plan: ProvisioningPlan }): Promise<Outcome<Registered>> => {
      const { asker, digest, templateName, parametersDigest, plan } = input;
      const { key, revision, value: token } = await requireToken(context, { ...asker, digest });
      if (token.registered !== undefined) return repeated(token.registered, input);
      checkUsable(await unless("RESOURCE_NOT_FOUND", () => context.call(findProvisioningTemplate, { templateName })));
      const certificate = { certificateId: token.certificateId };
      const { thingName, deviceConfiguration } = await context.call(provisionThing, { plan, certificate });
      const registered: RegisteredRecord = {
        ...{ templateName, parametersDigest, deviceConfiguration },
        ...(thingName !== undefined && { thingName }),
      };
      const value: TokenRecord = { ...token, registered };
      return {
        result: { thingName, isNews: true },
        operations: [
          { key, expectedRevision: revision, value },
          ...(await leavePending(context, {
            clientId: token.clientId,
            claimCertificateId: token.claimCertificateId,
            digest,
          })),
        ],
        effects: [told(asker, registered)],
      };
    },
  );
}

/** @throws {ProvisioningRefusal} for another request than the first: a token is good for one */
function repeated(registered: RegisteredRecord | undefined, input: TokenInput): Outcome<Registered> {
  const { asker, templateName, parametersDigest } = input;
  if (registered?.templateName !== templateName || registered.parametersDigest !== parametersDigest)
    throw invalidToken("Certificate ownership token has been used already.");
  return {
    result: { thingName: registered.thingName, isNews: false },
    operations: [],
    effects: [told(asker, registered)],
  };
}

/** @throws {ProvisioningRefusal} for an answer that no device could take: it would never know that it is registered */
function told(asker: Asker, { thingName, deviceConfiguration }: RegisteredRecord) {
  const message: RegisterThingAnswer = { deviceConfiguration, ...(thingName !== undefined && { thingName }) };
  const payload = encodeRegisterThingAnswer(message, asker.topic.format);
  if (payload.length <= fleetProvisioningMessageBytesMax) return accepted(asker, payload);
  const why = `DeviceConfiguration: the answer has ${payload.length} bytes, more than ${fleetProvisioningMessageBytesMax}`;
  throw new ProvisioningRefusal(400, "InvalidParameters", why);
}
