/** @dl/autograd: gradients of any order for what @dl/tensor records. */
export { type BackwardOptions, backward } from './backward';
export { type CheckedSlope, type CheckOptions, checkGradients, type GradientReport } from './check-gradients';
export { checkpoint } from './checkpoint';
export { customGradient, type WithGradient } from './custom-gradient';
export { type Gradients, type GradOptions, grad, gradientsOf, valueAndGrad } from './grad';
export { hessian, hessianVectorProduct, jacobian } from './jacobian';
export { enableGrad, noGrad, type Sync, stopGradient } from './scopes';
export type { GradientsOf, TensorTree } from './tree';
export { consume } from './walk';
