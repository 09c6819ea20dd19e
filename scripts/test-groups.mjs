// Which processes a test run starts: unit tests of a package share some, and so do integration tests of a kind; every other file has its own.
// A process a file costs 0.2 to 0.5 s before its first test runs, which is more than most tests take.
import { sep } from "node:path";

/** Files that a process takes; so many that cores have something to share out, and so few that starting them is little of it. */
export const groupFilesMax = 40;

/** Those that take longest come first, so that no core ends the run alone. Names may be out of date: it is an order, no more. */
export const slowFirst = [
  "integration/readme-commands",
  "integration/packed-packages",
  "integration/cli-provision",
  "integration/cli-cloud",
  "integration/provisioning-flow",
  "integration/provisioning-kill",
  "integration/cli-demo",
  "integration/examples",
  "integration/cli-device",
  "store/damage",
  "integration/damaged-data-directories",
  "simulation/network-faults",
  "simulation/hostile-peers",
  "integration/cloud-crash",
  "node/network-faults",
  "integration/network-faults",
];

/** Folders whose tests open sockets or files of the machine: they share processes with their like. */
const machineFolders = ["node", "store"];

/** Of those, what waits so long for the machine that others should not wait for it. */
const longWaits = ["node/contracts", "node/network-faults", "store/damage"];

/** Beginnings of paths in `tests` of those that share a process: they load the same, and do not change it for those that follow. */
const sharedTests = {
  "integration/aws-sdk-": "aws-sdk",
  "integration/cli-access-keys": "cli",
  "integration/cli-connection": "cli",
  "integration/cli-files": "cli",
  "integration/cli-firmware": "cli",
  "integration/cli-fota": "cli",
  "integration/cli-group": "cli",
  "integration/cli-thing": "cli",
  "integration/cloud-gateway": "cloud-doors",
  "integration/cloud-identity": "cloud-doors",
  "integration/create-thing": "cloud-doors",
  "integration/custom-authorizers": "cloud-doors",
  "integration/fota.": "cloud-doors",
  "integration/objects.": "cloud-doors",
  "integration/presigned": "cloud-doors",
  "integration/role-credentials": "cloud-doors",
  "integration/data-plane": "aws-sdk",
  "integration/device-": "device-real",
  "integration/image-": "image",
  "integration/cli-cert": "provisioning-cli",
  "integration/cli-device-rotation": "provisioning-cli",
  "integration/cli-template": "provisioning-cli",
  "integration/rotation": "provisioning-cli",
  "integration/docs.": "documents",
  "integration/limits-docs": "documents",
  "integration/host-tools": "modem-doors",
  "integration/modem-browser": "modem-real",
  "integration/modem-download": "modem-real",
  "integration/modem-fidelity": "modem-real",
  "integration/modem-root-ca": "modem-real",
  "integration/modem-tls": "modem-real",
  "integration/serial-modem-": "modem-real",
  "integration/objects-crash": "crashes",
  "integration/offline-queue-kill": "crashes",
  "integration/shared-group-restart": "crashes",
  "integration/store-kill": "crashes",
  "integration/modem-firmware": "modem-doors",
  "integration/modem-pty": "modem-doors",
  "integration/serial-port": "modem-doors",
  "integration/vending.": "provisioning-cli",
  "integration/fleet-provisioning": "provisioning-cloud",
  "integration/hostile-claim": "provisioning-cloud",
  "integration/just-in-time": "provisioning-cloud",
  "integration/vending-": "provisioning-cloud",
  "simulation/broker-cluster": "broker-worlds",
  "simulation/denied-publish": "broker-worlds",
  "simulation/oversize-records": "broker-worlds",
  "simulation/random-worlds": "broker-worlds",
  "simulation/runner-cluster": "broker-worlds",
  "simulation/main-job-bytes": "provisioning-worlds",
  "simulation/modem-update": "update-worlds",
  "simulation/update-": "update-worlds",
  "simulation/provisioning-": "provisioning-worlds",
  "simulation/rotation-": "provisioning-worlds",
};

/** What shares a process with others. */
function groupOf(path) {
  const [top, name] = path.split(sep);
  if (top === "tests") {
    const inTests = path.split(sep).slice(2).join("/");
    const beginning = Object.keys(sharedTests).find((each) => inTests.startsWith(each));
    return beginning === undefined ? undefined : sharedTests[beginning];
  }
  const posix = path.split(sep).join("/");
  if (longWaits.some((part) => posix.includes(part))) return undefined;
  const isOfMachine = machineFolders.some((folder) => posix.includes(`/${folder}/`));
  return top === "scripts" ? "scripts" : isOfMachine ? `${name}-machine` : name;
}

function rank(path) {
  const posix = path.split(sep).join("/");
  const place = slowFirst.findIndex((part) => posix.includes(part));
  return place === -1 ? slowFirst.length : place;
}

/**
 * @param files paths of test files from the root
 * @param isLong whether a file takes so long that others should not wait for it in a process: it has its own, which starts first
 * @returns processes in the order of their start, each a name and its files
 */
export function planProcesses(files, { isIsolated = false, isLong = () => false } = {}) {
  const groups = new Map();
  const alone = [];
  for (const file of [...files].sort()) {
    const group = isIsolated || isLong(file) ? undefined : groupOf(file);
    if (group === undefined) alone.push({ name: file, files: [file] });
    else groups.set(group, [...(groups.get(group) ?? []), file]);
  }
  const place = ({ name }) => (isLong(name) ? rank(name) - 2 * slowFirst.length : rank(name));
  alone.sort((one, other) => place(one) - place(other));
  // Integration tests wait for each other and for the machine, so they begin before what only calculates.
  const isReal = ([, [file]]) => file.startsWith(`tests${sep}`);
  const ordered = [...groups].sort((one, other) => isReal(other) - isReal(one));
  const shared = ordered.flatMap(([name, members]) => split(name, members));
  const slow = alone.filter((one) => place(one) < slowFirst.length);
  return [...slow, ...shared, ...alone.slice(slow.length)];
}

function split(name, members) {
  const count = Math.ceil(members.length / groupFilesMax);
  const size = Math.ceil(members.length / count);
  return Array.from({ length: count }, (_none, at) => {
    const files = members.slice(at * size, (at + 1) * size);
    return { name: files.length === 1 ? files[0] : `${name}-${at + 1}`, files };
  });
}

/** The module that a shared process runs. A file that cannot be loaded is a failed test of that name, and the others go on. */
export function groupModule(addresses) {
  return `import { test } from "node:test";
for (const address of ${JSON.stringify(addresses, undefined, 2)}) {
  try {
    await import(address);
  } catch (error) {
    test(\`\${address} is loaded\`, () => {
      throw error;
    });
  }
}
`;
}
