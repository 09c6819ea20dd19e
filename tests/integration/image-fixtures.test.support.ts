import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { ImageKeyType } from "@thingline/protocol/image";

const folder = new URL("../../fixtures/mcuboot/", import.meta.url);

/** An image that MCUboot's tool made, by the name of its case. */
export async function fixtureImage(name: string): Promise<Uint8Array> {
  return new Uint8Array(await readFile(fileURLToPath(new URL(`${name}.bin`, folder))));
}

/** A private key that MCUboot's tool made. */
export async function fixtureKey(type: ImageKeyType): Promise<string> {
  return readFile(fileURLToPath(new URL(`${type}.pem`, folder)), "utf8");
}
