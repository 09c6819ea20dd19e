import { ThinglineError } from "@thingline/protocol";

/** Bounds of what devices can make an account do. */
export interface VendingLimits {
  /** Certificates that a thing may get within {@link VendingLimits.windowMs}. Default {@link certificatesPerWindowMax}. */
  certificatesPerWindowMax: number;
  /** Default {@link windowMs}. */
  windowMs: number;
  /** Certificates that a thing may have in all. Default {@link certificatesPerThingMax}. */
  certificatesPerThingMax: number;
  /** Requests that one instance of the function works on in a minute. Default {@link requestsPerMinuteMax}. */
  requestsPerMinuteMax: number;
}

/** What a device needs that loses its answer a few times. */
export const certificatesPerWindowMax = 5;
export const windowMs = 3_600_000;
/** A thing of AWS IoT has room for about so many principals, and a person should look before that. */
export const certificatesPerThingMax = 10;
export const requestsPerMinuteMax = 60;

export const defaultVendingLimits: Readonly<VendingLimits> = {
  certificatesPerWindowMax,
  windowMs,
  certificatesPerThingMax,
  requestsPerMinuteMax,
};

/** Who may have what. The defaults are those of the CloudFormation template: narrow. */
export interface VendingSettings {
  /** The policy that every vended certificate gets; it is there already. */
  policyName: string;
  /**
   * `claim` (the default): only clients that are connected with the prefix of a claim may ask. `any`: under their own names as well, as the
   * original sample does, whose claim policy lets everybody be anybody.
   */
  clients?: "claim" | "any";
  /** Names that may be vended, with `*` for any run of characters. Default: all. */
  names?: readonly string[];
  /** `registered`: only devices whose thing somebody has made before. Default `any`. */
  things?: "any" | "registered";
  /**
   * `refuse` (the default): a thing with a certificate that is older than the window gets no other, so that whoever has the claim cannot
   * become a device that is in use. A person deletes the old certificate first. `allow`: as often as the limits let it.
   */
  provisionedThings?: "refuse" | "allow";
  /** `device`: only certificates for keys that devices made, so that no private key is ever sent. Default `any`. */
  keys?: "any" | "device";
  limits?: Partial<VendingLimits>;
}

const namesMax = 64;
const namePattern = /^[A-Za-z0-9:_*-]{1,128}$/;

/** The settings of a Lambda function, from its environment. @throws {ThinglineError} OPTION_INVALID with the variable's name */
export function readSettings(environment: Readonly<Record<string, string | undefined>>): VendingSettings {
  const word = <const Words extends readonly string[]>(name: string, words: Words): Words[number] => {
    const value = environment[name] || words[0];
    const found = words.find((each) => each === value);
    if (found === undefined) throw invalid(name, `must be ${words.join(" or ")}`);
    return found;
  };
  const count = (name: string, fallback: number): number => {
    const text = environment[name] || String(fallback);
    const value = Number(text);
    if (!/^\d{1,9}$/.test(text) || value < 1) throw invalid(name, "must be a whole number from 1 to 999999999");
    return value;
  };
  const policyName = environment["POLICY_NAME"] ?? "";
  if (!/^[\w+=,.@-]{1,128}$/.test(policyName)) throw invalid("POLICY_NAME", "must name the devices' policy");
  const names = (environment["ALLOWED_NAMES"] ?? "").split(",").flatMap((name) => name.trim() || []);
  if (names.length > namesMax || !names.every((name) => namePattern.test(name))) {
    throw invalid("ALLOWED_NAMES", `must be at most ${namesMax} names with *, separated by commas`);
  }
  return {
    policyName,
    clients: word("CLIENTS", ["claim", "any"]),
    names,
    things: word("THINGS", ["any", "registered"]),
    provisionedThings: word("PROVISIONED_THINGS", ["refuse", "allow"]),
    keys: word("KEYS", ["any", "device"]),
    limits: {
      certificatesPerWindowMax: count("CERTIFICATES_PER_HOUR", certificatesPerWindowMax),
      certificatesPerThingMax: count("CERTIFICATES_PER_THING", certificatesPerThingMax),
      requestsPerMinuteMax: count("REQUESTS_PER_MINUTE", requestsPerMinuteMax),
    },
  };
}

function invalid(option: string, rule: string): ThinglineError {
  return new ThinglineError("OPTION_INVALID", `the environment variable ${option} ${rule}`, { details: { option } });
}
