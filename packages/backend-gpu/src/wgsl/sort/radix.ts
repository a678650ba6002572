/*
 * Sorting by digits of four bits, the lowest first; each pass keeps the order of equal digits, so that the last one leaves the whole
 * order. A pass is three dispatches: each workgroup counts the digits of its block; a scan of the counts, digit by digit and
 * within a digit block by block, says where each block's elements of a digit go; and each workgroup brings its elements there.
 * No workgroup waits for another within a dispatch, which WebGPU does not promise would ever end.
 */
import type { Kernel, Sort } from '@dl/tensor';
import { type Launch, type RenderedKernel, Shader } from '../shader';
import { declareKeys, emitKey, keyBits } from './keys';

const groupSize = 64;
/** Neighbours that a thread takes, in order. */
const perThread = 16;
const blockSize = groupSize * perThread;
const scanSize = 256;
const digitBits = 4;
const digits = 2 ** digitBits;

/** Pieces of scratch memory: keys and places, which a pass brings from one of two pieces to the other; counts by row, digit and block. */
const keysOf = [0, 1] as const;
const placesOf = [2, 3] as const;
const counts = 4;

export function renderRadix(kernel: Kernel, sort: Sort, rows: number): RenderedKernel {
  const passes = Math.ceil(keyBits(sort.dtype) / digitBits);
  const radix = new Radix(kernel, sort, rows);
  const launches = [radix.keys()];
  for (let pass = 0; pass < passes; pass++) {
    const from = (pass % 2) as 0 | 1;
    const firstBit = pass * digitBits;
    launches.push(radix.count(from, firstBit), radix.scan(), radix.move(from, firstBit));
  }
  launches.push(radix.order((passes % 2) as 0 | 1));
  return { launches, scratch: radix.scratch };
}

class Radix {
  readonly #blocks: number;

  constructor(
    private readonly kernel: Kernel,
    private readonly sort: Sort,
    private readonly rows: number,
  ) {
    this.#blocks = Math.ceil(sort.length / blockSize);
  }

  get scratch(): number[] {
    const elements = this.rows * this.sort.length * 4;
    return [elements, elements, elements, elements, this.rows * digits * this.#blocks * 4];
  }

  /** The pairs before the first pass. */
  keys(): Launch {
    const { kernel, sort, rows } = this;
    const shader = new Shader(kernel);
    declareKeys(shader, sort);
    const flat = shader.let('at', `group * ${groupSize} + lane`);
    shader.line(`if (${flat} >= ${rows * sort.length}) { return; }`);
    const [row, own] = shader.unflatten(flat, [rows, sort.length], 'g') as [string, string];
    const key = emitKey(shader, sort, shader.unflatten(row, sort.rows, 'v'), own);
    shader.line(`${shader.scratch(keysOf[0], 'u32', true)}[${flat}] = ${key};`);
    shader.line(`${shader.scratch(placesOf[0], 'u32', true)}[${flat}] = u32(${own});`);
    return shader.finish(groupSize, Math.ceil((rows * sort.length) / groupSize));
  }

  /** A shader for a workgroup a block, which names the block's row and the elements of a thread, from `begin` to `end`. */
  #perBlock(): Shader {
    const shader = new Shader(this.kernel);
    shader.line(
      `if (group >= ${this.rows * this.#blocks}) { return; }`,
      `let row = group / ${this.#blocks};`,
      `let block = group % ${this.#blocks};`,
      `let begin = row * ${this.sort.length} + block * ${blockSize} + lane * ${perThread};`,
      `let end = min(begin + ${perThread}, (row + 1) * ${this.sort.length});`,
    );
    return shader;
  }

