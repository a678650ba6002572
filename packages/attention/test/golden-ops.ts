/** The functions and layers of this package by the names that the reference vectors have. */
import { type Module, Parameter } from '@dl/layers';
import type { Tensor } from '@dl/tensor';
import type { GoldenOps } from '@dl/testing';
import {
  additiveAttention,
  attentionWeights,
  lengthMask,
  MultiheadAttention,
  nadarayaWatson,
  type RegressionKernel,
  rotary,
  scaledDotProductAttention,
  sinusoidal,
  TransformerDecoderLayer,
  TransformerEncoderLayer,
} from '../src';

type Call = Parameters<Exclude<GoldenOps[string], { readonly unserved: string }>>[0];

/** A module and the places of its parameters. */
interface Slots<M extends Module> {
  readonly module: M;
  readonly places: readonly { readonly holder: Module; readonly name: string; readonly key: string }[];
}

function slotsOf<M extends Module>(module: M): Slots<M> {
  const places: { holder: Module; name: string; key: string }[] = [];
  const visit = (holder: Module, prefix: string): void => {
    for (const [name, value] of Object.entries(holder)) {
      if (!(value instanceof Parameter)) continue;
      const [key] = holder.registered().find(([, found]) => found === value)!;
      places.push({ holder, name, key: `${prefix}${key}` });
    }
    for (const [key, child] of holder.namedChildren()) visit(child, `${prefix}${key}.`);
  };
  visit(module, '');
  return { module, places };
}

/** Modules made so far: none can be made while a compiled function is recorded, which each case is after it ran eagerly. */
const made = new Map<string, Slots<Module>>();

/** A module with the inputs of a case in the place of its parameters of the same keys, so that gradients reach the inputs. */
function withInputs<M extends Module>(c: Call, options: unknown, make: () => M): M {
  const key = JSON.stringify(options);
  const slots = (made.get(key) ?? slotsOf(make())) as Slots<M>;
  made.set(key, slots);
  for (const { holder, name, key } of slots.places)
    Object.defineProperty(holder, name, { value: c.input(key), enumerable: true, configurable: true });
  return slots.module;
}

const given = (c: Call, names: Readonly<Record<string, string>>): Record<string, Tensor> =>
  Object.fromEntries(
    Object.entries(names).flatMap(([option, input]) => {
      const value = c.optional(input);
      return value ? [[option, value]] : [];
    }),
  );

const layerOptions = (c: Call) => ({
  dimFeedforward: c.number('dim_feedforward'),
  activation: c.text('activation') as 'relu' | 'gelu',
  normFirst: c.flag('norm_first'),
  batchFirst: c.flag('batch_first'),
  layerNormEps: c.number('layer_norm_eps'),
  dropout: 0,
});

export const attentionOps: GoldenOps = {
  scaled_dot_product_attention: (c) => {
    const [q, k, v] = [c.input('query'), c.input('key'), c.input('value')];
    const mask = c.optional('attn_mask');
    const scale = c.raw('scale');
    const options = { causal: c.flag('is_causal'), ...(typeof scale === 'number' ? { scale } : {}) };
    return {
      out: scaledDotProductAttention(q, k, v, { ...options, ...(mask ? { mask } : {}) }),
      attn: attentionWeights(q, k, options, mask ? [mask] : []),
    };
  },
  multi_head_attention: (c) => {
    const kdim = c.raw('kdim');
    const vdim = c.raw('vdim');
    const [width, heads] = [c.number('embed_dim'), c.number('num_heads')];
    const options = {
      bias: c.flag('bias'),
      batchFirst: c.flag('batch_first'),
      ...(typeof kdim === 'number' && typeof vdim === 'number' ? { kdim, vdim } : {}),
    };
    const module = withInputs(c, [width, heads, options], () => new MultiheadAttention(width, heads, options));
    const query = c.input('query');
    const masks = given(c, { attnMask: 'attn_mask', keyPaddingMask: 'key_padding_mask' });
    const { output, weights } = module.forward(query, c.optional('key') ?? query, c.optional('value') ?? null, {
      ...masks,
      needWeights: true,
      averageWeights: c.flag('average_attn_weights'),
    });
    return { out: output, attn: weights! };
  },
  transformer_encoder_layer: (c) => {
    const [width, heads, options] = [c.number('d_model'), c.number('nhead'), layerOptions(c)];
    const make = () => new TransformerEncoderLayer(width, heads, options);
    const layer = withInputs(c, ['encoder', width, heads, options], make);
    const masks = given(c, { mask: 'src_mask', keyPaddingMask: 'src_key_padding_mask' });
    return layer.forward(c.input('src'), masks);
  },
  transformer_decoder_layer: (c) => {
    const [width, heads, options] = [c.number('d_model'), c.number('nhead'), layerOptions(c)];
    const make = () => new TransformerDecoderLayer(width, heads, options);
    const layer = withInputs(c, ['decoder', width, heads, options], make);
    const masks = given(c, {
      mask: 'tgt_mask',
      keyPaddingMask: 'tgt_key_padding_mask',
      memoryMask: 'memory_mask',
      memoryKeyPaddingMask: 'memory_key_padding_mask',
    });
    return layer.forward(c.input('tgt'), c.input('memory'), masks);
  },
  positional_encoding: (c) =>
    sinusoidal(c.number('length'), c.number('d_model'), { base: c.number('base'), offset: c.number('offset') }),
  rotary_embedding: (c) =>
    rotary(c.x, {
      base: c.number('base'),
      interleaved: c.flag('interleaved'),
      rotaryDim: c.number('rotary_dim'),
      ...given(c, { positions: 'positions' }),
    }),
  additive_attention: (c) => {
    const [q, k, v] = [c.input('query'), c.input('key'), c.input('value')];
    const lengths = c.optional('valid_lens');
    const { output, weights } = additiveAttention(q, k, v, {
      query: c.input('w_q'),
      key: c.input('w_k'),
      score: c.input('w_v'),
      ...(lengths ? { mask: lengthMask(lengths, k.shape[1]!) } : {}),
    });
    return { out: output, attn: weights };
  },
  nadaraya_watson: (c) => {
    const { output, weights } = nadarayaWatson(c.input('query'), c.input('key'), c.input('value'), {
      w: c.input('w'),
      kernel: c.text('kernel') as RegressionKernel,
    });
    return { out: output, attn: weights };
  },
};
