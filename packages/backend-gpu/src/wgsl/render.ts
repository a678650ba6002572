/*
 * A kernel as launches: what its producer needs, then its instructions.
 */
import type { Kernel } from '@dl/tensor';
import { renderRows } from './rows';
import type { RenderedKernel } from './shader';

/** Whether a kernel can be rendered; a string says why not. */
export function rendersKernel(kernel: Kernel): true | string {
  const wide = kernel.bindings.find((b) => b.dtype === 'f64');
  if (wide) return 'WebGPU has no f64. Cast to f32, or use cpu().';
  if (kernel.producer) return `${kernel.producer.kind} is not rendered yet`;
  return true;
}

export function renderKernel(kernel: Kernel): RenderedKernel {
  const rows = renderRows(kernel);
  return { launches: rows ? [rows] : [], scratch: [] };
}

/** The launches of a step that copies so many words from its first binding to its second. */
export function renderCopy(words: number): RenderedKernel {
  const variable = { kind: 'var', index: 0, size: words } as const;
  const index = words === 1 ? ({ kind: 'const', value: 0 } as const) : variable;
  return renderKernel({
    name: 'copy',
    bindings: [
      { slot: 0, mode: 'read', dtype: 'u32' },
      { slot: 1, mode: 'write', dtype: 'u32' },
    ],
    params: [],
    producer: null,
    rows: [words],
    reduced: [],
    range: words,
    body: [
      { op: 'load', dtype: 'u32', access: { binding: 0, index, bounds: [] }, fill: 0 },
      { op: 'store', dtype: 'u32', access: { binding: 1, index, bounds: [] }, args: [0] },
    ],
  });
}
