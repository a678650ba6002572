/**
 * Gradients that stand in for the rule and the sources of one node. The node is a reshape to its own shape: for computing
 * it is its source, and for the way back it is what its rule says.
 */
import { gradEnabled, Node, Tensor } from '@dl/tensor';
import type { Cotangent } from './rules/rule';

export interface CustomRule {
  /** The nodes that gradients go on to. */
  readonly sources: readonly Node[];
  /** Cotangents of the sources. */
  apply(g: Tensor): readonly Cotangent[];
}

const customRules = new WeakMap<Node, CustomRule>();

export const customRuleOf = (node: Node): CustomRule | undefined => customRules.get(node);

export const setCustomRule = (node: Node, rule: CustomRule): unknown => customRules.set(node, rule);

/** The graph was consumed: what the rule held on to is free. */
export const dropCustomRule = (node: Node): boolean => customRules.delete(node);

/** The value with a gradient of its own. */
export function withRule({ node: value }: Tensor, rule: CustomRule): Tensor {
  const requiresGrad = gradEnabled() && rule.sources.some((s) => s.requiresGrad);
  const node = new Node('reshape', [value], { shape: value.shape }, value.shape, value.dtype, requiresGrad);
  if (requiresGrad) customRules.set(node, rule);
  return new Tensor(node);
}
