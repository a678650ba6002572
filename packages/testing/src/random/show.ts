/** Programs as text, one node a line, for messages about failures. */
import type { Program, ProgramNode } from '@dl/tensor';
import type { ProgramCase } from './builder';

const maxShown = 48;

function showNode(node: ProgramNode, index: number): string {
  const attrs = Object.keys(node.attrs).length > 0 ? ` ${JSON.stringify(node.attrs)}` : '';
  const args = node.args.length > 0 ? ` args=[${node.args.join(', ')}]` : '';
  return `  %${index} = ${node.op}(${node.sources.map((s) => `%${s}`).join(', ')})${attrs}${args} : ${node.dtype}[${node.shape.join(', ')}]`;
}

/** A program in a form to read. */
export function showProgram({ nodes, outputs }: Program): string {
  const asked = outputs.map(({ node, into }) => (into === null ? `%${node}` : `%${node} into %${into}`));
  return [...nodes.map(showNode), `  outputs ${asked.join(', ')}`].join('\n');
}

function showNumbers(numbers: readonly number[]): string {
  const more = numbers.length > maxShown ? `, … ${numbers.length} in all` : '';
  return `[${numbers.slice(0, maxShown).join(', ')}${more}]`;
}

/** A program with its leaves and numbers. */
export function showCase({ program, leaves, scalars }: ProgramCase): string {
  const data = leaves.map(showNumbers).join(' ');
  return `${showProgram(program)}\n  leaves ${data}\n  scalars [${scalars.join(', ')}]`;
}
