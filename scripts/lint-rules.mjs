// Lint rules that no ready one has; .oxlintrc.json switches them on. Written as rules of ESLint are.

/** What a module shows has names, and is listed: nothing comes along by itself. */
const namedExports = {
  create: (context) => ({
    ExportAllDeclaration: (node) => context.report({ node, message: "Name what is public." }),
    ExportDefaultDeclaration: (node) => context.report({ node, message: "Named exports only." }),
  }),
};

/** A connection or clock that no contract holds may do what no other does. */
const heldContracts = {
  create: (context) => ({
    TSClassImplements(node) {
      if (!/^(Connection|Clock)$/.test(node.expression.name ?? "")) return;
      context.report({
        node,
        message: "No contract holds this one: StreamConnection over a Channel, a virtual clock.",
      });
    },
  }),
};

export default {
  meta: { name: "thingline" },
  rules: { "named-exports": namedExports, "held-contracts": heldContracts },
};
