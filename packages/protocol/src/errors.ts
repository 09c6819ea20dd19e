/**
 * Every stable error code of Thingline with one line of meaning. `docs/errors.md` explains each to a user;
 * a test compares the two, both ways. Keep the groups and the alphabet inside a group.
 */
export const errorCodes = {
  // General
  ABORTED: "the caller's AbortSignal was aborted",
  ADAPTER_FAILED: "a dialer or another object that the application handed in broke its contract",
  ALREADY_INITIALISED: "init() was called on a library that is initialised",
  BACKEND_UNKNOWN: "no cloud backend of that name was registered",
  BACKEND_UNSUPPORTED: "the cloud backend has no such operation or endpoint",
  CLOSED: "the object was used after close()",
  DEPENDENCY_MISSING: "an optional package that is needed now is not installed",
  LIMIT_EXCEEDED: "a stated limit of a queue, cache or size was hit",
  NOT_INITIALISED: "a call before init() had succeeded",
  OPTION_INVALID: "an option has a wrong type, range or value",
  TIMEOUT: "no answer came within the stated time",
  // Connection
  ALREADY_CONNECTED: "connect() was called on a device that is connected, or tries to be",
  CONNECTION_LOST: "the transport ended without being asked to",
  CONNECTION_REFUSED: "nobody listens at the address, or the peer refused",
  DRIVER_MISMATCH: "a call of the application's own loop on a device that drives itself",
  HOST_NOT_FOUND: "the host name could not be resolved",
  PORT_IN_USE: "another process already listens on the port",
  TLS_HANDSHAKE_FAILED: "the TLS handshake failed",
  TLS_PEER_UNTRUSTED: "the peer's certificate is not trusted or does not fit the host name",
  TLS_RECORD_TOO_LARGE: "a TLS record was larger than the receiver can take",
  // Credentials
  CERTIFICATE_INVALID: "text that is no usable X.509 certificate",
  CREDENTIAL_FILE_INVALID: "a file of credentials is not in Nordic's JSON format",
  CREDENTIAL_MISSING: "a security tag lacks a credential that the connection needs",
  CREDENTIAL_NOT_VERIFIED: "what was written to a security tag reads back with another digest, or not at all",
  CREDENTIAL_REFUSED: "the credential store refused to write, read or delete",
  KEY_INVALID: "text that is no usable private key",
  KEY_MISMATCH: "the private key does not belong to the certificate",
  MANIFEST_INVALID: "a list of boards and their credentials cannot be read",
  ROLE_CREDENTIALS_FAILED: "the credentials provider of AWS IoT refused, or answered something else",
  SEC_TAG_RESERVED: "a security tag that another service uses",
  // Files
  FILE_EXISTS: "a file or folder that must not be written over is there already",
  FILE_NOT_FOUND: "the file does not exist",
  FILE_TOO_LARGE: "the file has more bytes than are read of one of its kind",
  FILE_UNREADABLE: "the file exists but cannot be read or written",
  LOCKED: "another process owns the folder",
  // Flash
  FLASH_ACCESS_INVALID: "a read, write or erasure of a flash is out of its range or not aligned",
  FLASH_FAILED: "a flash could not do what it was told, or lost its power meanwhile",
  FLASH_NOT_ERASED: "a write to a flash would have to set bits, or would write a unit too often",
  // Store
  DATA_DIRECTORY_INVALID: "the files of a local cloud's data directory do not belong together, or one is damaged",
  NODE_SILENT: "another node of the same store does not answer, and what it has is nobody's yet",
  NODE_OVER: "another node of the same store has taken what this one had",
  STORE_CONFLICT: "another commit changed the key first",
  STORE_CORRUPT: "the store holds something that it cannot read",
  STORE_UNWRITABLE: "the store could not be written, for example because the disk is full",
  STORE_VERSION_UNKNOWN: "the store was written by a newer version",
  // Cloud services; the REST face answers each with the AWS error of its table
  AUTHORIZER_ANSWER_INVALID: "the function of a custom authorizer answered something else than AWS IoT takes",
  CERTIFICATE_CONFLICT: "several registered CAs may have signed a certificate, and the request does not say which",
  CERTIFICATE_PROVIDER_FAILED: "the account's certificate provider did not sign a certificate request",
  CERTIFICATE_STATE_INVALID: "the status of a certificate does not allow the operation",
  COMMAND_STATE_INVALID: "the state of a command's execution does not allow what a device reports",
  DELETE_CONFLICT: "something is still attached to what should be deleted",
  CLIENT_SILENT: "a client did not acknowledge a message within the stated time",
  DEVICE_ID_MISMATCH: "a request names another device than the client that sent it",
  FUNCTION_FAILED:
    "a function that a cloud service called threw, could not be reached, or answered something else than JSON",
  FUNCTION_UNKNOWN: "a cloud service has to call a function that the local cloud was not given",
  INDEX_NOT_READY: "an index of things or of thing groups is being built, or holds as much as it can",
  INTERNAL_FAILURE: "a defect in a cloud service; the log of the local cloud says more",
  JOB_EXECUTION_ENDED: "an execution of a job was asked for that is in a terminal state",
  JOB_STATE_INVALID: "the state of a job or of its execution does not allow the operation",
  QUERY_AGGREGATION_INVALID: "a field of an index that nothing can be computed of",
  QUERY_INVALID: "text that is no query of fleet indexing",
  QUOTA_EXCEEDED: "a quota of AWS IoT would be exceeded, of resources or of a device's request",
  LOGGING_NOT_CONFIGURED: "the account has no logging options yet",
  TRANSFER_COMPLETED: "the transfer of a certificate to another account is over: it cannot be decided again",
  TRANSFER_CONFLICT:
    "a certificate is not transferred to another account while something is attached to it, or that account has it",
  REGISTRATION_CODE_INVALID:
    "a CA's verification certificate does not have the account's registration code as its common name",
  REQUEST_FORBIDDEN: "a request over HTTP asks for what nobody may do, or this caller may not",
  REQUEST_INVALID: "a request to a cloud service has a wrong or missing member",
  REQUEST_TOO_LARGE: "a request over HTTP has more bytes than its operation takes",
  REQUEST_UNAUTHORIZED: "a resource that is not there, where AWS tells that from what one may not see by nothing",
  RESOURCE_CONFLICT: "a resource of that name exists already, where AWS answers with ConflictException",
  RESOURCE_EXISTS: "a resource of that name exists already",
  RESOURCE_NOT_FOUND: "a named thing, certificate, policy or version does not exist",
  RULE_FILE_INVALID: "a file is no topic rule as CreateTopicRule takes it",
  RULE_SQL_FAILED: "the statement or a template of a rule could not be worked out for a message",
  RULE_SQL_INVALID: "the statement or a template of a rule is no AWS IoT SQL",
  THROTTLED: "too many requests of one kind in a short time",
  VERSIONS_LIMIT_EXCEEDED: "a policy has its maximum number of versions",
  VERSION_CONFLICT: "the expected version is not the current one",
  // Requests over HTTP
  CLOUD_REQUEST_REFUSED: "the local cloud refused an administrative request",
  // Modem
  AT_MALFORMED: "text that is no AT command, or values that cannot be written in one",
  FIRMWARE_PACKAGE_INVALID: "a package or an image of modem firmware is damaged, or is none",
  LINK_FAILED: "the modem has no network registration, or could not get one",
  MODEM_APPLICATION_MISSING: "the board does not run the serial modem application that a connection through it needs",
  MODEM_COMMAND_REJECTED: "the modem answered ERROR, +CME ERROR or +CMS ERROR",
  MODEM_DATA_MODE_FAILED: "the serial modem application left its data mode with an error, or did not leave it",
  MODEM_DFU_FAILED: "an upload of firmware to a board did not come to its end",
  MODEM_FIRMWARE_REFUSED: "the modem refused an update of its own firmware",
  MODEM_NOT_FOUND: "nothing that speaks AT answers on a port",
  MODEM_RESPONSE_INVALID: "the modem's answer is not what the command promises",
  PROGRAMMER_FAILED: "Nordic's nrfutil could not do what it was told, or gave no sign of life",
  PROGRAMMER_MISSING: "Nordic's nrfutil, or a command of it, is not installed",
  SERIAL_PORT_BUSY: "another program has the serial port open",
  SERIAL_PORT_FAILED: "the system could not open the serial port, or not set it up",
  SERIAL_PORT_FORBIDDEN: "this user may not open the serial port",
  SERIAL_PORT_NOT_FOUND: "there is no serial port at the path",
  SERIAL_PORT_UNPLUGGED: "the device behind an open serial port went away",
  // Finding a local cloud
  CLOUD_NOT_RUNNING: "no local cloud runs on the data folder",
  // Device Shadow
  SHADOW_DOCUMENT_INVALID: "a request to a shadow is no JSON, or breaks a rule for shadow documents",
  SHADOW_ENCODING_UNSUPPORTED: "a request to a shadow is not in UTF-8",
  SHADOW_NOT_FOUND: "the shadow does not exist",
  SHADOW_TOO_LARGE: "a shadow document or a request to a shadow has too many bytes",
  SHADOW_VERSION_CONFLICT: "an update names another version than the shadow's current one",
  // MQTT file delivery
  STREAM_MESSAGE_INVALID: "a message of a stream is not what MQTT file delivery promises",
  // Jobs
  COMMAND_ENDED: "a command's execution has ended in the cloud, which takes nothing more of it",
  COMMAND_MESSAGE_INVALID: "a message on a topic of AWS IoT Commands is not one that the service sends",
  JOB_DOCUMENT_INVALID: "a job document is not a JSON object, or does not say what is to be done",
  JOB_MESSAGE_INVALID: "a message on a topic of AWS IoT Jobs is not one that the service sends",
  JOB_TAKEN_AWAY:
    "the cloud has ended a job execution: it was cancelled, timed out, removed, deleted, or ended already",
  // Policy
  POLICY_MALFORMED: "text that is no policy document of AWS IoT",
  // MQTT
  MQTT_CONNECT_REFUSED: "the server answered CONNECT with a refusal",
  MQTT_DISCONNECTED: "the server ended the connection with DISCONNECT",
  MQTT_MALFORMED_PACKET: "bytes that are no MQTT packet of the agreed version",
  MQTT_PACKET_INVALID: "a packet that cannot be encoded in the agreed version",
  MQTT_PACKET_TOO_LARGE: "a packet is larger than the receiver's maximum packet size",
  MQTT_PROTOCOL_ERROR: "a well-formed packet that MQTT does not allow here",
  MQTT_PUBLISH_REFUSED: "the server answered PUBLISH with a refusal",
  MQTT_SESSION_TAKEN_OVER: "another client connected with the same client id",
  MQTT_SUBSCRIPTION_REFUSED: "the server refused a topic filter",
  MQTT_UNSUPPORTED: "the server announced that it does not support this",
  MQTT_VERSION_UNSUPPORTED: "a CONNECT asks for a version that is neither MQTT 3.1.1 nor MQTT 5",
  TOPIC_FILTER_INVALID: "a topic filter breaks the rules of MQTT 3.1.1 §4.7",
  TOPIC_NAME_INVALID: "a topic name breaks the rules of MQTT 3.1.1 §4.7",
  // Provisioning
  PROVISIONING_ANSWER_EMPTY: "the cloud sent an empty message instead of a key or certificate",
  PROVISIONING_ANSWER_INVALID: "an answer of fleet provisioning is not one that the service sends",
  PROVISIONING_ANSWER_TOO_LARGE: "the cloud sent a key or certificate larger than its buffer",
  PROVISIONING_CONFLICT: "what a provisioning template names exists already, and differs in what it may not change",
  PROVISIONING_CLAIM_EXPIRED: "a temporary claim has ended",
  PROVISIONING_DUPLICATE: "the same key or certificate was received twice",
  PROVISIONING_EXHAUSTED: "too many requests led to no accepted certificate",
  PROVISIONING_FAILED: "what a provisioning template asks for could not be done",
  PROVISIONING_METHOD_UNFIT: "a way of provisioning whose messages the device's TLS cannot take",
  PROVISIONING_NOT_PROVED: "the new credentials were written, but the cloud did not accept them",
  PROVISIONING_REJECTED: "the cloud refused to create a key and certificate",
  PROVISIONING_TEMPLATE_INVALID:
    "a provisioning template breaks its grammar, or does not resolve with the parameters that were given",
  PROVISIONING_TIMEOUT: "the cloud did not answer a request for a key and certificate in time",
  PROVISIONING_TOPIC_UNKNOWN: "a message came on a provisioning topic that nobody knows",
  // Firmware over the air
  DOWNLOAD_CHANGED: "another file lies at the place of a download than the one that was begun",
  DOWNLOAD_GONE: "the file of a download is not there, or may not be read any more",
  DOWNLOAD_INVALID: "a server answered a download in a way that no download can be made of",
  DOWNLOAD_UNAVAILABLE: "the file of a download could not be fetched now, and may be fetched later",
  APPLICATION_BUNDLE_INVALID: "files that no application can be packed of",
  FIRMWARE_ON_TRIAL: "the firmware that runs is on trial, and where an update would go lies the one to go back to",
  FIRMWARE_UPDATE_FAILED: "a firmware update ended without success",
  IMAGE_INVALID: "bytes that are no MCUboot image, or that none can be made of",
  // Configuration
  KCONFIG_INVALID: "a Kconfig fragment has lines, names or values that are wrong, or lacks an option",
} as const;

export type ErrorCode = keyof typeof errorCodes;

export interface ThinglineErrorOptions {
  /** Facts for programs: names, sizes, limits. Never a key, token or password. */
  details?: Readonly<Record<string, string | number>>;
  cause?: unknown;
}

/** An expected failure: bad input, a refusing peer, a lost link. `code` is stable, `message` is for people. */
export class ThinglineError extends Error {
  override readonly name = "ThinglineError";
  readonly code: ErrorCode;
  readonly details: Readonly<Record<string, string | number>>;
  constructor(code: ErrorCode, message: string, { details = {}, cause }: ThinglineErrorOptions = {}) {
    super(message, cause === undefined ? undefined : { cause });
    this.code = code;
    this.details = details;
  }
}

/** Tells a {@link ThinglineError}, optionally of one code, from anything else that was thrown. */
export function isThinglineError(error: unknown, code?: ErrorCode): error is ThinglineError {
  return error instanceof ThinglineError && (code === undefined || error.code === code);
}
