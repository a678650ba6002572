/*
 * The system's OpenBLAS, called through koffi on addresses in the WebAssembly memory. This file decides whether there is
 * one; which products it computes is decided in sgemm.ts.
 */
import { BackendError, ValueError } from '@dl/tensor';
import { builtin } from '../pool/threads';

/** cblas_sgemm with row-major operands, alpha 1 and beta 0; addresses are the process's. */
export type CblasSgemm = (
  order: number,
  transA: number,
  transB: number,
  m: number,
  n: number,
  k: number,
  alpha: number,
  a: number,
  lda: number,
  b: number,
  ldb: number,
  beta: number,
  c: number,
  ldc: number,
) => void;

export interface Blas {
  readonly sgemm: CblasSgemm;
  /** Where a memory begins in the process. */
  baseOf(memory: WebAssembly.Memory): number;
  /** For people: the library and its version. */
  readonly name: string;
}

/** Whether there is a library, or in words why not. */
export interface BlasChoice {
  readonly blas: Blas | null;
  readonly reason: string | null;
}

/** The part of koffi that is used. */
interface Koffi {
  readonly version: string;
  load(path: string): { func(definition: string): (...args: never[]) => unknown };
  address(view: Uint8Array): bigint;
}

const libraries: Readonly<Record<string, readonly string[]>> = {
  linux: ['libopenblas.so.0', 'libopenblas.so'],
  darwin: [
    'libopenblas.dylib',
    '/opt/homebrew/opt/openblas/lib/libopenblas.dylib',
    '/usr/local/opt/openblas/lib/libopenblas.dylib',
  ],
  win32: ['libopenblas.dll', 'openblas.dll'],
};

const install =
  'Install both: npm install koffi, and OpenBLAS by apt-get install libopenblas0-pthread or brew install openblas.';

/**
 * The library as an option asks for it.
 *
 * @param wanted - false: none; 'auto': where it is installed; true: always
 * @throws BackendError with true where it is not installed
 * @throws ValueError if it is none of these
 */
export async function chooseBlas(wanted: boolean | 'auto' | undefined, threads: number): Promise<BlasChoice> {
  if (wanted === undefined || wanted === false) return { blas: null, reason: null };
  if (wanted !== true && wanted !== 'auto')
    throw new ValueError(`cpu: blas is ${JSON.stringify(wanted)}, but is true, false or 'auto'.`);
  const found = await findBlas(threads);
  if (typeof found !== 'string') return { blas: found, reason: null };
  if (wanted === true)
    throw new BackendError(`cpu: blas: true asks for OpenBLAS, but ${found}. ${install} Or ask for blas: 'auto'.`);
  return { blas: null, reason: found };
}

/** The library, or why there is none. */
async function findBlas(threads: number): Promise<Blas | string> {
  const os = builtin<{ platform(): string }>('node:os');
  if (os === undefined) return 'this is not Node, Bun or Deno';
  let koffi: Koffi;
  try {
    const name = 'koffi'; // not a literal, which bundlers would look for
    koffi = ((await import(/* @vite-ignore */ /* webpackIgnore: true */ name)) as { default: Koffi }).default;
  } catch {
    return 'koffi is not installed';
  }
  const names = libraries[os.platform()] ?? [];
  for (const name of names) {
    try {
      return open(koffi, name, threads);
    } catch {
      // the next name
    }
  }
  return `no OpenBLAS is found (${names.join(', ') || `none is known for ${os.platform()}`})`;
}

function open(koffi: Koffi, path: string, threads: number): Blas {
  const library = koffi.load(path);
  const declare = <T>(definition: string): T => library.func(definition) as T;
  // Addresses are numbers: the largest of a process has 47 bits.
  const sgemm = declare<CblasSgemm>(
    'void cblas_sgemm(int, int, int, int, int, int, float, uintptr_t, int, uintptr_t, int, float, uintptr_t, int)',
  );
  const config = declare<() => string>('const char *openblas_get_config()')();
  declare<(count: number) => void>('void openblas_set_num_threads(int)')(threads);
  return {
    sgemm,
    baseOf: (memory) => Number(koffi.address(new Uint8Array(memory.buffer))),
    name: `${config.split(' ').slice(0, 2).join(' ')} through koffi ${koffi.version}`,
  };
}
