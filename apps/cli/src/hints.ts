import { isThinglineError, type ErrorCode, type ThinglineError } from "@thingline/protocol";
import { commandLine, unlessDefault } from "./invocation.js";
import { defaultDataDir, defaultModemDir } from "./option-values.js";
import type { Hint } from "./output.js";

/** Folders among the options of a command. */
export interface Places {
  modemDir?: string;
  /** Of a board, instead of a simulated modem. */
  port?: string | string[];
  tcp?: string;
  dataDir?: string;
  /** A real account instead of the local cloud. */
  aws?: boolean;
  /** The way of provisioning. */
  method?: string;
}

type HintOf = (error: ThinglineError, command: string, places: Places) => Hint | undefined;

const seeCloudLog: Hint = {
  text:
    "The log of the local cloud, where `cloud start` runs, says why: it names the certificate and the statement, " +
    "or that there is none.",
};

/** A reason that the server gave is the reason: its log has no better one. */
const unlessTold: HintOf = (error) => (error.details["reasonCode"] === undefined ? seeCloudLog : undefined);
/** Codes with which a server says that a policy or the certificate does not allow it: 5 of CONNACK in MQTT 3.1.1, 0x80 and 0x87. */
const denials: ReadonlySet<unknown> = new Set([5, 0x80, 0x87]);
const ifDenied: HintOf = ({ details }) => (denials.has(details["reasonCode"]) ? seeCloudLog : undefined);

const ownCa =
  "The CA must be the one that signed the server's certificate (the local cloud's is ca.pem in its data directory), and " +
  "the host name one that the certificate has.";

/** For a second cloud beside a running one. */
const freePorts = "--mqtts-port 0 --https-port 0 --api-port 0";

const credentialsFrom: Partial<Record<string, string>> = {
  demo: "Leave out --without-claim. On a modem of your own, with what `claim create` wrote:",
  "device run": "With what `thing create` wrote to FOLDER:",
};

/** Where a command has the place from that it connects to. */
function settingsOf(command: string): { host: string; port: string } {
  if (command === "modem write") return { host: "the host of --prove", port: "the port of --prove" };
  return { host: "CONFIG_AWS_IOT_BROKER_HOST_NAME", port: "CONFIG_AWS_IOT_PORT" };
}

const simulateAt = (door: unknown) => commandLine(`modem simulate --tcp ${String(door).replace(/^.*:/, "")}`);

const beginAnew = "Run the same command again: an upload begins anew.";
const needsWhole =
  "Run the command with a whole firmware, as soon as the board is there again: the modem works only after that.";

/** By what a board is left with after an upload. */
const afterUpload: Readonly<Record<string, string>> = {
  scheduled: "Restart the board: AT#XRESET, or for a delta AT#XMODEMRESET. Then ask which firmware runs.",
  applyUnanswered:
    "Ask which firmware runs (modem firmware --port PORT); if it is the old one, run the same command again.",
  bootloaderMode: needsWhole,
  noFirmware: needsWhole,
  unverified: "Ask which firmware runs: modem firmware --port PORT.",
};

