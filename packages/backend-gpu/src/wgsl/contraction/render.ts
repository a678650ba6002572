/*
 * A contraction as launches. Instructions that work on single outputs are run where these are computed; others are a launch of their
 * own.
 */
import type { Contraction, Expr, Instruction, Kernel } from '@dl/tensor';
import { renderRows } from '../rows';
import { type Launch, literal, Shader } from '../shader';
import { emitFinish, fuses } from './finish';
import { type Method, methodOf, type Sizes, sizesOf, type Tile, type Tuning } from './plan';
import { TileLoop } from './tiles';

export interface RenderedProducer {
  readonly launches: readonly Launch[];
  readonly scratch: readonly number[];
  /** Whether the kernel's instructions were run as well. */
  readonly isFused: boolean;
}

/** What rendering takes into account beside the kernel. */
interface Context {
  readonly tuning: Tuning;
  /** How many neighbouring threads can exchange values directly; 1 if none. */
  readonly lanes: number;
  /** Whether the result is needed in memory by other steps. */
  readonly keep: boolean;
}

/** The launches of a contraction. */
export function renderContraction(
  kernel: Kernel,
  contraction: Contraction,
  { tuning, lanes, keep }: Context,
): RenderedProducer {
  const sizes = sizesOf(contraction);
  if (sizes.batch * sizes.m * sizes.n === 0) return { launches: [], scratch: [], isFused: false };
  const method = methodOf(contraction, tuning);
  if (method.kind === 'reduce')
    return { launches: [renderReduction(kernel, contraction, lanes)], scratch: [], isFused: false };
  const isFused = fuses(kernel, contraction);
  if (method.splits === 1)
    return { launches: [renderTiles(kernel, contraction, sizes, method, { isFused, keep })], scratch: [], isFused };
  const outputs = sizes.batch * sizes.m * sizes.n;
  return {
    launches: [
      renderTiles(kernel, contraction, sizes, method, null),
      renderSum(kernel, contraction, outputs, method.splits, { isFused, keep }),
    ],
    scratch: [outputs * method.splits * 4],
    isFused,
  };
}

interface Ending {
  readonly isFused: boolean;
  readonly keep: boolean;
}

/** A contraction with few outputs as the sum of a row for each. */
function renderReduction(kernel: Kernel, { dtype, batch, m, n, k, lhs, rhs, out }: Contraction, lanes: number): Launch {
  const rows = [...batch, ...m, ...n];
  let stride = 1;
  const terms: Expr[] = [];
  for (let axis = rows.length - 1; axis >= 0; axis--) {
    if (rows[axis]! > 1) {
      terms.push({ kind: 'mul', term: { kind: 'var', index: axis, size: rows[axis]! }, factor: stride });
    }
    stride *= rows[axis]!;
  }
  const index: Expr = terms.length === 0 ? { kind: 'const', value: 0 } : { kind: 'add', terms };
  const body: Instruction[] = [
    { op: 'load', dtype, access: lhs, fill: 0 },
    { op: 'load', dtype, access: rhs, fill: 0 },
    { op: 'mul', dtype, args: [0, 1] },
    { op: 'sum', dtype, args: [2] },
    { op: 'store', dtype, access: { binding: out, index, bounds: [] }, args: [3] },
  ];
  return renderRows({ ...kernel, producer: null, rows, reduced: [...k], body }, lanes)!;
}

/** The launch of the tiles; without `ending` each part of k leaves its sums in scratch memory. */
function renderTiles(
  kernel: Kernel,
  contraction: Contraction,
  sizes: Sizes,
  { tile, splits }: Method & { kind: 'tile' },
  ending: Ending | null,
): Launch {
  const shader = new Shader(kernel);
  const [blockM, blockN] = [tile.m * tile.threadsM, tile.n * tile.threadsN];
  const [tilesM, tilesN] = [Math.ceil(sizes.m / blockM), Math.ceil(sizes.n / blockN)];
  const groups = tilesM * tilesN * sizes.batch * splits;
  shader.line(`if (group >= ${groups}) { return; }`);
  const [part, batch, tm, tn] = shader.unflatten('group', [splits, sizes.batch, tilesM, tilesN], 'g') as [
    string,
    string,
    string,
    string,
  ];
  shader.line(`let thread_m = lane / ${tile.threadsN};`, `let thread_n = lane % ${tile.threadsN};`);
  shader.line(`let tile_m = ${tm} * ${blockM};`, `let tile_n = ${tn} * ${blockN};`);
  shader.line(`let m0 = tile_m + thread_m * ${tile.m};`, `let n0 = tile_n + thread_n * ${tile.n};`);
  const partK = Math.ceil(sizes.k / splits / 16) * 16;
  const begin = splits === 1 ? '0' : shader.let('begin', `${part} * ${partK}`);
  const end = splits === 1 ? String(sizes.k) : shader.let('end', `min(${begin} + ${partK}, ${sizes.k})`);
  const loop = new TileLoop(shader, contraction, sizes, tile, batch);
  if (tile.k === 0) shader.line(`if (m0 >= ${sizes.m} || n0 >= ${sizes.n}) { return; }`);
  const sums = tile.k === 0 ? loop.direct('m0', 'n0', begin, end) : loop.shared('tile_m', 'tile_n', begin, end);
  emitStores(shader, contraction, sizes, tile, sums, { part, batch, ending });
  return shader.finish(tile.threadsM * tile.threadsN, groups);
}

function emitStores(
  shader: Shader,
  contraction: Contraction,
  { batch: batches, m: sizeM, n: sizeN }: Sizes,
  tile: Tile,
  sums: readonly (readonly string[])[],
  { part, batch, ending }: { readonly part: string; readonly batch: string; readonly ending: Ending | null },
): void {
  const partial = ending ? null : shader.scratch(0, scratchType(contraction), true);
  if (ending) emitFinish(shader, contraction, ending.isFused, ending.keep);
  const first = shader.let('out', `(${batch} * ${sizeM} + m0) * ${sizeN} + n0`);
  const test = (name: string, i: number, size: number, own: number): string[] =>
    size % own === 0 && tile.k === 0 ? [] : [`${name} + ${i} < ${size}`];
  sums.forEach((row, i) =>
    row.forEach((sum, j) => {
      const tests = [...test('m0', i, sizeM, tile.m), ...test('n0', j, sizeN, tile.n)];
      const at = `${first} + ${i * sizeN + j}`;
      const statement = partial
        ? `${partial}[${part} * ${batches * sizeM * sizeN} + ${at}] = ${sum};`
        : `finish(${at}, ${sum});`;
      shader.line(tests.length === 0 ? statement : `if (${tests.join(' && ')}) { ${statement} }`);
    }),
  );
}

const scratchType = ({ dtype }: Contraction): 'f32' | 'i32' | 'u32' => dtype as 'f32' | 'i32' | 'u32';

/** Adds the parts of each output, in order. */
function renderSum(kernel: Kernel, contraction: Contraction, outputs: number, splits: number, ending: Ending): Launch {
  const shader = new Shader(kernel);
  const at = shader.let('at', 'group * 64 + lane');
  shader.line(`if (${at} >= ${outputs}) { return; }`);
  const partial = shader.scratch(0, scratchType(contraction), false);
  emitFinish(shader, contraction, ending.isFused, ending.keep);
  shader.line(`var sum = ${literal(contraction.dtype, 0, shader)};`);
  shader.line(`for (var s = 0; s < ${splits}; s++) { sum += ${partial}[s * ${outputs} + ${at}]; }`);
  shader.line(`finish(${at}, sum);`);
  return shader.finish(64, Math.ceil(outputs / 64));
}
