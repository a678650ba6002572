/*
 * A kernel as launches: those of its producer, then its instructions, unless the producer has run them.
 */
import type { Kernel } from '@dl/tensor';
import type { Tuning } from './contraction/plan';
import { renderContraction } from './contraction/render';
import { renderRows } from './rows';
import { renderScan } from './scan';
import { renderScatter } from './scatter';
import type { Launch, RenderedKernel } from './shader';
import { renderSort } from './sort/render';

/** Whether a kernel can be rendered; a string says why not. */
export function rendersKernel(kernel: Kernel): true | string {
  const wide = kernel.bindings.find((b) => b.dtype === 'f64');
  return wide ? 'WebGPU has no f64. Cast to f32, or use cpu().' : true;
}

/** What suits a device. */
export interface Traits {
  readonly tuning: Tuning;
  /** Whether the device is a processor, on which threads of a workgroup take turns. */
  readonly barriersAreDear: boolean;
  /** How many neighbouring threads can exchange values directly; 1 if none. */
  readonly lanes: number;
}

export interface RenderContext extends Traits {
  /** Whether other steps, or the caller, need what the producer writes. */
  readonly keep: boolean;
}

/** The launches of a kernel. */
export function renderKernel(kernel: Kernel, context: RenderContext): RenderedKernel {
  const { launches, scratch, isFused } = renderProducer(kernel, context);
  const rows = isFused ? null : renderRows(kernel, context.lanes);
  return { launches: rows ? [...launches, rows] : launches, scratch };
}

interface Produced extends RenderedKernel {
  readonly isFused: boolean;
}

const single = (launch: Launch | null): Produced => ({
  launches: launch ? [launch] : [],
  scratch: [],
  isFused: false,
});

function renderProducer(kernel: Kernel, context: RenderContext): Produced {
  const { producer } = kernel;
  switch (producer?.kind) {
    case undefined:
      return single(null);
    case 'contraction':
      return renderContraction(kernel, producer, context);
    case 'scatter':
      return single(renderScatter(kernel, producer));
    case 'scan':
      return single(renderScan(kernel, producer));
    case 'sort':
      return { ...renderSort(kernel, producer, context.barriersAreDear), isFused: false };
    default:
      return producer satisfies never;
  }
}

/** The launches of a step that copies so many words from its first binding to its second. */
export function renderCopy(words: number): RenderedKernel {
  const variable = { kind: 'var', index: 0, size: words } as const;
  const index = words === 1 ? ({ kind: 'const', value: 0 } as const) : variable;
  const copy = renderRows(
    {
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
    },
    1,
  );
  return { launches: copy ? [copy] : [], scratch: [] };
}
