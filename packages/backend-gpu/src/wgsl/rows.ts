/*
 * The instructions of a kernel over its rows. Without reduced axes a thread takes one row. With them 1 to 256 threads share a row: each
 * takes every so manieth element, and their results meet (see `meeting.ts`). How many depends on the shape alone, and so does
 * the order in which numbers are summed. A row is gone through once for each round of reductions; what a later pass needs of
 * the elements is computed again.
 */
import type { DType, Kernel, ReduceOp } from '@dl/tensor';
import { emitValue, isReduction, type Scope } from './instructions';
import { argsOf, type Levels, levelsOf } from './levels';
import { combined, emitMeeting, exceeds, nowhere, type PartialResult } from './meeting';
import { type Launch, literal, Shader, valueType } from './shader';

const product = (sizes: readonly number[]): number => sizes.reduce((a, b) => a * b, 1);

/** Threads of a workgroup, unless more share a row. */
const groupSize = 64;
/** Elements that a thread takes before another helps it. */
const perThread = 32;
const maxSharing = 256;

/** How many threads share a row. */
export function threadsPerRow(rows: number, count: number): number {
  let threads = 1;
  while (threads < maxSharing && count > perThread * threads && rows * threads < 2 ** 20) threads *= 2;
  return threads;
}

/**
 * The launch of a kernel's body, or null if there is nothing to do.
 *
 * @param lanes - how many neighbouring threads can exchange values directly; 1 if none
 */
export function renderRows(kernel: Kernel, lanes: number): Launch | null {
  const rows = product(kernel.rows);
  if (kernel.body.length === 0 || rows === 0) return null;
  if (kernel.reduced.length === 0) return renderElements(kernel, rows);
  return new RowKernel(kernel, rows, lanes).render();
}

function renderElements(kernel: Kernel, rows: number): Launch {
  const shader = new Shader(kernel);
  const at = shader.let('at', `group * ${groupSize} + lane`);
  shader.line(`if (${at} >= ${rows}) { return; }`);
  const vars = shader.unflatten(at, kernel.rows, 'v');
  emitBody({ kernel, shader, vars, values: new Map() });
  return shader.finish(groupSize, Math.ceil(rows / groupSize));
}

/** All instructions at one place, the stores last. */
export function emitBody(scope: Scope): void {
  const { kernel } = scope;
  const stores: number[] = [];
  kernel.body.forEach((instruction, ref) => {
    if (instruction.op === 'store') stores.push(ref);
    else emitValue(scope, ref);
  });
  for (const ref of stores) emitStore(scope, ref);
}

/** Stores a value, where `condition` holds if there is one. */
export function emitStore({ kernel, shader, vars, values }: Scope, ref: number, condition: string | null = null): void {
  const instruction = kernel.body[ref]!;
  if (instruction.op !== 'store') return;
  const { access, args } = instruction;
  const statement = shader.store(access.binding, shader.expr(access.index, vars), values.get(args[0])!);
  const tests = [condition, shader.bounds(access.bounds, vars)].filter((t) => t !== null);
  shader.line(tests.length === 0 ? statement : `if (${tests.join(' && ')}) { ${statement} }`);
}

interface Accumulator extends PartialResult {
  readonly ref: number;
  /** Sums of floats gather here, strip by strip. */
  readonly total: string | null;
}

/** How many numbers of f32 are added one by one before they are added to the total. */
const strip = 128;

class RowKernel {
  readonly #shader: Shader;
  readonly #levels: Levels;
  readonly #count: number;
  readonly #sharing: number;
  readonly #size: number;
  readonly #values = new Map<number, string>();
  #rowVars: string[] = [];
  #part = '0';
  #live = 'true';

  constructor(
    private readonly kernel: Kernel,
    private readonly rows: number,
    private readonly lanes: number,
  ) {
    this.#shader = new Shader(kernel);
    this.#levels = levelsOf(kernel);
    this.#count = product(kernel.reduced);
    this.#sharing = threadsPerRow(rows, this.#count);
    this.#size = Math.max(groupSize, this.#sharing);
  }