/** What a person can do next, by error code. The message itself says what was wrong. */
const hints: Partial<Record<ErrorCode, HintOf>> = {
  PORT_IN_USE: (_, command) => ({
    text:
      "Stop the program that listens there, or choose another port; port 0 picks a free one." +
      (command.startsWith("modem") ? "" : ` A second cloud takes ${freePorts}.`),
  }),
  LOCKED: (_, command) =>
    command === "cloud start"
      ? { text: `Stop that process, or give this cloud a --data-dir of its own, and ports: ${freePorts}.` }
      : command === "cloud check"
        ? { text: "A cloud runs on it. Stop that first; a running cloud logs each damaged record that it reads." }
        : {
            text:
              "Another command uses this simulated modem: wait for it, name another --modem-dir, or, where that is `modem simulate`, " +
              "take its --port.",
          },
  CLOUD_NOT_RUNNING: ({ details }) => ({
    text: "Start one in another terminal, or name the --data-dir of the one that runs:",
    command: commandLine([
      "cloud",
      "start",
      ...unlessDefault("--data-dir", details["folder"]?.toString(), defaultDataDir),
    ]),
  }),
  CREDENTIAL_MISSING: (error, command, places) => ({
    text: credentialsFrom[command] ?? "With what `claim create` wrote to FOLDER:",
    command: modemWrite(error, places, "--from", "FOLDER"),
  }),
  CREDENTIAL_REFUSED: ({ details }, command) => {
    if (details["cme"] !== 519) return undefined;
    if (command === "modem generate-key" || command === "thing create") {
      return {
        text: "--replace deletes the key that is there, with the certificate that belonged to it, and makes another.",
      };
    }
    return command === "modem write"
      ? { text: "The key there was made in the modem, and nobody can bring it back. --force replaces it all the same." }
      : undefined;
  },
  TLS_PEER_UNTRUSTED: (error, _, places) =>
    error.details["caFile"] === undefined
      ? {
          text: `${ownCa} This writes another CA:`,
          command: modemWrite(error, places, "--ca", `${defaultDataDir}/ca.pem`),
        }
      : { text: `${ownCa} It was read from ${error.details["caFile"]}.` },
  FILE_NOT_FOUND: ({ details }, command) =>
    command === "provision" && /(?:-cert|private-key)\.pem$/.test(String(details["path"]))
      ? { text: "Name the folder that `claim create` wrote: --certs FOLDER, or --claim FOLDER." }
      : undefined,
  CONNECTION_REFUSED: ({ details }, command) => {
    if (details["door"] !== undefined) {
      return {
        text: "Correct --tcp, or start what listens there; a simulated modem:",
        command: simulateAt(details["door"]),
      };
    }
    return {
      text: `Does the cloud run, and on this port? Start one in another terminal, or correct ${settingsOf(command).port}:`,
      command: commandLine("cloud start"),
    };
  },
  SERIAL_PORT_FAILED: () => ({ text: "This lists what is there:", command: commandLine("modem ports") }),
  SERIAL_PORT_NOT_FOUND: () => ({
    text: "Plug the board in. This lists what is there:",
    command: commandLine("modem ports"),
  }),
  MODEM_NOT_FOUND: () => ({
    text: "Boards have several ports. This asks what is behind each:",
    command: commandLine("modem ports"),
  }),
  FIRMWARE_PACKAGE_INVALID: ({ details }) =>
    details["kind"] === "application"
      ? { text: "Give the application's signed image for updates, which its build makes beside the others." }
      : {
          text: "Download the package of the modem's family from Nordic's page of its development kit, and do not unzip it.",
        },
  MODEM_DFU_FAILED: ({ details: { state } }) => ({ text: afterUpload[String(state)] ?? beginAnew }),
  MODEM_APPLICATION_MISSING: (_, command) =>
    command === "modem firmware program"
      ? { text: "Without --port the firmware is programmed by Nordic's nrfutil, whatever runs on the board." }
      : {
          text:
            "Program the Serial Modem application (Serial LTE Modem of the nRF Connect SDK on an nRF9160); credentials in the modem stay. " +
            "Boards have several ports; this tells what answers on each:",
          command: commandLine("modem ports"),
        },
  SERIAL_PORT_UNPLUGGED: () => ({ text: "Plug the board in again, and run the same command." }),
  PROGRAMMER_MISSING: ({ details }) =>
    details["command"] === undefined
      ? {
          text:
            "Download nRF Util from https://www.nordicsemi.com/Products/Development-tools/nRF-Util, put it on the PATH, install SEGGER's J-Link " +
            "software, and then:",
          command: "nrfutil install device",
        }
      : { text: "Install that command:", command: `nrfutil install ${details["command"]}` },
  PROGRAMMER_FAILED: ({ details, message }) =>
    /protect|recover/i.test(`${details["said"]} ${message}`)
      ? {
          text: "The board is locked. --recover unlocks it, and erases the application in its flash; program that again afterwards.",
        }
      : { text: "This shows the boards that nrfutil sees:", command: "nrfutil device list" },
  HOST_NOT_FOUND: ({ details }, command) => ({
    text: `Correct ${details["door"] === undefined ? settingsOf(command).host : "--tcp"}.`,
  }),
  CONNECTION_LOST: (error, command, places) => {
    if (error.details["door"] !== undefined)
      return { text: "One host at a time has a modem: end the other, or correct --tcp." };
    // Of these only a proof connects to a cloud; the others lost the modem.
    return command.startsWith("modem ") && command !== "modem write" ? undefined : unlessTold(error, command, places);
  },
  TLS_HANDSHAKE_FAILED: ({ details }, _, places) =>
    details["errno"] === undefined
      ? seeCloudLog
      : {
          text:
            `The modem does not tell which. ${ownCa} The certificate must be ACTIVE, and the key under the tag its own. ` +
            "This shows what lies there:",
          command: commandLine([
            "modem",
            "list",
            "--sec-tag",
            String(details["secTag"] ?? "TAG"),
            ...placeWords(places),
          ]),
        },
  TLS_RECORD_TOO_LARGE: () => ({
    text:
      "TLS inside the modem takes records of 2,048 bytes. Send less in one message; or let the application do TLS, which takes " +
      "more: --native-tls.",
  }),
  MQTT_CONNECT_REFUSED: ifDenied,
  MQTT_DISCONNECTED: ifDenied,
  MQTT_SESSION_TAKEN_OVER: () => ({ text: "Find the other holder, or give this one another id with --client-id." }),
  MQTT_SUBSCRIPTION_REFUSED: ifDenied,
  PROVISIONING_NOT_PROVED: ({ cause }, _, { method }) => {
    if (isThinglineError(cause, "TLS_PEER_UNTRUSTED")) {
      return {
        text: "The CA for the new security tag must be the server's: --ca FILE, or leave it out to use the claim's.",
      };
    }
    if (method !== "own-certificate") return seeCloudLog;
    return {
      text:
        "The log of the cloud says why. A certificate of a CA with --auto-registration waits until somebody makes it ACTIVE " +
        "(UpdateCertificate) and gives it a policy and a thing:",
      command: commandLine("cert list --status PENDING_ACTIVATION"),
    };
  },
  PROVISIONING_METHOD_UNFIT: () => ({
    text: "--native-tls, which takes such answers; or --method csr or modem-key, by which no key is sent at all.",
  }),
  PROVISIONING_TIMEOUT: (_, command, { method }) =>
    command === "provision" && (method?.startsWith("split") ?? false)
      ? {
          text: "If it is the local cloud: its vending service answers once it is on. Otherwise see what answers devices there.",
          command: commandLine("cloud vending builtin"),
        }
      : undefined,
  PROVISIONING_REJECTED: ({ details }, command) => {
    if (command !== "provision") return undefined;
    const [, parameter] = /^Cannot resolve reference value: (.+)$/.exec(String(details["cloudReason"])) ?? [];
    if (parameter !== undefined) return { text: `Give it with --parameter ${parameter}=VALUE.` };
    if (details["cloudCode"] === "AccessDenied") {
      return {
        text: "Let the claim's policy and the template's hook allow this device; the cloud's log says which refused it.",
      };
    }
    return details["cloudCode"] === "RESOURCE_EXISTS"
      ? { text: "Its certificate is in this list, and `cert revoke ID` ends it:", command: commandLine("cert list") }
      : undefined;
  },
  PROVISIONING_EXHAUSTED: () => ({ text: "--reset forgets the earlier attempts." }),
  IMAGE_INVALID: ({ details }, command) =>
    details["reason"] === "HEADER_OCCUPIED"
      ? { text: "--pad-header puts the header before the binary." }
      : details["reason"] === "IMAGE_TOO_LARGE"
        ? { text: "A smaller build, or the --slot-size, --align and --max-sectors of the bootloader." }
        : command === "device run"
          ? {
              text:
                "The board keeps the images it has. Give the --firmware-key that signed them, or have a new board made: name another " +
                "--board-dir, or remove its folder.",
            }
          : command.startsWith("fota") && details["reason"] === "KEY_UNKNOWN"
            ? { text: "Name the key that signed it, with --key; devices believe in that one." }
            : undefined,
  PROVISIONING_TEMPLATE_INVALID: ({ details }) => {
    const [, name] = /^Cannot resolve reference value: (.+)$/.exec(String(details["reason"])) ?? [];
    return name === undefined
      ? undefined
      : { text: `Give it a value, --parameter ${name}=VALUE, or a Default in the template.` };
  },
  ROLE_CREDENTIALS_FAILED: ({ details }, _, { aws }) => {
    if (details["status"] === 404)
      return { text: "This lists those that there are:", command: commandLine("role-alias list") };
    if (details["status"] !== 403) return undefined;
    return {
      text:
        "A policy of the certificate has to allow iot:AssumeRoleWithCertificate on the alias, and --thing has to be a thing that the " +
        `certificate is attached to.${aws === true ? "" : " The log of the local cloud says which it is."}`,
    };
  },
  KEY_MISMATCH: () => ({ text: "The private key and the certificate must come from the same set." }),
  LINK_FAILED: (_, __, places) => ({
    text: "Check SIM and coverage; this tells the registration status:",
    command: commandLine(["modem", "at", ...placeWords(places), "AT+CEREG?"]),
  }),
};

