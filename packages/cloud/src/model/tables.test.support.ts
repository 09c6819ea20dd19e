// The tables as they are published, for tests that look at all of them.
import { withDeviations } from "./deviations.js";
import type { ServiceTable } from "./table.js";

export async function readTables(): Promise<ServiceTable[]> {
  const modules = [
    await import("./tables/iot.js"),
    await import("./tables/iot-data.js"),
    await import("./tables/iot-jobs-data.js"),
    await import("./tables/iotdeviceadvisor.js"),
    await import("./tables/iotsecuretunneling.js"),
  ];
  return modules.map(({ text }) => JSON.parse(text) as ServiceTable);
}

/** What the interpreter works with. */
export async function readSpokenTables(): Promise<ServiceTable[]> {
  return (await readTables()).map(withDeviations);
}
