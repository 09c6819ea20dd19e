import type { Cell, LteTiming, RadioConditions, SimState } from "./lte-link.js";
import { anyOf, decimalNumber, matching, type RulesOf, truth, wholeNumber } from "./value-rules.js";

/** Longest time that a timer takes, in milliseconds. */
export const timeMsMax = 2_147_483_647;
const time = wholeNumber(0, timeMsMax);
/** What the credential storage may be told to hold. */
export const storageBytesRule = wholeNumber(0, 2_147_483_647);

const simStates: readonly SimState[] = ["ready", "pinRequired", "pukRequired", "failed", "absent"];
// Names stand between quotes in answers; a comma or a quote would make them something else.
const operatorName = matching(/^[^"\p{Cc}]{0,63}$/u, "up to 63 characters without quotes");

/** What may be said of a cell. Ranges are those of `+CESQ` and `%XMONITOR`. */
export const cellRules: RulesOf<Cell> = {
  plmn: matching(/^[0-9]{5,6}$/u, "5 or 6 digits"),
  fullName: operatorName,
  shortName: operatorName,
  tac: matching(/^[0-9A-Fa-f]{4}$/u, "4 hex digits"),
  cellId: matching(/^[0-9A-Fa-f]{8}$/u, "8 hex digits"),
  act: anyOf(7, 9),
  band: wholeNumber(1, 88),
  physicalCellId: wholeNumber(0, 503),
  earfcn: wholeNumber(0, 262_143),
  rsrpDbm: decimalNumber(-156, -43),
  rsrqDb: decimalNumber(-34, 3),
  snrDb: decimalNumber(-24, 25),
};

export const timingRules: RulesOf<LteTiming> = {
  searchMs: time,
  attachMs: time,
  detachMs: time,
  rrcInactivityMs: time,
  operatorSearchMs: time,
};

const timer = matching(/^[01]{8}$/u, "8 bits");
const fourBits = matching(/^[01]{4}$/u, "4 bits");
/** Networks beside the modem's own. */
export const otherNetworksMax = 32;

export const conditionRules: RulesOf<RadioConditions> = {
  hasCoverage: truth,
  isDenied: truth,
  rejectCause: wholeNumber(0, 255),
  isRoaming: truth,
  isEmergencyOnly: truth,
  sim: anyOf(...simStates),
  cell: { type: "group", rules: cellRules },
  hasData: truth,
  isPsmGranted: truth,
  grantedActiveTime: timer,
  grantedPeriodicTau: timer,
  isEdrxGranted: truth,
  grantedEdrxCycle: fourBits,
  grantedPagingWindow: fourBits,
  otherNetworks: {
    type: "list",
    rules: { plmn: cellRules.plmn, act: cellRules.act, isForbidden: truth },
    lengthMax: otherNetworksMax,
  },
};
