// Our side of the benchmarks: `node ours.mjs [--threads=N] [--blas] WORKLOAD…` prints one JSON line a workload. Runs the built
// packages, as a user does. `pnpm bench` calls it in a fresh process for each.
import { cpu } from '@dl/backend-cpu';
import { getBackend, setBackend } from '@dl/tensor';
import { work } from './work.mjs';

const args = process.argv.slice(2);
const threads = Number(args.find((a) => a.startsWith('--threads='))?.slice('--threads='.length) ?? 1);
const names = args.filter((a) => !a.startsWith('--'));
const workloads =
  names.join() === 'coldstart' ? await import('./coldstart.mjs') : (await import('./workloads.mjs')).workloads;
setBackend(await cpu({ threads, blas: args.includes('--blas') }));

/** Rates follow from what a workload cannot do without. */
const rates = ({ flops, bytes, elements }, ms) => ({
  ...(flops && { gflops: flops / ms / 1e6 }),
  ...(bytes && { gb_per_s: bytes / ms / 1e6 }),
  ...(elements && { ns_per_element: (ms * 1e6) / elements }),
});

for (const workload of names.length > 0 ? names : Object.keys(workloads)) {
  const run = workloads[workload];
  let result;
  try {
    if (!run) throw new Error('not offered');
    const timed = await run();
    result = { ...timed, ...rates(work[workload], timed.ms_per_iter) };
  } catch (error) {
    result = {
      finding: String(error?.message ?? error)
        .split('\n')[0]
        .slice(0, 300),
    };
  }
  const where = {
    peer: `ours-${threads}t`,
    runtime: `node ${process.versions.node}`,
    backend: getBackend().describe(),
  };
  const { inUse, peak } = getBackend().memory();
  const memory = { tensor_mb: Math.round(inUse / 2 ** 20), tensor_peak_mb: Math.round(peak / 2 ** 20) };
  console.log(JSON.stringify({ workload, ...where, ...memory, ...result }));
}
process.exit(0);
