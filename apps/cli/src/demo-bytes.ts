import { trafficBetween, type BothWays, type ModemTraffic, type TrafficSnapshot } from "@thingline/modem/simulator";
import type { Output } from "./output.js";

/** A step of the demonstration and what it cost. */
interface StepCost {
  step: string;
  cost: TrafficSnapshot;
}

/** Adds up what each step of a demonstration costs on air; told step by step with `--json`, as one table to people. */
export interface ByteLedger {
  /** The step is over: what came since the last one is its. */
  mark(step: string): void;
  /** The table, and the sum of all. */
  show(): void;
}

export function openByteLedger(output: Output, traffic: ModemTraffic): ByteLedger {
  const first = traffic.snapshot();
  const steps: StepCost[] = [];
  let before = first;
  return {
    mark(step) {
      const after = traffic.snapshot();
      const cost = trafficBetween(before, after);
      before = after;
      steps.push({ step, cost });
      output.event({ event: "bytes", step, ...factsOf(cost) });
    },
    show() {
      for (const { number, host, port, protocol = null, tlsBy, isResumed = null, ...counts } of traffic.sockets) {
        const { state: _, ...layers } = counts;
        output.event({ event: "bytesSocket", number, host, port, protocol, tlsBy, isResumed, ...layers });
      }
      const total = { step: "total", cost: trafficBetween(first, before) };
      output.event({ event: "bytesTotal", ...factsOf(total.cost) }, tableOf(output, [...steps, total]));
    },
  };
}

function factsOf({ counts, socketCount, radio }: TrafficSnapshot) {
  const times = Object.entries<number>({ ...radio }).map(([name, ms]) => [name, Math.round(ms)]);
  return { ...counts, sockets: socketCount, radio: Object.fromEntries(times) as Record<string, number> };
}

const nameWidth = 22;
const columnWidth = 18;

function tableOf({ paint }: Output, all: readonly StepCost[]): string {
  const line = (cells: readonly string[]): string => {
    const [name = "", ...columns] = cells;
    return `  ${name.padEnd(nameWidth)}${columns.map((cell) => cell.padStart(columnWidth)).join("")}`;
  };
  // What sends nothing costs nothing.
  const rows = all.filter(({ cost: { counts } }) => counts.packets.sent + counts.packets.received > 0);
  const { handshake } = all.at(-1)?.cost.counts ?? { handshake: undefined };
  return [
    "",
    paint.bold("What it cost on air (bytes, sent + received)"),
    paint.dim(line(["", "application", "with TLS", "with TCP/IP"])),
    ...rows.map(({ step, cost: { counts } }) =>
      line([step, ...[counts.application, counts.tls, counts.ip].map((each) => both(each))]),
    ),
    ...(handshake === undefined ? [] : [paint.dim(`  of TLS, handshakes: ${both(handshake)}`)]),
    paint.dim("  TCP and IP are estimated by the rule of docs/bytes.md"),
  ].join("\n");
}

const both = ({ sent, received }: BothWays): string => `${sent} + ${received}`;
