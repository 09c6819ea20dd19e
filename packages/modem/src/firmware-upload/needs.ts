import { compareFirmwareVersions, type FirmwareRevision, parseFirmwareRevision } from "./revision.js";

type Version = FirmwareRevision["version"];

/** Something that works from a version of the modem's firmware on. */
export interface FirmwareNeed {
  /** Stable: for programs. */
  readonly name: string;
  readonly description: string;
  /** Without it a device does not get its credentials, or does not connect with them. */
  readonly isRequired: boolean;
  /** By family; a family that is not there never has it. */
  readonly since: Readonly<Partial<Record<"nrf9160" | "nrf91x1", readonly FirmwareRevision["version"][]>>>;
}

const always: readonly Version[] = [[2, 0, 0]];

/**
 * What Thingline uses of a modem's firmware. Several versions of one family: the first of each minor version that has it.
 *
 * @see nRF9160 and nRF91x1 AT Commands reference guides; release notes of the modem firmware
 */
export const firmwareNeeds: readonly FirmwareNeed[] = [
  {
    name: "credentialDigests",
    description: "AT%CMNG=1 tells the SHA-256 of a credential: what is written is verified by it",
    isRequired: true,
    since: { nrf9160: [[1, 1, 0]], nrf91x1: always },
  },
  {
    name: "serverName",
    description: "TLS sends the server's name (SNI), which AWS IoT asks for",
    isRequired: true,
    since: { nrf9160: [[1, 2, 1]], nrf91x1: always },
  },
  {
    name: "keyGeneration",
    description: "AT%KEYGEN makes a key that never leaves the modem: modem generate-key, --method modem-key",
    isRequired: false,
    since: { nrf9160: [[1, 3, 0]], nrf91x1: always },
  },
  {
    name: "gcmCipherSuites",
    description: "cipher suites with AES-GCM, for servers that take no others",
    isRequired: false,
    since: {
      nrf9160: [
        [1, 2, 7],
        [1, 3, 1],
      ],
      nrf91x1: always,
    },
  },
  {
    name: "claimToken",
    description: "AT%CLAIMTOKEN",
    isRequired: false,
    since: { nrf9160: [[1, 3, 4]] },
  },
  {
    name: "attestationToken",
    description: "AT%ATTESTTOKEN: the modem proves which one it is",
    isRequired: false,
    since: { nrf91x1: [[2, 0, 0]] },
  },
  {
    name: "certificateCheck",
    description: "a certificate that is none is refused when it is written (+CME ERROR: 527)",
    isRequired: false,
    since: { nrf91x1: [[2, 0, 2]] },
  },
  {
    name: "serialModem",
    description: "what Nordic's Serial Modem application asks for",
    isRequired: false,
    since: { nrf91x1: [[2, 0, 4]] },
  },
];

export interface JudgedNeed extends FirmwareNeed {
  isMet: boolean;
  /** The version that a firmware of this family has it from; undefined when none has. */
  from: string | undefined;
}

export interface FirmwareJudgement {
  revision: FirmwareRevision;
  /** `old`: something is missing without which nothing works. `unknown`: of a family that is not in the table. */
  verdict: "fine" | "old" | "unknown";
  needs: readonly JudgedNeed[];
}

/** @param revision as `AT+CGMR` tells it. @returns undefined for what is no revision. */
export function judgeFirmware(revision: string): FirmwareJudgement | undefined {
  const parsed = parseFirmwareRevision(revision);
  if (parsed === undefined) return undefined;
  const { family, version } = parsed;
  if (family !== "nrf9160" && family !== "nrf91x1") return { revision: parsed, verdict: "unknown", needs: [] };
  const needs = firmwareNeeds.map((need) => {
    const since = need.since[family] ?? [];
    return { ...need, isMet: hasSince(version, since), from: since.at(-1)?.join(".") };
  });
  const isOld = needs.some(({ isRequired, isMet }) => isRequired && !isMet);
  return { revision: parsed, verdict: isOld ? "old" : "fine", needs };
}

/** A later minor version has what an earlier one got by a patch only if it came out after it: the last entry says from when on all have it. */
function hasSince(version: Version, since: readonly Version[]): boolean {
  const last = since.at(-1);
  if (last === undefined) return false;
  if (compareFirmwareVersions(version, last) >= 0) return true;
  return since.some(
    (each) => each[0] === version[0] && each[1] === version[1] && compareFirmwareVersions(version, each) >= 0,
  );
}
