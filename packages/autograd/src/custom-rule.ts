/** Gradients that a caller gives by hand: for the way back they stand in for the rule and the sources of one node. */
import type { Node, Tensor } from '@dl/tensor';
import type { Cotangent } from './rules/rule';

export interface CustomRule {
  readonly sources: readonly Node[];
  /** Cotangents of the sources. */
  apply(g: Tensor): readonly Cotangent[];
}

const customRules = new WeakMap<Node, CustomRule>();

export const customRuleOf = (node: Node): CustomRule | undefined => customRules.get(node);

export function setCustomRule(node: Node, rule: CustomRule): void {
  customRules.set(node, rule);
}