/**
 * @param command as in `cloud start`.
 * @param places the folders that the command was told to use: what it advises has to work on the same ones.
 */
export function hintFor(error: ThinglineError, command: string, places: Places = {}): Hint | undefined {
  const hint = hints[error.code]?.(error, command, places);
  if (hint !== undefined) return hint;
  // Of a step of provisioning, which knows what is usually wrong with it.
  const { next } = error.details;
  return typeof next === "string" ? { text: `${next[0]?.toUpperCase() ?? ""}${next.slice(1)}.` } : undefined;
}

/** Nouns of which one that is not found is of their own kind. */
const listings: Readonly<Record<string, string>> = {
  authorizer: "authorizers",
  domain: "domain configurations",
  package: "packages",
  "role-alias": "role aliases",
};

/** Where to look for what AWS has not found. */
export function hintForAws(error: Error, command: string, { dataDir, aws }: Places = {}): Hint | undefined {
  const [noun = ""] = command.split(" ");
  const where = aws === true ? ["--aws"] : unlessDefault("--data-dir", dataDir, defaultDataDir);
  if (error.name === "VersionsLimitExceededException" && noun === "template") {
    return {
      text: "A template has five versions at most. Delete one that no device needs:",
      command: commandLine(["template", "version", "delete", "NAME", "VERSION", ...where]),
    };
  }
  if (error.name === "ResourceAlreadyExistsException" && command === "template create") {
    return {
      text: "A new version of it takes the place of the one before:",
      command: commandLine(["template", "version", "create", "NAME", "FILE", "--set-default", ...where]),
    };
  }
  if (command === "rule create" && error.name === "ResourceAlreadyExistsException") {
    return {
      text: "--replace puts this one in its place. What it is now:",
      command: commandLine(["rule", "show", "NAME", ...where]),
    };
  }
  if (noun === "rule" && error.name === "UnauthorizedException") {
    return { text: "The rules that there are:", command: commandLine(["rule", "list", ...where]) };
  }
  if (/Please enable index/.test(error.message)) {
    return { text: "To have things searched:", command: commandLine(["index", "on", ...where]) };
  }
  if (/indexing is not enabled/.test(error.message)) {
    return {
      text: "To have shadows and connections searched, too:",
      command: commandLine(["index", "on", "--shadows", "--connectivity", ...where]),
    };
  }
  if (command === "index off" && /dynamic/.test(error.message)) {
    return {
      text: "A dynamic group lives by the index; of one, this tells its query. Delete those first:",
      command: commandLine(["group", "show", "NAME", ...where]),
    };
  }
  if (noun === "tag" && /ARN/.test(error.message)) {
    return {
      text:
        "A resource is named as in its ARN, behind the account: thinggroup/NAME, thingtype/NAME, billinggroup/NAME, policy/NAME, " +
        "rule/NAME, job/ID, rolealias/NAME. Things have attributes instead.",
    };
  }
  const listing = error.name === "ResourceNotFoundException" ? listings[noun] : undefined;
  if (noun === "command" && error.name === "ResourceNotFoundException" && /^Command /.test(error.message)) {
    return { text: "The commands that there are:", command: commandLine(["command", "list", ...where]) };
  }
  if (listing !== undefined) {
    return { text: `The ${listing} that there are:`, command: commandLine([noun, "list", ...where]) };
  }
  const ofPlace = hintForThingPlace(error, command, where);
  if (ofPlace !== undefined) return ofPlace;
  if (error.name !== "ResourceNotFoundException") return undefined;
  if (command.startsWith("template version") && /version/i.test(error.message)) {
    return {
      text: "The versions that there are:",
      command: commandLine(["template", "version", "list", "NAME", ...where]),
    };
  }
  if (["template", "claim"].includes(noun)) {
    return { text: "The templates that there are:", command: commandLine(["template", "list", ...where]) };
  }
  if (!["fota", "group"].includes(noun)) return undefined;
  if (/group/i.test(error.message)) {
    return { text: "The groups that there are:", command: commandLine(["group", "list", ...where]) };
  }
  if (/job/i.test(error.message)) {
    return { text: "The newest update, and its id:", command: commandLine(["fota", "status", ...where]) };
  }
  return {
    text: "A thing with all that it connects with:",
    command: commandLine(["thing", "create", "NAME", ...where]),
  };
}

