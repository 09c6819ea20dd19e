// The other end of `npm run bench -- client`, in a process of its own: TLS with a client certificate, and of MQTT 3.1.1 no more than
// it takes to acknowledge: it never looks at a topic or payload. Answers of one piece of input leave in one write.
import { readFileSync } from "node:fs";
import { createServer } from "node:tls";
import type { AddressInfo } from "node:net";

const [, , folder = ""] = process.argv;
const read = (name: string): string => readFileSync(`${folder}/${name}.pem`, "utf8");

let publishes = 0;
let bytesIn = 0;

const server = createServer(
  {
    ca: read("ca"),
    cert: read("server"),
    key: read("server-key"),
    requestCert: true,
    rejectUnauthorized: true,
    noDelay: true,
  },
  (socket) => {
    socket.on("error", () => undefined);
    let rest = Buffer.alloc(0);
    socket.on("data", (chunk: Buffer) => {
      bytesIn += chunk.length;
      const input = rest.length === 0 ? chunk : Buffer.concat([rest, chunk]);
      const answers: Answers = { bytes: Buffer.allocUnsafe(4 + (input.length >> 1) * 4), length: 0, isOver: false };
      const used = take(input, answers);
      rest = used === input.length ? Buffer.alloc(0) : Buffer.from(input.subarray(used));
      if (answers.length > 0) socket.write(answers.bytes.subarray(0, answers.length));
      if (answers.isOver) socket.end();
    });
  },
);

interface Answers {
  bytes: Buffer;
  length: number;
  isOver: boolean;
}

/** @returns how many bytes were whole packets */
function take(input: Buffer, answers: Answers): number {
  let at = 0;
  for (;;) {
    let body = at + 1;
    let remaining = 0;
    for (let shift = 0; ; shift += 7) {
      if (body >= input.length) return at;
      const byte = input[body++]!;
      remaining |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    const end = body + remaining;
    if (end > input.length) return at;
    answer(input, at, body, answers);
    at = end;
    if (at === input.length) return at;
  }
}

function answer(input: Buffer, at: number, body: number, answers: Answers): void {
  const { bytes } = answers;
  switch (input[at]! >> 4) {
    case 3: {
      publishes++;
      if ((input[at]! & 6) === 0) return;
      const packetId = body + 2 + ((input[body]! << 8) | input[body + 1]!);
      bytes[answers.length++] = 0x40;
      bytes[answers.length++] = 2;
      bytes[answers.length++] = input[packetId]!;
      bytes[answers.length++] = input[packetId + 1]!;
      return;
    }
    case 1:
      answers.length += Buffer.from([0x20, 2, 0, 0]).copy(bytes, answers.length);
      return;
    case 12:
      answers.length += Buffer.from([0xd0, 0]).copy(bytes, answers.length);
      return;
    case 14:
      answers.isOver = true;
      return;
    default:
      throw new Error(`the sink does not know packet type ${input[at]! >> 4}`);
  }
}

server.listen(0, "127.0.0.1", () => {
  process.send!({ port: (server.address() as AddressInfo).port });
});
process.on("message", () => {
  const cpu = process.cpuUsage();
  process.send!({ publishes, bytesIn, cpuMs: (cpu.user + cpu.system) / 1000 });
});
process.on("disconnect", () => process.exit(0));
