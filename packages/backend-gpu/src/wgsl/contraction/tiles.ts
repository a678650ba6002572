/*
 * The loop over k of a contraction, for a tile of outputs: by each thread on its own, or through workgroup memory, where a workgroup
 * shares what it reads. Both add the products of one output in the order of k.
 */
import type { Contraction } from '@dl/tensor';
import { literal, type Shader, valueType } from '../shader';
import { Operand } from './operand';
import type { Sizes, Tile } from './plan';

/** Copies of the loop's body, for shader compilers rarely unroll; one where an element takes much arithmetic. */
const copies = 4;

export class TileLoop {
  readonly #type: string;
  readonly #zero: string;
  readonly #lhs: Operand;
  readonly #rhs: Operand;
  readonly #batch: string[];

  constructor(
    private readonly shader: Shader,
    private readonly contraction: Contraction,
    private readonly sizes: Sizes,
    private readonly tile: Tile,
    /** Name of the batch's number. */
    batch: string,
  ) {
    const { dtype, lhs, rhs } = contraction;
    const firstK = contraction.batch.length + contraction.m.length + contraction.n.length;
    this.#type = valueType[dtype];
    this.#zero = literal(dtype, 0, shader);
    this.#lhs = new Operand(shader, lhs, firstK, this.#zero);
    this.#rhs = new Operand(shader, rhs, firstK, this.#zero);
    this.#batch = shader.unflatten(batch, contraction.batch, 'b');
  }

  #rowPlace(m: string) {
    const { m: axes, n } = this.contraction;
    const vars = [...this.#batch, ...this.shader.unflatten(m, axes, 'm'), ...n.map(() => '0')];
    return this.#lhs.place(vars);
  }

  #columnPlace(n: string) {
    const { m, n: axes } = this.contraction;
    const vars = [...this.#batch, ...m.map(() => '0'), ...this.shader.unflatten(n, axes, 'n')];
    return this.#rhs.place(vars);
  }

