/*
 * Instructions without reductions as WGSL expressions: a table of operations, each for the kinds of values that it takes, and the
 * instructions that read memory or depend on the place.
 */
import {
  type BinaryOp,
  type DType,
  type Instruction,
  type Kernel,
  type ReduceOp,
  reduceOps,
  type UnaryOp,
} from '@dl/tensor';
import type { FunctionName } from './functions';
import { literal, type Shader, valueType } from './shader';

/** How operations tell dtypes apart: a half is only moved. */
type Kind = 'f32' | 'i32' | 'u32' | 'u8' | 'bool';

const kindOf = (dtype: DType): Kind => {
  if (dtype === 'f16' || dtype === 'f64') throw new Error(`internal: arithmetic on ${dtype} in WGSL.`);
  return dtype;
};

const byte = (text: string, kind: Kind): string => (kind === 'u8' ? `((${text}) & 255u)` : text);

type Unary = (x: string, kind: Kind, shader: Shader) => string;

const call =
  (name: FunctionName): Unary =>
  (x, _, shader) =>
    `${shader.use(name)}(${x})`;
const onFloats =
  (apply: (x: string) => string): Unary =>
  (x, kind) =>
    kind === 'f32' ? apply(x) : x;

const unary: Record<UnaryOp, Unary> = {
  neg: (x, kind) => (kind === 'bool' ? x : kind === 'f32' || kind === 'i32' ? `(-${x})` : byte(`0u - ${x}`, kind)),
  abs: (x, kind) => (kind === 'f32' || kind === 'i32' ? `abs(${x})` : x),
  sign: (x, kind, shader) =>
    kind === 'f32'
      ? `${shader.use('sign_f32')}(${x})`
      : kind === 'i32'
        ? `sign(${x})`
        : kind === 'bool'
          ? x
          : `min(${x}, 1u)`,
  floor: onFloats((x) => `floor(${x})`),
  ceil: onFloats((x) => `ceil(${x})`),
  round: onFloats((x) => `round(${x})`),
  sqrt: (x) => `sqrt(${x})`,
  reciprocal: (x) => `(1.0f / ${x})`,
  exp: call('exp_f32'),
  log: call('log_f32'),
  log1p: call('log1p_f32'),
  expm1: call('expm1_f32'),
  sin: call('sin_f32'),
  cos: call('cos_f32'),
  tanh: call('tanh_f32'),
  erf: call('erf_f32'),
  not: (x, kind) => (kind === 'bool' ? `!${x}` : byte(`~${x}`, kind)),
};

type Binary = (x: string, y: string, kind: Kind, shader: Shader) => string;

const infix =
  (operator: string): Binary =>
  (x, y, kind) =>
    byte(`(${x} ${operator} ${y})`, kind);
const logic =
  (word: string, bit: string): Binary =>
  (x, y, kind) =>
    kind === 'bool' ? `(${x} ${word} ${y})` : `(${x} ${bit} ${y})`;
const number = (kind: Kind): 'f32' | 'i32' | 'u32' => (kind === 'u8' || kind === 'bool' ? 'u32' : kind);
const helper =
  (name: 'div' | 'mod' | 'pow'): Binary =>
  (x, y, kind, shader) =>
    byte(`${shader.use(`${name}_${number(kind)}` as FunctionName)}(${x}, ${y})`, kind);

const binary: Record<BinaryOp, Binary> = {
  add: (x, y, kind) => (kind === 'bool' ? `(${x} || ${y})` : infix('+')(x, y, kind, null as never)),
  mul: (x, y, kind) => (kind === 'bool' ? `(${x} && ${y})` : infix('*')(x, y, kind, null as never)),
  div: (x, y, kind, shader) => (kind === 'f32' ? `(${x} / ${y})` : helper('div')(x, y, kind, shader)),
  mod: helper('mod'),
  pow: helper('pow'),
  max: (x, y, kind, shader) =>
    kind === 'f32' ? `${shader.use('max_f32')}(${x}, ${y})` : kind === 'bool' ? `(${x} || ${y})` : `max(${x}, ${y})`,
  min: (x, y, kind, shader) =>
    kind === 'f32' ? `${shader.use('min_f32')}(${x}, ${y})` : kind === 'bool' ? `(${x} && ${y})` : `min(${x}, ${y})`,
  eq: (x, y, kind, shader) => (kind === 'f32' ? `${shader.use('eq_f32')}(${x}, ${y})` : `(${x} == ${y})`),
  lt: (x, y, kind, shader) =>
    kind === 'f32' ? `${shader.use('lt_f32')}(${x}, ${y})` : kind === 'bool' ? `(!${x} && ${y})` : `(${x} < ${y})`,
  and: logic('&&', '&'),
  or: logic('||', '|'),
  xor: logic('!=', '^'),
  shl: (x, y, kind) => byte(`(${x} << (${kind === 'i32' ? `bitcast<u32>(${y})` : y} & 31u))`, kind),
  shr: (x, y, kind) => `(${x} >> (${kind === 'i32' ? `bitcast<u32>(${y})` : y} & 31u))`,
};

