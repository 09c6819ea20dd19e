// Reads standard input: every line must be one JSON object with an "event". Fails on anything else, or on nothing.
import { createInterface } from "node:readline";

let count = 0;
for await (const line of createInterface({ input: process.stdin })) {
  let value;
  try {
    value = JSON.parse(line);
  } catch {
    value = undefined;
  }
  if (typeof value !== "object" || value === null || Array.isArray(value) || typeof value.event !== "string") {
    console.error(`not a JSON object with an "event": ${line}`);
    process.exit(1);
  }
  count += 1;
}
console.log(`${count} JSON lines`);
process.exit(count > 0 ? 0 : 1);
