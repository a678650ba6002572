// From the start of the process to the value of a first product. In a file of its own, for it counts what is imported:
// the two packages that a first operation takes.
import { ones } from '@dl/tensor';

export async function coldstart() {
  const v = await ones([256, 256])
    .matmul(ones([256, 256]))
    .sum()
    .item();
  return { ms_per_iter: performance.now(), iters: 1, check: [v] };
}
