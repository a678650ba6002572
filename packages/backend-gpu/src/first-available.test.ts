import { type Backend, BackendError } from '@dl/tensor';
import { expect, test } from 'vitest';
import { firstAvailable } from './first-available';

const disposed: string[] = [];
const starts = (name: string, isFallback?: boolean) => async () =>
  ({ name, isFallback, dispose: async () => void disposed.push(name) }) as unknown as Backend;
const fails = (reason: string) => async () => {
  throw new BackendError(reason);
};

test('takes the first that starts', async () => {
  expect((await firstAvailable(fails('no adapter'), starts('a'), starts('b'))).name).toBe('a');
});

test('takes an imitated GPU only when nothing else starts, and disposes of it otherwise', async () => {
  disposed.length = 0;
  expect((await firstAvailable(starts('soft', true), starts('cpu'))).name).toBe('cpu');
  expect(disposed).toEqual(['soft']);
  expect((await firstAvailable(starts('soft', true), fails('none'), starts('second', true))).name).toBe('soft');
  expect(disposed).toEqual(['soft', 'second']);
});

test('names the reason of each when none starts', async () => {
  await expect(firstAvailable(fails('no adapter'), fails('no SIMD'))).rejects.toThrow(/no adapter\n.*no SIMD/);
});
