/** Triangles, diagonals, rolls and masks. */
import { ShapeError } from '../errors';
import { checkAxis, showShape } from '../shape';
import type { Tensor, TensorLike } from '../tensor';

/** What these compositions need from the module that makes tensors. */
interface Makers {
  readonly iota: (shape: readonly number[], axis: number) => Tensor;
  readonly concat: (parts: readonly Tensor[], axis: number) => Tensor;
}

/** The functions of this file, given how tensors are made. */
export function selections({ iota, concat }: Makers) {
  const columnMinusRow = (x: Tensor): Tensor => {
    if (x.rank < 2)
      throw new ShapeError(`tril: ${showShape(x.shape)} has no rows and columns. Give at least two axes.`);
    const plane = x.shape.slice(-2);
    return iota(plane, 1).sub(iota(plane, 0));
  };

  /** Elements up to the k-th diagonal above the main one; zeros beyond. */
  const tril = (x: Tensor, k = 0): Tensor =>
    columnMinusRow(x)
      .le(k)
      .where(x, x.dtype === 'bool' ? false : 0);

  /** Elements from the k-th diagonal on; zeros before. */
  const triu = (x: Tensor, k = 0): Tensor =>
    columnMinusRow(x)
      .ge(k)
      .where(x, x.dtype === 'bool' ? false : 0);

  /** The k-th diagonal of the plane of two axes, as a last axis. */
  const diagonal = (x: Tensor, k = 0, axis1 = 0, axis2 = 1): Tensor => {
    const [a, b] = [checkAxis('diagonal', axis1, x.rank), checkAxis('diagonal', axis2, x.rank)];
    if (a === b) throw new ShapeError(`diagonal: axes ${axis1} and ${axis2} are the same. Name two.`);
    const plane = x.permute([...x.shape.map((_, i) => i).filter((i) => i !== a && i !== b), a, b]);
    const [rows, columns] = [plane.shape.at(-2)!, plane.shape.at(-1)!];
    const [top, left] = [Math.max(-k, 0), Math.max(k, 0)];
    const n = Math.max(0, Math.min(rows - top, columns - left));
    const outer = plane.shape.slice(0, -2);
    if (n === 0) return plane.reshape([...outer, rows * columns]).narrow(-1, 0, 0);
    const square = plane
      .narrow(-2, top, n)
      .narrow(-1, left, n)
      .reshape([...outer, n * n]);
    return square.slice(
      square.shape.map(() => 0),
      [...outer, n],
      [...outer.map(() => 1), n + 1],
    );
  };

  /** Elements moved on by `shifts` along the axes; what leaves comes in at the other end. Without axes, the flattened tensor. */
  const roll = (x: Tensor, shifts: number | readonly number[], axes?: number | readonly number[]): Tensor => {
    if (axes === undefined) return roll(x.flatten(), shifts, 0).reshape(x.shape);
    const over = typeof axes === 'number' ? [axes] : axes;
    const by = typeof shifts === 'number' ? over.map(() => shifts) : shifts;
    if (over.length !== by.length)
      throw new ShapeError(`roll: ${by.length} shifts for ${over.length} axes. Give one an axis.`);
    return over.reduce((t, axis, i) => rollOne(t, checkAxis('roll', axis, x.rank), by[i]!), x);
  };
  const rollOne = (x: Tensor, axis: number, shift: number): Tensor => {
    const n = x.shape[axis]!;
    const cut = n === 0 ? 0 : (((n - shift) % n) + n) % n;
    return cut === 0 ? x : concat([x.narrow(axis, cut, n - cut), x.narrow(axis, 0, cut)], axis);
  };

  /** `value` where the mask holds. */
  const maskedFill = (x: Tensor, mask: Tensor, value: TensorLike): Tensor => mask.where(value, x);

  /** One axis moved to another place. */
  const moveAxis = (x: Tensor, from: number, to: number): Tensor => {
    const [a, b] = [checkAxis('moveAxis', from, x.rank), checkAxis('moveAxis', to, x.rank)];
    const order = x.shape.map((_, i) => i).filter((i) => i !== a);
    order.splice(b, 0, a);
    return x.permute(order);
  };

  /** Slices added to x along an axis, at the places that the indices name. */
  const indexAdd = (x: Tensor, axis: number, indices: Tensor, source: Tensor): Tensor => {
    const at = checkAxis('indexAdd', axis, x.rank);
    const wide = indices.reshape(source.shape.map((n, i) => (i === at ? n : 1))).expand(source.shape);
    return x.scatterAdd(at, wide, source);
  };

  return { tril, triu, diagonal, roll, maskedFill, moveAxis, indexAdd };
}
