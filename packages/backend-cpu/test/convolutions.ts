/* What tests of convolutions share: data that are not alike, and how a kernel goes over an image. */
import type { ConvolutionSpec } from '@dl/tensor';

export const range = (n: number) => Array.from({ length: n }, (_, i) => i);

export const wave = (n: number, step: number) => Float32Array.from({ length: n }, (_, i) => Math.sin(i * step + 1));

/** A step at a time, with as much padding on all sides. */
export const slide = (padding: number): ConvolutionSpec => ({
  stride: [1, 1],
  padding: [
    [padding, padding],
    [padding, padding],
  ],
  lhsDilation: [1, 1],
  rhsDilation: [1, 1],
  groups: 1,
});
