/** What a statement with regular expressions may take for one message, with its templates each. */
export const statementTimeMsMax = 1_000;

/**
 * Does work, and ends it when it takes longer than `statementTimeMsMax`: a regular expression that backtracks without end would hold up
 * everybody else. Only the platform can do that.
 *
 * @throws {ThinglineError} RULE_SQL_FAILED, and what the work throws
 */
export type StatementGuard = <T>(work: () => T) => T;
