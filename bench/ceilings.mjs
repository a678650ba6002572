// What one core can do at best, measured on one kind of machine: a 2-core AMD Zen 4 virtual machine (2026-11). On another
// machine the share of these is a scale, not a limit; ratios between programs that ran beside one another hold anywhere.

export const ceilings = {
  machine: 'AMD Zen 4, a core, WebAssembly with relaxed SIMD',
  /** Two 128-bit multiply-adds a cycle, as far as a matrix product keeps them busy. */
  gflops: 55,
  /** Adding two arrays that are not in the cache. A second core adds about half. */
  gb_per_s: 22,
  /** tanh(a · b + c) */
  ns_per_element: 0.7,
};

/** The share of the ceiling that a result reaches, with the cores that it had; null where there is no ceiling. */
export function shareOf(result, threads) {
  if (result.gflops) return result.gflops / (ceilings.gflops * threads);
  if (result.gb_per_s) return result.gb_per_s / (ceilings.gb_per_s * (threads > 1 ? 1.5 : 1));
  if (result.workload === 'tanh_fma') return ceilings.ns_per_element / threads / result.ns_per_element;
  return null;
}