  render(): Launch {
    const { kernel } = this;
    const shader = this.#shader;
    const perGroup = this.#size / this.#sharing;
    this.#place(perGroup);
    this.#rowVars = shader.unflatten('row', kernel.rows, 'v');
    const passes = this.#storePasses();
    const last = Math.max(0, ...this.#levels.pass.map((p, ref) => p + (isReduction(kernel.body[ref]!.op) ? 1 : 0)));
    for (let pass = 0; pass <= last; pass++) {
      this.#rowValues(pass);
      this.#elements(pass, passes);
    }
    this.#rowStores();
    return shader.finish(this.#size, Math.ceil(this.rows / perGroup));
  }

  /** Names the row and the thread's part of it. */
  #place(perGroup: number): void {
    const shader = this.#shader;
    if (this.#sharing === 1) {
      shader.line(`let row = group * ${perGroup} + lane;`, `if (row >= ${this.rows}) { return; }`);
      return;
    }
    const place = perGroup === 1 ? 'group' : `group * ${perGroup} + lane / ${this.#sharing}`;
    shader.line(`let place = ${place};`, `let row = min(place, ${this.rows - 1});`);
    this.#live = `place < ${this.rows}`;
    this.#part = shader.let('part', perGroup === 1 ? 'lane' : `lane % ${this.#sharing}`);
  }

  /** The pass of each element store: of what is also loaded the last, for others may still load it. */
  #storePasses(): Map<number, number> {
    const { body } = this.kernel;
    const { element, pass } = this.#levels;
    const loaded = this.#loadedBindings();
    const last = Math.max(0, ...pass.filter((_, ref) => element[ref] || isReduction(body[ref]!.op)));
    const passes = new Map<number, number>();
    body.forEach((instruction, ref) => {
      if (instruction.op !== 'store' || !element[ref]) return;
      passes.set(ref, loaded.has(instruction.access.binding) ? last : pass[ref]!);
    });
    return passes;
  }

