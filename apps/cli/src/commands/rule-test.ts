import { createHash, randomUUID } from "node:crypto";
import { ThinglineError } from "@thingline/protocol";
import { createNodeFiles } from "@thingline/transport/node";
import type { CommandContext } from "../command.js";
import { UsageError } from "../failure.js";
import { readNameValues } from "../name-values.js";
import { checkStatement, ruleSqlVersion } from "../rule-payload.js";
import { readTextFile } from "../text-file.js";

interface TestOptions {
  topic?: string;
  message?: string;
  from?: string;
  clientId?: string;
  template?: string[];
  answer?: string[];
  sqlVersion?: string;
}

/** Of a message, as AWS. */
const messageBytesMax = 131_072;

/** `thingline rule test STATEMENT --topic TOPIC --message JSON`: what the rules engine of the local cloud makes of a message, without any cloud. */
export async function ruleTest({ output, signal }: CommandContext, options: TestOptions, sql = ""): Promise<void> {
  const { sqlVersion = ruleSqlVersion, clientId = "client" } = options;
  const statement = await checkStatement(sql, sqlVersion);
  const topic = options.topic ?? statement.from?.replaceAll("+", "level").replace(/#$/, "level") ?? "topic";
  const { ExternalNeeded, fillTemplate, md2, own, parseTemplate, readJsonText, runStatement } =
    await import("@thingline/cloud/rules-sql");
  const { topicMatches } = await import("@thingline/protocol/mqtt");
  if (statement.from !== undefined && !topicMatches(statement.from, topic, { aws: true })) {
    output.event(
      { event: "ruleTested", topic, isSelected: false, why: "topic" },
      `${output.paint.yellow("not selected:")} ${topic} does not match ${statement.from}`,
    );
    return;
  }
  const answers = readNameValues(options.answer ?? [], "--answer");
  const host = {
    message: {
      ...{ topic, clientId, payload: await messageOf(options, signal), sourceIp: "127.0.0.1", properties: undefined },
      ...{ principal: "0".repeat(64), traceId: randomUUID(), timestampMs: Date.now() },
    },
    accountId: "123456789012",
    sqlVersion: sqlVersion as "2016-03-23",
    newUuid: () => randomUUID(),
    random: () => Math.random(),
    hash: (name: string, bytes: Uint8Array) =>
      name === "md2" ? md2(bytes) : new Uint8Array(createHash(name).update(bytes).digest()),
    external: (call: { name: string }) => {
      const answer = answers[call.name];
      if (answer === undefined) throw new ExternalNeeded(call as never);
      return readJsonText(answer)?.value ?? own(answer);
    },
  };
  try {
    const selected = runStatement(statement, host);
    if (selected === undefined) {
      output.event(
        { event: "ruleTested", topic, isSelected: false, why: "where" },
        `${output.paint.yellow("not selected:")} WHERE is not true for this message`,
      );
      return;
    }
    const payload = new TextDecoder().decode(selected.payload);
    const templates = (options.template ?? []).map((text) => fillTemplate(parseTemplate(text), selected.scope));
    output.event(
      { event: "ruleTested", topic, isSelected: true, payload, templates },
      [payload, ...templates].join("\n"),
    );
  } catch (error) {
    if (error instanceof ExternalNeeded) {
      throw new UsageError(
        `the statement calls ${error.call.name}(): say what it answers with --answer ${error.call.name}=JSON`,
      );
    }
    throw error;
  }
}

async function messageOf({ message, from: file }: TestOptions, signal: AbortSignal): Promise<Uint8Array> {
  const encoder = new TextEncoder();
  if (file !== undefined)
    return encoder.encode(await readTextFile(createNodeFiles(), file, { bytesMax: messageBytesMax, signal }));
  const bytes = encoder.encode(message ?? "{}");
  if (bytes.length <= messageBytesMax) return bytes;
  throw new ThinglineError("REQUEST_TOO_LARGE", `a message has at most ${messageBytesMax} bytes`);
}
