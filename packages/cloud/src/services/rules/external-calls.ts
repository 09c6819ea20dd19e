import { isThinglineError, ThinglineError } from "@thingline/protocol";
import type { Functions } from "../../functions/index.js";
import { own, writeJson, type ExternalCall, type SqlValue } from "../../rules-sql/index.js";
import type { OperationRunner, Scope } from "../operation.js";
import type { Registry } from "../registry/index.js";
import type { Shadows } from "../shadow/index.js";

/** AWS waits so long for a function that a statement calls. */
export const lambdaOfStatementTimeoutMs = 15_000;

export interface ExternalCallsDependencies {
  functions: Functions;
  registry: Pick<Registry, "describeThing" | "listThingGroupsForThing">;
  shadows: Pick<Shadows, "getThingShadow">;
}

/** Makes the calls of statements. */
export function createCallOut({ functions, registry, shadows }: ExternalCallsDependencies) {
  return async (call: ExternalCall, scope: Scope, runner: Pick<OperationRunner, "run">): Promise<SqlValue> => {
    const [first, second] = call.args;
    switch (call.name) {
      case "aws_lambda":
        return invoke(functions, textOf(call, 0), second);
      case "get_thing_shadow": {
        const thingName = textOf(call, 0);
        const input = call.args.length > 2 ? { thingName, shadowName: textOf(call, 1) } : { thingName };
        return own(await runner.run(scope, shadows.getThingShadow, input));
      }
      case "get_registry_data": {
        const thingName = textOf(call, 1);
        if (first === "DescribeThing") return own(await runner.run(scope, registry.describeThing, { thingName }));
        if (first === "ListThingGroupsForThing") {
          return own(await runner.run(scope, registry.listThingGroupsForThing, { thingName }));
        }
        throw new ThinglineError("REQUEST_INVALID", "it knows DescribeThing and ListThingGroupsForThing alone");
      }
      default:
        return standIn(functions, call);
    }
  };
}

function textOf({ args, name }: ExternalCall, at: number): string {
  const value = args[at];
  if (typeof value === "string") return value;
  throw new ThinglineError("REQUEST_INVALID", `argument ${at + 1} of ${name}() is a text`);
}

async function invoke(functions: Functions, arn: string, event: SqlValue): Promise<SqlValue> {
  return own(
    await functions.invoke(arn, JSON.parse(writeJson(event)) as never, { timeoutMs: lambdaOfStatementTimeoutMs }),
  );
}

/** A service of AWS that is not here is a function that the cloud was given, by the name `rules:get_secret`. */
async function standIn(functions: Functions, { name, args }: ExternalCall): Promise<SqlValue> {
  const standInName = `rules:${name}`;
  const event = JSON.parse(writeJson({ function: name, arguments: args })) as never;
  try {
    return own(await functions.invoke(standInName, event, { timeoutMs: lambdaOfStatementTimeoutMs }));
  } catch (error) {
    if (!isThinglineError(error, "FUNCTION_UNKNOWN")) throw error;
    const message = `the local cloud has no such service; cloud start --function ${standInName}=URL gives it one`;
    throw new ThinglineError("FUNCTION_UNKNOWN", message, { cause: error });
  }
}
