/*
 * The loop over k of a contraction, for a tile of outputs: by each thread on its own, or through workgroup memory, where a workgroup
 * shares what it reads. Both add the products of one output in the order of k, and read four elements at once where memory
 * allows.
 */
import type { Contraction } from '@dl/tensor';
import { literal, type Shader, valueType } from '../shader';
import { Operand, type Place } from './operand';
import type { Sizes, Tile } from './plan';
import { type QuadAxis, quadAxes } from './quads';

/** Copies of the loop's body, for shader compilers rarely unroll; one where an element takes much arithmetic. */
const copies = 4;

const range = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

/** An operand, how it is read, and the places of a thread's rows or columns, or of every fourth of them. */
interface Side {
  readonly operand: Operand;
  readonly quads: QuadAxis;
  readonly places: readonly Place[];
}

export class TileLoop {
  readonly #type: string;
  readonly #zero: string;
  readonly #lhs: Operand;
  readonly #rhs: Operand;
  readonly #batch: string[];
  readonly #quads: { readonly lhs: QuadAxis; readonly rhs: QuadAxis };
  /** Whether a thread's own loop takes `copies` steps at once. */
  readonly #unrolls: boolean;

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
    this.#unrolls = sizes.k >= 2 * copies && this.#lhs.isPlain && this.#rhs.isPlain;
    const axes = quadAxes(contraction);
    this.#quads = { lhs: this.#served(axes.lhs, tile.m), rhs: this.#served(axes.rhs, tile.n) };
    if (this.#quads.lhs) shader.widen(lhs.binding);
    if (this.#quads.rhs) shader.widen(rhs.binding);
  }

  /** The axis of quads, if the tile is made of whole ones: `own` rows or columns a thread. */
  #served(axis: QuadAxis, own: number): QuadAxis {
    if (axis === 'own') return own % 4 === 0 ? axis : null;
    return this.tile.k > 0 || this.#unrolls ? axis : null;
  }

  #rowPlace(m: string): Place {
    const { m: axes, n } = this.contraction;
    const vars = [...this.#batch, ...this.shader.unflatten(m, axes, 'm'), ...n.map(() => '0')];
    return this.#lhs.place(vars);
  }

