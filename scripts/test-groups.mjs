// Which processes a test run starts: unit tests of a package share some, and so do integration tests that start no process of their own; every
// other file has its own. A process a file costs 0.2 to 0.5 s before its first test runs, which is more than most tests take.
import { sep } from "node:path";

/** Files that a process takes; so many that cores have something to share out, and so few that starting them is little of it. */
export const groupFilesMax = 20;

/** Those that take longest come first, so that no core ends the run alone. Names may be out of date: it is an order, no more. */
export const slowFirst = [
  "integration/readme-commands",
  "integration/packed-packages",
  "integration/cli-provision",
  "integration/cli-cloud",
  "integration/provisioning-flow",
  "integration/provisioning-kill",
  "integration/cli-thing",
  "integration/cli-demo",
  "integration/examples",
  "integration/cli-device",
  "store/damage",
  "integration/damaged-data-directories",
  "simulation/update-power-cuts",
  "simulation/broker-cluster",
  "simulation/runner-cluster",
  "simulation/network-faults",
  "simulation/hostile-peers",
  "integration/cloud-crash",
  "node/network-faults",
  "integration/network-faults",
  "integration/cloud-identity",
];

/** Folders whose tests open sockets or files of the machine. */
const ownProcess = ["node", "store"];

/** Beginnings of paths in `tests` of those that share a process: they load the same, and do not change it for those that follow. */
const sharedTests = {
  "integration/aws-sdk-": "aws-sdk",
  "integration/data-plane": "aws-sdk",
  "integration/device-": "device-real",
  "integration/image-": "image",
  "integration/cli-cert": "provisioning-cli",
  "integration/cli-device-rotation": "provisioning-cli",
  "integration/cli-template": "provisioning-cli",
  "integration/rotation": "provisioning-cli",
  "integration/host-tools": "modem-doors",
  "integration/modem-firmware": "modem-doors",
  "integration/modem-pty": "modem-doors",
  "integration/serial-port": "modem-doors",
  "integration/vending.": "provisioning-cli",
  "integration/fleet-provisioning": "provisioning-cloud",
  "integration/hostile-claim": "provisioning-cloud",
  "integration/just-in-time": "provisioning-cloud",
  "integration/vending-": "provisioning-cloud",
  "simulation/main-job-bytes": "provisioning-worlds",
  "simulation/provisioning-": "provisioning-worlds",
  "simulation/rotation-": "provisioning-worlds",
};

/** Files of one package that need no process of their own: they touch neither sockets nor files of the machine. */
function groupOf(path) {
  const [top, name] = path.split(sep);
  if (top === "tests") {
    const inTests = path.split(sep).slice(2).join("/");
    const beginning = Object.keys(sharedTests).find((each) => inTests.startsWith(each));
    return beginning === undefined ? undefined : sharedTests[beginning];
  }
  if (ownProcess.some((folder) => path.includes(`${sep}${folder}${sep}`))) return undefined;
  return top === "scripts" ? "scripts" : name;
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
  const shared = [...groups].flatMap(([name, members]) => split(name, members));
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
