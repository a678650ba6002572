/**
 * The gradient of every primitive: one row each. A primitive without a row is a type error here.
 */
import type { Op } from '@dl/tensor';
import { contractionRules } from './contraction';
import { elementwiseRules } from './elementwise';
import { indexingRules } from './indexing';
import { leafRules } from './leaves';
import { movementRules } from './movement';
import { reduceRules } from './reduce';
import type { Cotangent, Rule, Step } from './rule';
import { windowRules } from './window';

export const rules = {
  ...leafRules,
  ...elementwiseRules,
  ...movementRules,
  ...reduceRules,
  ...contractionRules,
  ...windowRules,
  ...indexingRules,
  barrier: ({ g }) => [g],
  // Its meaning in primitives is its gradient too.
  custom: ({ g, node, attrs, through }) => {
    const { sources } = node;
    return through(attrs.definition.decompose(sources, attrs.index), g, sources);
  },
} as const satisfies { readonly [O in Op]: Rule<O> };

/** The cotangents of a node's sources. */
export const applyRule = (step: Step): readonly Cotangent[] => (rules[step.node.op] as unknown as Rule<Op>)(step);
