/** The functions of `activations.ts` as modules, for `Sequential`. */
import { full, type Tensor } from '@dl/tensor';
import * as f from './activations';
import { Module } from './module';
import { Parameter } from './parameter';

/** max(x, 0) */
export class ReLU extends Module {
  forward(x: Tensor): Tensor {
    return f.relu(x);
  }
}

/** min(max(x, 0), 6) */
export class ReLU6 extends Module {
  forward(x: Tensor): Tensor {
    return f.relu6(x);
  }
}

/** 1 / (1 + e^−x) */
export class Sigmoid extends Module {
  forward(x: Tensor): Tensor {
    return f.sigmoid(x);
  }
}

export class Tanh extends Module {
  forward(x: Tensor): Tensor {
    return f.tanh(x);
  }
}

/** x where positive, slope · x elsewhere. */
export class LeakyReLU extends Module {
  constructor(readonly slope = 0.01) {
    super();
  }
  forward(x: Tensor): Tensor {
    return f.leakyRelu(x, this.slope);
  }
}

/** {@link LeakyReLU} whose slope is learned: one, or one a channel. Parameter `weight [count]`. */
export class PReLU extends Module {
  readonly weight: Parameter;
  constructor(count = 1, initial = 0.25) {
    super();
    this.weight = new Parameter(full([count], initial), { name: 'PReLU.weight' });
  }
  forward(x: Tensor): Tensor {
    return f.prelu(x, this.weight);
  }
}

/** x where positive, α(e^x − 1) elsewhere. */
export class ELU extends Module {
  constructor(readonly alpha = 1) {
    super();
  }
  forward(x: Tensor): Tensor {
    return f.elu(x, this.alpha);
  }
}

/** x where positive, α(e^(x/α) − 1) elsewhere. */
export class CELU extends Module {
  constructor(readonly alpha = 1) {
    super();
  }
  forward(x: Tensor): Tensor {
    return f.celu(x, this.alpha);
  }
}

/** Scaled ELU that keeps mean 0 and variance 1. */
export class SELU extends Module {
  forward(x: Tensor): Tensor {
    return f.selu(x);
  }
}

/** x · Φ(x) */
export class GELU extends Module {
  readonly approximate: 'none' | 'tanh';
  constructor({ approximate = 'none' }: f.GeluOptions = {}) {
    super();
    this.approximate = approximate;
  }
  forward(x: Tensor): Tensor {
    return f.gelu(x, { approximate: this.approximate });
  }
}

/** x · sigmoid(x) */
export class SiLU extends Module {
  forward(x: Tensor): Tensor {
    return f.silu(x);
  }
}

/** x · tanh(softplus(x)) */
export class Mish extends Module {
  forward(x: Tensor): Tensor {
    return f.mish(x);
  }
}

/** log(1 + e^(βx)) / β */
export class Softplus extends Module {
  readonly beta: number;
  readonly threshold: number;
  constructor({ beta = 1, threshold = 20 }: f.SoftplusOptions = {}) {
    super();
    this.beta = beta;
    this.threshold = threshold;
  }
  forward(x: Tensor): Tensor {
    return f.softplus(x, { beta: this.beta, threshold: this.threshold });
  }
}

/** log sigmoid(x) */
export class LogSigmoid extends Module {
  forward(x: Tensor): Tensor {
    return f.logSigmoid(x);
  }
}

/** x / (1 + |x|) */
export class Softsign extends Module {
  forward(x: Tensor): Tensor {
    return f.softsign(x);
  }
}

/** x − tanh(x) */
export class Tanhshrink extends Module {
  forward(x: Tensor): Tensor {
    return f.tanhshrink(x);
  }
}

/** x limited to [low, high]. */
export class Hardtanh extends Module {
  constructor(
    readonly low = -1,
    readonly high = 1,
  ) {
    super();
  }
  forward(x: Tensor): Tensor {
    return f.hardtanh(x, this.low, this.high);
  }
}

/** x/6 + 1/2, limited to [0, 1]. */
export class Hardsigmoid extends Module {
  forward(x: Tensor): Tensor {
    return f.hardsigmoid(x);
  }
}

/** x · hardsigmoid(x) */
export class Hardswish extends Module {
  forward(x: Tensor): Tensor {
    return f.hardswish(x);
  }
}

/** x where |x| > λ, else 0. */
export class Hardshrink extends Module {
  constructor(readonly lambda = 0.5) {
    super();
  }
  forward(x: Tensor): Tensor {
    return f.hardshrink(x, this.lambda);
  }
}

/** x moved towards 0 by λ. */
export class Softshrink extends Module {
  constructor(readonly lambda = 0.5) {
    super();
  }
  forward(x: Tensor): Tensor {
    return f.softshrink(x, this.lambda);
  }
}

/** The first half along an axis times the sigmoid of the second. */
export class GLU extends Module {
  constructor(readonly axis = -1) {
    super();
  }
  forward(x: Tensor): Tensor {
    return f.glu(x, this.axis);
  }
}

/** e^x / Σ e^x along an axis. */
export class Softmax extends Module {
  constructor(readonly axis = -1) {
    super();
  }
  forward(x: Tensor): Tensor {
    return f.softmax(x, this.axis);
  }
}

/** x − log Σ e^x along an axis. */
export class LogSoftmax extends Module {
  constructor(readonly axis = -1) {
    super();
  }
  forward(x: Tensor): Tensor {
    return f.logSoftmax(x, this.axis);
  }
}
