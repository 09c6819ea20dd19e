// The fidelity records of AWS's operations: one for each, in an area for each API. Behaviour of a record is the operation's name.

const titles = {
  iot: "Operations of the control plane",
  "iot-data": "Operations of the data plane",
  "iot-jobs-data": "Operations of the jobs data plane",
  iotdeviceadvisor: "Operations of Device Advisor",
  iotsecuretunneling: "Operations of Secure Tunneling",
};

const text =
  "Every operation of this API in AWS's published model. Built ones are faithful, or simplified: the remark names the members that are " +
  "refused by name. An absent one is answered with 501 and its name.";

export const areaOf = (api) => `operations-${api}`;

/** `DescribeCACertificate` is `describe-ca-certificate`. */
export function idOf(api, operation) {
  const words = operation.replace(/([a-z\d])([A-Z])/g, "$1-$2").replace(/([A-Z])([A-Z][a-z])/g, "$1-$2");
  return `${areaOf(api)}.${words.toLowerCase()}`;
}

/**
 * The area of an API with a record for each operation of its table: new ones are absent.
 *
 * @throws {Error} for a record of an operation that AWS does not have any more, if it says that it is built
 */
export function areaWithRecords(area, table) {
  const known = area?.records ?? [];
  const gone = known.filter(({ behaviour, state }) => !(behaviour in table.operations) && state !== "absent");
  if (gone.length > 0) throw new Error(`AWS has no ${gone.map(({ behaviour }) => behaviour).join(", ")} any more`);
  const records = Object.keys(table.operations).map((name) => {
    const absent = {
      id: idOf(table.api, name),
      behaviour: name,
      state: "absent",
      source: `AWS's model of ${table.api}, ${table.version}`,
      tests: [],
    };
    return known.find(({ behaviour }) => behaviour === name) ?? absent;
  });
  return { area: areaOf(table.api), title: titles[table.api], text, layout: "list", records };
}