/** About thing types and billing groups, whichever command names one. */
function hintForThingPlace(error: Error, command: string, where: readonly string[]): Hint | undefined {
  if (error.name === "ResourceNotFoundException" && /thing type/i.test(error.message)) {
    return { text: "The thing types that there are:", command: commandLine(["thing-type", "list", ...where]) };
  }
  if (error.name === "ResourceNotFoundException" && /billing group/i.test(error.message)) {
    return { text: "The billing groups that there are:", command: commandLine(["billing-group", "list", ...where]) };
  }
  if (error.name === "InvalidRequestException" && /depreated thing type/.test(error.message)) {
    return {
      text: "It is deprecated: no thing gets it any more. To have it valid again:",
      command: commandLine(["thing-type", "deprecate", "NAME", "--undo", ...where]),
    };
  }
  if (command !== "thing-type delete" || error.name !== "InvalidRequestException") return undefined;
  return {
    text: "A type is deleted five minutes after it was deprecated, when no thing has it:",
    command: commandLine(["thing-type", "show", "NAME", ...where]),
  };
}

function modemWrite({ details }: ThinglineError, places: Places, ...source: string[]): string {
  const secTag = String(details["secTag"] ?? "TAG");
  return commandLine(["modem", "write", "--sec-tag", secTag, ...source, ...placeWords(places)]);
}

/** The modem that a command was about. */
function placeWords({ modemDir, port, tcp }: Places): string[] {
  const [first] = [port ?? []].flat();
  if (first !== undefined) return ["--port", first];
  return tcp === undefined ? unlessDefault("--modem-dir", modemDir, defaultModemDir) : ["--tcp", tcp];
}
