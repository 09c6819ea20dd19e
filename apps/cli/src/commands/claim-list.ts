import { ThinglineError, toHex } from "@thingline/protocol";
import { parseCertificates } from "@thingline/protocol/x509";
import { createNodeFiles, createNodeKeys } from "@thingline/transport/node";
import type { CommandContext } from "../command.js";
import { readCredentialFiles } from "../credentials-folder.js";
import { forEachAtOnce } from "../each.js";
import { UsageError } from "../failure.js";
import { commandLine } from "../invocation.js";
import { shortenIds } from "../log.js";
import { openTemplates, placeWords, type PlaceOptions } from "./template.js";

/** What the names of policies begin with that `claim create` makes: a certificate with such a policy is a claim. */
const claimPolicyPrefix = "thingline-claim";
const pageSize = 250;
/** The shortest beginning of an id that names a certificate. */
const idBeginningMin = 8;

interface Claim {
  certificateId: string;
  certificateArn: string;
  policyName: string;
  status: string;
  createdAt: Date | undefined;
}

type Opened = Awaited<ReturnType<typeof openTemplates>>;

/** Certificates with a policy of `claim create`; those of other policies are not known as claims. */
async function* findClaims({
  client,
  sdk,
  send,
}: Opened): AsyncGenerator<Pick<Claim, "certificateArn" | "policyName">> {
  for await (const page of sdk.paginateListPolicies({ client, pageSize }, {}, send)) {
    for (const { policyName = "" } of page.policies ?? []) {
      if (!policyName.startsWith(claimPolicyPrefix)) continue;
      for await (const targets of sdk.paginateListTargetsForPolicy({ client, pageSize }, { policyName }, send)) {
        for (const certificateArn of targets.targets ?? []) {
          if (certificateArn.includes(":cert/")) yield { certificateArn, policyName };
        }
      }
    }
  }
}

async function describe({ client, sdk, send }: Opened, claim: Pick<Claim, "certificateArn" | "policyName">) {
  const certificateId = claim.certificateArn.slice(claim.certificateArn.lastIndexOf("/") + 1);
  const command = new sdk.DescribeCertificateCommand({ certificateId });
  const { certificateDescription } = await client.send(command, send);
  const { status = "UNKNOWN", creationDate } = certificateDescription ?? {};
  return { ...claim, certificateId, status, createdAt: creationDate };
}

/** `thingline claim list` */
export async function claimList(context: CommandContext, options: PlaceOptions): Promise<void> {
  const { output } = context;
  const opened = await openTemplates(context, options);
  const claims: Claim[] = [];
  await forEachAtOnce(findClaims(opened), async (found) => void claims.push(await describe(opened, found)));
  claims.sort((left, right) => (right.createdAt?.getTime() ?? 0) - (left.createdAt?.getTime() ?? 0));
  const { green, dim } = output.paint;
  for (const { certificateId, status, policyName, createdAt } of claims) {
    const state = status.padEnd(8);
    output.event(
      { event: "claim", certificateId, status, policyName, createdAt: createdAt?.toISOString() ?? null },
      `${shortenIds(certificateId)}  ${status === "ACTIVE" ? green(state) : dim(state)}  ${createdAt?.toISOString().slice(0, 10) ?? ""}  ${policyName}`,
    );
    await output.drained();
  }
  if (claims.length === 0) output.say(`no claims of \`claim create\` in the ${opened.plane.description}`);
}

/** `thingline claim revoke CLAIM`: nobody is provisioned with it any more. */
export async function claimRevoke(context: CommandContext, options: PlaceOptions, claim = ""): Promise<void> {
  const { output } = context;
  const wanted = await idOf(claim);
  const opened = await openTemplates(context, options);
  const { client, sdk, send, plane } = opened;
  const fitting = new Map<string, Pick<Claim, "certificateArn" | "policyName">>();
  for await (const found of findClaims(opened)) {
    const id = found.certificateArn.slice(found.certificateArn.lastIndexOf("/") + 1);
    if (id.startsWith(wanted)) fitting.set(id, found);
  }
  const [certificateId, ...more] = [...fitting.keys()];
  if (certificateId === undefined) {
    const place = commandLine(["claim", "list", ...placeWords(options)]);
    throw new UsageError(
      `no claim in the ${plane.description} has an id that begins with ${shortenIds(wanted)}; see \`${place}\``,
    );
  }
  if (more.length > 0)
    throw new UsageError(`${fitting.size} claims have an id that begins with ${wanted}: say more of it`);
  await client.send(new sdk.UpdateCertificateCommand({ certificateId, newStatus: "REVOKED" }), send);
  output.event(
    { event: "claimRevoked", certificateId, policyName: fitting.get(certificateId)?.policyName ?? null },
    [
      `${output.paint.green("revoked")} claim ${shortenIds(certificateId)} in the ${plane.description}`,
      "  devices that were provisioned with it go on; none is any more",
    ].join("\n"),
  );
}

/** An id, its beginning, or the folder that holds the certificate. */
async function idOf(claim: string): Promise<string> {
  if (/^[0-9a-f]{1,64}$/i.test(claim) && claim.length >= idBeginningMin) return claim.toLowerCase();
  const files = createNodeFiles();
  if ((await files.list(claim).catch(() => [])).length === 0) {
    throw new UsageError(
      `a claim is the id of its certificate, at least ${idBeginningMin} digits of it, or its folder; got "${claim}"`,
    );
  }
  const { certificate } = await readCredentialFiles(files, { from: claim });
  if (certificate === undefined) {
    throw new ThinglineError("CREDENTIAL_MISSING", `${claim} has no certificate`, {
      details: { folder: claim, item: "certificate" },
    });
  }
  const [leaf] = parseCertificates(certificate, claim);
  return toHex(createNodeKeys().sha256(leaf.der));
}
