/** Losses with margins, and those of embeddings, of the reference vectors, by the functions of `@dl/layers`. */
import * as nn from '@dl/layers';
import type { GoldenCall, GoldenOps } from './call';

const reduction = (call: GoldenCall) => ({ reduction: call.text('reduction') as nn.Reduction });

const margin = (call: GoldenCall) => ({ ...reduction(call), margin: call.number('margin') });

const weight = (call: GoldenCall) => {
  const given = call.optional('weight');
  return given ? { weight: given } : {};
};

export const marginLossOps: GoldenOps = {
  multi_margin_loss: (call) =>
    nn.multiMargin(call.input('input'), call.input('target'), {
      ...margin(call),
      ...weight(call),
      p: call.number('p') as 1 | 2,
    }),
  hinge_embedding_loss: (call) => nn.hingeEmbedding(call.input('input'), call.input('target'), margin(call)),
  soft_margin_loss: (call) => nn.softMargin(call.input('input'), call.input('target'), reduction(call)),
  margin_ranking_loss: (call) =>
    nn.marginRanking(call.input('input1'), call.input('input2'), call.input('target'), margin(call)),
  multilabel_soft_margin_loss: (call) =>
    nn.multilabelSoftMargin(call.input('input'), call.input('target'), { ...reduction(call), ...weight(call) }),
  multilabel_margin_loss: (call) => nn.multilabelMargin(call.input('input'), call.input('target'), reduction(call)),
  triplet_margin_loss: (call) =>
    nn.tripletMargin(call.input('anchor'), call.input('positive'), call.input('negative'), {
      ...margin(call),
      p: call.number('p'),
      eps: call.number('eps'),
      swap: call.flag('swap'),
    }),
  cosine_embedding_loss: (call) =>
    nn.cosineEmbedding(call.input('input1'), call.input('input2'), call.input('target'), margin(call)),
  cosine_similarity: (call) =>
    nn.cosineSimilarity(call.input('x1'), call.input('x2'), call.number('dim'), { eps: call.number('eps') }),
  pairwise_distance: (call) =>
    nn.pairwiseDistance(call.input('x1'), call.input('x2'), {
      p: call.number('p'),
      eps: call.number('eps'),
      keepDims: call.flag('keepdim'),
    }),
};
