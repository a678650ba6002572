/** Whether operations recorded now may require gradients. `@dl/autograd` offers the scopes that change it. */
let enabled = true;

/** Whether what is recorded now may require gradients. */
export const gradEnabled = (): boolean => enabled;

/** Runs `body` with recording of gradients switched on or off; synchronous only. */
export function withGrad<T>(on: boolean, body: () => T): T {
  const before = enabled;
  enabled = on;
  try {
    return body();
  } finally {
    enabled = before;
  }
}
