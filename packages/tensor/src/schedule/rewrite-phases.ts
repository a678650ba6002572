/**
 * Convolutions of elements that lie `D` apart, as the gradient of a convolution with stride D is: between them lie zeros, which
 * take (D² − 1) / D² of the multiplications. Outputs D apart meet the same elements of the kernel, each D-th, so along each
 * axis there are D convolutions without zeros in between, whose results are laid side by side.
 *
 * With low padding p, output D·q + r meets kernel element k where r + k − p is a multiple of D: k = k₀ + D·t with
 * k₀ = (p − r) mod D, and the element q + t + (r + k₀ − p) / D of the data.
 */
import type { ConvolutionSpec } from '../graph/node';
import { type Shape, sizeOf } from '../shape';
import type { GraphNode } from './graph';
import type { GraphBuilder } from './share';

/** Multiplications by zeros from which several kernels cost less. */
const leastSaved = 1 << 18;

/** Whether a convolution is better computed phase by phase. */
export function hasPhases({ attrs, shape }: GraphNode<'convolution'>, kernel: Shape): boolean {
  const { lhsDilation, rhsDilation, stride } = attrs;
  if (lhsDilation.some((d, i) => d > 1 && (stride[i] !== 1 || rhsDilation[i] !== 1))) return false;
  const phases = lhsDilation.reduce((product, d) => product * d, 1);
  return sizeOf(shape) * sizeOf(kernel.slice(1)) * (1 - 1 / phases) >= leastSaved;
}

/** What one axis of a phase takes: the kernel's elements `first + D·t`, and how the data are padded. */
interface AxisPhase {
  readonly first: number;
  readonly taps: number;
  readonly padding: readonly [number, number];
}

/** The phases of an axis with `outputs` results each. */
function phasesOf(
  dilation: number,
  low: number,
  { data, kernel, outputs }: { readonly data: number; readonly kernel: number; readonly outputs: number },
): AxisPhase[] {
  return Array.from({ length: dilation }, (_, r) => {
    const first = (((low - r) % dilation) + dilation) % dilation;
    const taps = Math.max(0, Math.ceil((kernel - first) / dilation));
    const before = (low - r - first) / dilation;
    return { first, taps, padding: [before, outputs + taps - 1 - data - before] };
  });
}

/** The convolution, phase by phase; `convolve` emits one of them. */
export function emitPhases(
  builder: GraphBuilder,
  node: GraphNode<'convolution'>,
  convolve: (node: GraphNode<'convolution'>) => number,
): number {
  const [x, w] = node.sources as readonly [number, number];
  const { dtype, shape, attrs } = node;
  const { lhsDilation: dilation, padding } = attrs;
  const [data, kernel] = [builder.nodes[x]!.shape, builder.nodes[w]!.shape];
  const rank = dilation.length;
  const outputs = dilation.map((d, i) => Math.ceil(shape[i + 2]! / d));
  const axes = dilation.map((d, i) =>
    phasesOf(d, padding[i]![0], { data: data[i + 2]!, kernel: kernel[i + 2]!, outputs: outputs[i]! }),
  );
  const outer = shape.slice(0, 2);
  /** [N, O, Q₀, 1, Q₁, 1, …] with phases chosen along the first axes; the others become neighbours one after another. */
  const level = (chosen: readonly AxisPhase[]): number => {
    const at = chosen.length;
    if (at < rank) {
      const parts = axes[at]!.map((phase) => level([...chosen, phase]));
      if (parts.length === 1) return parts[0]!;
      const sizes = outputs.flatMap((q, i) => [q, i < at ? 1 : dilation[i]!]);
      return builder.emit('concat', parts, { axis: 3 + 2 * at }, [...outer, ...sizes], dtype);
    }
    const thin = [...outer, ...outputs.flatMap((q) => [q, 1])];
    const taps = chosen.map((phase) => phase.taps);
    if (taps.includes(0)) return builder.emit('constant', [], { value: 0 }, thin, dtype, [-1]);
    const sizes = [...kernel.slice(0, 2), ...taps];
    const starts = [0, 0, ...chosen.map((phase) => phase.first)];
    const slice = { starts, sizes, steps: [1, 1, ...dilation] };
    const own = builder.emit(
      'slice',
      [w],
      slice,
      sizes,
      dtype,
      starts.map(() => -1),
    );
    const spec: ConvolutionSpec = {
      ...attrs,
      lhsDilation: dilation.map(() => 1),
      padding: chosen.map((phase) => phase.padding),
    };
    const part = { ...node, sources: [x, own], attrs: spec, shape: [...outer, ...outputs] };
    return builder.emit('reshape', [convolve(part)], { shape: thin }, thin, dtype);
  };
  const whole = [...outer, ...outputs.map((q, i) => q * dilation[i]!)];
  const joined = builder.emit('reshape', [level([])], { shape: whole }, whole, dtype);
  if (whole.every((size, i) => size === shape[i])) return joined;
  const starts = shape.map(() => 0);
  return builder.emit(
    'slice',
    [joined],
    { starts, sizes: shape, steps: shape.map(() => 1) },
    shape,
    dtype,
    starts.map(() => -1),
  );
}
