import type { CommandContext } from "../command.js";
import { exitCodes, UsageError } from "../failure.js";
import type { Output } from "../output.js";
import { openIot, type OpenedIot, type PlaceOptions } from "./members.js";

interface TestOptions extends PlaceOptions {
  cert?: string;
  clientId?: string;
  add?: string[];
  skip?: string[];
}

/** By the word of the command: AWS's action, and what stands before the name in its ARN. */
const actions = {
  connect: ["CONNECT", "client"],
  publish: ["PUBLISH", "topic"],
  subscribe: ["SUBSCRIBE", "topicfilter"],
  receive: ["RECEIVE", "topic"],
} as const;

export type TestedAction = keyof typeof actions;
export const testedActions = Object.keys(actions) as TestedAction[];

/** `thingline policy test ACTION NAME`: the exit code says whether it is allowed. */
export async function policyTest(
  context: CommandContext,
  options: TestOptions,
  action = "",
  name = "",
): Promise<number> {
  const { output } = context;
  if (options.cert === undefined && (options.add ?? []).length === 0) {
    throw new UsageError("name a certificate with --cert, or policies with --add");
  }
  const where = await openIot(context, options);
  const { client, sdk, send, plane } = where;
  const [actionType, kind] = actions[action as TestedAction];
  const principal = options.cert === undefined ? undefined : await principalOf(where, options.cert);
  const account = plane.account ?? principal?.split(":")[4];
  if (account === undefined) throw new UsageError("with --aws a certificate has to be named: its account is not known");
  const resource = `arn:aws:iot:${plane.region}:${account}:${kind}/${name}`;
  const clientId = options.clientId ?? (actionType === "CONNECT" ? name : undefined);
  const command = new sdk.TestAuthorizationCommand({
    ...(principal !== undefined && { principal }),
    ...(clientId !== undefined && { clientId }),
    authInfos: [{ actionType, resources: [resource] }],
    ...(options.add !== undefined && { policyNamesToAdd: options.add }),
    ...(options.skip !== undefined && { policyNamesToSkip: options.skip }),
  });
  const [result] = (await client.send(command, send)).authResults ?? [];
  const names = (list: readonly { policyName?: string }[] = []) => list.map(({ policyName = "" }) => policyName);
  const facts = {
    decision: result?.authDecision ?? "IMPLICIT_DENY",
    allowing: names(result?.allowed?.policies),
    denying: names(result?.denied?.explicitDeny?.policies),
    silent: names(result?.denied?.implicitDeny?.policies),
    missing: result?.missingContextValues ?? [],
  };
  output.event(
    {
      event: "policyTested",
      action: actionType,
      resource,
      principal: principal ?? null,
      clientId: clientId ?? null,
      ...facts,
    },
    describe(output, `${action} ${name}`, facts),
  );
  return facts.decision === "ALLOWED" ? exitCodes.done : exitCodes.failed;
}

/** A certificate by its id or its ARN. */
async function principalOf({ client, sdk, send }: OpenedIot, cert: string): Promise<string> {
  if (cert.startsWith("arn:")) return cert;
  const command = new sdk.DescribeCertificateCommand({ certificateId: cert });
  return (await client.send(command, send)).certificateDescription?.certificateArn ?? cert;
}

function describe(
  { paint }: Output,
  what: string,
  facts: {
    decision: string;
    allowing: readonly string[];
    denying: readonly string[];
    silent: readonly string[];
    missing: readonly string[];
  },
): string {
  const words: Record<string, string> = {
    ALLOWED: paint.green("allowed"),
    EXPLICIT_DENY: paint.red("denied"),
    IMPLICIT_DENY: paint.red("not allowed"),
  };
  const rows: [string, readonly string[]][] = [
    ["allow it", facts.allowing],
    ["deny it", facts.denying],
    ["say nothing of it", facts.silent],
    ["had no value", facts.missing],
  ];
  const told = rows
    .filter(([, names]) => names.length > 0)
    .map(([how, names]) => `  ${how.padEnd(17)}  ${names.join(", ")}`);
  return [`${what} is ${words[facts.decision] ?? facts.decision}`, ...told].join("\n");
}