  /** The loop over a thread's elements, with the key and digit of each. */
  #eachDigit(shader: Shader, keys: string, ...body: readonly string[]): void {
    shader.line(
      'for (var i = begin; i < end; i++) {',
      `let key = ${keys}[i];`,
      `let digit = (key >> params[0].x) & ${digits - 1}u;`,
      ...body,
      '}',
    );
  }

  /** Counts the digits of each block. */
  count(from: 0 | 1, firstBit: number): Launch {
    const shader = this.#perBlock();
    shader.global(`var<workgroup> found: array<atomic<u32>, ${digits}>;`);
    const keys = shader.scratch(keysOf[from], 'u32', false);
    this.#eachDigit(shader, keys, 'atomicAdd(&found[digit], 1u);');
    shader.line(
      'workgroupBarrier();',
      `if (lane < ${digits}) {`,
      `${shader.scratch(counts, 'u32', true)}[(row * ${digits} + lane) * ${this.#blocks} + block] = atomicLoad(&found[lane]);`,
      '}',
    );
    return shader.finish(groupSize, this.rows * this.#blocks, [firstBit]);
  }

  /** Puts in the place of each count the sum of those before it in its row: a part of them a thread, and a sum over the threads. */
  scan(): Launch {
    const shader = new Shader(this.kernel);
    const total = digits * this.#blocks;
    const own = Math.ceil(total / scanSize);
    const values = shader.scratch(counts, 'u32', true);
    shader.global(`var<workgroup> sums: array<u32, ${scanSize}>;`);
    shader.line(
      `if (group >= ${this.rows}) { return; }`,
      `let begin = group * ${total} + lane * ${own};`,
      `let end = min(begin + ${own}, (group + 1) * ${total});`,
      'var sum = 0u;',
      `for (var i = begin; i < end; i++) { sum += ${values}[i]; }`,
      'sums[lane] = sum;',
      `for (var d = 1; d < ${scanSize}; d *= 2) {`,
      'workgroupBarrier();',
      'let before = select(0u, sums[max(lane - d, 0)], lane >= d);',
      'workgroupBarrier();',
      'sums[lane] += before;',
      '}',
      'var next = sums[lane] - sum;',
      `for (var i = begin; i < end; i++) { let n = ${values}[i]; ${values}[i] = next; next += n; }`,
    );
    return shader.finish(scanSize, this.rows);
  }

  /** Brings each element to its place: after those of lower digits, of earlier blocks, of threads before its own, and its own before it. */
  move(from: 0 | 1, firstBit: number): Launch {
    const shader = this.#perBlock();
    const to = from === 0 ? 1 : 0;
    const [keys, places] = [shader.scratch(keysOf[from], 'u32', false), shader.scratch(placesOf[from], 'u32', false)];
    const [newKeys, newPlaces] = [shader.scratch(keysOf[to], 'u32', true), shader.scratch(placesOf[to], 'u32', true)];
    // A word more than there are threads, so that the threads that add up a digit each are at different banks of memory.
    const stride = groupSize + 1;
    shader.global(`var<workgroup> next: array<u32, ${digits * stride}>;`);
    this.#eachDigit(shader, keys, `next[digit * ${stride}u + thread]++;`);
    shader.line(
      'workgroupBarrier();',
      `if (lane < ${digits}) {`,
      `var sum = ${shader.scratch(counts, 'u32', false)}[(row * ${digits} + lane) * ${this.#blocks} + block];`,
      `for (var t = lane * ${stride}; t < lane * ${stride} + ${groupSize}; t++) { let n = next[t]; next[t] = sum; sum += n; }`,
      '}',
      'workgroupBarrier();',
    );
    this.#eachDigit(
      shader,
      keys,
      `let at = row * ${this.sort.length} + i32(next[digit * ${stride}u + thread]);`,
      `next[digit * ${stride}u + thread]++;`,
      `${newKeys}[at] = key;`,
      `${newPlaces}[at] = ${places}[i];`,
    );
    return shader.finish(groupSize, this.rows * this.#blocks, [firstBit]);
  }

  /** Stores as many places of each row as are asked for. */
  order(from: 0 | 1): Launch {
    const { kernel, sort, rows } = this;
    const shader = new Shader(kernel);
    const flat = shader.let('at', `group * ${groupSize} + lane`);
    shader.line(`if (${flat} >= ${rows * sort.count}) { return; }`);
    const [row, own] = shader.unflatten(flat, [rows, sort.count], 'g') as [string, string];
    const place = shader.let(
      'p',
      `i32(${shader.scratch(placesOf[from], 'u32', false)}[${row} * ${sort.length} + ${own}])`,
    );
    const vars = shader.unflatten(row, sort.rows, 'v');
    shader.line(shader.store(sort.out, shader.expr(sort.outIndex, [...vars, own]), place));
    return shader.finish(groupSize, Math.ceil((rows * sort.count) / groupSize));
  }
}
