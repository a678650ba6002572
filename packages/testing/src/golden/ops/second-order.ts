/** Gradients that are differentiated again: each row computes first derivatives with `grad`, and the suite those of its outputs. */
import { grad } from '@dl/autograd';
import { convolve, crossEntropy, elu, gelu, mse, silu, softplus } from '@dl/layers';
import { stack, type Tensor } from '@dl/tensor';
import { type GoldenCall, type GoldenOps, type Outputs, Unserved } from './call';

type Unary = (x: Tensor) => Tensor;

const functions: Readonly<Record<string, Unary>> = {
  sigmoid: (x) => x.sigmoid(),
  tanh: (x) => x.tanh(),
  exp: (x) => x.exp(),
  log: (x) => x.log(),
  sqrt: (x) => x.sqrt(),
  reciprocal: (x) => x.reciprocal(),
  square: (x) => x.square(),
  sin: (x) => x.sin(),
  cos: (x) => x.cos(),
  relu: (x) => x.relu(),
  erf: (x) => x.erf(),
  softplus: (x) => softplus(x),
  gelu: (x) => gelu(x),
  silu,
  elu: (x) => elu(x),
  softmax: (x) => x.softmax(-1),
  log_softmax: (x) => x.logSoftmax(-1),
};

function functionOf(call: GoldenCall): Unary {
  const found = functions[call.text('function')];
  if (!found) throw new Unserved(`the table has no function ${call.text('function')}`);
  return found;
}

function gradUnary(call: GoldenCall): Outputs {
  const value = functionOf(call)(call.x);
  return { value, grad_x: grad(value.mul(call.input('w')).sum(), call.x) };
}

function thirdDerivative(call: GoldenCall): Outputs {
  const d1 = grad(functionOf(call)(call.x).sum(), call.x);
  const d2 = grad(d1.sum(), call.x);
  return { d1, d2, d3: grad(d2.sum(), call.x) };
}

function hessianVectorProduct(call: GoldenCall): Outputs {
  const logits = call.input('logits');
  const value = crossEntropy(logits, call.input('target'));
  const first = grad(value, logits);
  return { value, grad: first, hvp: grad(first.mul(call.input('v')).sum(), logits) };
}

function hessian(call: GoldenCall): Outputs {
  const first = grad(call.x.logSumExp(), call.x);
  const rows = Array.from({ length: call.x.size }, (_, i) => grad(first.at(i), call.x));
  return { grad: first, hessian: stack(rows) };
}

/** The value and its gradients under `grad_` and the input's name. */
function withGradients(call: GoldenCall, value: Tensor, names: readonly string[]): Outputs {
  const grads = grad(
    value,
    names.map((name) => call.input(name)),
  );
  return { value, ...Object.fromEntries(names.map((name, i) => [`grad_${name}`, grads[i]!])) };
}

function convolutionTanh(call: GoldenCall): Outputs {
  const options = {
    stride: call.numbers('stride'),
    padding: call.numbers('padding'),
    dilation: call.numbers('dilation'),
    groups: call.number('groups'),
  };
  const y = convolve(call.x, call.input('weight'), call.input('bias'), options).tanh();
  return withGradients(call, y.square().sum().mul(0.5), ['x', 'weight', 'bias']);
}

function gradientPenalty(call: GoldenCall): Outputs {
  const hidden = call.x.matmul(call.input('w1').transpose()).add(call.input('b1')).tanh();
  const g = grad(hidden.matmul(call.input('w2')).sum(), call.x);
  const norm = g.square().sum(1).add(call.number('eps')).sqrt();
  return { grad_norm: norm, penalty: norm.sub(1).square().mean() };
}

function maml(call: GoldenCall): Outputs {
  const predict = (x: Tensor, w: Tensor, b: Tensor): Tensor => x.matmul(w.transpose()).add(b).tanh();
  const [w, b] = [call.input('w'), call.input('b')];
  const inner = mse(predict(call.input('x_support'), w, b), call.input('y_support'));
  const [dw, db] = grad(inner, [w, b]);
  const rate = call.number('inner_lr');
  const outer = mse(predict(call.input('x_query'), w.sub(dw!.mul(rate)), b.sub(db!.mul(rate))), call.input('y_query'));
  return { inner_loss: inner, outer_loss: outer };
}

function layerNorm(call: GoldenCall): Outputs {
  const centred = call.x.centred(-1);
  const scale = centred.square().mean(-1, { keepDims: true }).add(call.number('eps')).rsqrt();
  const y = centred.mul(scale).mul(call.input('weight'));
  return withGradients(call, y.sin().sum(), ['x', 'weight']);
}

function attention(call: GoldenCall): Outputs {
  const [q, k] = [call.input('query'), call.input('key')];
  const weights = q
    .matmul(k.transpose())
    .mul(1 / Math.sqrt(q.shape[1]!))
    .softmax(-1);
  const value = weights.matmul(call.input('value')).square().sum().mul(0.5);
  return withGradients(call, value, ['query', 'key', 'value']);
}

export const secondOrderOps: GoldenOps = {
  grad_tanh_cubed: (call) => withGradients(call, call.x.tanh().pow(3).sum(), ['x']),
  grad_unary: gradUnary,
  third_derivative: thirdDerivative,
  hvp_cross_entropy: hessianVectorProduct,
  hessian_logsumexp: hessian,
  grad_conv2d_tanh: convolutionTanh,
  gradient_penalty: gradientPenalty,
  maml_step: maml,
  grad_layer_norm: layerNorm,
  grad_attention: attention,
  grad_matmul_softplus: (call) => withGradients(call, softplus(call.a.matmul(call.b)).sum(), ['a', 'b']),
};
