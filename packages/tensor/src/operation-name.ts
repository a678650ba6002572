/**
 * Messages name the operation that the user called, also where a part of it finds the fault: at once, or, for an index that
 * is data, when a kernel runs long after the call. So what is recorded with an index remembers the name.
 */
import { DlError } from './errors';

let called: string | undefined;

/** What the user called, as far as `inOperation` says. */
export const calledOperation = (): string | undefined => called;

/**
 * What `fn` gives. An error of the library in it, or of an index that it records, names `operation`, which the user called,
 * instead of a part of it. Of operations within operations, the outermost is named.
 */
export function inOperation<T>(operation: string, fn: () => T): T {
  const outer = called;
  called ??= operation;
  try {
    return fn();
  } catch (error) {
    if (error instanceof DlError) error.message = error.message.replace(/^\w+:/, `${operation}:`);
    throw error;
  } finally {
    called = outer;
  }
}
