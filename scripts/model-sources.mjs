// Where the operation tables come from: files of botocore, which AWS publishes under Apache-2.0, pinned by commit and digest.
// The files themselves are read from a folder that is given, and never committed.

/** A release of botocore, and the commit whose files were read. */
export const modelSource = {
  repository: "https://github.com/boto/botocore",
  release: "1.43.67",
  commit: "0e6e2404b85dc336dd2889814e089bde7d1a4c55",
  licence: "Apache-2.0",
  notice: "Copyright Amazon.com, Inc. or its affiliates. All Rights Reserved.",
};

/** Under `botocore/data` of the repository, by the name that this project gives the API. */
export const modelFiles = {
  iot: {
    path: "iot/2015-05-28",
    sha256: "d75e5658ccd7255d3d84e22b951b95f295e416b599605dc39d5306ea97cd601e",
  },
  "iot-data": {
    path: "iot-data/2015-05-28",
    sha256: "a1835329aa7d4e61404dc013f6687fddebdc1dfc132a1238d3622f029852cbd2",
  },
  "iot-jobs-data": {
    path: "iot-jobs-data/2017-09-29",
    sha256: "3ffe0814aa74122e9f71526f7a80aa55c755e05d4686662e06855a4f5e034db5",
  },
  iotdeviceadvisor: {
    path: "iotdeviceadvisor/2020-09-18",
    sha256: "214b6bc6e3bb738abd33418c80bdabc12a4f4fbc3ecc2bcd6719937c29f20296",
  },
  iotsecuretunneling: {
    path: "iotsecuretunneling/2018-10-05",
    sha256: "4562679628c2db0dbbf6ea535945490e02f9adf89d7376a5c6d0364fc7faa56e",
  },
};
