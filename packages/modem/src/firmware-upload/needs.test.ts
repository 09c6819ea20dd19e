import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { firmwareNeeds, judgeFirmware } from "./needs.js";
import { compareFirmwareVersions, parseFirmwareRevision } from "./revision.js";

const met = (revision: string): string[] =>
  (judgeFirmware(revision)?.needs ?? []).filter(({ isMet }) => isMet).map(({ name }) => name);

describe("what a modem firmware is good for", () => {
  for (const [revision, verdict, has, lacks] of [
    ["mfw_nrf9160_1.0.1", "old", [], ["credentialDigests", "serverName"]],
    ["mfw_nrf9160_1.2.0", "old", ["credentialDigests"], ["serverName"]],
    ["mfw_nrf9160_1.2.1", "fine", ["serverName"], ["keyGeneration", "gcmCipherSuites"]],
    ["mfw_nrf9160_1.2.7", "fine", ["gcmCipherSuites"], ["keyGeneration"]],
    ["mfw_nrf9160_1.3.0", "fine", ["keyGeneration"], ["gcmCipherSuites", "claimToken"]],
    ["mfw_nrf9160_1.3.1", "fine", ["gcmCipherSuites"], ["claimToken"]],
    ["mfw_nrf9160_1.3.4", "fine", ["claimToken"], ["attestationToken", "certificateCheck"]],
    ["mfw_nrf91x1_2.0.0", "fine", ["attestationToken", "keyGeneration"], ["certificateCheck", "claimToken"]],
    ["mfw_nrf91x1_2.0.2", "fine", ["certificateCheck"], ["serialModem"]],
    ["mfw_nrf91x1_2.0.4", "fine", ["serialModem"], ["claimToken"]],
  ] as const) {
    test(`${revision} is ${verdict}`, () => {
      assert.equal(judgeFirmware(revision)?.verdict, verdict);
      const names: readonly string[] = met(revision);
      assert.deepEqual(
        [has.filter((name) => !names.includes(name)), lacks.filter((name) => names.includes(name))],
        [[], []],
      );
    });
  }

  test("a family that is not in the table is not judged, and what is no revision is none", () => {
    assert.deepEqual(judgeFirmware("mfw_nrf9151-ntn_1.0.0")?.verdict, "unknown");
    assert.equal(judgeFirmware("ERROR"), undefined);
    assert.equal(parseFirmwareRevision("mfw_nrf9160_1.3"), undefined);
  });

  test("every need says from when on it is met, in order", () => {
    for (const { since, name } of firmwareNeeds) {
      assert.notDeepEqual(Object.keys(since), [], name);
      for (const versions of Object.values(since)) {
        const sorted = [...versions].sort(compareFirmwareVersions);
        assert.deepEqual(versions, sorted, name);
      }
    }
  });

  test("a build for trying an update keeps its suffix", () => {
    assert.deepEqual(parseFirmwareRevision("mfw_nrf9160_1.3.2-FOTA-TEST"), {
      ...{ family: "nrf9160", version: [1, 3, 2], suffix: "-FOTA-TEST" },
    });
  });
});
