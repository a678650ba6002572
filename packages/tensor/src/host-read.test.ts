import { expect, test } from 'vitest';
import { tensor } from './index';

test('host data is read back without any backend; computing needs one', async () => {
  const x = tensor([[1, 2]]);
  expect(await x.array()).toEqual([[1, 2]]);
  expect([...x.dataSync()]).toEqual([1, 2]);
  await expect(x.add(1).data()).rejects.toThrow('No backend was chosen.');
});
