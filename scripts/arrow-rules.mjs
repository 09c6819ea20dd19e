// What may import what. scripts/check-arrows.mjs holds every import against it; docs/architecture.md draws it.

export const arrowRules = {
  /** Which packages a package may import. */
  packages: {
    protocol: [],
    transport: ["protocol"],
    device: ["protocol", "transport"],
    modem: ["protocol", "transport"],
    cloud: ["protocol", "transport"],
    sim: ["protocol", "transport", "device", "modem", "cloud"],
    console: ["protocol", "transport", "device"],
    "certificate-vending": ["protocol"],
    cli: ["protocol", "transport", "device", "modem", "cloud", "sim", "certificate-vending"],
  },

  /**
   * Which folders, and which files at the top of `src`, a folder may import. `services/*` is a row for each folder of `services`, none of
   * which may import another but by its face; a file that has a row of its own is no part of its folder. `*.ts` means every file at the top.
   */
  rooms: {
    "packages/protocol": {
      at: ["errors.ts"],
      cbor: [],
      commands: ["cbor", "base64.ts"],
      "fleet-provisioning": ["cbor", "provisioning", "errors.ts", "json.ts"],
      image: ["x509", "bytes.ts", "errors.ts", "options.ts"],
      jobs: ["errors.ts", "json.ts"],
      kconfig: ["errors.ts"],
      mqtt: ["errors.ts", "bounded-map.ts", "bytes.ts"],
      provisioning: ["errors.ts"],
      restjson: ["errors.ts"],
      shadow: ["errors.ts", "options.ts", "json.ts"],
      streams: ["cbor", "base64.ts", "bytes.ts", "errors.ts"],
      x509: ["base64.ts", "bytes.ts", "errors.ts", "options.ts"],
    },
    "packages/transport": {
      contract: ["*.ts"],
      node: ["*.ts"],
      virtual: ["*.ts"],
    },
    "packages/device": {
      topics: ["errors.ts"],
      connection: ["errors.ts"],
      credentials: ["errors.ts"],
      "offline-queue": ["errors.ts"],
      shadow: ["topics", "errors.ts"],
      client: ["connection", "topics", "offline-queue", "shadow", "device.ts", "errors.ts"],
      "aws-iot": ["client", "connection", "topics", "fota", "device.ts"],
      backends: ["client", "connection", "topics", "device.ts"],
      provisioning: ["client", "connection", "topics", "device.ts"],
      jobs: ["topics", "device.ts", "errors.ts", "retry.ts"],
      commands: ["topics", "device.ts", "errors.ts", "retry.ts"],
      rotation: ["provisioning", "jobs", "topics", "device.ts", "errors.ts"],
      fota: ["connection", "jobs", "topics", "device.ts", "errors.ts"],
      "native-tls": ["connection"],
    },
    "packages/modem": {
      at: [],
      commands: ["at", "session.ts", "link-state.ts", "credential-refusal.ts", "failures.ts"],
      "credential-writing": ["commands", "session.ts", "credential-refusal.ts", "failures.ts"],
      "firmware-upload": ["session.ts", "board-start.ts", "failures.ts"],
      "serial-modem-host": ["commands", "probe.ts", "session.ts", "board-start.ts", "failures.ts"],
      simulator: ["simulator/behaviour", "simulator/commands", "at", "serial-modem", "credential-refusal.ts"],
      "simulator/behaviour": ["simulator"],
      "simulator/commands": ["simulator", "at"],
      "serial-modem": ["simulator", "simulator/commands"],
    },
    "packages/cloud": {
      policy: [],
      "provisioning-template": ["policy"],
      "rules-sql": ["rules-sql/functions"],
      "rules-sql/functions": ["rules-sql"],
      "fleet-query": [],
      bus: [],
      store: [],
      functions: ["log.ts"],
      model: [],
      nodes: ["store", "log.ts"],
      services: ["nodes", "store", "model", "log.ts"],
      "services/all.ts": ["services", "services/*", "functions", "hashes.ts", "log.ts", "statement-guard.ts"],
      "services/*": [
        "services",
        "store",
        "policy",
        "provisioning-template",
        "rules-sql",
        "fleet-query",
        "functions",
        "hashes.ts",
        "statement-guard.ts",
        "model",
        "log.ts",
        "signature.ts",
      ],
      broker: ["bus", "services", "nodes", "store", "policy", "log.ts"],
      gateway: [
        "services",
        "services/registry",
        "services/authorizers",
        "services/domain-configurations",
        "functions",
        "store",
        "policy",
        "log.ts",
      ],
      rest: ["services", "services/objects", "model", "log.ts", "signature.ts"],
      contract: ["store", "bus"],
    },
    "packages/sim": {
      mcuboot: [],
    },
    "apps/cli": {
      commands: ["batch", "boards", "cert", "fota", "modem-firmware", "simulate", "templates", "*.ts"],
      batch: ["*.ts"],
      boards: ["batch", "*.ts"],
      cert: ["fota", "*.ts"],
      fota: ["*.ts"],
      "modem-firmware": ["*.ts"],
      simulate: ["*.ts"],
      templates: ["*.ts"],
    },
  },

  /** By which file the folders of a row may import each other: what one shows of itself. */
  faces: { "packages/cloud": { "services/*": "index.ts" } },

  /** Files that may import `node:*`. */
  nodeFiles: [
    /^packages\/transport\/src\/node\//,
    /^packages\/modem\/src\/(file-head|serial(-line|-ports)?)\.ts$/,
    /^packages\/cloud\/src\/store\/(lmdb|blob-files)\.ts$/,
    /^packages\/cloud\/src\/rest\/(server|uploads)\.ts$/,
    /^packages\/cloud\/src\/node\.ts$/,
    /^apps\//,
    /\.test(\.support)?\.ts$/,
    /^bench\//,
    /^examples\//,
  ],

  /** Files of packages that may import Node's adapters, and so bring `node:*` with them. */
  adapterFiles: [/^packages\/(?:device|cloud)\/src\/node\.ts$/],

  /**
   * What is still to be mended. An arrow is written `cloud/broker → cloud/services/messages`; a circle is the folder that it lies within.
   * One that is gone is taken out.
   */
  tolerated: {
    arrows: [],
    circles: [],
  },
};
