import type { MessageFormat } from "../cbor/members.js";
import { commandIdCharactersMax } from "./limits.js";

/** Whom a command is for: a thing of the registry, or whoever connects under a client id. */
export interface CommandTarget {
  readonly kind: "things" | "clients";
  /** The thing's name, or the client id. */
  readonly id: string;
}

export type CommandOutcome = "accepted" | "rejected";

/** A topic of one execution. The names in it are not checked. */
export interface CommandTopic {
  readonly target: CommandTarget;
  readonly executionId: string;
  /** `request` goes to the device; `response` is what the device tells of it, and with `outcome` what the cloud makes of that. */
  readonly type: "request" | "response";
  /** Undefined: the payload of a command is neither JSON nor CBOR; a response is JSON then. */
  readonly format?: MessageFormat | undefined;
  readonly outcome?: CommandOutcome | undefined;
}

/** `$aws/commands/<things|clients>/<id>/executions/<executionId>/…` */
export function commandTopic({ target, executionId, type, format, outcome }: CommandTopic): string {
  const tail = format === undefined ? "" : `/${format}`;
  return `$aws/commands/${target.kind}/${target.id}/executions/${executionId}/${type}${outcome === undefined ? "" : `/${outcome}`}${tail}`;
}

/** What a target subscribes to for its commands, whatever their format. */
export function commandRequestFilters(target: CommandTarget): string[] {
  return ([undefined, "json", "cbor"] as const).map((format) =>
    commandTopic({ target, executionId: "+", type: "request", format }),
  );
}

const pattern =
  /^\$aws\/commands\/(things|clients)\/([^/]+)\/executions\/([^/]+)\/(?:(request)|response(?:\/(accepted|rejected))?)(?:\/(json|cbor))?$/u;

/** @returns undefined for what is no topic of an execution */
export function parseCommandTopic(topic: string): CommandTopic | undefined {
  const [, kind, id, executionId, request, outcome, format] = pattern.exec(topic) ?? [];
  if (id === undefined || executionId === undefined) return undefined;
  return {
    target: { kind: kind as CommandTarget["kind"], id },
    executionId,
    type: request === undefined ? "response" : "request",
    ...(format !== undefined && { format: format as MessageFormat }),
    ...(outcome !== undefined && { outcome: outcome as CommandOutcome }),
  };
}

const wholeId = new RegExp(`^[a-zA-Z0-9_-]{1,${commandIdCharactersMax}}$`, "u");

/** Whether AWS could have given an execution this id. */
export const isCommandExecutionId = (text: string): boolean => wholeId.test(text);
