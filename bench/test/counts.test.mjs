// Guards against slower code without a clock: how many kernels a workload is, and how many instructions its heaviest
// inner loop runs for each vector that it stores (or loads, where it stores none). Both follow from the workload alone.
import { readFileSync, writeFileSync } from 'node:fs';
import { cpu } from '@dl/backend-cpu';
import { setBackend } from '@dl/tensor';
import { afterAll, describe, expect, it } from 'vitest';
import { innermostLoops } from '../loops.mjs';
import { workloads } from '../workloads.mjs';

const file = new URL('./counts.json', import.meta.url);
/** What was reached before. */
const expected = JSON.parse(readFileSync(file, 'utf8'));
const update = process.env.UPDATE_COUNTS === '1';
const found = {};

/** Loops of matrix products depend on the micro-kernel that the machine does best with, so only their kernels count. */
const products = new Set(['gemm_128', 'mlp_train', 'lenet_train', 'lstm_train', 'gpt_train', 'conv2d', 'resnet18']);
const loops = [
  'tanh_fma',
  'relu_add',
  'sum_16m',
  'softmax',
  'layer_norm',
  'max_pool',
  'max_pool_3s2',
  'max_pool_grad',
  'batch_norm',
  'batch_norm_grad',
  'cross_entropy',
  'transpose',
  'nchw_to_nhwc',
];

/** The heaviest of loops, by instructions for each vector; moves between locals are not instructions of the processor. */
function heaviest(all) {
  const weights = all
    .filter(({ vector, load, store }) => vector + load + store > 0)
    .map(({ vector, load, store, other }) => (vector + load + store + other) / (store || load || 1));
  return Math.max(0, ...weights);
}

/** Kernels of a workload, and what its heaviest loop runs. */
async function countsOf(name) {
  const backend = await cpu({ threads: 1 });
  const prepare = backend.prepare.bind(backend);
  const modules = [];
  let kernels = 0;
  backend.prepare = (schedule) => {
    kernels = schedule.steps.length; // the last one: those before set up the inputs
    return prepare(schedule);
  };
  const { Module } = WebAssembly;
  WebAssembly.Module = class extends Module {
    constructor(bytes) {
      super(bytes);
      modules.push(new Uint8Array(bytes));
    }
  };
  setBackend(backend);
  try {
    await workloads[name]();
  } finally {
    WebAssembly.Module = Module;
    await backend.dispose();
  }
  const instructions = heaviest(modules.flatMap(innermostLoops));
  return products.has(name) ? { kernels } : { kernels, instructions: Number(instructions.toFixed(2)) };
}

const hint = 'If it is meant, and faster, note it down: UPDATE_COUNTS=1 npx vitest run --project @dl/bench';

describe('kernels and instructions', () => {
  it.each([...products, ...loops])('%s', { timeout: 120_000 }, async (name) => {
    const counts = await countsOf(name);
    found[name] = counts;
    if (update) return;
    const before = expected[name];
    expect(before, `${name} has no counts yet. ${hint}`).toBeDefined();
    expect(
      counts.kernels,
      `${name}: ${counts.kernels} kernels; there were ${before.kernels}. ${hint}`,
    ).toBeLessThanOrEqual(before.kernels);
    if (products.has(name)) return;
    const message = `${name}: ${counts.instructions} instructions a vector; there were ${before.instructions}. ${hint}`;
    expect(counts.instructions, message).toBeGreaterThan(0);
    expect(counts.instructions, message).toBeLessThanOrEqual(before.instructions * 1.05);
  });
});

afterAll(() => {
  if (update) writeFileSync(file, `${JSON.stringify(found, null, 2)}\n`);
});
