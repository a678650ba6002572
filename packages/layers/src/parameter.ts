/** Parameters: the variables that training changes. What tells them from buffers is this class and nothing else. */
import { type Tensor, Variable } from '@dl/tensor';

export interface ParameterOptions {
  /** Default true. `freeze()` and `unfreeze()` change it later. */
  readonly requiresGrad?: boolean;
  /** For messages. Default `parameter`. */
  readonly name?: string;
}

/**
 * A variable that is learned: it requires gradients, `parameters()` lists it, and optimisers update it.
 *
 * @param initial - its first value, f32 or f64; copied
 * @throws DTypeError if the dtype is no float
 */
export class Parameter extends Variable {
  constructor(initial: Tensor, { requiresGrad = true, name = 'parameter' }: ParameterOptions = {}) {
    super(initial, { requiresGrad, name });
  }
}
