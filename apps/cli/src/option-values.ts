import { InvalidArgumentError } from "commander";
import type { Vending } from "@thingline/cloud";
import { isDeviceId } from "@thingline/protocol/provisioning";

/** As `@thingline/protocol/jobs` has it, which is loaded only when a rotation is ordered. */
export const rotationOverlapSecondsMax = 366 * 86_400;
/** Minutes that a device may say nothing of its update. */
export const defaultStaleMinutes = 30;
/** From what age on a certificate that nobody has connected with is an orphan, by itself. */
export const orphanAgeMs = 3_600_000;
export const defaultDataDir = ".thingline";
/** Security tag of the claim in the original provisioning sample. */
export const defaultClaimSecTag = 43;
export const defaultModemDir = ".thingline/modem";
/** Where a batch keeps its devices. */
export const defaultBatchDir = ".thingline/batch";
/** Where it is kept what was done to the boards of a line. */
export const defaultLineDir = ".thingline/line";
/** Devices of a batch, or boards of a line, that are under way. */
export const defaultAtOnce = 8;

/** A time as options take it: `90m`, `2d`. */
export function durationWord(ms: number): string {
  const units = { d: 86_400_000, h: 3_600_000, m: 60_000 };
  const [unit, unitMs] = Object.entries(units).find(([, each]) => ms % each === 0) ?? ["s", 1_000];
  return `${ms / unitMs}${unit}`;
}

/** By `--vending aws-handler`: the function of that name is not somewhere else but in this process. */
export const awsHandlerName = "aws-handler";

