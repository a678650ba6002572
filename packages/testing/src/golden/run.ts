/**
 * Runs reference cases by the public API on the backend in use, eager and compiled, and says for each category what agreed,
 * what did not, and what the API does not offer.
 */
import { compile, type Range, Tensor, tensor } from '@dl/tensor';
import type { Value } from '../evaluate/value';
import { GoldenCall, type GoldenOp, type GoldenOps, Unserved } from './ops/call';
import { compareGolden, type GoldenCase, type ViewStep } from './read';

/** Differentiates a scalar: one gradient for each tensor of `wrt`. */
export type Gradient = (loss: Tensor, wrt: readonly Tensor[]) => readonly Tensor[];

/** Computed once from recorded operations, or compiled and then called three times. */
export type Mode = 'eager' | 'compiled';

export interface GoldenOptions {
  /** Without one, only results are compared. */
  readonly gradient?: Gradient;
  /** Default: both. */
  readonly modes?: readonly Mode[];
}

export interface GoldenReport {
  /** Names of the cases that agree in all modes. */
  readonly passed: readonly string[];
  readonly failed: readonly { readonly name: string; readonly mode: Mode; readonly message: string }[];
  readonly unserved: readonly { readonly name: string; readonly op: string; readonly reason: string }[];
}

type Named<T> = Readonly<Record<string, T>>;

const replays = 3;

function takeView(x: Tensor, step: ViewStep): Tensor {
  switch (step[0]) {
    case 'permute':
      return x.permute(step[1]);
    case 'expand':
      return x.expand(step[1]);
    case 'reshape':
      return x.reshape(step[1]);
    case 'slice': {
      const [, axis, start, stop, stride] = step;
      const range: Range = `${start ?? ''}:${stop ?? ''}:${stride}`;
      return x.at(...x.shape.map((_, i): Range => (i === axis ? range : ':')));
    }
    default:
      return step satisfies never;
  }
}

const toTensor = ({ data, shape, dtype }: Value, requiresGrad: boolean): Tensor =>
  tensor(data, shape, { dtype, requiresGrad });

function stored(golden: GoldenCase, gradients: boolean): Named<Tensor> {
  return Object.fromEntries(
    Object.entries(golden.inputs).map(([name, value]) => [name, toTensor(value, gradients && name in golden.grads)]),
  );
}

/** What a case computes: its outputs, and gradients under `grad:` and the input's name. */
function computation(golden: GoldenCase, op: GoldenOp & object, gradient: Gradient | undefined) {
  const cotangents = Object.entries(golden.cotangents).map(([name, value]) => [name, toTensor(value, false)] as const);
  const wrt = Object.keys(golden.grads);
  return (inputs: Named<Tensor>): Named<Tensor> => {
    const viewed = Object.entries(inputs).map(([name, x]) => [name, (golden.views[name] ?? []).reduce(takeView, x)]);
    const result = (op as (call: GoldenCall) => unknown)(new GoldenCall(Object.fromEntries(viewed), golden.attrs));
    const outputs = (result instanceof Tensor ? { out: result } : result) as Named<Tensor>;
    if (!gradient || wrt.length === 0) return { ...outputs };
    const terms = cotangents.map(([name, cotangent]) => outputs[name]!.mul(cotangent).sum());
    const loss = terms.reduce((total, term) => total.add(term));
    const grads = gradient(
      loss,
      wrt.map((name) => inputs[name]!),
    );
    return { ...outputs, ...Object.fromEntries(grads.map((g, i) => [`grad:${wrt[i]}`, g])) };
  };
}

async function readValue(x: Tensor): Promise<Value> {
  return { shape: x.shape, dtype: x.dtype, data: Float64Array.from(await x.data()) };
}

/** Compares results with the reference; a result that is missing counts as different. */
async function compareAll(golden: GoldenCase, results: Named<Tensor>, withGrads: boolean): Promise<string | undefined> {
  const grads = withGrads ? Object.entries(golden.grads).map(([name, value]) => [`grad:${name}`, value] as const) : [];
  for (const [name, want] of [...Object.entries(golden.outputs), ...grads]) {
    const got = results[name];
    if (!got) return `${name} is missing`;
    const atol = golden.tensorAtol[name] ?? golden.atol;
    const difference = compareGolden(await readValue(got), want, { rtol: golden.rtol, atol });
    if (difference) return `${name}: ${difference}`;
  }
  return undefined;
}

/**
 * Runs one case in one mode.
 *
 * @returns how it differs from the reference, or undefined if it does not
 * @throws Unserved where the API does not offer this case
 */
export async function runGoldenCase(
  golden: GoldenCase,
  op: GoldenOp,
  mode: Mode,
  gradient?: Gradient,
): Promise<string | undefined> {
  if ('unserved' in op) throw new Unserved(op.unserved);
  const compute = computation(golden, op, gradient);
  const run = mode === 'compiled' ? compile(compute, { name: golden.name }) : compute;
  for (let i = 0; i < (mode === 'compiled' ? replays : 1); i++) {
    const results = run(stored(golden, gradient !== undefined));
    const difference = await compareAll(golden, results, gradient !== undefined);
    if (difference) return mode === 'compiled' ? `call ${i}: ${difference}` : difference;
  }
  return undefined;
}

/** Runs cases by a table of operations. What throws counts as failed. */
export async function runGolden(
  cases: readonly GoldenCase[],
  ops: GoldenOps,
  { gradient, modes = ['eager', 'compiled'] }: GoldenOptions = {},
): Promise<GoldenReport> {
  const passed: string[] = [];
  const failed: { name: string; mode: Mode; message: string }[] = [];
  const missing: { name: string; op: string; reason: string }[] = [];
  for (const golden of cases) {
    const op = ops[golden.op] ?? { unserved: 'no row in the table' };
    let agreed = true;
    for (const mode of modes) {
      try {
        const message = await runGoldenCase(golden, op, mode, gradient);
        if (message === undefined) continue;
        failed.push({ name: golden.name, mode, message });
      } catch (error) {
        const { message } = error as Error;
        if (error instanceof Unserved) missing.push({ name: golden.name, op: golden.op, reason: message });
        else failed.push({ name: golden.name, mode, message });
      }
      agreed = false;
      break;
    }
    if (agreed) passed.push(golden.name);
  }
  return { passed, failed, unserved: missing };
}
