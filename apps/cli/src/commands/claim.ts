import { resolve } from "node:path";
import { ThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";
import { iotSdk } from "../aws-sdk.js";
import type { CommandContext } from "../command.js";
import { openControlPlane } from "../control-plane.js";
import { commandLine } from "../invocation.js";
import { shortenIds } from "../log.js";
import { defaultClaimSecTag } from "../option-values.js";
import { writeClaimFacts } from "../claim-folder.js";
import { assertOutIsFree, byClaimWords, describeFiles, exampleClientId, writeIssued } from "./thing.js";

interface TemporaryOptions {
  dataDir: string;
  aws?: boolean;
  out?: string;
  secTag?: number;
  force?: boolean;
  template: string;
}

/** `thingline claim temporary --template NAME [FOLDER]`: for a trusted user, who hands it to one device. */
export async function claimTemporary(
  { output, signal }: CommandContext,
  options: TemporaryOptions,
  name = "temporary-claim",
): Promise<void> {
  const templateName = options.template;
  const secTag = options.secTag ?? defaultClaimSecTag;
  const plane = await openControlPlane({ aws: options.aws === true, dataDir: options.dataDir, signal });
  await assertOutIsFree(options, name);
  const { CreateProvisioningClaimCommand } = iotSdk();
  const command = new CreateProvisioningClaimCommand({ templateName });
  const {
    certificateId = "",
    certificatePem,
    keyPair,
    expiration,
  } = await plane.client.send(command, {
    abortSignal: signal,
  });
  const privateKeyPem = keyPair?.PrivateKey;
  if (certificatePem === undefined || privateKeyPem === undefined || expiration === undefined) {
    throw new ThinglineError(
      "CLOUD_REQUEST_REFUSED",
      "CreateProvisioningClaim answered without certificate, key or end",
    );
  }
  const issued = { certificateArn: "", certificateId, certificatePem, privateKeyPem };
  const written = await writeIssued(plane, options, { name, clientId: exampleClientId, issued, secTag });
  await writeClaimFacts(createNodeFiles(), written.folder, { templateName, certificateId, expiresAt: expiration });
  const seconds = Math.max(0, Math.round((expiration.getTime() - Date.now()) / 1000));
  output.event(
    {
      ...{ event: "claimCreated", certificateId, isTemporary: true, templateName },
      ...{ expiresAt: expiration.toISOString(), endpoint: `${plane.device.host}:${plane.device.port}`, secTag },
      ...{ folder: resolve(written.folder), files: written.files },
    },
    [
      `${output.paint.green("created")} a temporary claim in the ${plane.description}`,
      `  certificate  ${shortenIds(certificateId)}, for template ${templateName} only`,
      `  ends         ${output.paint.yellow(`in ${durationText(seconds)}`)}, at ${expiration.toISOString()}`,
      ...describeFiles(written, secTag),
      "",
      "Next, before it ends, provision a device with it:",
      `  ${commandLine(byClaimWords(written))}`,
    ].join("\n"),
  );
}

const durationText = (seconds: number) =>
  seconds < 60 ? `${seconds} s` : `${Math.floor(seconds / 60)} min${seconds % 60 === 0 ? "" : ` ${seconds % 60} s`}`;
