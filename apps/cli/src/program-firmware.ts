import { type Command, Option } from "commander";
import { firmwareValues } from "./firmware-values.js";
import { optionValues } from "./option-values.js";
import { type AddCommand, examples } from "./program-parts.js";

const paths = optionValues.path;

/** `thingline firmware ...` */
export function addFirmware(firmware: Command, command: AddCommand): void {
  const keygen = command(
    firmware,
    "keygen",
    "make a key to sign images with, in the format of MCUboot's tool",
    async () => (await import("./commands/firmware.js")).firmwareKeygen,
  )
    .argument("<file>", "the PEM file to write; one that is there is never written over", paths)
    .addOption(
      new Option("--type <type>", "the type of key that the bootloader is built for")
        .choices(["rsa-2048", "rsa-3072", "ecdsa-p256", "ecdsa-p384", "ed25519"])
        .makeOptionMandatory(),
    )
    .option("--public <file>", "write the public key as well, for those who only verify", paths);
  examples(
    keygen,
    "firmware keygen key.pem --type ecdsa-p256",
    "firmware keygen key.pem --type ed25519 --public pub.pem",
  );
  addFirmwareSign(firmware, command);
  const verify = command(
    firmware,
    "verify",
    "say whether an image is whole, and signed with a key: exit code 0 or 1, and the reason",
    async () => (await import("./commands/firmware.js")).firmwareVerify,
  )
    .argument("<image>", "the image, padded or not", paths)
    .option("--key <file>", "a private or public key that may have signed; may be repeated", optionValues.list)
    .option("--running-version <version>", "refuse an older version than this", firmwareValues.version)
    .option("--min-counter <number>", "refuse a lower security counter, or none", firmwareValues.number)
    .option("--max-size <bytes>", "refuse a larger image: what the slot has room for", firmwareValues.number)
    .option("--bootloader", "say what MCUboot itself says, which overlooks more than this tool")
    .option("--pure", "with --bootloader: built for signatures over the image")
    .addOption(new Option("--sha <bits>", "with --bootloader: its hash").choices(["auto", "512"]).default("auto"));
  examples(verify, "firmware verify app.signed.bin --key key.pem", "firmware verify app.signed.bin --json");
  const inspect = command(
    firmware,
    "inspect",
    "show header, TLVs and trailer of an image; nothing is verified",
    async () => (await import("./commands/firmware.js")).firmwareInspect,
  ).argument("<image>", "the image, padded or not", paths);
  examples(inspect, "firmware inspect app.signed.bin", "firmware inspect app.signed.bin --json");
}

function addFirmwareSign(firmware: Command, command: AddCommand): void {
  const { number } = firmwareValues;
  const sign = command(
    firmware,
    "sign",
    "make an image of a binary, as MCUboot's tool does",
    async () => (await import("./commands/firmware-sign.js")).firmwareSign,
  )
    .argument("<in>", "the binary that the build wrote", paths)
    .argument("<out>", "the image to write; one that is there is replaced", paths)
    .option("--key <file>", "private key; without one the image has a hash only", paths)
    .requiredOption("--version <version>", "major[.minor[.revision[+build]]]", firmwareValues.version)
    .requiredOption("--header-size <bytes>", "size of the header; nRF Connect SDK: 0x200", number)
    .requiredOption("--slot-size <bytes>", "size of the slot, which image and trailer must fit into; 0: any", number)
    .addOption(
      new Option("--align <bytes>", "write unit of the flash; nRF91: 4")
        .choices(["1", "2", "4", "8", "16", "32"])
        .default("1"),
    )
    .option("--pad-header", "put the header before the binary, which has no room for it")
    .option("--pad", "fill up the slot, with the trailer that asks for a swap")
    .option("--test", "as --pad: run once, then confirm or go back")
    .option("--confirm", "as --pad, and confirmed already")
    .option(
      "--dependency <image:version>",
      "needs this version of another image; may be repeated",
      firmwareValues.dependencies,
    )
    .option(
      "--security-counter <number>",
      "security counter; auto: made from the version",
      firmwareValues.securityCounter,
    )
    .option("--boot-record <role>", "measured boot record, for software of this role")
    .option("--custom-tlv <type=value>", "0xa0=text or 0xa0=0x0102; may be repeated", firmwareValues.customTlv)
    .option("--vid <uuid>", "vendor identifier: a UUID, or a domain name")
    .option("--cid <uuid>", "class identifier: a UUID, or with --vid a name")
    .addOption(
      new Option("--sha <bits>", "hash; auto: that of the key").choices(["auto", "256", "384", "512"]).default("auto"),
    )
    .option("--pure", "Ed25519: sign the image instead of its hash")
    .addOption(
      new Option("--public-key-format <format>", "how the image names its key")
        .choices(["hash", "full"])
        .default("hash"),
    )
    .option("--pad-sig", "ECDSA: fill up the signature, for MCUboot before 1.5")
    .addOption(new Option("--max-align <bytes>", "BOOT_MAX_ALIGN of the bootloader").choices(["8", "16", "32"]))
    .option("--max-sectors <number>", "sectors that the trailer has room for (default: 128)", number)
    .option("--overwrite-only", "for a bootloader that does not swap")
    .addOption(new Option("--erased-val <value>", "what erased flash reads as").choices(["0", "0xff"]).default("0xff"))
    .option("--load-addr <address>", "address in RAM to load the image to", number)
    .option("--rom-fixed <address>", "address in flash that the image is built for", number)
    .option("--non-bootable", "mark the image as not bootable");
  examples(
    sign,
    "firmware sign zephyr.bin app.signed.bin --key key.pem --version 1.2.3+4 --header-size 0x200 --slot-size 0x74000 --align 4 --pad-header",
    "firmware sign app.bin slot.bin --key key.pem --version 2.0.0 --header-size 0x200 --slot-size 0x74000 --align 4 --confirm",
  );
}
