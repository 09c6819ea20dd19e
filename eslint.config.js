import js from "@eslint/js";
import tseslint from "typescript-eslint";

const ambient = [
  { name: "Buffer", message: "Uint8Array in every type; Buffer only in transport/src/node and apps." },
  { name: "process", message: "The process belongs to apps and transport/src/node." },
  { name: "setTimeout", message: "Use Clock.setTimer." },
  { name: "setInterval", message: "Use Clock.setTimer." },
  { name: "setImmediate", message: "Use Clock.afterTurn." },
  { name: "queueMicrotask", message: "Use Clock.afterTurn, or await." },
  { name: "fetch", message: "Use Http." },
  { name: "WebSocket", message: "Node 20 has none; use Network." },
];
/** A file may be a device, or as large as the disk. */
const unboundedReads = {
  importNames: ["readFile", "readFileSync", "createReadStream"],
  message: "Files.read or readBounded: every read of a file has a limit.",
};
const ambientMembers = [
  { object: "Date", property: "now", message: "Use Clock.unixMs." },
  { object: "Math", property: "random", message: "Use Random." },
  { object: "performance", property: "now", message: "Use Clock.monotonicMs." },
];

export default tseslint.config(
  { ignores: ["**/dist/**", "**/node_modules/**", ".cache/**", "docs/api/**", "coverage/**", "tests/fixtures/**"] },
  js.configs.recommended,
  {
    files: ["**/*.ts"],
    extends: [tseslint.configs.recommendedTypeChecked],
    // One program for all: a project each would look at the packages below it again. It takes them as they are built.
    languageOptions: { parserOptions: { project: "tsconfig.lint.json", tsconfigRootDir: import.meta.dirname } },
    rules: {
      "@typescript-eslint/no-floating-promises": "error",
      "@typescript-eslint/switch-exhaustiveness-check": ["error", { considerDefaultExhaustiveForUnions: true }],
      "@typescript-eslint/consistent-type-imports": "error",
      "@typescript-eslint/no-unused-vars": ["error", { argsIgnorePattern: "^_", varsIgnorePattern: "^_" }],
      "@typescript-eslint/require-await": "off",
      "@typescript-eslint/only-throw-error": "error",
      "no-restricted-syntax": [
        "error",
        { selector: "ExportAllDeclaration", message: "Name what is public." },
        { selector: "ExportDefaultDeclaration", message: "Named exports only." },
        {
          selector: "TSClassImplements[expression.name=/^(Connection|Clock)$/]",
          message:
            "One that no contract holds may do what no other does: StreamConnection over a Channel, a virtual clock.",
        },
      ],
      eqeqeq: "error",
      "no-console": "error",
    },
  },
  {
    files: ["packages/*/src/**/*.ts"],
    ignores: [
      "**/*.test.ts",
      "packages/transport/src/node/**",
      "packages/transport/src/web/**",
      "packages/modem/src/serial.ts",
      "packages/cloud/src/store/lmdb.ts",
      "packages/cloud/src/rest/server.ts",
      "packages/cloud/src/node.ts",
    ],
    rules: { "no-restricted-globals": ["error", ...ambient], "no-restricted-properties": ["error", ...ambientMembers] },
  },
  {
    files: ["packages/*/src/**/*.ts", "apps/*/src/**/*.ts"],
    // The store reads synchronously, and looks at sizes by itself.
    ignores: ["**/*.test.ts", "**/*.test.support.ts", "packages/cloud/src/store/lmdb.ts"],
    rules: {
      "no-restricted-imports": [
        "error",
        {
          paths: ["node:fs", "node:fs/promises", "fs", "fs/promises"].map((name) => ({ name, ...unboundedReads })),
        },
      ],
    },
  },
  {
    files: ["**/*.test.ts", "tests/**/*.ts", "examples/**/*.ts"],
    // node:test's test() and describe() return promises that the runner itself waits for.
    rules: {
      "@typescript-eslint/no-floating-promises": [
        "error",
        {
          allowForKnownSafeCalls: [
            { from: "package", package: "node:test", name: ["test", "it", "describe", "suite"] },
          ],
        },
      ],
    },
  },
  {
    files: ["**/*.js", "**/*.mjs"],
    languageOptions: {
      globals: {
        process: "readonly",
        console: "readonly",
        Buffer: "readonly",
        URL: "readonly",
        setTimeout: "readonly",
        clearTimeout: "readonly",
        setInterval: "readonly",
        clearInterval: "readonly",
        performance: "readonly",
      },
    },
  },
);
