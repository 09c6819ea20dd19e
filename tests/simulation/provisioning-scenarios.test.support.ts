// By which ways devices are provisioned in the worlds of power cuts, and the clouds of those worlds.
import assert from "node:assert/strict";
import type { ProvisioningMethod } from "@thingline/device/provisioning";
import {
  type CutPoint,
  openProvisioningHouse,
  type ProvisioningHouse,
  type ProvisioningRun,
  type ProvisioningScenario,
  runProvisioning,
  templateName,
} from "./provisioning-world.test.support.js";

/** Worlds with one cloud: what one of them has left behind costs those that follow. */
const runsOfHouse = 40;

/** While the ownership token holds, and when it holds no more. */
export const pausesMs: readonly number[] = [1_000, 3_600_000];

const fleet = (keys: "cloud" | "csr" | "modem", format: "json" | "cbor"): ProvisioningMethod => {
  return { kind: "fleet", template: templateName, keys, format };
};

export const scenarios: readonly ProvisioningScenario[] = [
  { name: "split messages, modem TLS", method: { kind: "split" }, tls: "modem" },
  { name: "split messages, native TLS", method: { kind: "split" }, tls: "native" },
  { name: "split messages with a key of the device, modem TLS", method: { kind: "split", keys: "csr" }, tls: "modem" },
  { name: "split messages with a key of the modem", method: { kind: "split", keys: "modem" }, tls: "modem" },
  { name: "fleet, keys of the cloud in JSON, native TLS", method: fleet("cloud", "json"), tls: "native" },
  { name: "fleet, keys of the cloud in CBOR, native TLS", method: fleet("cloud", "cbor"), tls: "native" },
  { name: "fleet, a key of the device, native TLS", method: fleet("csr", "json"), tls: "native" },
  { name: "fleet, a key of the device, modem TLS", method: fleet("csr", "cbor"), tls: "modem" },
  { name: "fleet, a key of the modem", method: fleet("modem", "cbor"), tls: "modem" },
  { name: "fleet by a trusted user, modem TLS", method: fleet("csr", "cbor"), tls: "modem", isByTrustedUser: true },
  { name: "a certificate of a CA of one's own, native TLS", method: { kind: "ownCertificate" }, tls: "native" },
  { name: "a certificate of a CA of one's own, modem TLS", method: { kind: "ownCertificate" }, tls: "modem" },
];

/** Runs worlds, one cloud for some of them. */
export class ProvisioningWorlds {
  #house: ProvisioningHouse | undefined;
  #runs = 0;
  /** Power cuts so far. */
  cutCount = 0;

  /** A run without a power cut, and all points at which power could go in it. */
  async points(scenario: ProvisioningScenario): Promise<CutPoint[]> {
    const { certificates, counts } = await this.holds(scenario, []);
    assert.equal(certificates, 1, scenario.name);
    return (["files", "packets"] as const).flatMap((of) =>
      Array.from({ length: counts[of] }, (_, at): CutPoint => ({ of, index: at + 1 })),
    );
  }

  async holds(scenario: ProvisioningScenario, cuts: readonly CutPoint[]): Promise<ProvisioningRun> {
    if (this.#house === undefined || this.#runs++ % runsOfHouse === 0) {
      await this.close();
      this.#house = await openProvisioningHouse();
    }
    const result = await runProvisioning(this.#house, scenario, cuts);
    const told = cuts.map(({ of, index, offMs }) => `${of} ${index} off ${offMs}`).join(", ");
    assert.deepEqual(result.violations, [], `${scenario.name}: ${told}\n${result.trace.join("\n")}`);
    this.cutCount += result.cutCount;
    return result;
  }

  async close(): Promise<void> {
    await this.#house?.close();
    this.#house = undefined;
  }
}
