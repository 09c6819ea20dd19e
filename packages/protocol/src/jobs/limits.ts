/** Bounds of AWS IoT Jobs. @see AWS General Reference, "AWS IoT Device Management endpoints and quotas", Jobs */

export const jobIdPattern = /[a-zA-Z0-9_-]+/;
export const jobIdCharactersMax = 64;
/** Of the JSON text of a job document. */
export const jobDocumentCharactersMax = 32_768;
/** Pairs of `statusDetails`. */
export const statusDetailsMax = 10;
export const statusDetailKeyPattern = /[a-zA-Z0-9:_-]+/;
export const statusDetailKeyCharactersMax = 128;
/** One at least, none of them a control character. */
export const statusDetailValueCharactersMax = 1_024;
/** Of an execution in progress, and of a step of it; 7 days. */
export const jobTimeoutMinutesMax = 10_080;
/** Given as `stepTimeoutInMinutes`, it ends the step's timer. */
export const stepTimeoutNone = -1;
/** Executions of each state that a `notify` message names. */
export const notifiedExecutionsMax = 10;
/** Of a client token that is echoed. AWS documents no bound for it; ours keeps an answer within a PUBLISH. */
export const jobsClientTokenCharactersMax = 1_024;
