// How long it takes to load a client library, with what it takes to connect, in a fresh process.
import { performance } from "node:perf_hooks";

const [, , library] = process.argv;
const startMs = performance.now();
if (library === "thingline") {
  await import("@thingline/device");
  await import("@thingline/transport/node");
} else if (library === "mqtt") await import("mqtt");
else await import("aws-iot-device-sdk-v2");
process.send!({ elapsedMs: performance.now() - startMs });
process.on("disconnect", () => process.exit(0));
