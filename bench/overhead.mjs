// What eager steps cost beside their kernels.
import { profile, tensor } from '@dl/tensor';
import { budgetMs, median } from './timing.mjs';

/** How many nodes were recorded so far. */
const recorded = () => tensor([0]).node.id;

/**
 * What a step costs beside its kernels: recording, keying and dispatch, in microseconds an operation. An operation is a
 * recorded node of the forward pass, the gradients or the update. `step` resolves once the work is done.
 */
export async function timeOverhead(step) {
  const [warm, least] = budgetMs > 0 ? [10, 5] : [1, 1];
  for (let i = 0; i < warm; i++) await step();
  const samples = [];
  let operations = 0;
  const begin = performance.now();
  while (performance.now() - begin < budgetMs || samples.length < least) {
    const before = recorded();
    const start = performance.now();
    const { kernels } = await profile(step);
    const whole = performance.now() - start;
    operations = recorded() - before - 1;
    samples.push(whole - kernels.reduce((sum, kernel) => sum + kernel.ms, 0));
  }
  const ms = median(samples);
  return { ms_per_iter: ms, us_per_op: (1e3 * ms) / operations, operations, iters: samples.length };
}