/** x + y and the like for reductions. */
export const combine = (
  op: 'add' | 'mul' | 'max' | 'min',
  x: string,
  y: string,
  dtype: DType,
  shader: Shader,
): string => binary[op](x, y, kindOf(dtype), shader);

/** A value of one dtype as another. */
export function convert(x: string, from: DType, to: DType, shader: Shader): string {
  if (from === to) return x;
  if (from === 'f16') return convert(`${shader.use('f32_of_f16')}(${x})`, 'f32', to, shader);
  if (to === 'f16') return `${shader.use('f16_of_f32')}(${convert(x, from, 'f32', shader)})`;
  if (from === 'bool') return `select(${literal(to, 0, shader)}, ${literal(to, 1, shader)}, ${x})`;
  if (from === 'f32') {
    if (to === 'bool') return `((bitcast<u32>(${x}) & 0x7fffffffu) != 0u)`;
    if (to === 'i32') return `${shader.use('i32_of_f32')}(${x})`;
    const whole = `${shader.use('u32_of_f32')}(${x})`;
    return to === 'u8' ? `min(${whole}, 255u)` : whole;
  }
  if (to === 'bool') return `(${x} != ${literal(from, 0, shader)})`;
  if (to === 'f32') return `f32(${x})`;
  const word = from === 'i32' && to !== 'i32' ? `bitcast<u32>(${x})` : to === 'i32' ? `bitcast<i32>(${x})` : x;
  return to === 'u8' ? `(${word} & 255u)` : word;
}

/** What instructions refer to: the place, and the values so far. */
export interface Scope {
  readonly kernel: Kernel;
  readonly shader: Shader;
  /** Names of the loop variables: rows, then reduced axes. */
  readonly vars: readonly string[];
  /** Names of the values at this point, by instruction. */
  readonly values: Map<number, string>;
  /** A value that a load of this binding finds without reading memory: what the producer has just computed. */
  readonly produced?: { readonly binding: number; readonly value: string };
}

const reductions: ReadonlySet<string> = new Set(reduceOps);
export const isReduction = (op: string): op is ReduceOp => reductions.has(op);

const named = (scope: Scope, ref: number): string => scope.values.get(ref)!;

/** Emits what computes an instruction, which is neither a reduction nor a store, and names its value. */
export function emitValue(scope: Scope, ref: number): void {
  const instruction = scope.kernel.body[ref]!;
  const { shader, values } = scope;
  if (instruction.op === 'constant') {
    values.set(ref, literal(instruction.dtype, instruction.value, shader));
    return;
  }
  values.set(ref, emitNamed(scope, ref, instruction));
}

