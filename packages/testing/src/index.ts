export { type ReferenceBackend, type ReferenceOptions, referenceBackend } from './reference/backend';
export { binaryFunction, bitcastFunction, castFunction, reducers, rounded, unaryFunction } from './scalar/arithmetic';
export { erf } from './scalar/erf';
export { decodeHalf, encodeHalf } from './scalar/half';
export { randomBits, threefry2x32, threefryBlock } from './scalar/threefry';
