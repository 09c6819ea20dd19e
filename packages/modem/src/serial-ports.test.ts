import assert from "node:assert/strict";
import { mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { listedPortsMax, listSerialPorts } from "./serial-ports.js";

/** A part of sysfs as a Linux with these USB devices has it: a tree of devices, and links from the class to its leaves. */
async function makeSysfs(t: TestContext) {
  const root = await mkdtemp(join(tmpdir(), "thingline-sysfs-"));
  t.after(() => rm(root, { recursive: true, force: true }));
  const places = { sysfs: join(root, "class/tty"), dev: join(root, "dev") };
  await Promise.all([places.sysfs, places.dev].map((folder) => mkdir(folder, { recursive: true })));
  const fill = async (folder: string, texts: Readonly<Record<string, string>>) => {
    await mkdir(join(root, folder), { recursive: true });
    for (const [name, text] of Object.entries(texts)) await writeFile(join(root, folder, name), `${text}\n`);
  };
  const addPort = async (name: string, device: string, texts: Readonly<Record<string, string>> = {}) => {
    await fill(`class/tty/${name}`, texts);
    await symlink(join(root, device), join(places.sysfs, name, "device"));
  };
  return { root, places, fill, addPort };
}

test("ports are listed with vendor, product, serial number and interface, in the order of their numbers", async (t) => {
  const { places, fill, addPort } = await makeSysfs(t);
  await fill("devices/usb1/1-2", {
    idVendor: "1366",
    idProduct: "1055",
    manufacturer: "SEGGER",
    product: "J-Link",
    serial: "000960012345",
  });
  for (const [name, digits] of [
    ["ttyACM10", "04"],
    ["ttyACM2", "00"],
  ] as const) {
    const usbInterface = `devices/usb1/1-2/1-2:1.${Number(digits)}`;
    await fill(usbInterface, { bInterfaceNumber: digits });
    await addPort(name, usbInterface);
  }
  const board = {
    ...{ vendorId: "1366", productId: "1055", manufacturer: "SEGGER", product: "J-Link" },
    serialNumber: "000960012345",
  };
  assert.deepEqual(await listSerialPorts({ places }), [
    { path: join(places.dev, "ttyACM2"), ...board, interfaceNumber: 0 },
    { path: join(places.dev, "ttyACM10"), ...board, interfaceNumber: 4 },
  ]);
});

test("a USB serial adapter has its interface one level up", async (t) => {
  const { places, fill, addPort } = await makeSysfs(t);
  await fill("devices/usb1/1-3", { idVendor: "0403", idProduct: "6001" });
  await fill("devices/usb1/1-3/1-3:1.0", { bInterfaceNumber: "00", interface: "FT232R USB UART" });
  await fill("devices/usb1/1-3/1-3:1.0/ttyUSB0", {});
  await addPort("ttyUSB0", "devices/usb1/1-3/1-3:1.0/ttyUSB0");
  assert.deepEqual(await listSerialPorts({ places }), [
    {
      path: join(places.dev, "ttyUSB0"),
      ...{ vendorId: "0403", productId: "6001", interfaceNumber: 0, interfaceName: "FT232R USB UART" },
    },
  ]);
});

test("virtual consoles and the places of absent UARTs are left out, a UART of the board is not", async (t) => {
  const { places, fill, addPort } = await makeSysfs(t);
  await fill("class/tty/tty1", {});
  await fill("devices/platform/serial8250", {});
  await addPort("ttyS0", "devices/platform/serial8250", { type: "0" });
  await fill("devices/platform/uart", {});
  await addPort("ttyAMA0", "devices/platform/uart", { type: "32" });
  assert.deepEqual(await listSerialPorts({ places }), [{ path: join(places.dev, "ttyAMA0") }]);
});

test("a name of a serial port that leads to a pseudo-terminal is a simulated modem", async (t) => {
  const { places } = await makeSysfs(t);
  await symlink("/dev/pts/7", join(places.dev, "ttyACM90"));
  await symlink("/dev/null", join(places.dev, "ttyACM91"));
  assert.deepEqual(await listSerialPorts({ places }), [{ path: join(places.dev, "ttyACM90"), isPseudoTerminal: true }]);
});

test("a machine without serial ports has an empty list", async () => {
  const places = { sysfs: "/nowhere/class/tty", dev: "/nowhere/dev" };
  assert.deepEqual(await listSerialPorts({ places }), []);
});

test("listedPortsMax ports are listed, and no more", async (t) => {
  const { places } = await makeSysfs(t);
  for (let number = 0; number <= listedPortsMax; number++) {
    await symlink("/dev/pts/7", join(places.dev, `ttyACM${number}`));
  }
  const ports = await listSerialPorts({ places });
  assert.equal(ports.length, listedPortsMax);
  assert.equal(ports.at(-1)?.path, join(places.dev, `ttyACM${listedPortsMax - 1}`));
});
