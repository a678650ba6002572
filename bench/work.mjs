// What each workload cannot do without: floating-point operations, bytes that memory must move, or elements. Its rate and
// its share of the ceiling follow. Imports nothing, so that names can be checked before anything is built.

const many = 4 << 20;
const image = 16 * 64 * 56 * 56;
const f32 = 4;

export const work = {
  gemm_128: { flops: 2 * 128 ** 3 },
  gemm_256: { flops: 2 * 256 ** 3 },
  gemm_512: { flops: 2 * 512 ** 3 },
  gemm_1024: { flops: 2 * 1024 ** 3 },
  tanh_fma: { elements: many },
  relu_add: { bytes: 3 * many * f32 },
  sum_16m: { bytes: 4 * many * f32 },
  softmax: { bytes: 2 * many * f32 },
  layer_norm: { bytes: 2 * many * f32 },
  conv2d: { flops: 2 * image * 64 * 9 },
  depthwise: { bytes: 2 * image * f32 },
  lenet_train: { flops: 145e6 },
  mlp_train: { flops: 129e6 },
  lstm_train: { flops: 5.03e9 },
  gpt_train: { flops: 3.96e9 },
  resnet18: { flops: 3.63e9 },
  gpt_generate: {},
  gpt_generate_cached: {},
  dispatch: {},
  dispatch_jit: {},
  lenet_eager: {},
  gpt_eager: {},
  coldstart: {},
  lenet_rss: {},
  lstm_rss: {},
  gpt_rss: {},
  max_pool: { bytes: 1.25 * image * f32 },
  max_pool_3s2: { bytes: 1.25 * image * f32 },
  max_pool_grad: { bytes: 2.5 * image * f32 },
  batch_norm: { bytes: 3 * image * f32 },
  batch_norm_grad: { bytes: 5 * image * f32 },
  cross_entropy: { bytes: 2 * many * f32 },
  embedding_grad: { bytes: (8192 + 2 * 1000) * 256 * f32 },
  transpose: { bytes: 2 * many * f32 },
  nchw_to_nhwc: { bytes: 2 * image * f32 },
  sort: { elements: 1 << 20 },
  sort_rows: { elements: 1 << 20 },
  cumsum: { bytes: 2 * many * f32 },
  cumsum_columns: { bytes: 2 * many * f32 },
};
