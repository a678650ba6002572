import { beforeAll, describe, expect, it } from 'vitest';
import { ModuleBuilder } from '../../wasm/assembler';
import { detectFeatures } from '../../wasm/features';
import {
  emitGemm,
  emitPanels,
  type GemmSpec,
  type GemmType,
  type MicroKernel,
  panelBytes,
  panelWidth,
  planOf,
  scratchBytes,
} from './gemm';

let relaxedSimd = false;
beforeAll(async () => {
  relaxedSimd = (await detectFeatures()).relaxedSimd;
});

const ARRAYS = { f32: Float32Array, f64: Float64Array, i32: Int32Array } as const;
const PORTABLE: MicroKernel = { rows: 4, unroll: 1, fused: false };
const FAST = (): MicroKernel => ({ rows: 6, unroll: 4, fused: relaxedSimd });

let seed = 7;
function random(): number {
  seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
  return seed / 2 ** 31 - 1;
}

function fill(array: Float32Array | Float64Array | Int32Array): void {
  for (let k = 0; k < array.length; k++) array[k] = array instanceof Int32Array ? random() * 2 ** 31 : random();
}

type Layout = 'rows' | 'columns' | 'strided';

/** Strides of a matrix of the given sizes: contiguous along its second axis, its first, or neither. */
function strides(layout: Layout, first: number, second: number): [number, number] {
  if (layout === 'rows') return [second, 1];
  return layout === 'columns' ? [1, first] : [2 * second + 2, 2];
}

interface Case {
  readonly dtype?: GemmType;
  readonly m: number;
  readonly n: number;
  readonly k: number;
  readonly a?: Layout;
  readonly b?: Layout;
  readonly accumulate?: boolean;
  readonly micro?: MicroKernel;
  /** Elements between the rows of C beyond n. */
  readonly gap?: number;
  /** Where the rows are split into calls. */
  readonly splits?: readonly number[];
  /** Fills panels of B before, in two parts. */
  readonly panels?: boolean;
}

function specOf({ dtype = 'f32', m, n, k, a = 'rows', b = 'rows', gap = 0, ...rest }: Case): GemmSpec {
  const [aM, aK] = strides(a, m, k);
  const [bK, bN] = strides(b, k, n);
  const micro = rest.micro ?? FAST();
  return {
    dtype,
    m,
    n,
    k,
    a: { m: aM, k: aK },
    b: { k: bK, n: bN },
    cRow: n + gap,
    accumulate: rest.accumulate,
    panels: rest.panels,
    micro,
  };
}

/**
 * Runs a product in a memory where the operands end exactly at the end, so that reading beyond them traps, and what
 * surrounds C is a pattern that must survive.
 */
function run(test: Case) {
  const spec = specOf(test);
  const Type = ARRAYS[spec.dtype];
  const size = Type.BYTES_PER_ELEMENT;
  const { m, n, k } = spec;
  const { a, b } = spec;
  const aCount = k === 0 ? 0 : (m - 1) * a.m + (k - 1) * a.k + 1;
  const bCount = k === 0 ? 0 : (k - 1) * b.k + (n - 1) * b.n + 1;
  const cCount = m * spec.cRow;
  const guard = 64;
  const panels = Math.ceil(scratchBytes(spec) / 64) * 64;
  const cBase = panels + (spec.panels ? panelBytes(spec) : 0) + guard;
  const bytes = cBase + (cCount + aCount + bCount) * size + 2 * guard;
  const memory = new WebAssembly.Memory({ initial: Math.ceil(bytes / 65536) });
  const end = memory.buffer.byteLength;
  // One operand ends at the end of memory; which one alternates, so that both are tried.
  const aFirst = (m + n + k) % 2 === 0;
  const [aBase, bBase] = aFirst
    ? [end - (aCount + bCount) * size, end - bCount * size]
    : [end - aCount * size, end - (aCount + bCount) * size];
  const [aData, bData] = [new Type(memory.buffer, aBase, aCount), new Type(memory.buffer, bBase, bCount)];
  const cData = new Type(memory.buffer, cBase, cCount);
  for (const data of [aData, bData, cData]) fill(data);
  const before = cData.slice();
  const around = new Uint8Array(memory.buffer, cBase - guard, guard).fill(0xa5);
  const beyond = new Uint8Array(memory.buffer, cBase + cCount * size, guard).fill(0x5a);

  const module = new ModuleBuilder().importMemory({ minPages: 1 });
  emitGemm(module, spec, 'gemm');
  if (spec.panels) emitPanels(module, spec, 'panels');
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module.bytes()), { env: { memory } });
  if (spec.panels) {
    const all = Math.ceil(n / panelWidth(spec));
    const fillPanels = instance.exports.panels as (...args: number[]) => void;
    fillPanels(bBase, panels, 0, all >> 1);
    fillPanels(bBase, panels, all >> 1, all);
  }
  const bounds = [0, ...(test.splits ?? []), m];
  for (let part = 0; part + 1 < bounds.length; part++) {
    (instance.exports.gemm as (...args: number[]) => void)(
      aBase,
      spec.panels ? panels : bBase,
      cBase,
      bounds[part]!,
      bounds[part + 1]!,
      0,
    );
  }
  const intact = around.every((byte) => byte === 0xa5) && beyond.every((byte) => byte === 0x5a);
  return { spec, aData, bData, before, after: cData, intact };
}