  #loadedBindings(): Set<number> {
    const loads = this.kernel.body.flatMap((i) => (i.op === 'load' || i.op === 'gather' ? [i.access.binding] : []));
    return new Set(loads);
  }

  #scope(vars: readonly string[], values: Map<number, string>): Scope {
    return { kernel: this.kernel, shader: this.#shader, vars, values };
  }

  /** The values of rows that are known from this pass on. */
  #rowValues(pass: number): void {
    this.kernel.body.forEach((instruction, ref) => {
      if (this.#levels.element[ref] || this.#levels.pass[ref] !== pass) return;
      if (instruction.op === 'store' || isReduction(instruction.op)) return;
      emitValue(this.#scope(this.#rowVars, this.#values), ref);
    });
  }

  /** One pass over the elements: its reductions and stores, and all that they need. */
  #elements(pass: number, storePasses: ReadonlyMap<number, number>): void {
    const { body } = this.kernel;
    const reductions = body.flatMap((i, ref) => (isReduction(i.op) && this.#levels.pass[ref] === pass ? [ref] : []));
    const stores = [...storePasses].flatMap(([ref, p]) => (p === pass ? [ref] : []));
    const checks = body.flatMap((i, ref) => (this.#isFirstCheck(i.op, ref, pass) ? [ref] : []));
    if (reductions.length === 0 && stores.length === 0 && checks.length === 0) return;
    const accumulators = reductions.map((ref) => this.#accumulator(ref));
    this.#loop(accumulators, (vars, element) => {
      const values = new Map(this.#values);
      const scope = this.#scope(vars, values);
      for (const ref of this.#needed([...reductions, ...stores, ...checks])) emitValue(scope, ref);
      for (const accumulator of accumulators) this.#accumulate(accumulator, values, element);
      for (const ref of stores) emitStore(scope, ref, this.#sharing > 1 ? this.#live : null);
    });
    if (accumulators.length > 0) this.#meet(accumulators);
  }

  /** A check or gather is looked at even where nothing needs its value. */
  #isFirstCheck(op: string, ref: number, pass: number): boolean {
    return (op === 'check' || op === 'gather') && this.#levels.element[ref]! && this.#levels.pass[ref] === pass;
  }

  /** Element instructions that these need, in order. */
  #needed(refs: readonly number[]): number[] {
    const { body } = this.kernel;
    const needed = new Set<number>();
    const visit = (ref: number): void => {
      for (const arg of argsOf(body[ref]!))
        if (this.#levels.element[arg] && !needed.has(arg)) {
          needed.add(arg);
          visit(arg);
        }
    };
    for (const ref of refs) {
      visit(ref);
      const { op } = body[ref]!;
      if (op !== 'store' && !isReduction(op)) needed.add(ref);
    }
    return [...needed].sort((a, b) => a - b);
  }

  #accumulator(ref: number): Accumulator {
    const shader = this.#shader;
    const { op } = this.kernel.body[ref]!;
    const dtype = this.kernel.body[argsOf(this.kernel.body[ref]!)[0]!]!.dtype;
    const name = shader.fresh('acc');
    shader.line(`var ${name}: ${valueType[dtype]} = ${this.#identity(op as ReduceOp, dtype)};`);
    if (op === 'argmax') shader.line(`var ${name}_at: i32 = ${nowhere};`);
    const long = Math.ceil(this.#count / this.#sharing) > strip;
    const total = op === 'sum' && dtype === 'f32' && long ? `${name}_total` : null;
    if (total) shader.line(`var ${total}: f32 = 0f;`);
    return { ref, op: op as ReduceOp, dtype, name, total };
  }

  #identity(op: ReduceOp, dtype: DType): string {
    const of = (value: number): string => literal(dtype, value, this.#shader);
    const lowest: Partial<Record<DType, number>> = { f32: -Infinity, i32: -(2 ** 31) };
    const highest: Partial<Record<DType, number>> = {
      f32: Infinity,
      i32: 2 ** 31 - 1,
      u32: 2 ** 32 - 1,
      u8: 255,
      bool: 1,
    };
    if (op === 'prod') return of(1);
    if (op === 'max_reduce') return of(lowest[dtype] ?? 0);
    return of(op === 'min_reduce' ? highest[dtype]! : 0);
  }

  /** Goes through the thread's elements. */
  #loop(accumulators: readonly Accumulator[], emit: (vars: readonly string[], element: string) => void): void {
    const shader = this.#shader;
    const totals = accumulators.filter((a) => a.total);
    const body = (element: string): void => {
      const vars = [...this.#rowVars, ...shader.unflatten(element, this.kernel.reduced, 'e')];
      emit(vars, element);
    };
    const e = shader.fresh('i');
    const step = this.#sharing;
    if (totals.length === 0) {
      shader.line(`for (var ${e} = ${this.#part}; ${e} < ${this.#count}; ${e} += ${step}) {`);
      body(e);
      shader.line('}');
      return;
    }
    const from = shader.fresh('from');
    const width = step * strip;
    shader.line(`for (var ${from} = ${this.#part}; ${from} < ${this.#count}; ${from} += ${width}) {`);
    for (const { name } of totals) shader.line(`${name} = 0f;`);
    shader.line(`let end_${e} = min(${from} + ${width}, ${this.#count});`);
    shader.line(`for (var ${e} = ${from}; ${e} < end_${e}; ${e} += ${step}) {`);
    body(e);
    shader.line('}');
    for (const { name, total } of totals) shader.line(`${total} += ${name};`);
    shader.line('}');
    for (const { name, total } of totals) shader.line(`${name} = ${total};`);
  }

  #accumulate({ ref, op, dtype, name }: Accumulator, values: ReadonlyMap<number, string>, element: string): void {
    const x = values.get(argsOf(this.kernel.body[ref]!)[0]!)!;
    if (op === 'argmax') {
      const better = `${name}_at == ${nowhere} || ${exceeds(x, name, dtype, this.#shader)}`;
      this.#shader.line(`if (${better}) { ${name} = ${x}; ${name}_at = ${element}; }`);
    } else this.#shader.line(`${name} = ${combined(op, name, x, dtype, this.#shader)};`);
  }

  /** Brings the results of the threads of a row together, and names them. */
  #meet(accumulators: readonly Accumulator[]): void {
    const shader = this.#shader;
    if (this.#sharing > 1) {
      const meeting = { sharing: this.#sharing, size: this.#size, part: this.#part, lanes: this.lanes };
      emitMeeting(shader, accumulators, meeting);
    }
    for (const { ref, op, name } of accumulators) {
      const at = `select(${name}_at, 0, ${name}_at == ${nowhere})`;
      this.#values.set(ref, shader.let('r', op === 'argmax' ? at : name));
    }
  }

  /** What is stored once a row: by one thread, after all have loaded what it may overwrite. */
  #rowStores(): void {
    const shader = this.#shader;
    const { body } = this.kernel;
    const stores = body.flatMap((i, ref) => (i.op === 'store' && !this.#levels.element[ref] ? [ref] : []));
    if (stores.length === 0) return;
    const scope = this.#scope(this.#rowVars, this.#values);
    if (this.#sharing === 1) {
      for (const ref of stores) emitStore(scope, ref);
      return;
    }
    const loaded = this.#loadedBindings();
    const isLoaded = (ref: number): boolean => {
      const store = body[ref]!;
      return store.op === 'store' && loaded.has(store.access.binding);
    };
    if (stores.some(isLoaded)) shader.line('storageBarrier();');
    shader.line(`if (${this.#live} && ${this.#part} == 0) {`);
    for (const ref of stores) emitStore(scope, ref);
    shader.line('}');
  }
}
