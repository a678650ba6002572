/**
 * The error classes of every package. This file decides only the kinds: a message names the operation, what was
 * wrong, the two values that disagree, and the remedy, and is written where the fault is found.
 */

/** The base of every error that `@dl` throws on purpose. */
export class DlError extends Error {
  constructor(message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = new.target.name;
  }
}

/** Shapes, axes or sizes that do not fit together. */
export class ShapeError extends DlError {}

/** A dtype that an operation does not take, or two that do not combine. */
export class DTypeError extends DlError {}

/** A fault of a backend or its device: missing, lost, out of memory, or mixed with another. */
export class BackendError extends DlError {}

/** A value that was overwritten before it was read. */
export class StaleTensorError extends DlError {}

/** A file or buffer that is not what its format promises. */
export class FormatError extends DlError {}

/** An argument outside its range, or data that an operation cannot take. */
export class ValueError extends DlError {}
