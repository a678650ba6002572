/*
 * One shader under construction: which buffers and functions it uses, and its text. Elements lie in memory as on the host. WGSL has
 * no type of one or two bytes, so those dtypes are words that hold several elements; a store of one changes its bytes of the
 * word by two atomic operations, for other threads change the others.
 */
import { type Bound, type DType, type Expr, encodeHalf, type Kernel } from '@dl/tensor';
import { type FunctionName, functionsSource } from './functions';

/** What a launch binds: a binding of its kernel, memory that lasts as long as the kernel, or the word of faults. */
export type Resource =
  | { readonly kind: 'binding'; readonly index: number }
  | { readonly kind: 'scratch'; readonly index: number }
  | { readonly kind: 'fault' };

export interface BoundResource {
  readonly resource: Resource;
  readonly access: 'read' | 'read_write';
}

/** One dispatch. */
export interface Launch {
  readonly source: string;
  readonly resources: readonly BoundResource[];
  /** Whether it reads the kernel's parameters, and the number of its kernel for faults. */
  readonly usesParams: boolean;
  /** The only parameters, instead of the kernel's, if there are any: a word each, at most four. */
  readonly numbers: readonly number[] | null;
  /** In all; the runtime lays them out in two dimensions if there are too many for one. */
  readonly workgroups: number;
}

/** A kernel as the device runs it. */
export interface RenderedKernel {
  readonly launches: readonly Launch[];
  /** Bytes of each piece of scratch memory. */
  readonly scratch: readonly number[];
}

/** How a value of a dtype is held while a kernel computes. A half is its bits, and is computed with only as f32. */
export const valueType = {
  f32: 'f32',
  f16: 'u32',
  i32: 'i32',
  u32: 'u32',
  u8: 'u32',
  bool: 'bool',
  f64: 'f64',
} as const satisfies Record<DType, string>;

/** How many elements share a word of memory. */
export const perWord = (dtype: DType): number => (dtype === 'f16' ? 2 : dtype === 'u8' || dtype === 'bool' ? 4 : 1);

/** Words of so many elements. */
export const wordsOf = (dtype: DType, size: number): number => Math.max(1, Math.ceil(size / perWord(dtype)));

/** The literal of a number of a dtype. */
export function literal(dtype: DType, value: number, shader: Shader): string {
  switch (dtype) {
    case 'f32': {
      const x = Math.fround(value);
      if (Number.isNaN(x)) return `${shader.use('nan')}()`;
      if (x === Infinity) return `${shader.use('inf')}()`;
      if (x === -Infinity) return `(-${shader.use('inf')}())`;
      if (Object.is(x, -0)) return 'bitcast<f32>(0x80000000u)';
      const text = String(x);
      return x < 0 ? `(${text}f)` : `${text}f`;
    }
    case 'f16':
      return `${encodeHalf(value)}u`;
    case 'i32':
      return intLiteral(value | 0);
    case 'u32':
      return `${value >>> 0}u`;
    case 'u8':
      return `${value & 255}u`;
    case 'bool':
      return value !== 0 ? 'true' : 'false';
    default:
      throw new Error(`internal: a constant of ${dtype} in WGSL.`);
  }
}

export const intLiteral = (value: number): string =>
  value === -(2 ** 31) ? '(-2147483647 - 1)' : value < 0 ? `(${value})` : String(value);

interface Used {
  readonly resource: Resource;
  readonly dtype: DType;
  written: boolean;
}

export const workgroupLimit = 65535;

/** The lowest value that an expression can have. */
function lowest(e: Expr): number {
  switch (e.kind) {
    case 'const':
      return e.value;
    case 'param':
      return e.min;
    case 'add':
      return e.terms.reduce((sum, t) => sum + lowest(t), 0);
    case 'mul':
      return e.factor >= 0 ? e.factor * lowest(e.term) : e.factor * highest(e.term);
    case 'div':
      return Math.floor(lowest(e.term) / e.divisor);
    default:
      return 0;
  }
}

