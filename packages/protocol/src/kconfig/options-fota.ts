import { buildOff, logLevelOptions, off, type IsYes, type KconfigOption, type OptionBase } from "./option-types.js";

const fota = { withoutEffect: "fota" } as const satisfies OptionBase;
const ofAwsFota = { ...fota, type: "int", dependsOn: ["AWS_FOTA"] } as const;
const ofFotaDownload = { ...fota, type: "int", dependsOn: ["FOTA_DOWNLOAD"] } as const;
const ofDownloadClient = { ...fota, type: "int", dependsOn: ["DOWNLOAD_CLIENT"] } as const;
const ofJobs = { ...fota, type: "int", dependsOn: ["AWS_JOBS"] } as const;

const fragmentBytes = [4096, 2048, 1024, 512, 256] as const;
const blockBytes = [512, 256, 128] as const;
const coapHeaderBytes = 20;

/** A member of the choice of fragment sizes; the buffer has to hold a fragment. */
function fragmentSize<const Bytes extends number>(bytes: Bytes, more: { isDefault?: true; without?: string } = {}) {
  const { isDefault, without } = more;
  return {
    ...off,
    dependsOn: [
      "DOWNLOAD_CLIENT",
      `DOWNLOAD_CLIENT_BUF_SIZE>=${bytes}`,
      ...(without === undefined ? [] : [`!${without}`]),
    ],
    choice: { name: "DOWNLOAD_CLIENT_HTTP_FRAG_SIZE", ...(isDefault && { isDefault }) },
  } as const;
}

function coapBlockSize<const Bytes extends number>(bytes: Bytes, isDefault?: true) {
  return {
    ...off,
    ...fota,
    dependsOn: ["DOWNLOAD_CLIENT", "COAP", `DOWNLOAD_CLIENT_BUF_SIZE>=${bytes + coapHeaderBytes}`],
    choice: { name: "DOWNLOAD_CLIENT_COAP_BLOCK_SIZE", ...(isDefault && { isDefault }) },
  } as const;
}

/**
 * Firmware updates over the air and the download client, checked and typed; see `withoutEffect`.
 *
 * @see nRF Connect SDK 2.1, `subsys/net/lib/{aws_fota,aws_jobs,fota_download,download_client}/Kconfig`, `subsys/dfu`
 */