/** The largest error of an element in units of what rounding may do to it. */
function check(test: Case): void {
  const { spec, aData, bData, before, after, intact } = run(test);
  const name = `${planOf(spec)} ${JSON.stringify(test)}`;
  expect(intact, `${name} writes outside C`).toBe(true);
  const { a, b } = spec;
  const epsilon = { f32: 2 ** -24, f64: 2 ** -53, i32: 0 }[spec.dtype];
  for (let row = 0; row < spec.m; row++) {
    for (let column = 0; column < spec.cRow; column++) {
      const at = row * spec.cRow + column;
      let sum = spec.accumulate || column >= spec.n ? before[at]! : 0;
      let size = Math.abs(sum);
      for (let k = 0; k < spec.k && column < spec.n; k++) {
        const [x, y] = [aData[row * a.m + k * a.k]!, bData[k * b.k + column * b.n]!];
        sum = spec.dtype === 'i32' ? (sum + Math.imul(x, y)) | 0 : sum + x * y;
        size += Math.abs(x * y);
      }
      const error = Math.abs(after[at]! - sum);
      // Each of k + 1 additions rounds a partial sum of at most `size`; the reference in f64 rounds as much again.
      const bound = column < spec.n ? 2 * (spec.k + 2) * epsilon * size : 0;
      if (!(error <= bound)) expect.fail(`${name}: C[${row}, ${column}] = ${after[at]}, not ${sum}`);
    }
  }
}

const LAYOUTS: Layout[] = ['rows', 'columns', 'strided'];

