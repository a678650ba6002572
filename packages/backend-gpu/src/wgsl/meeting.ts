/*
 * How the partial results of threads that share a row become one: thread i takes up that of thread i + h, for h from half the threads
 * down to 1. While the two may be far apart, through workgroup memory with a barrier a step; where threads can exchange values
 * directly, the last steps so. Either way the same numbers are combined in the same order, and every thread of the row ends with
 * the result.
 */
import type { DType, ReduceOp } from '@dl/tensor';
import { combine } from './instructions';
import { type Shader, valueType } from './shader';

/** A reduction under way: a variable, and for argmax another, `…_at`, with the place of its element. */
export interface PartialResult {
  readonly op: ReduceOp;
  /** Of the elements. */
  readonly dtype: DType;
  readonly name: string;
}

/** Who meets: powers of two. */
export interface Meeting {
  /** Threads of a row. */
  readonly sharing: number;
  /** Threads of the workgroup. */
  readonly size: number;
  /** Name of the thread's number among those of its row. */
  readonly part: string;
  /** How many neighbouring threads can exchange values directly; 1 if none. */
  readonly lanes: number;
}

/** No element has this place. */
export const nowhere = '0x7fffffff';

/** Two results of a reduction other than argmax as one. */
export function combined(op: ReduceOp, x: string, y: string, dtype: DType, shader: Shader): string {
  const rule = { sum: 'add', prod: 'mul', max_reduce: 'max', min_reduce: 'min' } as const;
  return combine(rule[op as keyof typeof rule], x, y, dtype, shader);
}

/** Whether a value is better than the best so far, for argmax. */
export function exceeds(x: string, best: string, dtype: DType, shader: Shader): string {
  if (dtype === 'f32') return `${shader.use('exceeds_f32')}(${x}, ${best})`;
  return dtype === 'bool' ? `(${x} && !${best})` : `(${x} > ${best})`;
}

/** A variable that is brought together, and its type. */
interface Variable {
  readonly name: string;
  readonly type: string;
}

const variablesOf = ({ op, name, dtype }: PartialResult): Variable[] => {
  const value = { name, type: dtype === 'bool' ? 'bool' : valueType[dtype] };
  return op === 'argmax' ? [value, { name: `${name}_at`, type: 'i32' }] : [value];
};

/** Emits the meeting; afterwards the variables hold the results of the row. */
export function emitMeeting(shader: Shader, partials: readonly PartialResult[], meeting: Meeting): void {
  const direct = Math.min(meeting.lanes, meeting.sharing);
  if (meeting.sharing > direct) emitThroughMemory(shader, partials, meeting, direct);
  for (let half = direct / 2; half >= 1; half /= 2) emitExchange(shader, partials, meeting.part, half);
}

/** Halves the number of partial results until so many are left, and gives every thread one of them. */
function emitThroughMemory(
  shader: Shader,
  partials: readonly PartialResult[],
  { sharing, size, part }: Meeting,
  left: number,
): void {
  const variables = partials.flatMap(variablesOf);
  for (const { name, type } of variables) shader.global(`var<workgroup> shared_${name}: array<${type}, ${size}>;`);
  for (const { name } of variables) shader.line(`shared_${name}[lane] = ${name};`);
  shader.line('workgroupBarrier();');
  for (let half = sharing / 2; half >= left; half /= 2) {
    shader.line(`if (${part} < ${half}) {`);
    for (const partial of partials) {
      const at = (variable: string, lane: string): string => `shared_${variable}[${lane}]`;
      const mine = (variable: string): string => at(variable, 'lane');
      emitStep(shader, partial, mine, mine, (variable) => at(variable, `lane + ${half}`));
    }
    shader.line('}', 'workgroupBarrier();');
  }
  const first = sharing === size ? '0' : `lane - ${part}`;
  const own = left === 1 ? first : `${first} + ${part} % ${left}`;
  for (const { name } of variables) shader.line(`${name} = shared_${name}[${own}];`);
}

/** Both of two threads take the result that the lower of them would have. */
function emitExchange(shader: Shader, partials: readonly PartialResult[], part: string, half: number): void {
  const isLower = shader.let('lower', `(${part} & ${half}) == 0`);
  for (const partial of partials) {
    const [low, high] = [new Map<string, string>(), new Map<string, string>()];
    for (const { name, type } of variablesOf(partial)) {
      const other = shader.let('other', exchanged(shader, name, type, half));
      low.set(name, shader.let('low', `select(${other}, ${name}, ${isLower})`));
      high.set(name, shader.let('high', `select(${name}, ${other}, ${isLower})`));
    }
    for (const { name } of variablesOf(partial)) shader.line(`${name} = ${low.get(name)};`);
    emitStep(
      shader,
      partial,
      (name) => name,
      (name) => low.get(name)!,
      (name) => high.get(name)!,
    );
  }
}

function exchanged(shader: Shader, name: string, type: string, half: number): string {
  shader.useSubgroups();
  if (type !== 'bool') return `subgroupShuffleXor(${name}, ${half}u)`;
  return `(subgroupShuffleXor(select(0u, 1u, ${name}), ${half}u) != 0u)`;
}

type Naming = (variable: string) => string;

/** Emits what brings a thread's result, held in `target`, from `mine` to that of both. */
function emitStep(
  shader: Shader,
  { op, name, dtype }: PartialResult,
  target: Naming,
  mine: Naming,
  other: Naming,
): void {
  if (op !== 'argmax') {
    shader.line(`${target(name)} = ${combined(op, mine(name), other(name), dtype, shader)};`);
    return;
  }
  const at = `${name}_at`;
  const isTie = `(!${exceeds(mine(name), other(name), dtype, shader)} && ${other(at)} < ${mine(at)})`;
  const isBetter = `${mine(at)} == ${nowhere} || ${exceeds(other(name), mine(name), dtype, shader)} || ${isTie}`;
  shader.line(`if (${other(at)} != ${nowhere} && (${isBetter})) {`);
  shader.line(`${target(name)} = ${other(name)};`, `${target(at)} = ${other(at)};`, '}');
}
