import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { openSerialPort } from "@thingline/modem/serial";
import type { Connection } from "@thingline/transport";
import type { observe } from "@thingline/transport/contract";
import { nodeAdapters } from "thingline/dist/adapters.js";
import type { DoorPlace } from "thingline/dist/simulate/doors.js";
import { SimulatedLine, type SimulatedLineOptions } from "thingline/dist/simulate/simulated-line.js";

export const adapters = nodeAdapters();

/** A line of `modem simulate` in this process, with a link that stays, and what it told. */
export interface TestLine {
  line: SimulatedLine;
  folder: string;
  /** The link. */
  port: string;
  /** What happened, in order. */
  told: string[];
  /** The first of its kind from now on. */
  next: (what: string) => Promise<string>;
}

/** Everything is gone when the test is over. */
export function startLine(t: TestContext, options: Partial<SimulatedLineOptions> = {}): Promise<TestLine> {
  return start(t, (port) => ({ pty: { link: port } }), options);
}

/** The same with nothing but a TCP port, for machines without pseudo-terminals. */
export function startTcpLine(t: TestContext): Promise<TestLine> {
  return start(t, () => ({ tcp: { host: "127.0.0.1", port: 0 } }), {});
}

async function start(
  t: TestContext,
  doors: (port: string) => Pick<SimulatedLineOptions, "pty" | "tcp">,
  options: Partial<SimulatedLineOptions>,
): Promise<TestLine> {
  const folder = await mkdtemp(join(tmpdir(), "thingline-line-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const port = options.pty?.link ?? join(folder, "ttyACM90");
  const told: string[] = [];
  const waiting: { what: string; resolve: (text: string) => void }[] = [];
  const tell = (text: string): void => {
    told.push(text);
    for (const each of waiting.splice(0)) {
      if (text.startsWith(each.what)) each.resolve(text);
      else waiting.push(each);
    }
  };
  const line = await SimulatedLine.start(
    adapters,
    {
      folder: join(folder, "modem"),
      application: "at-host",
      ...doors(port),
      backAfterMs: 10,
      showsLines: false,
      ...options,
    },
    {
      wentAway: ({ hasPower }) => tell(hasPower ? "unplugged" : "without power"),
      cameBack: ({ pty, tcp }: DoorPlace) => tell(`back ${pty} ${tcp}`),
      failed: (error) => tell(`failed ${String(error)}`),
      unsupported: (what) => tell(`unsupported ${what}`),
      line: (door, { from, text }) => tell(`${door} ${from === "host" ? ">" : "<"} ${text}`),
      hostCame: () => tell("tcp host came"),
      hostLeft: () => tell("tcp host left"),
      hostRefused: () => tell("tcp host refused"),
    },
  );
  t.after(() => line.close());
  return {
    ...{ line, folder, port, told },
    next: (what) => new Promise((resolve) => waiting.push({ what, resolve })),
  };
}

/** A host on a serial port that writes what it likes and takes every byte as it comes. */
export interface RawHost {
  connection: Connection;
  write(text: string): void;
  /** What came since the last {@link RawHost.flush}, once it holds this. */
  until(expected: string | RegExp): Promise<string>;
  /** What came and was not looked at is forgotten, as by pyserial's reset_input_buffer. */
  flush(): void;
  closed: ReturnType<typeof observe>["closed"];
}

export async function openRawHost(t: TestContext, path: string): Promise<RawHost> {
  const connection = await openSerialPort(path, { clock: adapters.clock });
  t.after(() => connection.destroy());
  let text = "";
  const waiting = new Set<() => void>();
  const decoder = new TextDecoder();
  const closed = new Promise<Awaited<ReturnType<typeof observe>["closed"]>>((resolve) => {
    connection.start({
      data: (bytes) => {
        text += decoder.decode(bytes, { stream: true });
        for (const look of waiting) look();
      },
      closed: resolve,
    });
  });
  const holds = (expected: string | RegExp) =>
    typeof expected === "string" ? text.includes(expected) : expected.test(text);
  return {
    connection,
    closed,
    write: (bytes) => void connection.write(new TextEncoder().encode(bytes)),
    flush: () => (text = ""),
    until: (expected) =>
      new Promise((resolve) => {
        const look = (): void => {
          if (!holds(expected)) return;
          waiting.delete(look);
          resolve(text);
        };
        waiting.add(look);
        look();
      }),
  };
}
