// A local cloud in a process of its own, to be killed: cloud-child.test.support.js DATA_DIR. Prints one line of JSON when it is ready.
import { startCloud } from "@thingline/cloud/node";

const dataDir = process.argv[2] ?? "";
const ports = { mqttsPort: 0, httpsPort: 0, apiPort: 0, mqttPort: 0 };
const started = await startCloud({ dataDir, ...ports, limits: "none", keyPoolSize: 0, vending: "builtin" });
process.stdout.write(`${JSON.stringify({ ...started.addresses, caPem: started.caPem })}\n`);