function highest(e: Expr): number {
  switch (e.kind) {
    case 'const':
      return e.value;
    case 'var':
      return e.size - 1;
    case 'param':
      return e.max;
    case 'add':
      return e.terms.reduce((sum, t) => sum + highest(t), 0);
    case 'mul':
      return e.factor >= 0 ? e.factor * highest(e.term) : e.factor * lowest(e.term);
    case 'div':
      return Math.floor(highest(e.term) / e.divisor);
    case 'mod':
      return e.divisor - 1;
  }
}

export class Shader {
  readonly #used = new Map<string, Used>();
  readonly #functions = new Set<FunctionName>();
  readonly #params = new Set<number>();
  readonly #globals: string[] = [];
  readonly #late: string[] = [];
  #names = 0;
  #usesFault = false;
  #usesSubgroups = false;
  readonly lines: string[] = [];

  constructor(readonly kernel: Kernel) {}

  /** Names a library function that the shader calls. */
  use(name: FunctionName): string {
    this.#functions.add(name);
    return name;
  }

  /** Says that the shader exchanges values between threads. */
  useSubgroups(): void {
    this.#usesSubgroups = true;
  }

  global(text: string): void {
    this.#globals.push(text);
  }

  /** A function of the kernel's own, whose statements `body` emits. */
  function(head: string, body: () => void): void {
    const outer = this.lines.splice(0);
    body();
    const inner = this.lines.splice(0);
    this.lines.push(...outer);
    this.#late.push([`fn ${head} {`, ...inner, '}'].join('\n'));
  }

  line(...text: string[]): void {
    this.lines.push(...text);
  }

  fresh(prefix: string): string {
    return `${prefix}_${this.#names++}`;
  }

  /** A value with a name of its own. */
  let(prefix: string, value: string): string {
    const name = this.fresh(prefix);
    this.line(`let ${name} = ${value};`);
    return name;
  }

  /** A variable with a value that the compiler does not know. */
  variable(dtype: DType, value: string): string {
    const name = this.fresh('c');
    this.global(`var<private> ${name}: ${valueType[dtype]} = ${value};`);
    return name;
  }

