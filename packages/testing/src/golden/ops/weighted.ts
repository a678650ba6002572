/** Operations that the reference vectors count among shapes and linear algebra, and `@dl/layers` among its layers. */
import { bilinear, embed, linear } from '@dl/layers';
import type { GoldenOps } from './call';

export const embeddingOps: GoldenOps = {
  embedding: (call) =>
    embed(call.input('index'), call.input('weight'), {
      paddingIdx: call.has('padding_idx') ? call.number('padding_idx') : null,
    }),
};

export const linearOps: GoldenOps = {
  linear: (call) => linear(call.x, call.input('weight'), call.optional('bias') ?? null),
  bilinear: (call) => bilinear(call.input('x1'), call.input('x2'), call.input('weight'), call.optional('bias') ?? null),
};
