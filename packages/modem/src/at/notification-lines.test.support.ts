import { formatRegistration, type ModemNotification, rsrpIndex, rsrqIndex } from "@thingline/protocol/at";

/** What is not known stands for nothing, and at the end of a line takes its comma along. */
function values(...all: readonly (string | number | undefined)[]): string {
  const texts = all.map((value) => (value === undefined ? "" : String(value)));
  while (texts.length > 1 && texts.at(-1) === "") texts.pop();
  return texts.join(",");
}

const quoted = (text: string | undefined) => (text === undefined ? undefined : `"${text}"`);

/** A URC as a modem sends it, for tests: `parseNotification` of the protocol reads it back. A registration comes with all that is known of it. */
export function formatModemNotification(said: ModemNotification): string {
  switch (said.type) {
    case "registration":
      return `+CEREG: ${formatRegistration(said.registration, 5)}`;
    case "rrc":
      return `+CSCON: ${said.mode === "connected" ? 1 : 0}`;
    case "edrx":
      return `+CEDRXP: ${values(said.act, quoted(said.requested), quoted(said.granted), quoted(said.pagingTimeWindow))}`;
    case "tauPreWarning":
      return `%XT3412: ${said.timeMs}`;
    case "modemSleep":
      return `%XMODEMSLEEP: ${values(said.sleep, said.timeMs)}`;
    case "modemEvent":
      return `%MDMEV: ${said.name}`;
    case "signal":
      return formatSignal(said);
    case "sim":
      return `%XSIM: ${values(said.isInitialized ? 1 : 0, said.cause)}`;
    case "networkTime": {
      const { localTimeZone, universalTime, daylightSaving } = said;
      return `%XTIME: ${[localTimeZone, universalTime, daylightSaving].map((text) => quoted(text) ?? "").join(",")}`;
    }
    case "supply":
      return `${said.name}: ${said.values.join(",")}`;
    case "temperature":
      return `%XTEMP: ${said.level},${said.celsius}`;
    case "neighborCells":
      return formatNeighborCells(said.cells);
    case "packetDomain":
      return `+CGEV: ${said.event}`;
    case "networkError":
      return `+CNEC_${said.layer.toUpperCase()}: ${values(said.cause, said.contextId)}`;
    case "other":
      return said.line;
  }
}

function formatSignal({ quality, thresholds }: Extract<ModemNotification, { type: "signal" }>): string {
  const [rsrp, rsrq] = [rsrpIndex(quality.rsrpDbm), rsrqIndex(quality.rsrqDb)];
  return `%CESQ: ${values(rsrp, thresholds?.rsrp, rsrq, thresholds?.rsrq)}`;
}

function formatNeighborCells({
  status,
  current,
  neighbors,
}: Extract<ModemNotification, { type: "neighborCells" }>["cells"]): string {
  if (current === undefined) return `%NCELLMEAS: ${status}`;
  const c = current;
  const cells = neighbors.flatMap((cell) => [
    ...[cell.earfcn, cell.physicalCellId, cell.rsrp, cell.rsrq, cell.timeDifferenceMs],
  ]);
  const head = [status, quoted(c.cellId), quoted(c.plmn), quoted(c.tac), c.timingAdvance, c.earfcn];
  return `%NCELLMEAS: ${[...head, c.physicalCellId, c.rsrp, c.rsrq, c.measuredAtMs, ...cells].join(",")}`;
}