function emitNamed(scope: Scope, ref: number, instruction: Instruction): string {
  const { shader, vars, kernel } = scope;
  const type = valueType[instruction.dtype];
  /** A variable that holds `fill` unless the bounds hold. */
  const guarded = (bounds: string | null, fill: number, value: () => string): string => {
    if (bounds === null) return shader.let('x', value());
    const name = shader.fresh('x');
    shader.line(`var ${name}: ${type} = ${literal(instruction.dtype, fill, shader)};`, `if (${bounds}) {`);
    shader.line(`${name} = ${value()};`, '}');
    return name;
  };
  switch (instruction.op) {
    case 'load': {
      const { access, fill } = instruction;
      if (scope.produced?.binding === access.binding) return scope.produced.value;
      return guarded(shader.bounds(access.bounds, vars), fill, () =>
        shader.load(access.binding, shader.expr(access.index, vars)),
      );
    }
    case 'gather': {
      const { access, fill, limit, stride } = instruction;
      const at = named(scope, instruction.args[0]);
      return guarded(shader.bounds(access.bounds, vars), fill, () => {
        const index = shader.let('g', convert(at, kernel.body[instruction.args[0]]!.dtype, 'i32', shader));
        const name = shader.fresh('x');
        shader.line(`var ${name}: ${type} = ${literal(instruction.dtype, 0, shader)};`);
        shader.line(`if (${index} >= 0 && ${index} < ${limit}) {`);
        shader.line(
          `${name} = ${shader.load(access.binding, `${shader.expr(access.index, vars)} + ${index} * ${stride}`)};`,
        );
        shader.line(`} else { ${shader.report(index, limit)} }`);
        return name;
      });
    }
    case 'check': {
      const at = named(scope, instruction.args[0]);
      shader.line(`if (${at} < 0 || ${at} >= ${instruction.limit}) { ${shader.report(at, instruction.limit)} }`);
      return at;
    }
    case 'guard': {
      const condition = shader.bounds(instruction.bounds, vars);
      const value = named(scope, instruction.args[0]);
      if (condition === null) return shader.let('x', value);
      return shader.let('x', `select(${literal(instruction.dtype, instruction.fill, shader)}, ${value}, ${condition})`);
    }
    case 'scalar':
      return shader.let('x', scalar(instruction.dtype, shader.paramWords(instruction.param)));
    case 'index':
      return shader.let('x', convert(shader.expr(instruction.expr, vars), 'i32', instruction.dtype, shader));
    case 'random': {
      const key0 = `${shader.paramWords(instruction.key0)}.y`;
      const key1 = `${shader.paramWords(instruction.key1)}.y`;
      const counter = shader.paramWords(instruction.counter);
      const index = shader.expr(instruction.index, vars);
      return shader.let('x', `${shader.use('random_at')}(${key0}, ${key1}, ${counter}.y, ${counter}.z, ${index})`);
    }
    case 'where': {
      const [c, a, b] = instruction.args;
      return shader.let('x', `select(${named(scope, b)}, ${named(scope, a)}, ${named(scope, c)})`);
    }
    case 'cast':
      return shader.let(
        'x',
        convert(named(scope, instruction.args[0]), kernel.body[instruction.args[0]]!.dtype, instruction.dtype, shader),
      );
    case 'bitcast':
      return shader.let('x', `bitcast<${type}>(${operandsOf(scope, instruction.args)[0]})`);
    default:
      return shader.let('x', arithmetic(scope, instruction, ref));
  }
}

/** Words of a parameter: its bits as f32, the low and high word of the whole number, and its bits as f16 with a flag "not 0". */
function scalar(dtype: DType, words: string): string {
  switch (dtype) {
    case 'f32':
      return `bitcast<f32>(${words}.x)`;
    case 'i32':
      return `bitcast<i32>(${words}.y)`;
    case 'u32':
      return `${words}.y`;
    case 'u8':
      return `(${words}.y & 255u)`;
    case 'f16':
      return `(${words}.w & 0xffffu)`;
    case 'bool':
      return `(${words}.w >= 0x10000u)`;
    default:
      throw new Error(`internal: a number of ${dtype} in WGSL.`);
  }
}

/**
 * Names of what is computed with. A shader compiler computes what depends on constants alone, and refuses it where that is an
 * infinity or NaN; there they are variables.
 */
function operandsOf(scope: Scope, args: readonly number[]): string[] {
  const { kernel, shader } = scope;
  const names = args.map((arg) => named(scope, arg));
  const constant = args.map((arg) => kernel.body[arg]!).filter((i) => i.op === 'constant');
  if (constant.length < args.length) return names;
  return names.map((name, i) => {
    const { dtype, value } = constant[i]!;
    // The others are the results of functions, which no compiler may take for constants.
    return Number.isFinite(Math.fround(value)) ? shader.variable(dtype, name) : name;
  });
}

function arithmetic(scope: Scope, instruction: Instruction, ref: number): string {
  const { kernel, shader } = scope;
  const { op } = instruction;
  const args = 'args' in instruction ? instruction.args : [];
  const kind = kindOf(kernel.body[args[0]!]!.dtype);
  const [x, y] = operandsOf(scope, args);
  if (op in unary) return unary[op as UnaryOp](x!, kind, shader);
  if (kind === 'f32' && (op === 'mul' || op === 'add' || op === 'div')) {
    // A literal 0 would be taken for 0 · y and 0 / y, and x for x + 0, though y be NaN and x be −0. One below the line stays: a compiler
    // takes x for (x · z) / z.
    const hides = (i: number): boolean => isZero(kernel, args[i]!) && !(op === 'div' && i === 1);
    const [a, b] = [x!, y!].map((name, i) => (hides(i) ? shader.zero() : name));
    return binary[op](a!, b!, kind, shader);
  }
  if (op in binary) return binary[op as BinaryOp](x!, y!, kind, shader);
  throw new Error(`internal: instruction ${ref} (${op}) has no WGSL.`);
}

const isZero = (kernel: Kernel, ref: number): boolean => {
  const instruction = kernel.body[ref]!;
  return instruction.op === 'constant' && instruction.value === 0;
};
