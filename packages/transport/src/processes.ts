export interface ProcessCommand {
  /** A program: a path, or a name that the system finds. */
  program: string;
  arguments?: readonly string[];
  /** Its working folder. Default: that of this process. */
  folder?: string;
  /** Beside those of this process. */
  environment?: Readonly<Record<string, string>>;
}

export interface ChildEnd {
  /** Undefined when it was ended by a signal, or could not be started. */
  exitCode: number | undefined;
  /** The signal that ended it, or why it could not be started. */
  endedBy: string | undefined;
}

export interface ChildProcess {
  /** Resolves when nothing of it runs any more; never rejects. */
  readonly ended: Promise<ChildEnd>;
  /** Asks it to end. */
  stop(): void;
  /** Ends it, whatever it does. */
  kill(): void;
}

/** Other programs, which run beside this one, with its output. */
export interface Processes {
  start(command: ProcessCommand): ChildProcess;
}
