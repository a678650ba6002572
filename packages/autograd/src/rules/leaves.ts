/** Leaves have no sources, so nothing flows on from them. */
import type { Op } from '@dl/tensor';
import { none, type Rule } from './rule';

export const leafRules = {
  data: none,
  constant: none,
  iota: none,
  random: none,
} as const satisfies { readonly [O in Op]?: Rule<O> };
