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

export function limitsOf({ limits }: AdmissionSettings): VendingLimits {
  return { ...defaultVendingLimits, ...limits };
}

/** Which devices may be provisioned. The defaults are those of the CloudFormation templates: narrow. */
export interface AdmissionSettings {
  /** Names that may be vended, with `*` for any run of characters. Default: all. */
  names?: readonly string[];
  /** `registered`: only devices whose thing somebody has made before. Default `any`. */
  things?: "any" | "registered";
  /**
   * `refuse` (the default): with a claim alone nobody gets a certificate for a thing that has had one for longer than the window, so that whoever
   * has the claim cannot become a device that is in use. A person deletes the old certificate first. `allow`: as often as the limits let it.
   */
  provisionedThings?: "refuse" | "allow";
  limits?: Partial<VendingLimits>;
}

export interface VendingSettings extends AdmissionSettings {
  /** The policy that every vended certificate gets; it is there already. */
  policyName: string;
  /**
   * `bound` (the default): the account's policies hold clients to their names. One with the prefix of a claim has a claim; one without it is
   * the thing itself, which asks for what will replace its certificate. `any`: a claim may connect under the device's own name, as the original
   * sample does, and nobody can be told apart.
   */
  clients?: "bound" | "any";
  /** `device`: only certificates for keys that devices made, so that no private key is ever sent. Default `any`. */
  keys?: "any" | "device";
}

export const namesMax = 64;
const namePattern = /^[A-Za-z0-9:_*-]{1,128}$/;

type Environment = Readonly<Record<string, string | undefined>>;

/** The settings of the vending function, from its environment. @throws {ThinglineError} OPTION_INVALID with the variable's name */
export function readSettings(environment: Environment): VendingSettings {
  const policyName = environment["POLICY_NAME"] ?? "";
  if (!/^[\w+=,.@-]{1,128}$/.test(policyName)) throw invalid("POLICY_NAME", "must name the devices' policy");
  return {
    policyName,
    clients: word(environment, "CLIENTS", ["bound", "any"]),
    keys: word(environment, "KEYS", ["any", "device"]),
    ...readAdmission(environment),
  };
}

/** The settings of the hook of fleet provisioning, likewise. @throws {ThinglineError} OPTION_INVALID with the variable's name */
export function readAdmission(environment: Environment): AdmissionSettings {
  const names = (environment["ALLOWED_NAMES"] ?? "").split(",").flatMap((name) => name.trim() || []);
  if (names.length > namesMax || !names.every((name) => namePattern.test(name))) {
    throw invalid("ALLOWED_NAMES", `must be at most ${namesMax} names with *, separated by commas`);
  }
  return {
    names,
    things: word(environment, "THINGS", ["any", "registered"]),
    provisionedThings: word(environment, "PROVISIONED_THINGS", ["refuse", "allow"]),
    limits: {
      certificatesPerWindowMax: count(environment, "CERTIFICATES_PER_HOUR", certificatesPerWindowMax),
      certificatesPerThingMax: count(environment, "CERTIFICATES_PER_THING", certificatesPerThingMax),
      requestsPerMinuteMax: count(environment, "REQUESTS_PER_MINUTE", requestsPerMinuteMax),
    },
  };
}

/** One of these words; the first where there is none. */
function word<const Words extends readonly string[]>(
  environment: Environment,
  name: string,
  words: Words,
): Words[number] {
  const value = environment[name] || words[0];
  const found = words.find((each) => each === value);
  if (found === undefined) throw invalid(name, `must be ${words.join(" or ")}`);
  return found;
}

function count(environment: Environment, name: string, fallback: number): number {
  const text = environment[name] || String(fallback);
  if (!/^\d{1,9}$/.test(text) || Number(text) < 1) throw invalid(name, "must be a whole number from 1 to 999999999");
  return Number(text);
}

function invalid(option: string, rule: string): ThinglineError {
  return new ThinglineError("OPTION_INVALID", `the environment variable ${option} ${rule}`, { details: { option } });
}