  #product(sum: string, a: string, b: string): string {
    return this.contraction.dtype === 'f32' ? `${sum} = fma(${a}, ${b}, ${sum});` : `${sum} += ${a} * ${b};`;
  }

  /**
   * Emits the sums of a thread's outputs, from `m0` and `n0` on, over k from `begin` to `end`. Rows and columns that are not there
   * repeat the last one.
   *
   * @returns names of the sums, by row and column
   */
  direct(m0: string, n0: string, begin: string, end: string): string[][] {
    const { shader, tile, sizes } = this;
    const clamped = (start: string, i: number, size: number, own: number): string =>
      shader.let('c', size % own === 0 ? `${start} + ${i}` : `min(${start} + ${i}, ${size - 1})`);
    const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
    const rows = range(tile.m).map((i) => this.#rowPlace(clamped(m0, i, sizes.m, tile.m)));
    const columns = range(tile.n).map((j) => this.#columnPlace(clamped(n0, j, sizes.n, tile.n)));
    const sums = rows.map(() => columns.map(() => shader.fresh('sum')));
    for (const name of sums.flat()) shader.line(`var ${name} = ${this.#zero};`);
    const k = shader.fresh('k');
    const one = (at: string): void => {
      const coords = shader.unflatten(at, this.contraction.k, 'k');
      const left = this.#lhs.step(coords);
      const right = this.#rhs.step(coords);
      const a = rows.map((place) => shader.let('a', this.#lhs.element(place, left)));
      const b = columns.map((place) => shader.let('b', this.#rhs.element(place, right)));
      a.forEach((x, i) => b.forEach((y, j) => shader.line(this.#product(sums[i]![j]!, x, y))));
    };
    shader.line(`var ${k} = ${begin};`);
    if (sizes.k >= 2 * copies && this.#lhs.isPlain && this.#rhs.isPlain) {
      shader.line(`for (; ${k} + ${copies} <= ${end}; ${k} += ${copies}) {`);
      for (let u = 0; u < copies; u++) one(u === 0 ? k : shader.let('ku', `${k} + ${u}`));
      shader.line('}');
    }
    shader.line(`for (; ${k} < ${end}; ${k}++) {`);
    one(k);
    shader.line('}');
    return sums;
  }

  /** As `direct`, but the workgroup's tile begins at `tileM` and `tileN`, and its operands go through workgroup memory. */
  shared(tileM: string, tileN: string, begin: string, end: string): string[][] {
    const { shader, tile } = this;
    const [blockM, blockN] = [tile.m * tile.threadsM, tile.n * tile.threadsN];
    const vector = `vec4<${this.#type}>`;
    shader.global(`var<workgroup> shared_a: array<${vector}, ${(blockM / 4) * tile.k}>;`);
    shader.global(`var<workgroup> shared_b: array<${vector}, ${(blockN / 4) * tile.k}>;`);
    const left = this.#quads('a', blockM, tileM, this.sizes.m, (m) => this.#rowPlace(m), this.#lhs);
    const right = this.#quads('b', blockN, tileN, this.sizes.n, (n) => this.#columnPlace(n), this.#rhs);
    const perThread = { rows: tile.m / 4, columns: tile.n / 4 };
    const sums = Array.from({ length: tile.m }, () =>
      Array.from({ length: perThread.columns }, () => shader.fresh('sum')),
    );
    for (const name of sums.flat()) shader.line(`var ${name} = ${vector}();`);
    const k0 = shader.fresh('k');
    shader.line(`for (var ${k0} = ${begin}; ${k0} < ${end}; ${k0} += ${tile.k}) {`);
    left(k0, end);
    right(k0, end);
    shader.line('workgroupBarrier();');
    for (let kk = 0; kk < tile.k; kk++) {
      const a = Array.from({ length: perThread.rows }, (_, i) =>
        shader.let('a', `shared_a[${(kk * blockM) / 4} + thread_m * ${perThread.rows} + ${i}]`),
      );
      const b = Array.from({ length: perThread.columns }, (_, j) =>
        shader.let('b', `shared_b[${(kk * blockN) / 4} + thread_n * ${perThread.columns} + ${j}]`),
      );
      sums.forEach((row, i) =>
        row.forEach((sum, j) => {
          const x = `${vector}(${a[i >> 2]}.${'xyzw'[i & 3]})`;
          shader.line(this.#product(sum, x, b[j]!));
        }),
      );
    }
    shader.line('workgroupBarrier();', '}');
    return sums.map((row) => row.flatMap((sum) => [...'xyzw'].map((c) => `${sum}.${c}`)));
  }

  /**
   * Emits the places of what a thread brings into workgroup memory, four neighbours along m or n at one k each; answers what emits
   * the bringing. Threads that follow each other take the axis along which memory runs.
   */
  #quads(
    name: 'a' | 'b',
    block: number,
    start: string,
    size: number,
    place: (at: string) => ReturnType<Operand['place']>,
    operand: Operand,
  ): (k0: string, end: string) => void {
    const { shader, tile, contraction } = this;
    const threads = tile.threadsM * tile.threadsN;
    const quads = block / 4;
    const { index } = name === 'a' ? contraction.lhs : contraction.rhs;
    const lastK = contraction.batch.length + contraction.m.length + contraction.n.length + contraction.k.length - 1;
    const alongK = (index.kind === 'add' ? index.terms : [index]).some((t) => t.kind === 'var' && t.index === lastK);
    const slots = Array.from({ length: Math.ceil((quads * tile.k) / threads) }, (_, s) => {
      const flat = shader.let('f', `lane + ${s * threads}`);
      const quad = shader.let('qd', alongK ? `${flat} / ${tile.k}` : `${flat} % ${quads}`);
      const k = shader.let('kt', alongK ? `${flat} % ${tile.k}` : `${flat} / ${quads}`);
      const places = [0, 1, 2, 3].map((i) => place(shader.let('c', `min(${start} + ${quad} * 4 + ${i}, ${size - 1})`)));
      return { quad, k, places };
    });
    return (k0, end) => {
      for (const { quad, k, places } of slots) {
        const at = shader.let('k', `${k0} + ${k}`);
        const inside = this.sizes.k % tile.k === 0 ? null : `${at} < ${end}`;
        const step = operand.step(shader.unflatten(at, contraction.k, 'k'));
        const elements = places.map((p) => operand.element(p, step, inside));
        const value = `vec4<${this.#type}>(${elements.join(', ')})`;
        shader.line(`shared_${name}[${k} * ${quads} + ${quad}] = ${value};`);
      }
    };
  }
}