export const fotaOptions = {
  AWS_FOTA: {
    type: "bool",
    default: (isYes: IsYes) => isYes("AWS_IOT"),
    dependsOn: ["FOTA_DOWNLOAD", "CJSON_LIB", "!BOARD_QEMU_X86"],
  },
  AWS_FOTA_PAYLOAD_SIZE: { ...ofAwsFota, default: 1350, range: [1, 131_072] },
  AWS_FOTA_HOSTNAME_MAX_LEN: { ...ofAwsFota, default: 255, range: [1, 65_535] },
  AWS_FOTA_FILE_PATH_MAX_LEN: { ...ofAwsFota, default: 255, range: [1, 65_535] },
  /** -1: plain HTTP. */
  AWS_FOTA_DOWNLOAD_SECURITY_TAG: { type: "int", dependsOn: ["AWS_FOTA"], default: -1, range: [-1, 2_147_483_647] },
  ...logLevelOptions("AWS_FOTA"),

  AWS_JOBS: { ...off, selectedBy: ["AWS_FOTA"] },
  CLIENT_ID_MAX_LEN: { ...ofJobs, default: 64, range: [1, 128] },
  UPDATE_JOB_PAYLOAD_LEN: { ...ofJobs, default: 1350, range: [1, 131_072] },
  ...logLevelOptions("AWS_JOBS"),

  FOTA_DOWNLOAD: { ...off, dependsOn: ["DOWNLOAD_CLIENT", "DFU_TARGET"] },
  FOTA_SOCKET_RETRIES: { type: "int", dependsOn: ["FOTA_DOWNLOAD"], default: 2, range: [0, 65_535] },
  FOTA_DOWNLOAD_PROGRESS_EVT: { ...off, ...fota, dependsOn: ["FOTA_DOWNLOAD"] },
  FOTA_CLIENT_AUTOSCHEDULE_UPDATE: { ...fota, type: "bool", default: true, dependsOn: ["FOTA_DOWNLOAD"] },
  FOTA_DOWNLOAD_MCUBOOT_FLASH_BUF_SZ: { ...ofFotaDownload, default: 512, range: [1, 65_536] },
  FOTA_DOWNLOAD_FULL_MODEM_BUF_SZ: { ...ofFotaDownload, default: 4096, range: [1, 65_536] },
  FOTA_DOWNLOAD_NATIVE_TLS: { ...off, dependsOn: ["FOTA_DOWNLOAD"] },
  FOTA_DOWNLOAD_FILE_NAME_LENGTH: { ...ofFotaDownload, default: 128, range: [1, 65_535] },
  FOTA_DOWNLOAD_HOST_NAME_LENGTH: { ...ofFotaDownload, default: 128, range: [1, 65_535] },
  FOTA_DOWNLOAD_RESOURCE_LOCATOR_LENGTH: { ...ofFotaDownload, default: 512, range: [1, 65_535] },
  FOTA_DOWNLOAD_SEC_TAG_LIST_SIZE_MAX: { ...ofFotaDownload, default: 5, range: [1, 65_535] },
  ...logLevelOptions("FOTA_DOWNLOAD"),

  DOWNLOAD_CLIENT: off,
  DOWNLOAD_CLIENT_BUF_SIZE: { ...ofDownloadClient, default: 2048, range: [256, 4096] },
  DOWNLOAD_CLIENT_HTTP_FRAG_SIZE: {
    type: "int",
    dependsOn: ["DOWNLOAD_CLIENT"],
    hasNoPrompt: true,
    default: (isYes: IsYes) => fragmentBytes.find((bytes) => isYes(`DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_${bytes}`)) ?? 2048,
  },
  // The modem's TLS cannot take it.
  DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_4096: fragmentSize(4096, { without: "NRF_MODEM_LIB" }),
  DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_2048: fragmentSize(2048, { isDefault: true }),
  DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_1024: fragmentSize(1024),
  DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_512: fragmentSize(512),
  DOWNLOAD_CLIENT_HTTP_FRAG_SIZE_256: fragmentSize(256),
  /** 2 to the power of this and 4, in bytes. */
  DOWNLOAD_CLIENT_COAP_BLOCK_SIZE: {
    ...ofDownloadClient,
    hasNoPrompt: true,
    default: (isYes: IsYes) =>
      Math.log2(blockBytes.find((bytes) => isYes(`DOWNLOAD_CLIENT_COAP_BLOCK_SIZE_${bytes}`)) ?? 512) - 4,
  },
  DOWNLOAD_CLIENT_COAP_BLOCK_SIZE_512: coapBlockSize(512, true),
  DOWNLOAD_CLIENT_COAP_BLOCK_SIZE_256: coapBlockSize(256),
  DOWNLOAD_CLIENT_COAP_BLOCK_SIZE_128: coapBlockSize(128),
  DOWNLOAD_CLIENT_COAP_MAX_RETRANSMIT_REQUEST_COUNT: { ...ofDownloadClient, default: 4, range: [1, 10] },
  DOWNLOAD_CLIENT_STACK_SIZE: { ...ofDownloadClient, default: 1280, range: [768, 4096], withoutEffect: "build" },
  DOWNLOAD_CLIENT_MAX_HOSTNAME_SIZE: { ...ofDownloadClient, default: 64, range: [8, 256] },
  DOWNLOAD_CLIENT_MAX_FILENAME_SIZE: { ...ofDownloadClient, default: 192, range: [8, 2048] },
  /** Milliseconds; -1: none. */
  DOWNLOAD_CLIENT_TCP_SOCK_TIMEO_MS: {
    type: "int",
    dependsOn: ["DOWNLOAD_CLIENT"],
    default: 30_000,
    range: [-1, 600_000],
  },
  DOWNLOAD_CLIENT_RANGE_REQUESTS: {
    ...fota,
    type: "bool",
    default: (isYes: IsYes) => isYes("DFU_TARGET_MODEM_DELTA"),
    dependsOn: ["DOWNLOAD_CLIENT"],
  },
  DOWNLOAD_CLIENT_IPV6: { ...off, ...fota, dependsOn: ["DOWNLOAD_CLIENT"] },
  DOWNLOAD_CLIENT_SHELL: { ...buildOff, dependsOn: ["DOWNLOAD_CLIENT"] },
  DOWNLOAD_CLIENT_LOG_HEADERS: { ...buildOff, dependsOn: ["DOWNLOAD_CLIENT_LOG_LEVEL_DBG"] },
  ...logLevelOptions("DOWNLOAD_CLIENT"),

  DFU_TARGET: off,
  DFU_TARGET_MCUBOOT: { ...off, ...fota },
  DFU_TARGET_MODEM_DELTA: off,
  DFU_TARGET_FULL_MODEM: { ...off, ...fota },
  DFU_TARGET_MODEM_TIMEOUT: { ...fota, type: "int", default: 60, range: [0, 86_400] },
  DFU_TARGET_STREAM_SAVE_PROGRESS: { ...off, ...fota },
  CJSON_LIB: off,
  COAP: { ...off, ...fota },
} as const satisfies Record<string, KconfigOption>;
