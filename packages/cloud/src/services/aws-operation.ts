import { checkInput } from "../model/check-input.js";
import type { DeviatingOutputs } from "../model/deviations.js";
import { loadModel, modelIfLoaded } from "../model/model.js";
import type { ApiName } from "../model/table.js";
import type { BuiltOperations } from "../model/types/operations.js";
import type { ActedMembers } from "../model/validate.js";
import type { Operation, OperationContext, Outcome, SagaContext } from "./operation.js";
import { saga } from "./saga.js";

type Api = keyof BuiltOperations;
type Name<A extends Api> = keyof BuiltOperations[A] & string;
type Shapes<A extends Api, N extends Name<A>> = BuiltOperations[A][N] extends { input: object; output: object }
  ? BuiltOperations[A][N]
  : never;

/** What an operation of AWS takes, when it has been checked. */
export type InputOf<A extends Api, N extends Name<A>> = Shapes<A, N>["input"];
/** What it may answer. */
export type OutputOf<A extends Api, N extends Name<A>> = A extends keyof DeviatingOutputs
  ? N extends keyof DeviatingOutputs[A]
    ? DeviatingOutputs[A][N]
    : Shapes<A, N>["output"]
  : Shapes<A, N>["output"];

/**
 * The members of an input that hold no others, by their paths: `thingName`, `attributePayload.merge`, `tags.Key` for what is in each
 * element of a list.
 */
export type MemberPath<T> = { [K in keyof T & string]: LeafPath<K, NonNullable<T[K]>> }[keyof T & string];
type LeafPath<K extends string, V> = V extends readonly (infer Item)[]
  ? LeafPath<K, Item>
  : V extends Uint8Array
    ? K
    : V extends object
      ? string extends keyof V
        ? K
        : `${K}.${MemberPath<V>}`
      : K;

/** Which operation of AWS this is. */
export interface AwsFace<Result = never> {
  readonly api: ApiName;
  /** `CreateThing` */
  readonly name: string;
  readonly acted: ActedMembers;
  /** What AWS answers, where the operation itself has something else for its callers. */
  readonly output?: (result: Result) => object;
}

/** An operation of AWS IoT. It checks its input against AWS's model, whoever calls it. */
export interface AwsOperation<Input, Result> extends Operation<Input, Result> {
  readonly aws: AwsFace<Result>;
}

/** One that a face serves whose input comes from outside. */
export type ServedOperation = Operation<never, object> & { readonly aws: AwsFace };

/**
 * An operation of AWS by its name. Constraints of members are not its business: what AWS's model says was checked before `decide` is
 * called.
 *
 * @param acted every member that the operation acts on. Any other is refused by its name when it has a value that matters, also one that
 * AWS adds later: so nothing is dropped silently.
 */
export function awsOperation<A extends Api, N extends Name<A>, Result extends OutputOf<A, N>>(
  api: A,
  name: N,
  acted: readonly MemberPath<InputOf<A, N>>[],
  decide: (context: OperationContext, input: InputOf<A, N>) => Promise<Outcome<Result>>,
): AwsOperation<InputOf<A, N>, Result> {
  return awsOperationWith(api, name, acted, decide, undefined);
}

/** The same for an operation whose callers inside get something else than AWS's answer. */
export function awsOperationWith<A extends Api, N extends Name<A>, Result>(
  api: A,
  name: N,
  acted: readonly MemberPath<InputOf<A, N>>[],
  decide: (context: OperationContext, input: InputOf<A, N>) => Promise<Outcome<Result>>,
  output: ((result: Result) => OutputOf<A, N>) | undefined,
): AwsOperation<InputOf<A, N>, Result> {
  const members = actedMembers(acted);
  const run: Operation<InputOf<A, N>, Result> = async (context, input) =>
    decide(context, await checked(api, name, members, input));
  return Object.assign(run, { aws: { api, name, acted: members, ...(output !== undefined && { output }) } });
}

/** An operation of AWS that waits before it decides, see {@link saga}. */
export function awsSaga<A extends Api, N extends Name<A>, Result extends OutputOf<A, N>>(
  service: string,
  [api, name]: readonly [A, N],
  acted: readonly MemberPath<InputOf<A, N>>[],
  run: (context: SagaContext, input: InputOf<A, N>) => Promise<Result>,
): AwsOperation<InputOf<A, N>, Result> {
  const members = actedMembers(acted);
  const operation = saga<InputOf<A, N>, Result>(service, async (context, input) =>
    run(context, await checked(api, name, members, input)),
  );
  return Object.assign(operation, { aws: { api, name, acted: members } });
}

/** @throws {ThinglineError} REQUEST_INVALID */
async function checked<Input>(api: ApiName, name: string, acted: ActedMembers, input: Input): Promise<Input> {
  const model = modelIfLoaded() ?? (await loadModel());
  return checkInput(model.operation(api, name), input, acted) as Input;
}

function actedMembers(paths: readonly string[]): ActedMembers {
  const members: Record<string, true | Record<string, unknown>> = {};
  for (const path of paths) {
    const names = path.split(".");
    let at: Record<string, unknown> = members;
    for (const name of names.slice(0, -1)) at = (at[name] ??= {}) as Record<string, unknown>;
    at[names.at(-1) ?? path] = true;
  }
  return members as ActedMembers;
}
