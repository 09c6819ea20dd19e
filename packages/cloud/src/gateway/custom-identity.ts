import { isThinglineError } from "@thingline/protocol";
import type { Clock, Timer } from "@thingline/transport";
import type { Log } from "../log.js";
import type {
  AttendedConnection,
  Authorizer,
  ConnectionIdentity,
  ConnectRequest,
  Decision,
  PresentedCredentials,
} from "../policy/authorizer.js";
import { parsePolicyDocument } from "../policy/document.js";
import { compilePolicy, type CompiledPolicy } from "../policy/evaluate.js";
import type { Authenticated, Authentication, AuthorizerChoice, Presented } from "../services/authorizers/index.js";

export interface CustomIdentityDependencies {
  clock: Clock;
  log: Log;
  /** Asks the function of an authorizer. */
  authenticate: (presented: Presented, choice: AuthorizerChoice) => Promise<Authentication>;
  /** Binds policies of an authorizer's function, and of a certificate where there is one, to a CONNECT. */
  authorize: (
    policies: readonly CompiledPolicy[],
    request: ConnectRequest,
  ) => Promise<{ decision: Decision; authorizer: Authorizer }>;
}

/** What a function said, until it has to be asked again. */
interface Standing {
  answer: Authenticated;
  policies: readonly CompiledPolicy[];
  refreshAtMs: number;
  /** Of the first answer: a later one moves it no more. */
  endsAtMs: number;
}

/**
 * Whoever an authorizer's function knows, with a certificate or without. The function is asked at the CONNECT, and again when the time is
 * over for which its answer holds. What the client presented is kept for that.
 *
 * @see AWS IoT developer guide, "Custom authentication and authorization"
 */
export class CustomIdentity implements ConnectionIdentity {
  readonly certificateId: string | undefined;
  readonly #deps: CustomIdentityDependencies;
  readonly #choice: AuthorizerChoice;
  #presented: Presented;
  #standing: Standing | undefined;
  #asking: Promise<Standing | string> | undefined;

  /** @param presented what is known before MQTT */
  constructor(deps: CustomIdentityDependencies, presented: Presented, choice: AuthorizerChoice) {
    this.certificateId = presented.certificate?.certificateId;
    this.#deps = deps;
    this.#presented = presented;
    this.#choice = choice;
  }

  get principalId(): string | undefined {
    return this.#standing?.answer.principalId;
  }

  present(mqtt: PresentedCredentials): void {
    // The bytes of a packet are the connection's, and are written over.
    this.#presented = { ...this.#presented, mqtt: { ...mqtt, password: mqtt.password?.slice() } };
  }

  async authorizeConnect(request: ConnectRequest): Promise<{ decision: Decision; authorizer: Authorizer }> {
    const standing = await this.#stand();
    if (typeof standing === "string") return refuse(standing);
    return this.#deps.authorize(standing.policies, request);
  }

  attend(connection: AttendedConnection): () => void {
    const { clock, log } = this.#deps;
    const standing = this.#standing;
    if (standing === undefined) throw new Error("nobody is connected whom no function has let in");
    const left = (atMs: number) => Math.max(0, atMs - clock.monotonicMs());
    let isOver = false;
    let refresh: Timer | undefined;
    const end = clock.setTimer(left(standing.endsAtMs), () => connection.expire());
    const planRefresh = (): void => {
      const { refreshAtMs = Infinity } = this.#standing ?? {};
      if (isOver || refreshAtMs >= standing.endsAtMs) return;
      refresh = clock.setTimer(left(refreshAtMs), () => {
        // Whoever was refused is gone, and not asked about again.
        const again = (): void => (this.#standing?.refreshAtMs === refreshAtMs ? undefined : planRefresh());
        connection.recheck().then(again, (error: unknown) => {
          if (isThinglineError(error, "CLOSED")) return;
          log.error("authorizerFailed", { error: String(error) });
          connection.expire();
        });
      });
    };
    planRefresh();
    return () => {
      isOver = true;
      end.cancel();
      refresh?.cancel();
    };
  }

  /** What holds now; the function is asked when nothing does. @returns a text: why the client is not let in */
  async #stand(): Promise<Standing | string> {
    const standing = this.#standing;
    if (standing !== undefined && this.#deps.clock.monotonicMs() < standing.refreshAtMs) return standing;
    this.#asking ??= this.#ask(standing).finally(() => (this.#asking = undefined));
    return this.#asking;
  }

  async #ask(before: Standing | undefined): Promise<Standing | string> {
    const { clock, authenticate } = this.#deps;
    const outcome = await authenticate(this.#presented, this.#choice);
    if ("refusal" in outcome) return outcome.refusal;
    const { answer, authorizer } = outcome;
    const { authorizerName } = authorizer;
    if (before !== undefined && before.answer.principalId !== answer.principalId)
      return `authorizer ${authorizerName}: its function answered another principalId than when the client connected`;
    const nowMs = clock.monotonicMs();
    this.#standing = {
      answer,
      policies: answer.policyDocuments.map((text, at) =>
        compilePolicy({
          policyName: `policyDocuments[${at}] of authorizer ${authorizerName},`,
          versionId: "1",
          document: parsePolicyDocument(text),
        }),
      ),
      refreshAtMs: nowMs + answer.refreshAfterInSeconds * 1000,
      endsAtMs: before?.endsAtMs ?? nowMs + answer.disconnectAfterInSeconds * 1000,
    };
    return this.#standing;
  }
}

function refuse(explanation: string): { decision: Decision; authorizer: Authorizer } {
  const decision = { isAllowed: false, explanation };
  return { decision, authorizer: { authorize: () => decision, generation: 0, thingName: undefined } };
}
