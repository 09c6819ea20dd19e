import type { ThinglineError } from "@thingline/protocol";
import type { Clock, CredentialType, Keys } from "@thingline/transport";

/** What shall be under a security tag. */
export interface CredentialPlan {
  secTag: number;
  /** The exact texts: the modem's digest is over them, byte for byte. What is not named stays as it is. */
  credentials: Readonly<Partial<Record<CredentialType, string>>>;
  /**
   * Takes the tag of nRF Cloud and the tags whose TLS a modem trace can read, and replaces a key that was made in the modem, which nobody
   * can ever bring back. Nordic's own three tags stay refused. Default false.
   */
  force?: boolean;
  /**
   * Where new credentials are proved while the tag still holds others. It has to be empty, or to hold what an earlier attempt left there.
   * Default {@link defaultScratchTag}.
   */
  scratchTag?: number;
}

/**
 * Connects through the modem with the credentials of a tag, LTE being up, and hangs up again.
 *
 * @throws whatever tells that they do not work.
 */
export type ProveCredentials = (secTag: number, options: { signal?: AbortSignal | undefined }) => Promise<void>;

export interface WriteCredentialsOptions {
  keys: Keys;
  clock: Clock;
  /** Without it nothing is proved, and other credentials in the tag are replaced at once. */
  prove?: ProveCredentials;
  /** For the network before a proof. Default that of `createLinkControl()`, ten minutes. */
  networkTimeoutMs?: number;
  /** Each step as it begins, for progress. `restore` is all that is done at the end, after a failure as well: that was in the step before. */
  onStep?: (step: WritingStepName, secTag: number) => void;
  /** The modem is put back as it was all the same. */
  signal?: AbortSignal;
}

export type WritingStepName = "look" | "offline" | "write" | "verify" | "prove" | "restore";

/** One credential of the plan against what the modem says that it has. */
export interface WrittenItem {
  type: CredentialType;
  /** `unknown`: the modem did not answer, or its firmware tells no digest of this type. */
  state: "equal" | "differs" | "missing" | "unknown";
  /** Whether this run wrote it. What was there already is left as it is. */
  isWritten: boolean;
  /** Of what the plan wants there, lower-case hexadecimal. */
  sha256: string;
  /** Of what the modem has there, if it told. */
  foundSha256?: string | undefined;
}

/** What was done, and what is in the modem now. Asked from the modem, never concluded. */
export interface WriteCredentialsReport {
  secTag: number;
  /** `unchanged`: all was there already, and nothing was written. `failed`: see `failure`; `items` says what is in the tag. */
  result: "written" | "unchanged" | "failed";
  items: readonly WrittenItem[];
  /** Whether the credentials connected; undefined where nobody asked. */
  isProved: boolean | undefined;
  /**
   * What became of what the tag held before in the place of the plan's: nothing else was there, it is all there still, it was replaced, or it was
   * replaced and put back. `unknown`: the modem did not tell at the end.
   */
  oldCredentials: "none" | "kept" | "replaced" | "putBack" | "unknown";
  /** What could not be cleared away of the tag that served for the proof; undefined when nothing is left there. */
  leftInScratchTag: number | undefined;
  /** How the modem was found, and whether it is so again. Undefined where it never said how it was. */
  modem: { functionalMode: number; isRestored: boolean } | undefined;
  failure: ThinglineError | undefined;
}

/** Where new credentials wait for their proof. Far from the tags of samples and of nRF Cloud. */
export const defaultScratchTag = 2_147_483_600;