/** What the words behind options may be. Each throws what commander reports with the option's name. */
export const optionValues = {
  port: (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value > 65_535) throw new InvalidArgumentError("A port is a number from 0 to 65535.");
    return value;
  },
  secTag: (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value > 2_147_483_647) {
      throw new InvalidArgumentError("A security tag is a number from 0 to 2147483647.");
    }
    return value;
  },
  /** Also those that are refused for what they are: which one it is should be told. */
  anySecTag: (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value > 4_294_967_295) {
      throw new InvalidArgumentError("A security tag is a number from 0 to 2147483647.");
    }
    return value;
  },
  endpoint: (text: string): string => {
    const [, digits = ""] = /^.+:(\d{1,5})$/u.exec(text) ?? [];
    if (Number(digits) > 0 && Number(digits) <= 65_535) return text;
    throw new InvalidArgumentError("A host and a port, such as localhost:8883.");
  },
  /** `all`, or paths with commas between them. */
  ports: (text: string): string => {
    const paths = text.split(",");
    if (paths.every((path) => path.trim() !== "") && new Set(paths).size === paths.length) return text;
    throw new InvalidArgumentError("It is all, or paths of ports with commas between them, each once.");
  },
  eachPattern: (text: string): string => {
    if (/\{(?:imei|serial)\}/u.test(text)) return text;
    throw new InvalidArgumentError("A path in which {imei} or {serial} stands for the board's own.");
  },
  subjectText: (text: string): string => {
    if (/^[A-Za-z]+ *=[^="\p{Cc}]+(?:, *[A-Za-z]+ *=[^="\p{Cc}]+)*$/u.test(text)) return text;
    throw new InvalidArgumentError("Names such as CN=my-thing,O=acme, without quotes.");
  },
  keyUsage: (text: string): string => {
    if (/^[01]{9}$/.test(text)) return text;
    throw new InvalidArgumentError("Nine of 0 and 1, from digitalSignature to decipherOnly, such as 101010000.");
  },
  baudRate: (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < 50 || value > 4_000_000) {
      throw new InvalidArgumentError("A baud rate is a number from 50 to 4000000.");
    }
    return value;
  },
  seconds: (text: string): number => {
    const value = Number(text);
    if (!/^\d+(\.\d+)?$/.test(text) || value <= 0 || value > 86_400) {
      throw new InvalidArgumentError("A time in seconds, more than 0 and at most 86400.");
    }
    return value;
  },
  /** Milliseconds. */
  duration: (text: string): number => {
    const [, amount = "", unit = ""] = /^(\d+(?:\.\d+)?)([smhd])$/.exec(text) ?? [];
    const ms = Number(amount) * { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000, "": 0 }[unit as "s" | ""];
    if (!(ms > 0) || ms > 36_600 * 86_400_000) {
      throw new InvalidArgumentError("A time with its unit, such as 90s, 45m, 12h or 30d, and at most 36600d.");
    }
    return ms;
  },
  overlapSeconds: (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value > rotationOverlapSecondsMax) {
      throw new InvalidArgumentError(`A number of seconds from 0 to ${rotationOverlapSecondsMax}.`);
    }
    return value;
  },
  certificateId: (text: string): string => {
    if (/^[0-9a-f]{64}$/.test(text)) return text;
    throw new InvalidArgumentError("The id of a certificate has 64 hexadecimal digits.");
  },
  count: (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < 1 || value > 1000) {
      throw new InvalidArgumentError("A number from 1 to 1000.");
    }
    return value;
  },
  percent: (text: string): number => {
    const value = Number(text.replace(/%$/, ""));
    if (!/^\d+(\.\d{1,2})?%?$/.test(text) || value <= 0 || value > 100) {
      throw new InvalidArgumentError("A part in percent, more than 0 and at most 100, with two decimals at most.");
    }
    return value;
  },
  minutes: (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < 1 || value > 10_080) {
      throw new InvalidArgumentError("A number of minutes from 1 to 10080, which is seven days.");
    }
    return value;
  },
  /** With a fraction, unlike {@link minutes} of AWS's. */
  anyMinutes: (text: string): number => {
    const value = Number(text);
    if (!/^\d+(\.\d+)?$/.test(text) || value <= 0 || value > 10_080) {
      throw new InvalidArgumentError("A time in minutes, more than 0 and at most 10080, which is seven days.");
    }
    return value;
  },
  retries: (text: string): number => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value > 10) throw new InvalidArgumentError("A number from 0 to 10.");
    return value;
  },
  jobId: (text: string): string => {
    if (/^[a-zA-Z0-9_-]{1,64}$/.test(text)) return text;
    throw new InvalidArgumentError("The id of a job has 1 to 64 of the characters A-Z a-z 0-9 _ -");
  },
  deviceId: (text: string): string => {
    if (isDeviceId(text)) return text;
    throw new InvalidArgumentError("A device's id has 1 to 128 of the characters A-Z a-z 0-9 : _ -");
  },
  /** Of a thing or a thing group. */
  name: (text: string): string => {
    if (/^[a-zA-Z0-9:_-]{1,128}$/.test(text)) return text;
    throw new InvalidArgumentError("A name has 1 to 128 of the characters A-Z a-z 0-9 : _ -");
  },
  /** An empty path would mean the current folder. */
  path: (text: string): string => {
    if (text !== "" && !text.includes("\0")) return text;
    throw new InvalidArgumentError("A path must not be empty.");
  },
  /** `NAME=URL`, which may be repeated. */
  functions: (text: string, before: Record<string, { url: string }> | undefined): Record<string, { url: string }> => {
    const [, name, url] = /^([^=]+)=(https?:\/\/[^\s#@]+)$/u.exec(text) ?? [];
    if (name === undefined || url === undefined)
      throw new InvalidArgumentError(
        "A function is NAME=URL, with an http or https URL, such as hook=http://localhost:9000/",
      );
    if (before !== undefined && Object.hasOwn(before, name))
      throw new InvalidArgumentError(`"${name}" is given twice.`);
    return { ...before, [name]: { url } };
  },
  /** `ARN=FILE`, which may be repeated. */
  serverCertificates: (text: string, before: Record<string, string> | undefined): Record<string, string> => {
    const [, arn, file] = /^(arn:[^=]+)=(.+)$/u.exec(text) ?? [];
    if (arn === undefined || file === undefined)
      throw new InvalidArgumentError("A server certificate is ARN=FILE, with certificate, chain and key in the file");
    return { ...before, [arn]: file };
  },
  vendingAtStart: (text: string): Vending =>
    text === awsHandlerName ? { function: awsHandlerName } : optionValues.vending(text),
  vending: (text: string): Vending => {
    if (text === "off" || text === "builtin") return text;
    const [, name] = /^function:(.{1,256})$/u.exec(text) ?? [];
    if (name === undefined) throw new InvalidArgumentError("It is off, builtin, or function:NAME.");
    return { function: name };
  },
  templateName: (text: string): string => {
    if (/^[0-9A-Za-z_-]{1,36}$/.test(text)) return text;
    throw new InvalidArgumentError("A template name has 1 to 36 of the characters A-Z a-z 0-9 _ -.");
  },
  list: (text: string, before: string[] | undefined): string[] => {
    return [...(before ?? []), text];
  },
};