describe('emitGemm', () => {
  it('multiplies by hand', () => {
    const { aData, bData, after } = run({ m: 1, n: 1, k: 2 });
    expect(after[0]).toBeCloseTo(aData[0]! * bData[0]! + aData[1]! * bData[1]!, 6);
  });

  it.each(LAYOUTS.flatMap((a) => LAYOUTS.map((b) => ({ a, b }))))('all small sizes, A by $a, B by $b', ({ a, b }) => {
    for (const m of [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 15, 17]) {
      for (const n of [1, 2, 3, 4, 5, 7, 8, 9, 11, 15, 16, 17]) {
        for (const k of [1, 2, 3, 4, 5, 8, 17]) check({ m, n, k, a, b });
      }
    }
  });

  it.each([PORTABLE, { rows: 6, unroll: 4, fused: false }, { rows: 4, unroll: 4, fused: false }] as MicroKernel[])(
    'awkward sizes with tile %o',
    (micro) => {
      for (const m of [1, 8, 13, 31, 33]) {
        for (const n of [1, 6, 31, 32, 33, 100]) {
          for (const k of [1, 31, 64, 257]) {
            check({ m, n, k, micro });
            check({ m, n, k, micro, b: 'columns' });
          }
        }
      }
    },
  );

  it.each(['f64', 'i32'] as const)('%s in all layouts', (dtype) => {
    for (const a of LAYOUTS) {
      for (const b of LAYOUTS) {
        for (const [m, n, k] of [
          [1, 1, 1],
          [2, 9, 5],
          [7, 3, 6],
          [13, 17, 31],
          [33, 5, 300],
        ] as const) {
          check({ dtype, m, n, k, a, b });
          check({ dtype, m, n, k, a, b, accumulate: true, gap: 3 });
        }
      }
    }
  });

  it('crosses every block of the packed plan', () => {
    check({ m: 401, n: 530, k: 270, splits: [5, 200] });
    check({ m: 199, n: 523, k: 513, b: 'columns', accumulate: true });
    check({ m: 257, n: 257, k: 257, a: 'columns' });
    check({ dtype: 'f64', m: 195, n: 515, k: 257, b: 'columns' });
    // Panels of A that are packed in groups, and what is left of them.
    for (const m of [24, 25, 26, 27, 28, 51, 99]) {
      for (const micro of [PORTABLE, FAST()]) check({ m, n: 33, k: 300, a: 'columns', b: 'columns', micro });
    }
  });

  it('sweeps along the rows of a large B: odd rows, what is left of columns and of steps', () => {
    for (const [m, n, k] of [
      [1, 1031, 67],
      [2, 4099, 16],
      [3, 70, 1000],
      [5, 16389, 4],
      [11, 65537, 1],
      [24, 259, 255],
    ] as const) {
      expect(planOf(specOf({ m, n, k }))).toBe('sweep');
      check({ m, n, k });
      check({ m, n, k, a: 'columns', accumulate: true, gap: 3, micro: PORTABLE });
      check({ m, n, k, a: 'strided', dtype: 'f64', splits: [m >> 1] });
      check({ m, n, k, dtype: 'i32' });
    }
  });

  it('sweeps along the columns of a matrix that meets a vector', () => {
    for (const [m, k] of [
      [1, 9],
      [5, 3],
      [16, 8],
      [70, 33],
      [259, 100],
    ] as const) {
      for (const dtype of ['f32', 'f64', 'i32'] as const) {
        const turned = { dtype, m, n: 1, k, a: 'columns' } as const;
        expect(planOf(specOf({ ...turned, b: 'strided' }))).toBe('sweep');
        check({ ...turned, b: 'strided', accumulate: true, splits: [m >> 1] });
        check({ ...turned, micro: PORTABLE });
      }
    }
  });

  it('accumulates, leaves gaps between rows of C, and writes zeros for no depth', () => {
    for (const b of LAYOUTS) {
      check({ m: 9, n: 13, k: 5, b, gap: 5, accumulate: true });
      check({ m: 2, n: 13, k: 5, b, gap: 5, accumulate: true });
      check({ m: 9, n: 13, k: 0, b, gap: 5 });
      check({ m: 9, n: 13, k: 0, b, accumulate: true });
    }
  });

  it('gives the same bits however the rows are split', () => {
    for (const [m, n, k, b, a] of [
      [37, 29, 300, 'rows'],
      [37, 29, 300, 'columns'],
      [40, 2, 77, 'columns'],
      [3, 50, 77, 'columns'],
      [7, 700, 100, 'rows'],
      [45, 1, 100, 'strided', 'columns'],
    ] as const) {
      const results = [[], [1], [2], [Math.floor(m / 2)], [1, m - 1]].map((splits) => {
        seed = 11;
        return run({ m, n, k, b, splits, ...(a && { a }) }).after;
      });
      for (const result of results) expect(result).toEqual(results[0]);
    }
  });

  it('takes panels that were filled before, in any parts', () => {
    for (const b of LAYOUTS) {
      for (const [m, n, k] of [
        [33, 70, 300],
        [8, 5, 3],
        [5, 64, 513],
        [13, 33, 64],
      ] as const) {
        check({ m, n, k, b, panels: true, splits: [2] });
        check({ m, n, k, b, panels: true, a: 'columns', dtype: 'f64' });
        check({ m, n, k, b, panels: true, accumulate: true, micro: PORTABLE, gap: 3 });
      }
    }
  });

  it('refuses strides it cannot encode', () => {
    const spec = { ...specOf({ m: 2, n: 2, k: 2 }), a: { m: -1, k: 1 } };
    expect(() => emitGemm(new ModuleBuilder().importMemory({ minPages: 1 }), spec)).toThrow('pack reversed axes');
  });
});
