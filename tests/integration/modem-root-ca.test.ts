// The digest that a board shows of Amazon Root CA 1, by the line ends that a host tool wrote it with.
import assert from "node:assert/strict";
import { test } from "node:test";
import { amazonRootCa1 } from "@thingline/device";
import { createModemCredentialStore, openModemSession } from "@thingline/modem";
import { createSimulatedModem } from "@thingline/modem/simulator";
import { createVirtualClock, createVirtualKeys, createVirtualRandom } from "@thingline/transport/virtual";

/** Of the PEM as it is known from boards. */
const forms: [name: string, text: string, bytes: number, sha256: string][] = [
  ["LF", amazonRootCa1, 1188, "2C43952EE9E000FF2ACC4E2ED0897C0A72AD5FA72C3D934E81741CBD54F05BD1"],
  [
    "CRLF",
    amazonRootCa1.replaceAll("\n", "\r\n"),
    1208,
    "56AE01E6773BDAEC4BFB216D4005ADB06E4F680BD8BFB8BE4C683CE921681897",
  ],
  [
    "LF, none at the end",
    amazonRootCa1.trimEnd(),
    1187,
    "AD6FB002E6B34C0559FA8F93A3794FF12C4E3F119BD77290C52525123FB9EA74",
  ],
];

for (const firmware of ["mfw_nrf9160_1.3.2", "mfw_nrf91x1_2.0.2"] as const) {
  for (const [name, text, bytes, sha256] of forms) {
    test(`Amazon Root CA 1 with ${name} has its digest, by command and through the session (${firmware})`, async () => {
      const clock = createVirtualClock();
      const random = createVirtualRandom(1);
      const keys = createVirtualKeys({ random });
      const network = { dial: () => Promise.reject(new Error("nobody dials")) };
      const modem = await createSimulatedModem({ network, clock, random, keys, firmware });
      assert.equal(new TextEncoder().encode(text).length, bytes);

      assert.equal(await clock.until(modem.at(`AT%CMNG=0,42,0,"${text}"`)), "OK\r\n");
      assert.equal(await clock.until(modem.at("AT%CMNG=1,42")), `%CMNG: 42,0,"${sha256}"\r\nOK\r\n`);
      assert.equal(await clock.until(modem.at("AT%CMNG=2,42,0")), `%CMNG: 42,0,"${sha256}","${text}"\r\nOK\r\n`);

      const session = openModemSession(modem.openPort(), { clock });
      const store = createModemCredentialStore(session, { keys });
      await clock.until(store.write(43, "ca", text));
      assert.equal((await clock.until(store.digest(43, "ca")))?.toUpperCase(), sha256);
      assert.equal(await clock.until(store.read(43, "ca")), text);
      assert.equal(await clock.until(store.compare(43, "ca", text)), true);
      await clock.until(session.close());
      await modem.close();
    });
  }
}
