import { generateModemKey } from "@thingline/modem";
import { toHex } from "@thingline/protocol";
import { encodePem } from "@thingline/protocol/x509";
import { nodeAdapters } from "../adapters.js";
import { describeModem, type HandOptions, holdUntilRestored, modemLine, openModemAtHand } from "../boards/at-hand.js";
import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { commandLine } from "../invocation.js";
import { doorWords } from "../door-options.js";

interface GenerateOptions extends HandOptions {
  secTag: number;
  subject?: string;
  keyUsage?: string;
  publicKey?: boolean;
  out?: string;
  replace?: boolean;
  force?: boolean;
}

/** `thingline modem generate-key`: the private key stays in the modem; what a CA needs comes out, as PEM. */
export async function modemGenerateKey(context: CommandContext, options: GenerateOptions): Promise<void> {
  const { output, signal } = context;
  const { secTag, subject: attributes, keyUsage, out, replace = false, force = false } = options;
  const isBare = options.publicKey === true;
  if (isBare && (attributes !== undefined || keyUsage !== undefined)) {
    throw new UsageError("--public-key gives the bare key, which has neither --subject nor --key-usage");
  }
  const { files, keys } = nodeAdapters();
  await using hand = await openModemAtHand(options, signal);
  const description = await describeModem(hand, signal);
  using _held = holdUntilRestored(context);
  const status = output.status();
  status.show(`the modem makes a key in security tag ${secTag}`, true);
  const made = await generateModemKey(hand.session, {
    ...{ secTag, keys, replace, force, signal },
    content: isBare ? "publicKey" : "request",
    ...(attributes !== undefined && { attributes }),
    ...(keyUsage !== undefined && { keyUsage }),
  }).finally(() => status.end());
  const pem = made.requestPem ?? encodePem("PUBLIC KEY", made.publicKey);
  const { deviceUuid } = made.attestation;
  const fact = {
    event: "keyGenerated",
    secTag,
    imei: description.imei,
    subject: made.subject,
    deviceUuid: toHex(deviceUuid),
    replaced: made.replaced,
  };
  // The PEM alone goes to standard output, so that it can be piped to a CA.
  const print = () => output.event({ ...fact, pem }, pem.trimEnd());
  if (out === undefined) return print();
  try {
    await files.replace(out, new TextEncoder().encode(pem), { mode: 0o644 });
  } catch (error) {
    // The modem makes no second request of the same key.
    print();
    throw error;
  }
  output.say(output.paint.dim(modemLine(hand, description)));
  const what = isBare ? "its public key" : `a certificate request for ${made.subject ?? ""}`;
  output.event(
    { ...fact, file: out },
    [
      `${output.paint.green("made")}  a private key in security tag ${secTag}, which nobody ever reads`,
      `      ${what}: ${out}`,
      ...(made.replaced.length > 0 ? [`      what was there is gone: ${made.replaced.join(", ")}`] : []),
      ...(isBare
        ? []
        : [
            "",
            "Next, write the certificate that a CA makes from it, beside the key:",
            `  ${commandLine(["modem", "write", ...doorWords(options), "--sec-tag", String(secTag), "--cert", "CERT.pem", "--ca", "CA.pem"])}`,
          ]),
    ].join("\n"),
  );
}
