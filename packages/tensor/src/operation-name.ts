/** Messages name the operation that the user called, also where a part of it finds the fault. */
import { DlError } from './errors';

/** What `fn` gives; an error of the library in it names `operation`, which the user called, instead of a part of it. */
export function inOperation<T>(operation: string, fn: () => T): T {
  try {
    return fn();
  } catch (error) {
    if (error instanceof DlError) error.message = error.message.replace(/^\w+:/, `${operation}:`);
    throw error;
  }
}
