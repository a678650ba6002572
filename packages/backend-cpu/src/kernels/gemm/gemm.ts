/*
 * The entry to matrix products: checks a specification and hands it to the emitter of its plan (spec.ts).
 */

import type { ModuleBuilder } from '../../wasm/assembler';
import { emitDirect } from './direct';
import { emitDot } from './dot';
import { emitPacked } from './packed';
import { checkSpec, type GemmPlan, type GemmSpec, planOf } from './spec';
import { emitSweep } from './sweep';

export type { GemmType } from './lanes';
export { emitPanels } from './packed';
export type {
  GemmPlan,
  GemmSpec,
  MicroKernel,
  OperandA,
  OperandB,
} from './spec';
export { BLOCK_K, panelBytes, panelWidth, planOf, scratchBytes } from './spec';

const EMITTERS = { direct: emitDirect, dot: emitDot, packed: emitPacked, sweep: emitSweep } as const satisfies Record<
  GemmPlan,
  unknown
>;

/**
 * Defines a matrix product in a module that has its memory already.
 *
 * The function has parameters `(aBase, bBase, cBase, rowBegin, rowEnd, scratch)`, all i32: byte addresses of the first
 * elements of the operands (or of B's panels), the rows of C to compute, and `scratchBytes(spec)` bytes at a multiple of 16
 * that no concurrent call uses. Any split into ranges of rows gives the same bits. C must not overlap A or B.
 *
 * @param exportName - exported under this name where present
 * @returns the index of the function
 * @throws RangeError if a size or stride is negative or not whole
 */
export function emitGemm(module: ModuleBuilder, spec: GemmSpec, exportName?: string): number {
  checkSpec(spec);
  return EMITTERS[planOf(spec)](module, spec, exportName);
}
