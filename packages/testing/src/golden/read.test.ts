import { sizeOf } from '@dl/tensor';
import { expect, test } from 'vitest';
import { compareGolden, goldenCategories, readGolden } from './read';

test.each(goldenCategories)('%s: every tensor has as many elements as its shape', (category) => {
  for (const { inputs, outputs, grads } of readGolden(category)) {
    for (const value of Object.values({ ...inputs, ...outputs, ...grads })) expect(value.data.length).toBe(sizeOf(value.shape));
  }
});

test('reads non-finite numbers and views', () => {
  const cases = readGolden('elementwise');
  expect(cases.some((c) => c.inputs['x']?.data.includes(Number.POSITIVE_INFINITY))).toBe(true);
  expect(cases.find((c) => c.name === 'add_views')?.views['b']).toEqual([['slice', 1, 0, null, 2]]);
});

test('compares as the vectors ask', () => {
  const value = (...data: number[]) => ({ shape: [data.length], dtype: 'f32' as const, data: Float64Array.from(data) });
  const close = { rtol: 1e-3, atol: 0 };
  expect(compareGolden(value(1.0005, NaN, -0), value(1, NaN, 0), close)).toBeUndefined();
  expect(compareGolden(value(1.01), value(1), close)).toContain('element 0');
  expect(compareGolden(value(3e38), value(Number.POSITIVE_INFINITY), close)).toContain('wanted Infinity');
  expect(compareGolden({ ...value(1), dtype: 'i32' }, { ...value(1), dtype: 'bool' }, close)).toContain('dtype');
});