  #resource(resource: Resource, dtype: DType, written: boolean): string {
    const name = resource.kind === 'fault' ? 'fault' : `${resource.kind === 'binding' ? 'b' : 's'}${resource.index}`;
    const used = this.#used.get(name);
    if (used) used.written ||= written;
    else this.#used.set(name, { resource, dtype, written });
    return name;
  }

  #buffer(binding: number, written: boolean): { readonly name: string; readonly dtype: DType } {
    const { dtype } = this.kernel.bindings[binding]!;
    return { name: this.#resource({ kind: 'binding', index: binding }, dtype, written), dtype };
  }

  /** A buffer of 32-bit elements of the kernel's own. */
  scratch(index: number, dtype: 'f32' | 'i32' | 'u32', written: boolean): string {
    return this.#resource({ kind: 'scratch', index }, dtype, written);
  }

  /** The array of a binding of 32-bit elements. */
  array(binding: number, written: boolean): string {
    return this.#buffer(binding, written).name;
  }

  /** Declares a binding as vectors of four elements, which the shader then reads as such too; before its first load. */
  widen(binding: number): void {
    this.#wide.add(this.#buffer(binding, false).name);
  }

  /** The four elements of a widened binding from an index on that is a multiple of 4. */
  loadQuad(binding: number, index: string): string {
    return `${this.#buffer(binding, false).name}[(${index}) / 4]`;
  }

  readonly #wide = new Set<string>();

  /** The element of a binding at an i32 index. */
  load(binding: number, index: string): string {
    const { name, dtype } = this.#buffer(binding, false);
    if (this.#wide.has(name)) return `${name}[(${index}) / 4][(${index}) & 3]`;
    if (perWord(dtype) === 1) return `${name}[${index}]`;
    const function_ = `load_${name}`;
    this.#narrow.set(function_, { name, dtype });
    return dtype === 'bool' ? `(${function_}(u32(${index})) != 0u)` : `${function_}(u32(${index}))`;
  }

  readonly #narrow = new Map<string, { readonly name: string; readonly dtype: DType }>();

  /** The statement that stores a value. */
  store(binding: number, index: string, value: string): string {
    const { name, dtype } = this.#buffer(binding, true);
    if (perWord(dtype) === 1) return `${name}[${index}] = ${value};`;
    const function_ = `store_${name}`;
    this.#narrow.set(function_, { name, dtype });
    return `${function_}(u32(${index}), ${dtype === 'bool' ? `select(0u, 1u, ${value})` : value});`;
  }

  /** Reports an index outside its limit; the runtime makes an error of it at the next read. */
  report(index: string, limit: number): string {
    this.#usesFault = true;
    this.#resource({ kind: 'fault' }, 'u32', true);
    return `report(${index}, ${limit}u);`;
  }

  /** A parameter as an i32. */
  param(index: number): string {
    this.#params.add(index);
    return `p${index}()`;
  }

  /** A 0 of f32 that no shader compiler can know: it lies beside the number of the kernel. */
  zero(): string {
    this.#params.add(-1);
    return 'bitcast<f32>(params[0].y)';
  }

  /** The four words that the runtime writes for a parameter. */
  paramWords(index: number): string {
    this.#params.add(-1);
    return `params[${index + 1}]`;
  }

  /** An index expression over the named variables. */
  expr(e: Expr, vars: readonly string[]): string {
    switch (e.kind) {
      case 'const':
        return intLiteral(e.value);
      case 'var':
        return vars[e.index]!;
      case 'param':
        return this.param(e.index);
      case 'add':
        return `(${e.terms.map((t) => this.expr(t, vars)).join(' + ')})`;
      case 'mul':
        return `${this.expr(e.term, vars)} * ${intLiteral(e.factor)}`;
      case 'div':
      case 'mod': {
        const term = this.expr(e.term, vars);
        if (lowest(e.term) >= 0) return `((${term}) ${e.kind === 'div' ? '/' : '%'} ${e.divisor})`;
        const quotient = `${this.use('floor_div')}(${term}, ${e.divisor})`;
        return e.kind === 'div' ? quotient : `(${term} - ${quotient} * ${e.divisor})`;
      }
    }
  }

  /** A condition, or null where there is none. */
  bounds(bounds: readonly Bound[], vars: readonly string[]): string | null {
    const tests = bounds.flatMap(({ term, min, end }) => {
      const value = this.expr(term, vars);
      const low = lowest(term) >= min ? [] : [`${value} >= ${intLiteral(min)}`];
      const high = highest(term) < end ? [] : [`${value} < ${intLiteral(end)}`];
      return [...low, ...high];
    });
    return tests.length === 0 ? null : `(${tests.join(' && ')})`;
  }

  /** Names of the coordinates of a flat index: the last of `sizes` runs fastest. */
  unflatten(flat: string, sizes: readonly number[], prefix: string): string[] {
    const names = new Array<string>(sizes.length).fill('0');
    const axes = sizes.flatMap((n, i) => (n === 1 ? [] : [i]));
    let rest = flat;
    for (let a = axes.length - 1; a >= 0; a--) {
      const i = axes[a]!;
      if (a === 0) {
        names[i] = rest;
        break;
      }
      const size = sizes[i]!;
      const quotient = this.let('q', `${rest} / ${size}`);
      names[i] = this.let(prefix, `${rest} - ${quotient} * ${size}`);
      rest = quotient;
    }
    return names;
  }

  /** The shader's text around its main lines. */
  finish(size: number, workgroups: number, numbers: readonly number[] | null = null): Launch {
    const params = this.#paramFunctions();
    const used = [...this.#used.entries()];
    const usesParams = params.length > 0 || this.#params.size > 0 || this.#usesFault || numbers !== null;
    const declarations = used.map(([name, { dtype, written, resource }], i) => {
      const element = resource.kind === 'fault' || perWord(dtype) > 1 ? 'u32' : valueType[dtype];
      const atomic = resource.kind === 'fault' || (written && perWord(dtype) > 1);
      const held = atomic ? `atomic<${element}>` : this.#wide.has(name) ? `vec4<${element}>` : element;
      const access = written ? 'read_write' : 'read';
      return `@group(0) @binding(${i + 1}) var<storage, ${access}> ${name}: array<${held}>;`;
    });
    const block = usesParams
      ? [`@group(0) @binding(0) var<uniform> params: array<vec4<u32>, ${numbers ? 1 : this.kernel.params.length + 1}>;`]
      : [];
    const source = [
      ...(this.#usesSubgroups ? ['enable subgroups;'] : []),
      ...block,
      ...declarations,
      ...this.#globals,
      functionsSource(this.#functions),
      ...this.#narrowFunctions(),
      ...(this.#usesFault ? [reportFunction] : []),
      ...params,
      ...this.#late,
      `@compute @workgroup_size(${size})`,
      'fn main(@builtin(workgroup_id) wg: vec3<u32>, @builtin(num_workgroups) wgs: vec3<u32>, @builtin(local_invocation_index) thread: u32) {',
      'let group = i32(wg.x + wg.y * wgs.x);',
      'let lane = i32(thread);',
      ...this.lines,
      '}',
      '',
    ].join('\n');
    const resources = used.map(
      ([, { resource, written }]): BoundResource => ({ resource, access: written ? 'read_write' : 'read' }),
    );
    return { source, resources, usesParams, numbers, workgroups };
  }

  #paramFunctions(): string[] {
    return [...this.#params]
      .filter((i) => i >= 0)
      .sort((a, b) => a - b)
      .map((i) => {
        const param = this.kernel.params[i]!;
        if (param.kind !== 'element') return `fn p${i}() -> i32 { return bitcast<i32>(params[${i + 1}].y); }`;
        const { dtype } = this.kernel.bindings[param.binding]!;
        const element = this.load(param.binding, String(param.offset));
        const value = dtype === 'f32' ? `${this.use('i32_of_f32')}(${element})` : `i32(${element})`;
        return `fn p${i}() -> i32 { return clamp(${value}, ${intLiteral(param.min)}, ${intLiteral(param.max)}); }`;
      });
  }

  #narrowFunctions(): string[] {
    const bits = (dtype: DType) => 32 / perWord(dtype);
    return [...this.#narrow].map(([function_, { name, dtype }]) => {
      const shift = perWord(dtype) === 2 ? 1 : 2;
      const mask = perWord(dtype) === 2 ? '0xffffu' : '0xffu';
      const place = `let at = (i & ${perWord(dtype) - 1}u) * ${bits(dtype)}u;`;
      if (function_.startsWith('load')) {
        const written = this.#used.get(name)!.written;
        const word = written ? `atomicLoad(&${name}[i >> ${shift}u])` : `${name}[i >> ${shift}u]`;
        return `fn ${function_}(i: u32) -> u32 { ${place} return (${word} >> at) & ${mask}; }`;
      }
      return `fn ${function_}(i: u32, x: u32) { ${place} atomicAnd(&${name}[i >> ${shift}u], ~(${mask} << at)); atomicOr(&${name}[i >> ${shift}u], (x & ${mask}) << at); }`;
    });
  }
}

const reportFunction = `fn report(index: i32, limit: u32) {
  if (atomicAdd(&fault[3], 1u) == 0u) {
    atomicStore(&fault[0], params[0].x);
    atomicStore(&fault[1], bitcast<u32>(index));
    atomicStore(&fault[2], limit);
  }
}`;
