/** The page `docs/operations.md`: what is there, in which dtypes, on which backends, with which gradients, and what proves it. */
import { exportTables } from './exports';
import { conformanceTable, primitivesTable } from './primitives';
import { vectorTables } from './vectors';

const introduction = `# Operations

<!-- Written by \`pnpm docs:operations\` from the tables of the tests; \`.ci/run\` checks that it is up to date. -->

What there is, in which dtypes, on which backends, with which gradients, and what proves it. An empty cell says why it is empty.
Everything but the primitives is a composition of them, so it runs wherever they do.

- **Primitives** are checked row by row by the conformance suite: on the reference backend in
  \`packages/testing/src/conformance/reference.test.ts\`, on the CPU backend in \`packages/backend-cpu/test/conformance.test.ts\`; each
  dtype eager and compiled, with the memory plan and without, a compiled function replayed three times on other data. The cells name
  the rows that reach a primitive. Gradients and second gradients are compared with finite differences in f64 in
  \`packages/autograd/src/rules.test.ts\`, under the primitive's name.
- **Reference vectors** were made with PyTorch, in f64. Each case runs eager and compiled, values and gradients; its name is the name
  of the case in \`packages/testing/golden\`. Where no vector shows the second order, it follows from that of the primitives named.
- **The public API** lists every name with the test files that use it.
`;

/** The whole page. */
export function operationsPage(): string {
  return `${[
    introduction.trimEnd(),
    '## Primitives',
    primitivesTable(),
    '## Rows of the conformance suite',
    conformanceTable(),
    '## Reference vectors',
    vectorTables(),
    '## Public API',
    exportTables(),
  ].join('\n\n')}\n`;
}
