/**
 * States of an execution.
 * @see AWS IoT developer guide, "Command execution status"
 */
export const commandStatuses = ["CREATED", "IN_PROGRESS", "SUCCEEDED", "FAILED", "REJECTED", "TIMED_OUT"] as const;
export type CommandStatus = (typeof commandStatuses)[number];

/** What a device may report. */
export type ReportableCommandStatus = Exclude<CommandStatus, "CREATED">;
/** How an execution ends that its device ends. */
export type FinalCommandStatus = Exclude<ReportableCommandStatus, "IN_PROGRESS">;

export function isCommandStatus(value: unknown): value is CommandStatus {
  return (commandStatuses as readonly unknown[]).includes(value);
}

export function isReportableCommandStatus(value: unknown): value is ReportableCommandStatus {
  return isCommandStatus(value) && value !== "CREATED";
}

/** Where an execution stands. TIMED_OUT is said by the cloud, for the time being, or by the device, for good. */
export interface CommandState {
  readonly status: CommandStatus;
  /** Who gave the status; of importance with TIMED_OUT alone. */
  readonly by: "cloud" | "device";
}

/** Whether nothing changes it any more. */
export function isTerminalCommandState({ status, by }: CommandState): boolean {
  if (status === "TIMED_OUT") return by === "device";
  return status === "SUCCEEDED" || status === "FAILED" || status === "REJECTED";
}

/** Why a device may not take an execution from its state to another; undefined: it may. */
export function refusedCommandTransition(
  from: CommandState,
  to: ReportableCommandStatus,
): "InvalidStateTransition" | "TerminalStateReached" | undefined {
  if (isTerminalCommandState(from)) {
    return from.status === "TIMED_OUT" || to === "IN_PROGRESS" ? "InvalidStateTransition" : "TerminalStateReached";
  }
  return from.status === "TIMED_OUT" && to === "IN_PROGRESS" ? "InvalidStateTransition" : undefined;
}
