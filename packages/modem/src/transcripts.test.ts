import assert from "node:assert/strict";
import { test } from "node:test";
import { isThinglineError } from "@thingline/protocol";
import { CommandLineReader, parseAtCommand, ResponseLineReader } from "@thingline/protocol/at";
import { createConnectionPair } from "@thingline/transport";
import { createVirtualClock } from "@thingline/transport/virtual";
import { commandForms, keyOf, parseAnswer, parseCommand } from "./at/table.js";
import { openModemSession } from "./session.js";
import { type Transcript, transcripts } from "./transcripts.test.support.js";

const encode = (text: string) => new TextEncoder().encode(text);

function pieces(bytes: Uint8Array, chunkBytes: number): Uint8Array[] {
  const count = Math.ceil(bytes.length / chunkBytes);
  return Array.from({ length: count }, (_, at) => bytes.slice(at * chunkBytes, (at + 1) * chunkBytes));
}

const chunkings = [Infinity, 1, 7];
const sizeOf = (bytes: Uint8Array, chunkBytes: number) => Math.min(chunkBytes, Math.max(1, bytes.length));

for (const { origin, lineEnd, terminator, noise = "", steps } of transcripts) {
  for (const chunkBytes of chunkings) {
    test(`${origin}: what the tool sends is read, in pieces of ${chunkBytes}`, () => {
      const reader = new CommandLineReader({ terminator });
      const sent = encode(noise + steps.map(({ command }) => command + lineEnd).join(""));
      const lines = pieces(sent, sizeOf(sent, chunkBytes)).flatMap((bytes) => reader.push(bytes));
      const read = lines.map(({ text = "" }) => text.replace(/^\n/, "")).filter((line) => !line.startsWith("at "));
      assert.deepEqual(
        read,
        steps.map(({ command }) => command),
      );
    });

    test(`${origin}: what comes back is read, in pieces of ${chunkBytes}`, () => {
      const reader = new ResponseLineReader();
      const received = encode(steps.map((step) => step.received).join(""));
      const lines = pieces(received, sizeOf(received, chunkBytes)).flatMap((bytes) => reader.push(bytes));
      const texts = lines.map((line) => (line.type === "line" ? line.text : "overlong"));
      const expected = steps.flatMap(linesOf);
      assert.deepEqual([...texts].sort(), [...expected].sort());
      assert.equal(reader.pendingBytes, 0);
    });

    test(`${origin}: a session gets its answers and URCs, in pieces of ${chunkBytes}`, async () => {
      await playThrough({ origin, lineEnd, terminator, steps }, chunkBytes);
    });
  }

  test(`${origin}: the table of commands knows what it says`, () => {
    for (const { command, answer } of steps) {
      const { name, form } = parseAtCommand(command);
      const key = keyOf(name, form);
      if (!Object.hasOwn(commandForms, key)) {
        assert.match(name, /^(?:#X|E[01]|%XDEEPSEARCH|%XCONNSTAT|\+CEER)/, `${command} should be in the table`);
        continue;
      }
      const parsed = parseCommand(command);
      assert.ok(parsed, command);
      if (Array.isArray(answer))
        assert.ok(parseAnswer(parsed.key, answer as string[]), `${command}: ${String(answer)}`);
    }
  });
}

/** Every line of a step: an echo is one as well. */
function linesOf({ command, received, answer, notifications = [] }: Transcript["steps"][number]): string[] {
  const final = Array.isArray(answer) ? "OK" : answer === undefined ? "ERROR" : `+CME ERROR: ${String(answer)}`;
  const echo = received.startsWith(command) && command !== "" ? [command] : [];
  return [...echo, ...(Array.isArray(answer) ? (answer as string[]) : []), ...notifications, final];
}

async function playThrough({ lineEnd, terminator, steps }: Transcript, chunkBytes: number): Promise<void> {
  const clock = createVirtualClock({ settlesBy: "microtasks" });
  const { near, far } = createConnectionPair({ clock });
  const reader = new CommandLineReader({ terminator });
  const replies = steps.map(({ received }) => received);
  far.start({
    data: (bytes) => {
      for (const _ of reader.push(bytes)) {
        const received = encode(replies.shift() ?? "");
        for (const piece of pieces(received, sizeOf(received, chunkBytes))) far.write(piece);
      }
    },
    closed: () => undefined,
  });
  const session = openModemSession(near, { clock, lineEnd });
  const notifications: string[] = [];
  session.onNotification((line) => notifications.push(line));
  for (const { command, answer, notifications: expected = [] } of steps) {
    const got = await clock.until(session.command(command).catch((error: unknown) => error));
    if (Array.isArray(answer)) assert.deepEqual(got, answer, command);
    else {
      assert.ok(isThinglineError(got, "MODEM_COMMAND_REJECTED"), `${command}: ${String(got)}`);
      assert.equal(got.details["cme"], answer, command);
    }
    await clock.advance(0);
    assert.deepEqual(notifications.splice(0), expected, command);
  }
  assert.equal(session.counters.noiseLines, 0);
  await clock.until(session.close());
}
