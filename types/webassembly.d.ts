/**
 * WebAssembly as every runtime that we support has it. TypeScript declares it only in `lib.dom`, which would let a
 * package use `document` unnoticed.
 */
declare namespace WebAssembly {
  // biome-ignore lint/complexity/noBannedTypes: as in TypeScript's own declarations, an export is cast to its signature.
  type ExportValue = Memory | Table | Global | Function;
  type ImportValue = ExportValue | number;
  type Imports = Record<string, Record<string, ImportValue>>;

  class Module {
    constructor(bytes: ArrayBufferView | ArrayBuffer);
    private readonly brand: 'WebAssembly.Module';
  }

  class Instance {
    constructor(module: Module, imports?: Imports);
    readonly exports: Record<string, ExportValue>;
  }

  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean });
    readonly buffer: ArrayBuffer;
    grow(pages: number): number;
  }

  class Table {
    constructor(descriptor: { element: 'anyfunc' | 'externref'; initial: number; maximum?: number });
    readonly length: number;
    get(index: number): unknown;
    set(index: number, value?: unknown): void;
    grow(by: number): number;
  }

  class Global<T extends number | bigint = number> {
    constructor(descriptor: { value: string; mutable?: boolean }, value?: T);
    value: T;
  }

  class CompileError extends Error {}
  class LinkError extends Error {}
  class RuntimeError extends Error {}

  function validate(bytes: ArrayBufferView | ArrayBuffer): boolean;
  function compile(bytes: ArrayBufferView | ArrayBuffer): Promise<Module>;
  function instantiate(module: Module, imports?: Imports): Promise<Instance>;
}
