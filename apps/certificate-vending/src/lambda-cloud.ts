// What both functions are given by Lambda. A client is made once an instance, with the region and the credentials of its environment.
import { IoTClient } from "@aws-sdk/client-iot";
import { IoTDataPlaneClient } from "@aws-sdk/client-iot-data-plane";
import { createAwsVendingCloud } from "./aws-cloud.js";
import { createLineLog } from "./line-log.js";
import type { VendingCloud } from "./types.js";

export function createLambdaCloud(): VendingCloud {
  return createAwsVendingCloud({
    iot: new IoTClient({ maxAttempts: 1 }),
    iotData: new IoTDataPlaneClient({ maxAttempts: 1 }),
    wait: (delayMs) => new Promise((resolve) => setTimeout(resolve, delayMs)),
    random: Math.random,
  });
}

export const lambdaLog = createLineLog((line) => void process.stdout.write(line));
