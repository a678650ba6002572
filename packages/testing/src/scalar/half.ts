/** Half precision on the host, as `@dl/tensor` has it; its test is beside this file, against numbers worked by hand. */
export { decodeHalf, encodeHalf } from '@dl/tensor';
