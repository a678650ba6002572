/* Where gpu.js is found. Its import is made to fail here, as it does in a page without a bundler. */
import { BackendError } from '@dl/tensor';
import { afterEach, describe, expect, test, vi } from 'vitest';
import { loadLibrary } from './library';

vi.mock('gpu.js', () => {
  arrive();
  throw new Error('no such module');
});

/** What happens while gpu.js is imported. */
let arrive = (): void => {};

/** As gpu.js's script defines it: a class with the library's functions. */
const script = Object.assign(class {}, { GPU: class {}, input: () => null });

describe('gpu.js without its module', () => {
  afterEach(() => {
    vi.unstubAllGlobals();
    vi.resetModules();
    arrive = () => {};
  });

  test('is found as the global that its script defines', async () => {
    vi.stubGlobal('GPU', script);
    expect(await loadLibrary(undefined)).toBe(script);
  });

  test('is found if the script comes while the import fails', async () => {
    arrive = () => vi.stubGlobal('GPU', script);
    expect(await loadLibrary(undefined)).toBe(script);
  });

  test('is not mistaken for the class of WebGPU that has the same name', async () => {
    vi.stubGlobal('GPU', class {});
    await expect(loadLibrary(undefined)).rejects.toThrow(BackendError);
    await expect(loadLibrary(undefined)).rejects.toThrow(/could not be loaded.*npm install gpu\.js/);
  });
});
