/** Matrices of derivatives, and the product of a second derivative with a vector, which needs no matrix. */
import { concat, oneHot, ShapeError, sameShape, showShape, type Tensor, tensor, zeros } from '@dl/tensor';
import { grad, requiring } from './grad';

type Fn = (x: Tensor) => Tensor;

function rows(y: Tensor, x: Tensor): Tensor {
  const shape = [...y.shape, ...x.shape];
  if (y.size === 0 || x.size === 0 || !y.requiresGrad) return zeros(shape, y.dtype);
  const flat = y.flatten();
  const gradients = Array.from({ length: y.size }, (_, i) => {
    const cotangent = oneHot(tensor([i], null, { dtype: 'i32' }), y.size, y.dtype).reshape([y.size]);
    return grad(flat, x, { cotangent, unused: 'zero' }).unsqueeze(0);
  });
  return concat(gradients).reshape(shape);
}

/**
 * All derivatives of a function: J[i…, j…] = ∂fn(x)[i…] / ∂x[j…]. One walk an element of the result.
 *
 * @param fn - from a float tensor to a float tensor
 * @returns `[...result, ...x]`, which can be differentiated again
 */
export function jacobian(fn: Fn, x: Tensor): Tensor {
  const at = requiring('jacobian', x);
  return rows(fn(at), at);
}

/**
 * The second derivatives of a scalar: H[i…, j…] = ∂²fn(x) / ∂x[i…] ∂x[j…].
 *
 * @param fn - from a float tensor to a scalar
 * @returns `[...x, ...x]`
 */
export function hessian(fn: Fn, x: Tensor): Tensor {
  const at = requiring('hessian', x);
  return rows(gradientAt(fn, at), at);
}

/**
 * The product of the second derivatives with a vector: Σ_j H[i…, j…] · v[j…], at the cost of two walks.
 *
 * @param fn - from a float tensor to a scalar
 * @param v - of the shape of x
 * @returns the shape of x
 */
export function hessianVectorProduct(fn: Fn, x: Tensor, v: Tensor): Tensor {
  if (!sameShape(x.shape, v.shape)) {
    throw new ShapeError(
      `hessianVectorProduct: x is ${showShape(x.shape)}, but v is ${showShape(v.shape)}. Give both one shape.`,
    );
  }
  const at = requiring('hessianVectorProduct', x);
  const slope = gradientAt(fn, at);
  return slope.requiresGrad ? grad(slope, at, { cotangent: v, unused: 'zero' }) : zeros(x.shape, x.dtype);
}

function gradientAt(fn: Fn, x: Tensor): Tensor {
  const value = fn(x);
  return value.requiresGrad ? grad(value, x, { unused: 'zero' }) : zeros(x.shape, x.dtype);
}
