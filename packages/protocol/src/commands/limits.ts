/** Bounds of AWS IoT Commands. @see AWS General Reference, "AWS IoT Device Management commands quotas" */

/** Of a command and of an execution. */
export const commandIdCharactersMax = 64;
/** Of a command's payload, and of a template for it. */
export const commandPayloadBytesMax = 32_768;
/** Seconds from the start of an execution until the cloud calls it TIMED_OUT. */
export const commandTimeoutSecondsDefault = 10;
export const commandTimeoutSecondsMax = 43_200;
export const commandReasonCodeCharactersMax = 64;
/** None of them a control character. */
export const commandReasonDescriptionCharactersMax = 1_024;
export const commandResultKeyCharactersMax = 32;
/** Entries of a result. AWS documents no bound but that of a message. */
export const commandResultEntriesMax = 1_024;
/** Of a client token that is echoed. AWS documents no bound for it over MQTT. */
export const commandClientTokenCharactersMax = 1_024;
