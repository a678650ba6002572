/** Random programs for backends that lack a dtype. */
import type { Backend, DType, ProgramNode } from '@dl/tensor';
import type { ProgramCase } from './builder';

const narrow = (dtype: DType): DType => (dtype === 'f64' ? 'f32' : dtype);

function narrowed(node: ProgramNode): ProgramNode {
  const cast = node.op === 'cast' ? { attrs: { dtype: narrow(node.dtype) } } : {};
  return { ...node, ...cast, dtype: narrow(node.dtype) };
}

/** The program itself, or for a backend without f64 the same with f32 in its place. */
export function fitted(backend: Backend, { program, leaves, scalars }: ProgramCase): ProgramCase {
  if (backend.capabilities.dtypes.includes('f64')) return { program, leaves, scalars };
  const data = program.nodes.filter((node) => node.op === 'data');
  return {
    program: { ...program, nodes: program.nodes.map(narrowed) },
    leaves: leaves.map((values, i) => (data[i]!.dtype === 'f64' ? values.map(Math.fround) : values)),
    scalars,
  };
}