  #columnPlace(n: string): Place {
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
    /** Each row of a thread, or the first of each four. */
    const starts = (start: string, own: number, size: number, quads: QuadAxis): string[] =>
      range(own)
        .filter((i) => quads !== 'own' || i % 4 === 0)
        .map((i) => shader.let('c', size % own === 0 ? `${start} + ${i}` : `min(${start} + ${i}, ${size - 1})`));
    const { lhs, rhs } = this.#quads;
    const rows = starts(m0, tile.m, sizes.m, lhs).map((m) => this.#rowPlace(m));
    const columns = starts(n0, tile.n, sizes.n, rhs).map((n) => this.#columnPlace(n));
    const left: Side = { operand: this.#lhs, quads: lhs, places: rows };
    const right: Side = { operand: this.#rhs, quads: rhs, places: columns };
    const sums = range(tile.m).map(() => range(tile.n).map(() => shader.fresh('sum')));
    for (const name of sums.flat()) shader.line(`var ${name} = ${this.#zero};`);
    const k = shader.fresh('k');
    const products = (ks: readonly string[]): void => {
      const coords = ks.map((at) => shader.unflatten(at, this.contraction.k, 'k'));
      const [a, b] = [this.#elements(left, coords), this.#elements(right, coords)];
      ks.forEach((_, u) => {
        const [x, y] = [a(u), b(u)];
        sums.forEach((row, i) => row.forEach((sum, j) => shader.line(this.#product(sum, x[i]!, y[j]!))));
      });
    };
    shader.line(`var ${k} = ${begin};`);
    if (this.#unrolls) {
      shader.line(`for (; ${k} + ${copies} <= ${end}; ${k} += ${copies}) {`);
      products(range(copies).map((u) => (u === 0 ? k : shader.let('ku', `${k} + ${u}`))));
      shader.line('}');
      if (sizes.k % copies === 0) return sums;
    }
    shader.line(`for (; ${k} < ${end}; ${k}++) {`);
    products([k]);
    shader.line('}');
    return sums;
  }

  /** Emits what is read of an operand at several steps along k, given by their coordinates; answers its elements at one of them. */
  #elements({ operand, quads, places }: Side, ks: readonly (readonly string[])[]): (u: number) => readonly string[] {
    const { shader } = this;
    const parts = (quad: string): string[] => [...'xyzw'].map((c) => `${quad}.${c}`);
    if (quads === 'k') {
      const first = operand.step(ks[0]!);
      const lines = places.map((place) => parts(shader.let('v', operand.quad(place, first))));
      return (u) => lines.map((line) => line[u]!);
    }
    return (u) => {
      const at = operand.step(ks[u]!);
      return quads === 'own'
        ? places.flatMap((place) => parts(shader.let('v', operand.quad(place, at))))
        : places.map((place) => shader.let('x', operand.element(place, at)));
    };
  }

  /** As `direct`, but the workgroup's tile begins at `tileM` and `tileN`, and its operands go through workgroup memory. */
  shared(tileM: string, tileN: string, begin: string, end: string): string[][] {
    const { shader, tile, sizes } = this;
    const [blockM, blockN] = [tile.m * tile.threadsM, tile.n * tile.threadsN];
    const vector = `vec4<${this.#type}>`;
    shader.global(`var<workgroup> shared_a: array<${vector}, ${(blockM / 4) * tile.k}>;`);
    shader.global(`var<workgroup> shared_b: array<${vector}, ${(blockN / 4) * tile.k}>;`);
    const left = this.#pieces('a', blockM, tileM, sizes.m, (m) => this.#rowPlace(m));
    const right = this.#pieces('b', blockN, tileN, sizes.n, (n) => this.#columnPlace(n));
    const perThread = { rows: tile.m / 4, columns: tile.n / 4 };
    const sums = range(tile.m).map(() => range(perThread.columns).map(() => shader.fresh('sum')));
    for (const name of sums.flat()) shader.line(`var ${name} = ${vector}();`);
    const k0 = shader.fresh('k');
    shader.line(`for (var ${k0} = ${begin}; ${k0} < ${end}; ${k0} += ${tile.k}) {`);
    left(k0, end);
    right(k0, end);
    shader.line('workgroupBarrier();');
    for (let kk = 0; kk < tile.k; kk++) {
      const a = range(perThread.rows).map((i) =>
        shader.let('a', `shared_a[${(kk * blockM) / 4} + thread_m * ${perThread.rows} + ${i}]`),
      );
      const b = range(perThread.columns).map((j) =>
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
   * Emits the places of what a thread brings into workgroup memory, which holds vectors of four neighbours along m or n at one k: one
   * such vector, or four by four elements where memory runs along k. Answers what emits the bringing. Threads that follow each
   * other take the axis along which memory runs.
   */
  #pieces(
    name: 'a' | 'b',
    block: number,
    start: string,
    size: number,
    place: (at: string) => Place,
  ): (k0: string, end: string) => void {
    const { shader, tile, contraction } = this;
    const [operand, axis] = name === 'a' ? [this.#lhs, this.#quads.lhs] : [this.#rhs, this.#quads.rhs];
    const threads = tile.threadsM * tile.threadsN;
    const columns = block / 4;
    const deep = axis === 'k' ? 4 : 1;
    const steps = tile.k / deep;
    const alongK = axis === 'k' || this.#runsAlongK(name);
    const pieces = range(Math.ceil((columns * steps) / threads)).map((s) => {
      const flat = shader.let('f', `lane + ${s * threads}`);
      const column = shader.let('qd', alongK ? `${flat} / ${steps}` : `${flat} % ${columns}`);
      const k = shader.let('kt', `(${alongK ? `${flat} % ${steps}` : `${flat} / ${columns}`}) * ${deep}`);
      const along = (i: number, last: number): Place =>
        place(shader.let('c', `min(${start} + ${column} * 4 + ${i}, ${last})`));
      const places = axis === 'own' ? [along(0, size - 4)] : range(4).map((i) => along(i, size - 1));
      const exists = (s + 1) * threads <= columns * steps ? null : `${flat} < ${columns * steps}`;
      return { column, k, places, exists };
    });
    return (k0, end) => {
      for (const { column, k, places, exists } of pieces) {
        if (exists) shader.line(`if (${exists}) {`);
        const at = shader.let('k', `${k0} + ${k}`);
        const inside = this.sizes.k % tile.k === 0 ? null : `${at} < ${end}`;
        const step = operand.step(shader.unflatten(at, contraction.k, 'k'));
        this.#vectors(operand, axis, places, step, inside).forEach((vector, i) =>
          shader.line(`shared_${name}[(${k} + ${i}) * ${columns} + ${column}] = ${vector};`),
        );
        if (exists) shader.line('}');
      }
    };
  }

  /** The vectors of one piece, by k; zeros unless `inside` holds. */
  #vectors(
    operand: Operand,
    axis: QuadAxis,
    places: readonly Place[],
    step: ReturnType<Operand['step']>,
    inside: string | null,
  ): string[] {
    const vector = `vec4<${this.#type}>`;
    if (axis === null) return [`${vector}(${places.map((p) => operand.element(p, step, inside)).join(', ')})`];
    const quads = places.map((p) => {
      const quad = operand.quad(p, step);
      return this.shader.let('v', inside ? `select(${vector}(), ${quad}, ${inside})` : quad);
    });
    if (axis === 'own') return quads;
    return [...'xyzw'].map((c) => `${vector}(${quads.map((q) => `${q}.${c}`).join(', ')})`);
  }

  /** Whether an operand's memory runs along k. */
  #runsAlongK(name: 'a' | 'b'): boolean {
    const { batch, m, n, k, lhs, rhs } = this.contraction;
    const { index } = name === 'a' ? lhs : rhs;
    const lastK = batch.length + m.length + n.length + k.length - 1;
    return (index.kind === 'add' ? index.terms : [index]).some((t) => t.kind === 'var' && t.index === lastK);
  }
}
