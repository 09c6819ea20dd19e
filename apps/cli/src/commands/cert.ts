import { lifeFacts, lifeLines, type CertLife } from "../cert/life.js";
import { openCertPlace, type CertPlace } from "../cert/place.js";
import { certificateLives, livesOfThing, readLife } from "../cert/read.js";
import { removeCertificate } from "../cert/remove.js";
import { isDeletable, orphanReason, orphanWords, SoonestEnding, type OrphanReason } from "../cert/select.js";
import type { CommandContext } from "../command.js";
import { exitCodes } from "../failure.js";
import type { PlaceOptions } from "../fota/plane.js";
import { commandLine, unlessDefault } from "../invocation.js";
import { defaultDataDir, durationWord, orphanAgeMs } from "../option-values.js";
import type { Output } from "../output.js";

interface ListOptions extends PlaceOptions {
  /** Milliseconds. */
  expiresWithin?: number;
  status?: string;
  limit: number;
}

/** `thingline cert list [THING]`: those that end first, first. */
export async function certList(context: CommandContext, options: ListOptions, thingName?: string): Promise<void> {
  const { output } = context;
  const place = await openCertPlace(context, options);
  const nowMs = Date.now();
  const isMeant = ({ status, notAfterMs = Infinity }: CertLife) =>
    (options.status === undefined || status === options.status) &&
    (options.expiresWithin === undefined || notAfterMs <= nowMs + options.expiresWithin);
  const soonest = new SoonestEnding(options.limit);
  const lives = thingName === undefined ? certificateLives(place) : await livesOfThing(place, thingName);
  using _reading = output.begin(`reading certificates of the ${place.plane.description}`);
  for await (const life of lives) if (isMeant(life)) soonest.add(life);
  for (const life of soonest.kept) await tellLife(output, life, nowMs);
  if (soonest.kept.length === 0) output.say(`no such certificates in the ${place.plane.description}`);
  if (soonest.leftOut > 0) output.say(output.paint.dim(`${soonest.leftOut} more end later: --limit shows more`));
}

async function tellLife(
  output: Output,
  life: CertLife,
  nowMs: number,
  more: { text: string; facts: Record<string, unknown> } = { text: "", facts: {} },
): Promise<void> {
  const [head, rest] = lifeLines(life, nowMs);
  output.event(
    { event: "certificate", ...lifeFacts(life), ...more.facts },
    `${head}\n  ${output.wrap(`${rest}${more.text}`, 2)}`,
  );
  await output.drained();
}

/** `thingline cert show ID` */
export async function certShow(context: CommandContext, options: PlaceOptions, certificateId = ""): Promise<void> {
  const { output } = context;
  const place = await openCertPlace(context, options);
  const life = await readLife(place, certificateId);
  const policies = life.policyNames ?? [];
  const { client, sdk, send } = place;
  const described = await client.send(new sdk.DescribeCertificateCommand({ certificateId }), send);
  // What AttachPolicy and other operations take.
  const certificateArn = described.certificateDescription?.certificateArn ?? "";
  const policyText = `; policies: ${policies.length === 0 ? "none" : policies.join(", ")}`;
  await tellLife(output, life, Date.now(), { text: policyText, facts: { certificateArn } });
  output.say(`  ${certificateArn}`);
}

interface RevokeOptions extends PlaceOptions {
  delete?: boolean;
}

/** `thingline cert revoke ID` */
export async function certRevoke(context: CommandContext, options: RevokeOptions, certificateId = ""): Promise<void> {
  const { output } = context;
  const place = await openCertPlace(context, options);
  const { client, sdk, send } = place;
  await client.send(new sdk.UpdateCertificateCommand({ certificateId, newStatus: "REVOKED" }), send);
  if (options.delete === true) await removeCertificate(place, certificateId);
  const what = options.delete === true ? "revoked and deleted" : "revoked";
  output.event(
    { event: "certificateRevoked", certificateId, isDeleted: options.delete === true },
    `${output.paint.green(what)} ${certificateId} in the ${place.plane.description}: nobody connects with it any more`,
  );
}

interface OrphansOptions extends PlaceOptions {
  /** Milliseconds. */
  olderThan: number;
  all?: boolean;
  delete?: boolean;
}

/** `thingline cert orphans`: issued, and never used. */
export async function certOrphans(context: CommandContext, options: OrphansOptions): Promise<number> {
  const { output } = context;
  const place = await openCertPlace(context, options);
  if (place.dataDir === undefined) {
    output.say(
      output.wrap(
        "AWS does not tell whether a certificate was ever used. These cannot be used, or stand beside another ACTIVE one of their thing.",
        0,
      ),
    );
  }
  const rules = { nowMs: Date.now(), olderThanMs: options.olderThan, includesIssued: options.all === true };
  let [count, deleted] = [0, 0];
  for await (const found of certificateLives(place)) {
    const life = place.dataDir === undefined ? await withOthersOfThing(place, found) : found;
    const reason = orphanReason(life, rules);
    if (reason === undefined) continue;
    count += 1;
    const isGone = options.delete === true && isDeletable(reason) && (await deleteOrphan(place, life, rules));
    if (isGone) deleted += 1;
    await tellOrphan(output, life, reason, isGone);
  }
  tellOrphans(output, place, options, { count, deleted });
  return exitCodes.done;
}

async function withOthersOfThing(place: CertPlace, life: CertLife): Promise<CertLife> {
  const [thingName] = life.thingNames;
  if (thingName === undefined || life.status !== "ACTIVE") return life;
  const others = await livesOfThing(place, thingName);
  const activeBeside = others.filter(
    ({ certificateId, status }) => status === "ACTIVE" && certificateId !== life.certificateId,
  ).length;
  return { ...life, activeBeside };
}

/** It may have connected since it was listed. */
async function deleteOrphan(
  place: CertPlace,
  { certificateId }: CertLife,
  rules: Parameters<typeof orphanReason>[1],
): Promise<boolean> {
  if (orphanReason(await readLife(place, certificateId), rules) === undefined) return false;
  await removeCertificate(place, certificateId);
  return true;
}

async function tellOrphan(output: Output, life: CertLife, reason: OrphanReason, isDeleted: boolean): Promise<void> {
  const [head, rest] = lifeLines(life, Date.now());
  const what = isDeleted ? `; ${output.paint.green("deleted")}` : "";
  const words = reason === "neverConnected" ? rest : `${orphanWords[reason]}; ${rest}`;
  output.event(
    { event: "orphan", reason, isDeleted, ...lifeFacts(life) },
    `${head}\n  ${output.wrap(`${words}${what}`, 2)}`,
  );
  await output.drained();
}

function tellOrphans(
  output: Output,
  { plane }: CertPlace,
  options: OrphansOptions,
  { count, deleted }: { count: number; deleted: number },
): void {
  if (count === 0) return output.say(`no orphans in the ${plane.description}`);
  if (options.delete === true) return output.say(`${deleted} of ${count} deleted`);
  // What is typed as it stands finds the very same ones.
  const words = [
    ...["cert", "orphans", "--delete"],
    ...(options.all === true ? ["--all"] : []),
    ...(options.olderThan === orphanAgeMs ? [] : ["--older-than", durationWord(options.olderThan)]),
    ...(options.aws === true ? ["--aws"] : unlessDefault("--data-dir", options.dataDir, defaultDataDir)),
  ];
  output.say(`\n${count} in all. To delete them:\n  ${commandLine(words)}`);
}
